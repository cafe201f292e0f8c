//! What connections and channels cost: kept idle, and coming and going.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::Options;
use super::stream::unique_prefix;
use crate::client::{QueueKind, consume, declare_queue, delete_queue};
use crate::measurement::{Measurement, Meter, settled_kib};
use crate::target::Target;
use crate::wire::id;

/// Connections made at most by the churn: each leaves a local port waiting for a minute.
const CHURN_LIMIT: u64 = 10_000;

/// Opens many connections with one channel and one consumer each, and weighs them.
pub fn idle(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let count = target.scaled(options.idle);
    let queue = unique_prefix();
    let mut control = target.connect()?;
    control.call_all(
        [declare_queue(&queue, QueueKind::Transient)],
        id::QUEUE_DECLARE_OK,
    )?;
    let before = settled_kib(target)?;
    let meter = Meter::start(target)?;
    let mut clients = Vec::new();
    for _ in 0..count {
        let mut client = target.connect()?;
        client.call_all([consume(&queue, 0, true)], id::BASIC_CONSUME_OK)?;
        clients.push(client);
    }
    let reading = meter.stop()?;
    let after = settled_kib(target)?;
    for client in clients {
        client.close()?;
    }
    let left = settled_kib(target)?;
    control.call_all([delete_queue(&queue)], id::QUEUE_DELETE_OK)?;
    control.close()?;
    let each = (after as f64 - before as f64) / count as f64;
    Ok(vec![
        reading.row(name, 0, count).note("each", each, "KiB").note(
            "left after closing",
            left as f64 - before as f64,
            "KiB",
        ),
    ])
}

/// Logs in, opens a channel and closes in order, again and again.
pub fn churn(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let deadline = Duration::from_secs_f64(options.seconds);
    let meter = Meter::start(target)?;
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < deadline && count < CHURN_LIMIT {
        target.connect()?.close()?;
        count += 1;
    }
    Ok(vec![meter.stop()?.row(name, 0, count)])
}

/// Opens and closes channels on one connection.
pub fn channel_churn(name: &str, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let deadline = Duration::from_secs_f64(options.seconds);
    let mut client = target.connect()?;
    let meter = Meter::start(target)?;
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < deadline {
        client.open_channel(2)?;
        client.close_channel(2)?;
        count += 1;
    }
    let reading = meter.stop()?;
    client.close()?;
    Ok(vec![reading.row(name, 0, count)])
}
