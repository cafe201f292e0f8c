//! A slow queue beside a fast one: much passes through the fast queue while the slow one keeps
//! a little of every moment, and the disk must not keep the rest for its sake.
//!
//! The slow queue gets one message for every hundred of the fast one, and half of them are
//! consumed, so that live messages lie among dead ones everywhere.

use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::client::{Client, consume, declare_queue, delete_queue};
use crate::confirms::Confirms;
use crate::consumer::{Acks, Ledger};
use crate::flow::Flow;
use crate::measurement::{Measurement, Meter, WRITTEN_EACH};
use crate::publisher::Plan;
use crate::scenario::Options;
use crate::scenario::halves::{spawn_consumer, spawn_publisher};
use crate::scenario::stream::{drain, unique_prefix};
use crate::target::Target;
use crate::watch::{Watch, data_octets};
use crate::wire::{self, Method, id};

/// Octets of a body.
const SIZE: usize = 1024;
/// Unconfirmed publishes allowed on the fast queue.
const WINDOW: u64 = 1000;
/// Messages of the fast queue for one of the slow one.
const FAST_FOR_SLOW: u64 = 100;
/// Messages of the slow queue sent at once.
const SLOW_BATCH: u64 = 50;
/// Unacknowledged deliveries of either queue.
const PREFETCH: u16 = 1000;
/// Time between two looks at the disk.
const PAUSE: Duration = Duration::from_millis(100);
const MIB: f64 = 1024.0 * 1024.0;

/// Churns and watches the disk; needs to know the broker's data folder.
pub fn run(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let before = data_octets(target)?
        .context("the data folder is not known: name it with --data-dir or --vs-data-dir")?;
    let prefix = unique_prefix();
    let [fast, slow] = ["fast", "slow"].map(|name| format!("{prefix}{name}"));
    let mut control = target.connect()?;
    let queues = [&fast, &slow];
    let declares = queues.map(|queue| declare_queue(queue, options.durable_kind()));
    control.call_all(declares, id::QUEUE_DECLARE_OK)?;
    let row = churn(name, &fast, &slow, before, target, options);
    let deletes = queues.map(|queue| delete_queue(queue));
    let removed = control.call_all(deletes, id::QUEUE_DELETE_OK);
    let row = row?;
    removed?;
    control.close()?;
    Ok(vec![row])
}

fn churn(
    name: &str,
    fast: &str,
    slow: &str,
    before: u64,
    target: &Target,
    options: &Options,
) -> Result<Measurement> {
    let messages = options.durable.churn_gib.max(0.0) * 1024.0 * MIB / SIZE as f64;
    let count = target.scaled(messages as u64);
    let mut consuming = target.connect()?;
    consuming.prefetch(PREFETCH)?;
    consuming.call_all([consume(fast, 0, false)], id::BASIC_CONSUME_OK)?;
    let mut publishing = target.connect()?;
    publishing.confirm()?;
    let mut slow_queue = SlowQueue::start(slow, target)?;
    let flow = Arc::new(Flow::new(options.window, 1));
    let plan = Plan {
        exchange: String::new(),
        keys: vec![fast.to_owned()],
        size: SIZE,
        persistent: true,
        rate: None,
        confirm_window: Some(WINDOW),
        first: 0,
        limit: Some(count),
    };
    let watch = Watch::start(target)?;
    let meter = Meter::start(target)?;
    let ledger = Ledger::new(vec![0], 1, SIZE);
    let consumer = spawn_consumer(&flow, vec![consuming], Acks::Every(100), ledger)?;
    let publisher = spawn_publisher(&flow, vec![publishing], plan)?;
    let mut disk = DiskUse::new(before);
    while !publisher.is_finished() {
        if let Err(error) = slow_queue.keep_up(&flow) {
            flow.fail(&error);
        }
        let live = (slow_queue.live() + flow.sent().saturating_sub(flow.received())) * SIZE as u64;
        disk.look(data_octets(target)?.unwrap_or_default(), live);
        thread::sleep(PAUSE);
    }
    let published = publisher.join();
    let drained = drain(&flow);
    let reading = meter.stop();
    flow.stop_consuming();
    let consumed = consumer.join();
    drained?;
    published.ok().context("the publisher panicked")?;
    consumed.ok().context("the consumer panicked")?;
    let reading = reading?;
    Ok(reading
        .row(name, SIZE, count)
        .note("disk before", disk.before as f64 / MIB, "MiB")
        .note("highest disk", disk.highest as f64 / MIB, "MiB")
        .note("live then", disk.live_at_highest as f64 / MIB, "MiB")
        .note("most beyond", disk.most_beyond as f64 / MIB, "MiB")
        .note(
            "beyond twice the live",
            disk.most_beyond as f64 / MIB / options.durable.young_mib.max(1.0),
            "x the budget",
        )
        .note_if(WRITTEN_EACH, reading.written_each(count), "B")
        .note("peak RSS", watch.peak_mib(), "MiB"))
}

