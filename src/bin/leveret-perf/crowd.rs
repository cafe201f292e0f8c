//! Any number of confirming publishers in one poll loop, each with a window of its own.
//!
//! The loop never blocks on one of them, so that a publisher whose confirm is out does not hold
//! the others: what a broker makes of many publishers at once shows only that way. Numbers are
//! stamped with the publisher's own (see [`numbered`]).

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::client::Client;
use crate::confirms::{Confirms, SendTimes};
use crate::consumer::numbered;
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::ring::{Pattern, Ring};

/// Token of the wake-up that consumers give.
const WAKE: Token = Token(usize::MAX);
/// How soon an idle loop notices that it is to stop.
const LOOK_UP: Duration = Duration::from_millis(20);
/// No confirm may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the crowd publishes, to the default exchange and persistent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Routing keys of each publisher, taken in turn.
    pub keys: Vec<Vec<String>>,
    /// Octets of a body.
    pub size: usize,
    /// Unconfirmed publishes allowed to each.
    pub window: u64,
    /// Whether a confirm counts as a delivery, because nobody consumes.
    pub count_confirms: bool,
}

/// What a publishing thread leaves behind.
#[derive(Debug, Default)]
pub struct Published {
    /// Sockets that must stay open until everything was delivered.
    pub sockets: Vec<TcpStream>,
    /// How long the confirms took.
    pub confirms: Histogram,
}

/// Publishes until the flow ends it; all confirms are in when it returns.
pub fn run(plan: &Plan, clients: Vec<Client>, flow: &Flow) -> Result<Published> {
    let mut poll = Poll::new()?;
    flow.wake_with(Waker::new(poll.registry(), WAKE)?);
    let mut crowd = Crowd {
        links: Vec::with_capacity(clients.len()),
        sent: 0,
        count_confirms: plan.count_confirms,
        last_confirm: Instant::now(),
    };
    for (number, (client, keys)) in clients.into_iter().zip(&plan.keys).enumerate() {
        let mut link = Link::new(number, client, keys, plan)?;
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut link.socket, Token(number), both)?;
        crowd.links.push(link);
    }
    let mut events = Events::with_capacity(256);
    while crowd.goes_on(flow) {
        match poll.poll(&mut events, Some(LOOK_UP)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        let mut all = events.is_empty();
        for event in &events {
            if event.token() == WAKE {
                all = true;
            } else {
                crowd.serve(event.token().0, event.is_readable(), flow)?;
            }
        }
        if all {
            for number in 0..crowd.links.len() {
                crowd.pump(number, flow)?;
            }
        }
        crowd.check_patience()?;
    }
    Ok(crowd.into_published())
}

struct Crowd {
    links: Vec<Link>,
    /// Messages of all publishers.
    sent: u64,
    count_confirms: bool,
    last_confirm: Instant,
}

/// One publisher.
struct Link {
    number: u64,
    socket: mio::net::TcpStream,
    ring: Ring,
    confirms: Confirms,
    times: SendTimes,
    sent: u64,
    /// What the socket has not taken yet.
    unwritten: Range<usize>,
}

impl Link {
    fn new(number: usize, client: Client, keys: &[String], plan: &Plan) -> Result<Self> {
        let (socket, _nothing) = client.into_socket();
        socket.set_nonblocking(true)?;
        let pattern = Pattern {
            exchange: "",
            size: plan.size,
            persistent: true,
            window: plan.window,
        };
        let times = SendTimes::new(plan.window);
        Ok(Self {
            number: number as u64,
            socket: mio::net::TcpStream::from_std(socket),
            ring: Ring::new(keys, pattern)?,
            confirms: Confirms::new(plan.window).timed(times.clone()),
            times,
            sent: 0,
            unwritten: 0..0,
        })
    }

    /// Writes what waits; false when the socket takes no more.
    fn flush(&mut self) -> Result<bool> {
        while !self.unwritten.is_empty() {
            match self.socket.write(self.ring.octets(self.unwritten.clone())) {
                Ok(count) => self.unwritten.start += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("publishing as publisher {}", self.number));
                }
            }
        }
        Ok(true)
    }

    fn is_settled(&self) -> bool {
        self.unwritten.is_empty() && self.confirms.outstanding(self.sent) == 0
    }
}

