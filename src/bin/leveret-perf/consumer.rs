//! The consuming half of a run: deliveries parsed where they were read, counted, checked for
//! order, loss and repetition, and acknowledged.
//!
//! One connection is served by blocking reads, many by one poll loop. Never publishes.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, unexpected};
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::ring::STAMP;
use crate::wire::{self, Front, id};

/// Read at once from a connection that carries everything.
const LARGE_READ: usize = 256 * 1024;
/// Read at once from each of many connections.
const SMALL_READ: usize = 16 * 1024;
/// Connections that still get the large buffer.
const FEW: usize = 16;
/// How soon an idle consumer notices that it is to stop.
const LOOK_UP: Duration = Duration::from_millis(50);

/// A stamped number holds the publisher's number above this bit.
const PUBLISHER_SHIFT: u32 = 40;

/// The number stamped into a publisher's message.
pub fn numbered(publisher: u64, number: u64) -> u64 {
    publisher << PUBLISHER_SHIFT | number
}

/// How deliveries are acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    /// By the broker itself (`no_ack`).
    Auto,
    /// One by one.
    Each,
    /// The last of so many, with `multiple`.
    Every(u64),
    /// Not at all.
    Never,
}

/// What must arrive: the next sequence number of each consumer, and what did arrive.
#[derive(Debug)]
pub struct Ledger {
    next: Vec<u64>,
    consumers: usize,
    stride: u64,
    size: usize,
    redelivered: bool,
    latencies: Histogram,
}

impl Ledger {
    /// Consumer `n` expects `first[n]`, and from there every `stride`-th number, in bodies of
    /// `size` octets.
    pub fn new(first: Vec<u64>, stride: u64, size: usize) -> Self {
        Self {
            consumers: first.len(),
            next: first,
            stride,
            size,
            redelivered: false,
            latencies: Histogram::default(),
        }
    }

    /// Several publishers send to the same consumers, each with numbers of its own (see
    /// [`numbered`]): consumer `n` expects `first[p * consumers + n]` of publisher `p`, and from
    /// there every `stride`-th number.
    pub fn of_publishers(first: Vec<u64>, consumers: usize, stride: u64, size: usize) -> Self {
        Self {
            consumers,
            ..Self::new(first, stride, size)
        }
    }

    /// Lets first deliveries be marked redelivered, as they may be after a restart.
    pub fn after_restart(self) -> Self {
        Self {
            redelivered: true,
            ..self
        }
    }

    #[inline]
    fn check(&mut self, consumer: usize, stamped: u64) -> Result<()> {
        let publisher = (stamped >> PUBLISHER_SHIFT) as usize;
        let got = stamped & (numbered(1, 0) - 1);
        let place = publisher * self.consumers + consumer;
        match self.next.get_mut(place) {
            Some(next) if *next == got => {
                *next += self.stride;
                Ok(())
            }
            Some(next) if got < *next => {
                bail!("duplicate: consumer {consumer} got message {got} again, {next} was next")
            }
            Some(next) => bail!("loss: consumer {consumer} got message {got}, {next} was next"),
            None => bail!("a delivery for consumer {consumer}, which does not exist"),
        }
    }
}

/// Consumes on all `clients` until the flow ends it.
pub fn run(clients: Vec<Client>, acks: Acks, mut ledger: Ledger, flow: &Flow) -> Result<Histogram> {
    let capacity = if clients.len() > FEW {
        SMALL_READ
    } else {
        LARGE_READ
    };
    let mut links = Vec::with_capacity(clients.len());
    for client in clients {
        let (socket, leftover) = client.into_socket();
        let mut inbound = Inbound::new(capacity, acks, &leftover);
        // Deliveries may have come with the reply that ended the set-up.
        inbound.absorb(&mut ledger, flow)?;
        links.push((socket, inbound));
    }
    if links.len() == 1 {
        let (mut socket, mut inbound) = links.pop().context("no connection")?;
        consume_one(&mut socket, &mut inbound, &mut ledger, flow)?;
    } else {
        consume_many(links, &mut ledger, flow)?;
    }
    Ok(ledger.latencies)
}