/// Disk use against live octets, look by look.
#[derive(Debug, PartialEq, Eq)]
struct DiskUse {
    before: u64,
    highest: u64,
    live_at_highest: u64,
    most_beyond: u64,
}

impl DiskUse {
    fn new(before: u64) -> Self {
        Self {
            before,
            highest: 0,
            live_at_highest: 0,
            most_beyond: 0,
        }
    }

    /// `octets` on the disk while so many octets of messages were live.
    fn look(&mut self, octets: u64, live: u64) {
        if octets > self.highest {
            self.highest = octets;
            self.live_at_highest = live;
        }
        self.most_beyond = self.most_beyond.max(octets.saturating_sub(2 * live));
    }
}

/// The slow queue with its publisher and its consumer.
struct SlowQueue {
    publisher: TcpStream,
    confirms: Confirms,
    consumer: Client,
    /// A batch of publishes.
    publishes: Vec<u8>,
    published: u64,
    consumed: u64,
}

impl SlowQueue {
    fn start(queue: &str, target: &Target) -> Result<Self> {
        let mut publisher = target.connect()?;
        publisher.confirm()?;
        let mut consumer = target.connect()?;
        consumer.prefetch(PREFETCH)?;
        consumer.call_all([consume(queue, 0, false)], id::BASIC_CONSUME_OK)?;
        let publish = wire::publish(1, "", queue, true, &[b's'; SIZE]);
        Ok(Self {
            publisher: publisher.into_socket().0,
            confirms: Confirms::new(SLOW_BATCH),
            consumer,
            publishes: publish.repeat(SLOW_BATCH as usize),
            published: 0,
            consumed: 0,
        })
    }

    /// Messages in the queue.
    fn live(&self) -> u64 {
        self.published - self.consumed
    }

    /// Publishes what is due beside the fast queue's flow, and consumes half.
    fn keep_up(&mut self, flow: &Flow) -> Result<()> {
        while self.published + SLOW_BATCH <= flow.sent() / FAST_FOR_SLOW {
            self.publisher
                .write_all(&self.publishes)
                .context("publishing to the slow queue")?;
            self.published += SLOW_BATCH;
            self.confirms
                .wait_for_all(self.published, &mut self.publisher, flow)
                .context("the slow queue")?;
        }
        let due = (self.published / 2).saturating_sub(self.consumed);
        for _ in 0..due {
            self.consumer.expect(id::BASIC_DELIVER)?;
        }
        if due > 0 {
            self.consumed += due;
            let ack = Method::new(id::BASIC_ACK).long_long(self.consumed).octet(1);
            self.consumer.send(&ack.frame(1))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::DiskUse;

    #[test]
    fn the_excess_is_the_worst_of_all_moments_and_not_that_of_the_highest() {
        let mut disk = DiskUse::new(5);
        disk.look(100, 10);
        disk.look(300, 120);
        disk.look(90, 60);
        let expected = DiskUse {
            before: 5,
            highest: 300,
            live_at_highest: 120,
            most_beyond: 80,
        };
        assert_eq!(disk, expected);
    }
}