impl Crowd {
    /// Whether there is something to send or to wait for.
    fn goes_on(&self, flow: &Flow) -> bool {
        flow.is_publishing()
            || (!flow.has_failed() && !self.links.iter().all(|link| link.is_settled()))
    }

    fn serve(&mut self, number: usize, readable: bool, flow: &Flow) -> Result<()> {
        if readable && let Some(link) = self.links.get_mut(number) {
            let before = link.confirms.confirmed();
            // The notice comes once, so the socket is read until it has no more.
            while link.confirms.read(link.sent, &mut link.socket, flow)? {}
            let confirmed = link.confirms.confirmed() - before;
            if confirmed > 0 {
                self.last_confirm = Instant::now();
                if self.count_confirms {
                    flow.add_received(confirmed);
                }
            }
        }
        self.pump(number, flow)
    }

    /// Sends what socket, window and flow allow.
    fn pump(&mut self, number: usize, flow: &Flow) -> Result<()> {
        let Some(link) = self.links.get_mut(number) else {
            return Ok(());
        };
        while link.flush()? && flow.is_publishing() {
            let room = link.confirms.room(link.sent);
            let wanted = wanted(&link.ring, link.confirms.window());
            if room < wanted {
                break;
            }
            let allowed = flow.room_or_wake(wanted);
            let (slot, straight) = link.ring.slot(link.sent);
            let count = room.min(allowed).min(link.ring.batch()).min(straight);
            if count == 0 {
                break;
            }
            if link.is_settled() {
                // Nothing was awaited, so patience begins anew.
                self.last_confirm = Instant::now();
            }
            let now = flow.now_ns();
            let first = numbered(link.number, link.sent);
            link.ring.stamp(slot, count, first, |_| now);
            for tag in link.sent + 1..=link.sent + count {
                link.times.set(tag, now);
            }
            link.unwritten = link.ring.range(slot, count);
            link.sent += count;
            self.sent += count;
            flow.set_sent(self.sent);
        }
        Ok(())
    }

    fn check_patience(&self) -> Result<()> {
        if self.last_confirm.elapsed() > PATIENCE {
            let open: u64 = self
                .links
                .iter()
                .map(|link| link.confirms.outstanding(link.sent))
                .sum();
            if open > 0 {
                bail!("{open} publishes are unconfirmed and nothing comes");
            }
        }
        Ok(())
    }

    fn into_published(self) -> Published {
        let mut published = Published::default();
        for link in self.links {
            published.confirms.merge(link.confirms.latencies());
            published.sockets.push(link.socket.into());
        }
        published
    }
}

/// The least worth a write: a good part of the window, but no more than a write holds.
fn wanted(ring: &Ring, window: u64) -> u64 {
    (window / 4).clamp(1, ring.batch())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Plan, run};
    use crate::client::Client;
    use crate::floor;
    use crate::flow::Flow;
    use crate::url::BrokerUrl;

    #[test]
    fn every_publish_of_every_publisher_is_confirmed_when_it_ends() {
        let address = floor::in_background();
        let url = BrokerUrl::parse(&format!("amqp://{address}")).unwrap();
        let clients = (0..5).map(|_| {
            let mut client = Client::connect(&url).unwrap();
            client.open_channel(1).unwrap();
            client.confirm().unwrap();
            client
        });
        let plan = Plan {
            keys: vec![vec!["a".to_owned(), "b".to_owned()]; 5],
            size: 100,
            window: 3,
            count_confirms: true,
        };
        let flow = Arc::new(Flow::new(u64::MAX / 2, 1));
        flow.set_measuring(true);
        let (clients, shared) = (clients.collect(), Arc::clone(&flow));
        let crowd = thread::spawn(move || run(&plan, clients, &shared));
        let patience = Instant::now() + Duration::from_secs(60);
        while flow.received() < 1000 && !crowd.is_finished() {
            assert!(Instant::now() < patience, "no progress");
            thread::yield_now();
        }
        flow.stop_publishing();
        let published = crowd.join().unwrap().unwrap();
        assert_eq!(published.sockets.len(), 5);
        assert!(flow.is_drained() && flow.sent() >= 1000);
        assert_eq!(published.confirms.total(), flow.sent());
    }
}
