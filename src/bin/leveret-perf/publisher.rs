//! The publishing half of a run: frames encoded once, stamped and written in large pieces.
//!
//! Every body begins with its sequence number and the time it was sent. Messages go round robin
//! over the plan's routing keys, and over the sockets where there are several. Never reads,
//! except confirms.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::{Client, unexpected};
use crate::flow::Flow;
use crate::wire::{self, Arguments, Front, id};

/// Octets written at once when nothing limits the rate.
const WRITE_SIZE: usize = 128 * 1024;
/// Octets of a body before the filling: sequence number and time.
pub const STAMP: usize = 16;
/// A broker that takes no byte for this long has failed.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// From this rate on, messages go out in groups, a group a millisecond.
const GROUPED_RATE: u64 = 2_000;

/// What is published.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Exchange of every message.
    pub exchange: String,
    /// Routing keys, all of one length, taken in turn.
    pub keys: Vec<String>,
    /// Octets of a body.
    pub size: usize,
    /// Whether messages carry delivery mode 2.
    pub persistent: bool,
    /// Messages a second, or as fast as the broker takes them.
    pub rate: Option<u64>,
    /// Unconfirmed publishes allowed, when the channel confirms.
    pub confirm_window: Option<u64>,
    /// Sequence number of the first message.
    pub first: u64,
    /// Messages in all, or until told to stop.
    pub limit: Option<u64>,
}

/// Publishes until the plan or the flow ends it; all confirms are in when it returns.
///
/// The sockets come back open: a broker may drop what it has read but not yet routed when a
/// publisher vanishes (RabbitMQ does), so they are closed once everything was delivered.
pub fn run(plan: &Plan, clients: Vec<Client>, flow: &Flow) -> Result<Vec<TcpStream>> {
    let mut sockets = Vec::with_capacity(clients.len());
    for client in clients {
        let (socket, _nothing) = client.into_socket();
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        sockets.push(socket);
    }
    let mut ring = Ring::new(plan)?;
    let mut confirms = plan.confirm_window.map(Confirms::new);
    let mut pacer = plan.rate.map(Pacer::new);
    let limit = plan.limit.unwrap_or(u64::MAX);
    let mut sent = 0;
    while sent < limit {
        let mut count = ring.batch.min(limit - sent);
        if let Some(pacer) = &mut pacer {
            let due = pacer.wait(sent, flow);
            count = count.min(due);
        }
        if let Some(confirms) = &mut confirms {
            let socket = sockets.first_mut().context("no socket")?;
            count = count.min(confirms.wait_for_room(sent, count, socket)?);
        }
        let room = flow.wait_for_room(count);
        if room == 0 || count == 0 {
            break;
        }
        let slot = sent % ring.slots;
        let count = count.min(room).min(ring.slots - slot);
        match &pacer {
            None => {
                let now = flow.now_ns();
                ring.stamp(slot, count, plan.first + sent, |_| now);
            }
            Some(pacer) => {
                let began = flow.now_ns().saturating_sub(pacer.elapsed_ns());
                ring.stamp(slot, count, plan.first + sent, |number| {
                    began + pacer.stamp_ns(number - plan.first)
                });
            }
        }
        ring.write(slot, count, sent, &mut sockets)
            .map_err(|error| explain(error, &mut sockets))?;
        sent += count;
        flow.set_sent(sent);
    }
    if let (Some(confirms), Some(socket)) = (&mut confirms, sockets.first_mut()) {
        confirms.wait_for_all(sent, socket)?;
    }
    Ok(sockets)
}

/// A failed write usually has its reason waiting in the socket.
fn explain(error: std::io::Error, sockets: &mut [TcpStream]) -> anyhow::Error {
    for socket in sockets.iter_mut().take(16) {
        let mut bytes = vec![0; 4096];
        let waiting = socket.set_read_timeout(Some(Duration::from_millis(50)));
        let count = waiting.and_then(|()| socket.read(&mut bytes)).unwrap_or(0);
        if let Some(Front::Whole(frame)) = bytes.get(..count).map(wire::front)
            && let Some((method, arguments)) = wire::method_id(frame.payload)
        {
            return unexpected(method, arguments);
        }
    }
    anyhow::Error::new(error).context("publishing")
}

/// Publishes encoded once, in the order they go out.
struct Ring {
    bytes: Vec<u8>,
    stride: usize,
    stamp_at: usize,
    slots: u64,
    batch: u64,
}