fn consume_one(
    socket: &mut TcpStream,
    inbound: &mut Inbound,
    ledger: &mut Ledger,
    flow: &Flow,
) -> Result<()> {
    socket.set_read_timeout(Some(LOOK_UP))?;
    while flow.is_consuming() {
        if inbound.read(socket)? {
            inbound.absorb(ledger, flow)?;
            if !inbound.acks_out.is_empty() {
                socket
                    .write_all(&inbound.acks_out)
                    .context("acknowledging")?;
                inbound.acks_out.clear();
            }
        }
    }
    inbound.ack_the_rest();
    socket.write_all(&inbound.acks_out).context("acknowledging")
}

fn consume_many(links: Vec<(TcpStream, Inbound)>, ledger: &mut Ledger, flow: &Flow) -> Result<()> {
    let mut poll = Poll::new()?;
    let mut polled = Vec::with_capacity(links.len());
    for (number, (socket, inbound)) in links.into_iter().enumerate() {
        socket.set_nonblocking(true)?;
        let mut socket = mio::net::TcpStream::from_std(socket);
        poll.registry()
            .register(&mut socket, Token(number), Interest::READABLE)?;
        polled.push((socket, inbound));
    }
    let mut events = Events::with_capacity(256);
    while flow.is_consuming() {
        match poll.poll(&mut events, Some(LOOK_UP)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            let Some((socket, inbound)) = polled.get_mut(event.token().0) else {
                continue;
            };
            // The notice comes once, so the socket is read until it has no more.
            while inbound.read(socket)? {
                let was_full = inbound.filled == inbound.buffer.len();
                inbound.absorb(ledger, flow)?;
                if !inbound.acks_out.is_empty() {
                    // Acknowledgements are far smaller than any socket buffer.
                    socket
                        .write_all(&inbound.acks_out)
                        .context("acknowledging")?;
                    inbound.acks_out.clear();
                }
                if !was_full {
                    break;
                }
            }
        }
    }
    Ok(())
}

/// One connection's bytes and the delivery in the middle of them.
#[derive(Debug)]
struct Inbound {
    buffer: Vec<u8>,
    filled: usize,
    delivery: Delivery,
    acks: Acks,
    unacked: u64,
    last_tag: u64,
    acks_out: Vec<u8>,
}

/// Where the parser stands inside a delivery.
#[derive(Debug, Default)]
struct Delivery {
    consumer: usize,
    tag: u64,
    remaining: u64,
    begun: bool,
}

impl Inbound {
    fn new(capacity: usize, acks: Acks, leftover: &[u8]) -> Self {
        let mut buffer = leftover.to_vec();
        buffer.resize(capacity.max(2 * leftover.len()), 0);
        Self {
            buffer,
            filled: leftover.len(),
            delivery: Delivery::default(),
            acks,
            unacked: 0,
            last_tag: 0,
            acks_out: Vec::new(),
        }
    }

