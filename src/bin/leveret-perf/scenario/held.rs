//! One message held unacked while very many pass through the same queue: a broker that keeps
//! bodies together must not keep all of them for the sake of one.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail};

use super::Options;
use super::halves::{spawn_consumer, spawn_publisher};
use super::stream::{drain, unique_prefix};
use crate::client::{QueueKind, consume, declare_queue, delete_queue};
use crate::consumer::{Acks, Ledger};
use crate::flow::Flow;
use crate::measurement::{Measurement, Meter, settled_kib};
use crate::process;
use crate::publisher::Plan;
use crate::target::Target;
use crate::wire::{self, id};

/// Octets of a body.
const SIZE: usize = 16;

/// Holds the first message, lets the others pass and compares memory.
pub fn run(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let count = target.scaled(options.held);
    let queue = unique_prefix();
    let mut holder = target.connect()?;
    holder.call_all(
        [declare_queue(&queue, QueueKind::Transient)],
        id::QUEUE_DECLARE_OK,
    )?;
    holder.prefetch(1)?;
    holder.call_all([consume(&queue, 0, false)], id::BASIC_CONSUME_OK)?;
    holder.send(&wire::publish(1, "", &queue, false, &[0; SIZE]))?;
    holder.expect(id::BASIC_DELIVER)?;

    let row = pass(name, &queue, count, target, options);
    let removed = holder.call_all([delete_queue(&queue)], id::QUEUE_DELETE_OK);
    let row = row?;
    removed?;
    holder.close()?;
    Ok(vec![row])
}

fn pass(
    name: &str,
    queue: &str,
    count: u64,
    target: &Target,
    options: &Options,
) -> Result<Measurement> {
    let mut client = target.connect()?;
    client.call_all([consume(queue, 0, true)], id::BASIC_CONSUME_OK)?;
    let flow = Arc::new(Flow::new(options.window, 1));
    let ledger = Ledger::new(vec![1], 1, SIZE);
    let consumer = spawn_consumer(&flow, vec![client], Acks::Auto, ledger)?;
    let plan = Plan {
        exchange: String::new(),
        keys: vec![queue.to_owned()],
        size: SIZE,
        persistent: false,
        rate: None,
        confirm_window: None,
        first: 1,
        limit: Some(count),
    };
    let publisher = spawn_publisher(&flow, vec![target.connect()?], plan)?;
    // Buffers grow in the first moments; that is not what the held message costs.
    while flow.received() < count / 20 && !flow.has_failed() {
        thread::sleep(Duration::from_millis(5));
    }
    let before = process::resident_kib(target.pid())?;
    let meter = Meter::start(target)?;
    let started = flow.received();
    let mut peak = before;
    while flow.received() < count && !flow.has_failed() {
        peak = peak.max(process::resident_kib(target.pid())?);
        thread::sleep(Duration::from_millis(50));
        if publisher.is_finished() && !flow.is_drained() {
            drain(&flow)?;
        }
    }
    let passed = flow.received() - started;
    let reading = meter.stop()?;
    drain(&flow)?;
    let after = settled_kib(target)?;
    flow.stop_consuming();
    if publisher.join().is_err() || consumer.join().is_err() {
        bail!("a thread of the generator panicked");
    }
    let growth = |now: u64| (now as f64 - before as f64) / 1024.0;
    Ok(reading
        .row(name, SIZE, passed)
        .note("growth while held", growth(after), "MiB")
        .note("largest growth", growth(peak), "MiB"))
}