impl Ring {
    fn new(plan: &Plan) -> Result<Self> {
        let filling: Vec<u8> = (0..plan.size).map(|at| (at % 251) as u8).collect();
        let encode =
            |key: &String| wire::publish(1, &plan.exchange, key, plan.persistent, &filling);
        let stride = plan.keys.first().map(encode).context("no key")?.len();
        let batch = (WRITE_SIZE / stride).max(1);
        // Whole rounds of the keys, and room for a few writes.
        let rounds = (2 * batch).div_ceil(plan.keys.len());
        let mut bytes = Vec::with_capacity(rounds * plan.keys.len() * stride);
        for key in &plan.keys {
            bytes.extend_from_slice(&encode(key));
        }
        if bytes.len() != stride * plan.keys.len() || plan.size < STAMP {
            bail!("routing keys must have one length and bodies at least {STAMP} octets");
        }
        let round = bytes.clone();
        for _ in 1..rounds {
            bytes.extend_from_slice(&round);
        }
        Ok(Self {
            slots: (bytes.len() / stride) as u64,
            stamp_at: stride - 1 - plan.size,
            batch: batch as u64,
            bytes,
            stride,
        })
    }

    fn stamp(&mut self, slot: u64, count: u64, first: u64, time: impl Fn(u64) -> u64) {
        let messages = self.bytes.chunks_exact_mut(self.stride);
        let numbers = first..first + count;
        for (message, number) in messages.skip(slot as usize).zip(numbers) {
            let body = message.get_mut(self.stamp_at..).unwrap_or_default();
            if let Some((stamp, _)) = body.split_first_chunk_mut::<STAMP>() {
                let joined = u128::from(number) << 64 | u128::from(time(number));
                *stamp = joined.to_be_bytes();
            }
        }
    }

    fn write(
        &self,
        slot: u64,
        count: u64,
        sent: u64,
        sockets: &mut [TcpStream],
    ) -> std::io::Result<()> {
        let from = slot as usize * self.stride;
        let bytes = self.bytes.get(from..).unwrap_or_default();
        let bytes = bytes
            .get(..count as usize * self.stride)
            .unwrap_or_default();
        if let [socket] = sockets {
            return socket.write_all(bytes);
        }
        let total = sockets.len() as u64;
        for (message, number) in bytes.chunks_exact(self.stride).zip(sent..) {
            if let Some(socket) = sockets.get_mut((number % total) as usize) {
                socket.write_all(message)?;
            }
        }
        Ok(())
    }
}

/// Spreads messages evenly over time.
struct Pacer {
    began: Instant,
    rate: u64,
    tick_ns: u64,
    awake_ns: u64,
}

impl Pacer {
    fn new(rate: u64) -> Self {
        let rate = rate.max(1);
        let tick_ns = if rate > GROUPED_RATE {
            1_000_000
        } else {
            1_000_000_000 / rate
        };
        Self {
            began: Instant::now(),
            rate,
            tick_ns,
            awake_ns: 0,
        }
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits until a message is due; how many are, or 0 when publishing is to end.
    fn wait(&mut self, sent: u64, flow: &Flow) -> u64 {
        while flow.is_publishing() {
            let now = self.elapsed_ns();
            let ticks = now / self.tick_ns;
            let due = u128::from(ticks) * u128::from(self.tick_ns) * u128::from(self.rate)
                / 1_000_000_000;
            let due = u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(sent);
            if due > 0 {
                return due;
            }
            let next = (ticks + 1) * self.tick_ns;
            thread::sleep(Duration::from_nanos(next - now));
            self.awake_ns = self.elapsed_ns();
        }
        0
    }

    /// When the message counts as sent: when it was due, or when this thread woke up to send it
    /// if that was later. A broker that blocks the write is thus charged for the messages that
    /// had to wait, and not for this thread's own oversleeping.
    fn stamp_ns(&self, number: u64) -> u64 {
        let due = u128::from(number + 1) * 1_000_000_000 / u128::from(self.rate);
        u64::try_from(due).unwrap_or(u64::MAX).max(self.awake_ns)
    }
}

/// Publisher confirms of channel 1: which tags are out, whether one comes twice or negative.
struct Confirms {
    window: u64,
    /// Every tag up to here is confirmed.
    low: u64,
    /// Tags confirmed singly above it.
    singles: BTreeSet<u64>,
    buffer: Vec<u8>,
}

impl Confirms {
    fn new(window: u64) -> Self {
        Self {
            window,
            low: 0,
            singles: BTreeSet::new(),
            buffer: Vec::new(),
        }
    }

    fn outstanding(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.low + self.singles.len() as u64)
    }

