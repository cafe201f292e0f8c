//! Deliveries without a prefetch limit to a consumer that acknowledges nothing: what a broker
//! keeps in memory of messages that are delivered and still its own.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::client::{Client, consume, declare_queue, delete_queue};
use crate::consumer::{Acks, Ledger};
use crate::flow::Flow;
use crate::measurement::{Measurement, Meter, WRITTEN_EACH};
use crate::publisher::Plan;
use crate::scenario::Options;
use crate::scenario::halves::{spawn_consumer, spawn_publisher};
use crate::scenario::stream::{drain, unique_prefix};
use crate::target::Target;
use crate::watch::Watch;
use crate::wire::id;

/// Octets of a body.
const SIZE: usize = 1024;
/// Unconfirmed publishes allowed.
const WINDOW: u64 = 1000;
/// Octets of a GiB.
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// Publishes, delivers and weighs.
pub fn run(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let messages = options.durable.unacked_gib.max(0.0) * GIB / SIZE as f64;
    let count = target.scaled(messages as u64);
    let queue = unique_prefix();
    let mut control = target.connect()?;
    control.call_all(
        [declare_queue(&queue, options.durable_kind())],
        id::QUEUE_DECLARE_OK,
    )?;
    let row = deliver(name, &queue, count, target, options);
    let removed = control.call_all([delete_queue(&queue)], id::QUEUE_DELETE_OK);
    let row = row?;
    removed?;
    control.close()?;
    Ok(vec![row])
}

fn deliver(
    name: &str,
    queue: &str,
    count: u64,
    target: &Target,
    options: &Options,
) -> Result<Measurement> {
    let watch = Watch::start(target)?;
    let before = watch.peak_mib();
    let mut client: Client = target.connect()?;
    client.call_all([consume(queue, 0, false)], id::BASIC_CONSUME_OK)?;
    let mut publishing = target.connect()?;
    publishing.confirm()?;
    let flow = Arc::new(Flow::new(options.window, 1));
    let plan = Plan {
        exchange: String::new(),
        keys: vec![queue.to_owned()],
        size: SIZE,
        persistent: true,
        rate: None,
        confirm_window: Some(WINDOW),
        first: 0,
        limit: Some(count),
    };
    let meter = Meter::start(target)?;
    let ledger = Ledger::new(vec![0], 1, SIZE);
    let consumer = spawn_consumer(&flow, vec![client], Acks::Never, ledger)?;
    let publisher = spawn_publisher(&flow, vec![publishing], plan)?;
    let published = publisher.join();
    let drained = drain(&flow);
    let reading = meter.stop();
    flow.stop_consuming();
    let consumed = consumer.join();
    drained?;
    published.ok().context("the publisher panicked")?;
    consumed.ok().context("the consumer panicked")?;
    let reading = reading?;
    let peak = watch.peak_mib();
    let budget = options.durable.memory_budget_mib;
    Ok(reading
        .row(name, SIZE, count)
        .note("peak RSS", peak, "MiB")
        .note("growth", peak - before, "MiB")
        .note("unacked", count as f64 * SIZE as f64 / GIB, "GiB")
        .note_if(WRITTEN_EACH, reading.written_each(count), "B")
        .note_if("of the budget", budget.map(|budget| peak / budget), "x"))
}
