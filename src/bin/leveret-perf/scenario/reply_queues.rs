//! Reply queues that come and go beside a steady publisher.
//!
//! The churn costs the broker something itself, so it is also measured alone and subtracted:
//! what is left is what it does to the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Options;
use super::stream::{Shape, Stream, unique_prefix};
use crate::client::{Client, QueueKind, consume, declare_queue, delete_queue};
use crate::consumer::Acks;
use crate::measurement::{Measurement, Meter};
use crate::target::Target;
use crate::wire::{self, id};

/// Queues a second.
const RATE: u64 = 1000;
/// Queues alive together: made, used and deleted in groups.
const GROUP: u64 = 10;

/// The publisher alone, the churn alone and both.
pub fn run(target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let shape = Shape {
        size: 16,
        queues: 1,
        links: 1,
        fan_out: false,
        rate: Some(options.rate),
        acks: Acks::Auto,
        confirm_window: None,
        durable: None,
    };
    let churn = Churn::start(target)?;
    thread::sleep(Duration::from_secs_f64(
        (options.seconds / 4.0).clamp(0.5, 2.0),
    ));
    let meter = Meter::start(target)?;
    let before = churn.count();
    thread::sleep(Duration::from_secs_f64(options.seconds));
    let queues = churn.count() - before;
    let reading = meter.stop()?;
    churn.stop()?;
    let churn_row = reading.row("reply-queues-churn", 0, queues);

    let mut stream = Stream::start(&shape, target, options)?;
    stream.warm_up(options)?;
    let (reading, count) = stream.measure(options.seconds)?;
    let alone = reading.row("reply-queues-without", shape.size, count);
    let alone = alone.with_latencies(&stream.finish()?.delivery);

    let mut stream = Stream::start(&shape, target, options)?;
    let churn = Churn::start(target)?;
    stream.warm_up(options)?;
    let before = churn.count();
    let (reading, count) = stream.measure(options.seconds)?;
    let queues = churn.count() - before;
    let both = reading.row("reply-queues-with", shape.size, count);
    churn.stop()?;
    let both = both.with_latencies(&stream.finish()?.delivery);

    // By the queue, because a slow broker does not reach the same rate twice.
    let total = both.cpu_us * both.count as f64;
    let own = (total - churn_row.cpu_us * queues as f64) / both.count.max(1) as f64;
    let ratio = own / alone.cpu_us.max(1e-9);
    let rate = queues as f64 / both.seconds;
    let both = both
        .note("queues", rate, "/s")
        .note("publisher's own cost", own, "us")
        .note("ratio", ratio, "x");
    Ok(vec![churn_row, alone, both])
}

/// A thread that makes, uses and deletes reply queues.
struct Churn {
    shared: Arc<Shared>,
    thread: thread::JoinHandle<Result<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    count: AtomicU64,
}

impl Churn {
    fn start(target: &Target) -> Result<Self> {
        let client = target.connect()?;
        let shared = Arc::new(Shared::default());
        let mine = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("churn".into())
            .spawn(move || churn(client, &mine))?;
        Ok(Self { shared, thread })
    }

    fn count(&self) -> u64 {
        self.shared.count.load(Ordering::SeqCst)
    }

    fn stop(self) -> Result<()> {
        self.shared.stop.store(true, Ordering::SeqCst);
        match self.thread.join() {
            Ok(result) => result.context("reply queues"),
            Err(_) => bail!("the churn panicked"),
        }
    }
}

fn churn(mut client: Client, shared: &Shared) -> Result<()> {
    let prefix = unique_prefix();
    let pause = Duration::from_nanos(1_000_000_000 * GROUP / RATE);
    let mut due = Instant::now();
    for group in 0.. {
        if shared.stop.load(Ordering::SeqCst) {
            break;
        }
        let names: Vec<String> = (0..GROUP)
            .map(|number| format!("{prefix}{group:08}.{number}"))
            .collect();
        // The request that would name the queue is left out; the reply is sent by hand.
        let mut request = Vec::new();
        for (number, queue) in names.iter().enumerate() {
            request.extend(declare_queue(queue, QueueKind::Exclusive).frame(1));
            request.extend(consume(queue, number, true).frame(1));
            request.extend(wire::publish(1, "", queue, false, b"sixteen octets!!"));
        }
        client.send(&request)?;
        let mut replies = 0;
        while replies < GROUP {
            let (kind, payload) = client.next_frame()?;
            if kind != wire::METHOD {
                continue;
            }
            match wire::method_id(&payload).context("short method frame")? {
                (id::BASIC_DELIVER, _) => replies += 1,
                (id::QUEUE_DECLARE_OK | id::BASIC_CONSUME_OK | id::BASIC_CANCEL, _) => {}
                (method, arguments) => return Err(crate::client::unexpected(method, arguments)),
            }
        }
        client.call_all(
            names.iter().map(|name| delete_queue(name)),
            id::QUEUE_DELETE_OK,
        )?;
        shared.count.fetch_add(GROUP, Ordering::SeqCst);
        due += pause;
        match due.checked_duration_since(Instant::now()) {
            Some(left) => thread::sleep(left),
            // Behind: the rate reached is reported, the debt is not carried.
            None => due = Instant::now(),
        }
    }
    client.close()
}
