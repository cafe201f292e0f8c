//! One confirming publisher at a steady rate: one thread sends when a message is due, another
//! blocks on the confirms, so that neither waits for the other and a confirm is timed when it
//! comes.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::client::Client;
use crate::confirms::{Confirms, SendTimes};
use crate::crowd::Published;
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::pacer::Pacer;
use crate::ring::{Pattern, Ring};

/// How soon the reading thread notices that all is confirmed.
const LOOK_UP: Duration = Duration::from_millis(20);
/// No confirm may take longer than this.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is published, to the default exchange and persistent.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Routing keys, taken in turn.
    pub keys: Vec<String>,
    /// Octets of a body.
    pub size: usize,
    /// Messages a second.
    pub rate: u64,
    /// Unconfirmed publishes remembered; a broker that leaves more open has failed.
    pub window: u64,
    /// Whether a confirm counts as a delivery, because nobody consumes.
    pub count_confirms: bool,
}

/// Publishes until the flow ends it; all confirms are in when it returns.
pub fn run(plan: &Plan, client: Client, flow: &Flow) -> Result<Published> {
    let (mut socket, _nothing) = client.into_socket();
    let mut reading = socket.try_clone()?;
    reading.set_read_timeout(Some(LOOK_UP))?;
    let times = SendTimes::new(plan.window);
    let confirms = Confirms::new(plan.window).timed(times.clone());
    let all_sent = AtomicBool::new(false);
    let latencies = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let read = read_confirms(confirms, plan, &mut reading, &all_sent, flow);
            if let Err(error) = &read {
                flow.fail(error);
            }
            read
        });
        let sent = send(plan, &times, &mut socket, flow);
        if let Err(error) = &sent {
            flow.fail(error);
        }
        all_sent.store(true, Ordering::SeqCst);
        let read = reader.join().ok().context("the reader panicked")?;
        sent.and(read)
    })?;
    Ok(Published {
        sockets: vec![socket],
        confirms: latencies,
    })
}

fn send(plan: &Plan, times: &SendTimes, socket: &mut TcpStream, flow: &Flow) -> Result<()> {
    let pattern = Pattern {
        exchange: "",
        size: plan.size,
        persistent: true,
        window: plan.window,
    };
    let mut ring = Ring::new(&plan.keys, pattern)?;
    let mut pacer = Pacer::new(plan.rate);
    let began = flow.now_ns().saturating_sub(pacer.elapsed_ns());
    let mut sent = 0;
    loop {
        let due = pacer.wait(sent, || flow.is_publishing());
        if due == 0 {
            return Ok(());
        }
        let (slot, straight) = ring.slot(sent);
        let count = due.min(straight).min(ring.batch());
        let time = |number: u64| began + pacer.stamp_ns(number);
        ring.stamp(slot, count, sent, time);
        for number in sent..sent + count {
            times.set(number + 1, time(number));
        }
        sent += count;
        // Before the write: its confirm may come before the write returns.
        flow.set_sent(sent);
        socket
            .write_all(ring.octets(ring.range(slot, count)))
            .context("publishing")?;
    }
}

fn read_confirms(
    mut confirms: Confirms,
    plan: &Plan,
    socket: &mut TcpStream,
    all_sent: &AtomicBool,
    flow: &Flow,
) -> Result<Histogram> {
    let mut silent = Duration::ZERO;
    loop {
        let before = confirms.confirmed();
        // Asked first: what is sent until then, this round or the next will see.
        let ending = all_sent.load(Ordering::SeqCst);
        let came = confirms.read(u64::MAX, socket, flow)?;
        let sent = flow.sent();
        if confirms.confirmed() > sent {
            bail!("{} confirms of {sent} publishes", confirms.confirmed());
        }
        if plan.count_confirms && confirms.confirmed() > before {
            flow.add_received(confirms.confirmed() - before);
        }
        let open = confirms.outstanding(sent);
        silent = if came || open == 0 {
            Duration::ZERO
        } else {
            silent + LOOK_UP
        };
        if open > confirms.window() || silent >= PATIENCE {
            bail!("{open} publishes are unconfirmed");
        }
        if flow.has_failed() || (ending && open == 0) {
            return Ok(confirms.latencies().clone());
        }
    }
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
    fn all_confirms_are_read_when_it_ends_and_each_was_timed() {
        let address = floor::in_background();
        let url = BrokerUrl::parse(&format!("amqp://{address}")).unwrap();
        let mut client = Client::connect(&url).unwrap();
        client.open_channel(1).unwrap();
        client.confirm().unwrap();
        let plan = Plan {
            keys: vec!["a".to_owned()],
            size: 16,
            rate: 2000,
            window: 10_000,
            count_confirms: true,
        };
        let flow = Arc::new(Flow::new(u64::MAX / 2, 1));
        flow.set_measuring(true);
        let shared = Arc::clone(&flow);
        let paced = thread::spawn(move || run(&plan, client, &shared));
        let patience = Instant::now() + Duration::from_secs(60);
        while flow.received() < 100 && !paced.is_finished() {
            assert!(Instant::now() < patience, "no progress");
            thread::yield_now();
        }
        flow.stop_publishing();
        let published = paced.join().unwrap().unwrap();
        assert!(flow.is_drained() && flow.sent() >= 100);
        assert_eq!(published.confirms.total(), flow.sent());
    }
}