    /// Reads once; false when nothing was there.
    fn read(&mut self, socket: &mut impl Read) -> Result<bool> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(2 * self.filled, 0);
        }
        match socket.read(self.buffer.get_mut(self.filled..).unwrap_or_default()) {
            Ok(0) => bail!("the broker closed a consumer's connection"),
            Ok(count) => {
                self.filled += count;
                Ok(true)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(false),
                _ => Err(error).context("reading deliveries"),
            },
        }
    }

    /// Takes every whole frame out of the buffer.
    fn absorb(&mut self, ledger: &mut Ledger, flow: &Flow) -> Result<()> {
        let clock = flow.is_measuring().then(|| flow.now_ns());
        let mut deliveries = 0;
        let mut taken = 0;
        loop {
            let rest = self.buffer.get(taken..self.filled).unwrap_or_default();
            let frame = match wire::front(rest) {
                Front::Whole(frame) => frame,
                Front::Partial => break,
                Front::Garbage => bail!("the broker sent something that is no frame"),
            };
            taken += frame.length;
            let complete = match frame.kind {
                wire::METHOD => self.delivery.begin(frame.payload, ledger)?,
                wire::HEADER => self.delivery.header(frame.payload, ledger)?,
                wire::BODY => self.delivery.body(frame.payload, ledger, clock)?,
                _ => false,
            };
            if complete {
                deliveries += 1;
                self.last_tag = self.delivery.tag;
                match self.acks {
                    Acks::Auto | Acks::Never => {}
                    Acks::Each => push_ack(&mut self.acks_out, self.last_tag, false),
                    Acks::Every(number) => {
                        self.unacked += 1;
                        if self.unacked >= number {
                            push_ack(&mut self.acks_out, self.last_tag, true);
                            self.unacked = 0;
                        }
                    }
                }
            }
        }
        self.buffer.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        if deliveries > 0 {
            flow.add_received(deliveries);
        }
        Ok(())
    }

    fn ack_the_rest(&mut self) {
        if self.unacked > 0 {
            push_ack(&mut self.acks_out, self.last_tag, true);
            self.unacked = 0;
        }
    }
}

impl Delivery {
    #[inline]
    fn begin(&mut self, payload: &[u8], ledger: &Ledger) -> Result<bool> {
        let (method, arguments) = wire::method_id(payload).context("short method frame")?;
        if method != id::BASIC_DELIVER {
            return Err(unexpected(method, arguments));
        }
        let mut fields = wire::Arguments(arguments);
        let consumer = fields.short_str().context("short deliver")?;
        let tag = fields.long_long().context("short deliver")?;
        let redelivered = fields.octet().context("short deliver")? & 1 == 1;
        if redelivered && !ledger.redelivered {
            bail!("duplicate: delivery {tag} is marked redelivered");
        }
        self.consumer = consumer.iter().fold(0, |number, digit| {
            number * 10 + usize::from(digit.wrapping_sub(b'0'))
        });
        self.tag = tag;
        Ok(false)
    }

    #[inline]
    fn header(&mut self, payload: &[u8], ledger: &Ledger) -> Result<bool> {
        let (_, mut fields) = payload
            .split_first_chunk::<4>()
            .map(|(class, rest)| (class, wire::Arguments(rest)))
            .context("short content header")?;
        self.remaining = fields.long_long().context("short content header")?;
        self.begun = false;
        if self.remaining != ledger.size as u64 {
            bail!(
                "a body of {} octets arrived as {}",
                ledger.size,
                self.remaining
            );
        }
        Ok(false)
    }

    #[inline]
    fn body(&mut self, payload: &[u8], ledger: &mut Ledger, clock: Option<u64>) -> Result<bool> {
        if !self.begun {
            let (stamp, _) = payload
                .split_first_chunk::<STAMP>()
                .context("the body's first frame is too short to hold its number")?;
            let joined = u128::from_be_bytes(*stamp);
            ledger.check(self.consumer, (joined >> 64) as u64)?;
            if let Some(now) = clock {
                ledger.latencies.record(now.saturating_sub(joined as u64));
            }
            self.begun = true;
        }
        self.remaining = self
            .remaining
            .checked_sub(payload.len() as u64)
            .context("more body than announced")?;
        Ok(self.remaining == 0)
    }
}

#[inline]
fn push_ack(out: &mut Vec<u8>, tag: u64, multiple: bool) {
    out.extend_from_slice(&[wire::METHOD, 0, 1, 0, 0, 0, 13, 0, 60, 0, 80]);
    out.extend_from_slice(&tag.to_be_bytes());
    out.extend_from_slice(&[u8::from(multiple), wire::FRAME_END]);
}

#[cfg(test)]
mod tests {
    use super::{Acks, Inbound, Ledger, numbered};
    use crate::flow::Flow;
    use crate::wire::{self, Method, id};

