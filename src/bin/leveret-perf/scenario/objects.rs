//! What declaring a queue and binding it cost when many are there already.

use anyhow::Result;

use super::Options;
use super::stream::unique_prefix;
use crate::client::{
    Client, QueueKind, bind_queue, declare_exchange, declare_queue, delete_exchange, delete_queue,
};
use crate::measurement::{Measurement, Meter, Reading};
use crate::target::Target;
use crate::wire::id;

/// Objects made, measured and deleted again in one round.
const ROUND: u64 = 100;
/// Rounds at each level.
const ROUNDS: u64 = 30;

/// Fills up to each level, and there measures rounds of declaring and binding.
pub fn run(target: &Target, options: &Options) -> Result<Vec<Measurement>> {
    let exchange = unique_prefix();
    let mut client = target.connect()?;
    client.call_all(
        [declare_exchange(&exchange, "direct")],
        id::EXCHANGE_DECLARE_OK,
    )?;
    let mut there = 0;
    let result = levels(&mut client, &exchange, &mut there, target, options);
    let deletes = (0..there).map(|number| delete_queue(&queue(&exchange, number)));
    let removed = client.call_all(deletes, id::QUEUE_DELETE_OK);
    let rows = result?;
    removed?;
    client.call_all([delete_exchange(&exchange)], id::EXCHANGE_DELETE_OK)?;
    client.close()?;
    Ok(rows)
}

fn levels(
    client: &mut Client,
    exchange: &str,
    there: &mut u64,
    target: &Target,
    options: &Options,
) -> Result<Vec<Measurement>> {
    let mut rows = Vec::new();
    let mut levels: Vec<u64> = options.objects.iter().map(|n| target.scaled(*n)).collect();
    levels.sort_unstable();
    levels.dedup();
    for level in levels {
        let before = *there;
        let meter = Meter::start(target)?;
        while *there < level {
            let end = (*there + ROUND).min(level);
            let names: Vec<String> = (*there..end).map(|n| queue(exchange, n)).collect();
            // Counted first, so that a failure half-way still cleans up.
            *there = end;
            declare(client, &names)?;
            bind(client, &names, exchange)?;
        }
        let filling = meter.stop()?.row("fill", 0, level - before);
        let extra: Vec<String> = (0..ROUND).map(|n| queue(exchange, level + n)).collect();
        let mut declaring = Sum::default();
        let mut binding = Sum::default();
        for _ in 0..ROUNDS {
            let meter = Meter::start(target)?;
            declare(client, &extra)?;
            declaring.add(meter.stop()?);
            let meter = Meter::start(target)?;
            bind(client, &extra, exchange)?;
            binding.add(meter.stop()?);
            client.call_all(extra.iter().map(|q| delete_queue(q)), id::QUEUE_DELETE_OK)?;
        }
        for (verb, sum) in [("declare", declaring), ("bind", binding)] {
            let Some(reading) = sum.0 else { continue };
            rows.push(
                reading
                    .row(&format!("{verb}-at-{level}"), 0, ROUND * ROUNDS)
                    .note("filling, both", filling.cpu_us, "us/object"),
            );
        }
    }
    Ok(rows)
}

fn queue(exchange: &str, number: u64) -> String {
    format!("{exchange}{number:07}")
}

fn declare(client: &mut Client, names: &[String]) -> Result<u64> {
    let declares = names.iter().map(|q| declare_queue(q, QueueKind::Transient));
    client.call_all(declares, id::QUEUE_DECLARE_OK)
}

fn bind(client: &mut Client, names: &[String], exchange: &str) -> Result<u64> {
    let binds = names.iter().map(|q| bind_queue(q, exchange, q));
    client.call_all(binds, id::QUEUE_BIND_OK)
}

/// Readings of the same thing, added up.
#[derive(Default)]
struct Sum(Option<Reading>);

impl Sum {
    fn add(&mut self, reading: Reading) {
        self.0 = Some(match self.0 {
            None => reading,
            Some(sum) => Reading {
                elapsed: sum.elapsed + reading.elapsed,
                cpu: sum.cpu + reading.cpu,
                ..reading
            },
        });
    }
}
