//! A durable backlog that fills while nobody consumes, and drains afterwards: memory at the
//! peak, octets on the disk and octets written for each message.

use anyhow::Result;

use super::backlog::Backlog;
use crate::client::Client;
use crate::measurement::{Measurement, Meter, WRITTEN_EACH};
use crate::scenario::Options;
use crate::target::Target;
use crate::watch::{Watch, data_octets};

/// Octets of a MiB.
const MIB: f64 = 1024.0 * 1024.0;

/// Fills and drains `queues` queues; the rows are `name-fill` and `name-drain`.
pub fn run(
    name: &str,
    queues: usize,
    target: &Target,
    options: &Options,
) -> Result<Vec<Measurement>> {
    let mut control = target.connect()?;
    let size = options.durable.deep_size;
    let mut backlog = Backlog::declare(queues, size, &mut control, options)?;
    let rows = fill_and_drain(name, &mut backlog, &mut control, target, options);
    let removed = backlog.remove(&mut control);
    let rows = rows?;
    removed?;
    control.close()?;
    Ok(rows)
}

fn fill_and_drain(
    name: &str,
    backlog: &mut Backlog,
    control: &mut Client,
    target: &Target,
    options: &Options,
) -> Result<Vec<Measurement>> {
    let (count, size) = (target.scaled(options.durable.deep), backlog.size);
    let before = data_octets(target)?;
    let each = |octets: u64| octets as f64 / count as f64;

    let watch = Watch::start(target)?;
    let meter = Meter::start(target)?;
    backlog.fill(count, target)?;
    let filling = meter.stop()?;
    backlog.wait_until_ready(control)?;
    let taken = data_octets(target)?.zip(before);
    let filled = filling
        .row(&format!("{name}-fill"), size, count)
        .note("peak RSS", watch.peak_mib(), "MiB")
        .note_if(WRITTEN_EACH, filling.written_each(count), "B")
        .note_if(
            "on disk each",
            taken.map(|(full, empty)| each(full.saturating_sub(empty))),
            "B",
        );
    drop(watch);

    let watch = Watch::start(target)?;
    let meter = Meter::start(target)?;
    backlog.drain(target, false)?;
    let draining = meter.stop()?;
    let left = data_octets(target)?.zip(before);
    let drained = draining
        .row(&format!("{name}-drain"), size, count)
        .note("peak RSS", watch.peak_mib(), "MiB")
        .note_if("written for each ack", draining.written_each(count), "B")
        .note_if(
            "left on disk",
            left.map(|(now, empty)| (now as f64 - empty as f64) / MIB),
            "MiB",
        );
    Ok(vec![filled, drained])
}