    fn deliver(consumer: usize, tag: u64, number: u64, redelivered: bool) -> Vec<u8> {
        let mut out = Method::new(id::BASIC_DELIVER)
            .short_str(consumer.to_string().as_bytes())
            .long_long(tag)
            .octet(u8::from(redelivered))
            .short_str(b"")
            .short_str(b"key")
            .frame(1);
        let mut body = number.to_be_bytes().to_vec();
        body.resize(20, 0);
        // The content of a publish, its body split in two frames.
        let publish = wire::publish(1, "", "key", false, &body);
        let content = 7 + 4 + 2 + 1 + 4 + 1 + 1;
        out.extend_from_slice(&publish[content..publish.len() - 28]);
        out.extend_from_slice(&wire::frame(wire::BODY, 1, &body[..17]));
        out.extend_from_slice(&wire::frame(wire::BODY, 1, &body[17..]));
        out
    }

    fn feed(inbound: &mut Inbound, ledger: &mut Ledger, flow: &Flow, bytes: &[u8]) -> bool {
        let mut bytes = bytes;
        inbound.read(&mut bytes).unwrap();
        inbound.absorb(ledger, flow).is_ok()
    }

    #[test]
    fn deliveries_cut_anywhere_are_counted_once() {
        let flow = Flow::new(100, 1);
        let mut ledger = Ledger::new(vec![0, 1], 2, 20);
        let mut inbound = Inbound::new(512, Acks::Every(3), &[]);
        let bytes: Vec<u8> = (0..10)
            .flat_map(|number| deliver(number % 2, number as u64 + 1, number as u64, false))
            .collect();
        for piece in bytes.chunks(13) {
            assert!(feed(&mut inbound, &mut ledger, &flow, piece));
        }
        assert_eq!(flow.received(), 10);
        assert_eq!(ledger.next, [10, 11]);
        assert_eq!(inbound.acks_out.len(), 3 * 21);
    }

    #[test]
    fn loss_repetition_and_redelivery_are_loud() {
        for (number, redelivered) in [(1, false), (0, true)] {
            let flow = Flow::new(100, 1);
            let mut ledger = Ledger::new(vec![0], 1, 20);
            let mut inbound = Inbound::new(512, Acks::Auto, &[]);
            let bytes = deliver(0, 1, number, redelivered);
            assert!(!feed(&mut inbound, &mut ledger, &flow, &bytes));
        }
        let flow = Flow::new(100, 1);
        let mut ledger = Ledger::new(vec![0], 1, 20);
        let mut inbound = Inbound::new(512, Acks::Auto, &[]);
        assert!(feed(
            &mut inbound,
            &mut ledger,
            &flow,
            &deliver(0, 1, 0, false)
        ));
        assert!(!feed(
            &mut inbound,
            &mut ledger,
            &flow,
            &deliver(0, 2, 0, false)
        ));
    }

    #[test]
    fn after_a_restart_the_mark_is_forgiven_but_not_the_repetition() {
        let flow = Flow::new(100, 1);
        let mut ledger = Ledger::new(vec![0], 1, 20).after_restart();
        let mut inbound = Inbound::new(512, Acks::Auto, &[]);
        let bytes = deliver(0, 1, 0, true);
        assert!(feed(&mut inbound, &mut ledger, &flow, &bytes));
        assert!(!feed(&mut inbound, &mut ledger, &flow, &bytes));
    }

    #[test]
    fn publishers_of_one_queue_are_told_apart() {
        let mut ledger = Ledger::of_publishers(vec![0, 1, 1, 0], 2, 2, 20);
        ledger.check(0, numbered(0, 0)).unwrap();
        ledger.check(0, numbered(1, 1)).unwrap();
        ledger.check(1, numbered(1, 0)).unwrap();
        ledger.check(1, numbered(1, 2)).unwrap();
        assert_eq!(ledger.next, [2, 1, 3, 4]);
        let why = ledger.check(1, numbered(1, 2)).unwrap_err().to_string();
        assert!(why.contains("duplicate"), "{why}");
        let why = ledger.check(0, numbered(0, 4)).unwrap_err().to_string();
        assert!(why.contains("loss"), "{why}");
        assert!(
            ledger.check(0, numbered(2, 0)).is_err(),
            "no such publisher"
        );
    }
}