    /// Reads confirms until a good part of the window is free.
    fn wait_for_room(&mut self, sent: u64, wanted: u64, socket: &mut TcpStream) -> Result<u64> {
        let wanted = wanted.min(self.window / 4).max(1);
        while self.window.saturating_sub(self.outstanding(sent)) < wanted {
            self.read(sent, socket)?;
        }
        Ok(self.window.saturating_sub(self.outstanding(sent)))
    }

    fn wait_for_all(&mut self, sent: u64, socket: &mut TcpStream) -> Result<()> {
        while self.outstanding(sent) > 0 {
            self.read(sent, socket)?;
        }
        Ok(())
    }

    fn read(&mut self, sent: u64, socket: &mut TcpStream) -> Result<()> {
        let mut chunk = [0; 16 * 1024];
        let count = match socket.read(&mut chunk) {
            Ok(0) => bail!("the broker closed the publisher's connection"),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            Err(error) => {
                let open = self.outstanding(sent);
                return Err(error).with_context(|| format!("{open} publishes are unconfirmed"));
            }
        };
        self.buffer.extend(chunk.iter().take(count));
        let mut taken = 0;
        loop {
            let (length, settled) = match wire::front(self.buffer.get(taken..).unwrap_or_default())
            {
                Front::Partial => break,
                Front::Garbage => bail!("the broker sent something that is no frame"),
                Front::Whole(frame) if frame.kind != wire::METHOD => (frame.length, None),
                Front::Whole(frame) => (frame.length, Some(read_confirm(frame.payload)?)),
            };
            taken += length;
            if let Some((tag, multiple)) = settled {
                self.settle(tag, multiple, sent)?;
            }
        }
        self.buffer.drain(..taken);
        Ok(())
    }

    fn settle(&mut self, tag: u64, multiple: bool, sent: u64) -> Result<()> {
        if tag > sent || tag <= self.low || (!multiple && self.singles.contains(&tag)) {
            bail!(
                "confirm of {tag}, but {sent} were sent and {} confirmed",
                self.low
            );
        }
        if multiple {
            self.singles = self.singles.split_off(&(tag + 1));
            self.low = tag;
        } else {
            self.singles.insert(tag);
        }
        while self.singles.remove(&(self.low + 1)) {
            self.low += 1;
        }
        Ok(())
    }
}

fn read_confirm(payload: &[u8]) -> Result<(u64, bool)> {
    let (method, arguments) = wire::method_id(payload).context("short method frame")?;
    let mut fields = Arguments(arguments);
    let settled = fields.long_long().zip(fields.octet());
    match (method, settled) {
        (id::BASIC_ACK, Some((tag, bits))) => Ok((tag, bits & 1 == 1)),
        (id::BASIC_NACK, Some((tag, _))) => bail!("the broker refused publish {tag}"),
        _ => Err(unexpected(method, arguments)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Confirms, Plan, Ring, STAMP};

    #[test]
    fn confirms_single_and_multiple_add_up_and_strays_are_refused() {
        let mut confirms = Confirms::new(10);
        confirms.settle(3, false, 10).unwrap();
        assert_eq!(confirms.outstanding(10), 9);
        confirms.settle(2, true, 10).unwrap();
        assert_eq!((confirms.low, confirms.outstanding(10)), (3, 7));
        confirms.settle(9, false, 10).unwrap();
        confirms.settle(8, true, 10).unwrap();
        assert_eq!((confirms.low, confirms.outstanding(10)), (9, 1));
        assert!(confirms.settle(9, false, 10).is_err(), "twice");
        assert!(confirms.settle(11, false, 10).is_err(), "never sent");
    }

    #[test]
    fn a_ring_holds_whole_rounds_and_stamps_only_what_it_is_told() {
        let plan = Plan {
            exchange: String::new(),
            keys: vec!["q1".into(), "q2".into(), "q3".into()],
            size: STAMP,
            persistent: false,
            rate: None,
            confirm_window: None,
            first: 0,
            limit: None,
        };
        let mut ring = Ring::new(&plan).unwrap();
        assert_eq!(ring.slots % 3, 0);
        let before = ring.bytes.clone();
        ring.stamp(1, 1, 0x0102, |number| number + 1);
        let (start, end) = (2 * ring.stride - 1 - STAMP, 2 * ring.stride - 1);
        assert_eq!(
            &ring.bytes[start..end],
            [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 3]
        );
        assert_eq!(ring.bytes[..start], before[..start]);
        assert_eq!(ring.bytes[end..], before[end..]);
    }
}
