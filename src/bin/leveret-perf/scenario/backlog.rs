//! A queue that fills while nobody consumes, and drains afterwards.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Options;
use super::halves::{spawn_consumer, spawn_publisher};
use super::stream::{drain, unique_prefix};
use crate::client::{Client, QueueKind, consume, declare_queue, delete_queue};
use crate::consumer::{Acks, Ledger};
use crate::flow::Flow;
use crate::measurement::{Measurement, Meter, settled_kib};
use crate::publisher::Plan;
use crate::target::Target;
use crate::wire::id;

/// Octets of a body.
const SIZE: usize = 16;
/// The queue may stand still this long while filling.
const PATIENCE: Duration = Duration::from_secs(60);

/// Fills, weighs, drains, weighs again.
pub fn run(target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let count = target.scaled(options.backlog);
    let queue = unique_prefix();
    let mut control = target.connect()?;
    control.call_all(
        [declare_queue(&queue, QueueKind::Transient)],
        id::QUEUE_DECLARE_OK,
    )?;
    let result = fill_and_drain(&mut control, &queue, count, target);
    let removed = control.call_all([delete_queue(&queue)], id::QUEUE_DELETE_OK);
    let rows = result?;
    removed?;
    control.close()?;
    Ok(rows)
}

fn fill_and_drain(
    control: &mut Client,
    queue: &str,
    count: u64,
    target: &Target,
) -> Result<Vec<Measurement>> {
    let idle = settled_kib(target)?;
    let flow = Arc::new(Flow::new(u64::MAX / 2, 1));
    let plan = Plan {
        exchange: String::new(),
        keys: vec![queue.to_owned()],
        size: SIZE,
        persistent: false,
        rate: None,
        confirm_window: None,
        first: 0,
        limit: Some(count),
    };
    let meter = Meter::start(target)?;
    let publisher = spawn_publisher(&flow, vec![target.connect()?], plan)?;
    wait_for_length(control, queue, count, &flow)?;
    let filling = meter.stop()?;
    publisher.join().ok().context("the publisher panicked")?;
    let full = settled_kib(target)?;

    let mut client = target.connect()?;
    let meter = Meter::start(target)?;
    client.call_all([consume(queue, 0, true)], id::BASIC_CONSUME_OK)?;
    let ledger = Ledger::new(vec![0], 1, SIZE);
    let consumer = spawn_consumer(&flow, vec![client], Acks::Auto, ledger)?;
    let drained = drain(&flow);
    let draining = meter.stop()?;
    flow.stop_consuming();
    let joined = consumer.join();
    drained?;
    if joined.is_err() {
        bail!("the consumer panicked");
    }
    let empty = settled_kib(target)?;
    let above = |now: u64| (now as f64 - idle as f64) / 1024.0;
    Ok(vec![
        filling
            .row("backlog-fill", SIZE, count)
            .note("above idle", above(full), "MiB"),
        draining
            .row("backlog-drain", SIZE, count)
            .note("above idle", above(empty), "MiB"),
    ])
}

fn wait_for_length(control: &mut Client, queue: &str, count: u64, flow: &Flow) -> Result<()> {
    let mut last = (0, Instant::now());
    loop {
        if let Some(failure) = flow.failure() {
            bail!(failure);
        }
        let length = control.queue_length(queue)?;
        if length >= count {
            return Ok(());
        }
        if length != last.0 {
            last = (length, Instant::now());
        } else if last.1.elapsed() > PATIENCE {
            bail!("loss: {count} messages were published, the queue holds {length}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}
