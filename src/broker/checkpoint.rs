//! Writes checkpoints: what every durable queue holds, so that a start reads only the end of the log.
//! Called by the keeper's thread, while everybody else goes on.
//!
//! A queue is looked at block by block, and changes in between. Every change whose entry lies before
//! the checkpoint's position is in its rows, since the position is taken while nobody is between a
//! change and its entry. A change after it may be in the rows, in the log behind the position, or in
//! both; so that it is never in neither, the checkpoint becomes the one that holds only when every
//! change that its rows may show is durable in the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::Broker;
use super::keeper::{each_durable, wait_durable};
use super::shared_queue::SharedQueue;
use crate::definitions::snapshot::SnapshotError;
use crate::queue::level::Shown;
use crate::store::StoreError;
use crate::store::checkpoint::{AwayRow, CheckpointWriter, MessageRow};
use crate::store::io::Disk;
use crate::store::log::{Log, Position};

/// How long a checkpoint waits for dead letters that were put off; the next one tries again.
const PUT_OFF_PATIENCE: Duration = Duration::from_secs(30);

/// The same while others have them all: the keeper has more to do.
const IN_HAND_PATIENCE: Duration = Duration::from_millis(100);
const IN_HAND_PAUSE: Duration = Duration::from_millis(1);

/// Writes a checkpoint and lets go of what a start needs no longer. Returns its position, or `None`
/// where none could be written now. `between` is called wherever others may change things meanwhile:
/// tests do.
///
/// # Errors
/// Those of the disk, the log and the definitions' snapshot. The last checkpoint holds then.
pub(super) fn write(
    broker: &Broker,
    log: &Arc<Log>,
    disk: &Arc<dyn Disk>,
    between: &mut dyn FnMut(),
) -> Result<Option<Position>, StoreError> {
    let (Some(pages), Some(definitions)) = (broker.journal.pages(), broker.journal.definitions())
    else {
        return Ok(None);
    };
    // Bodies that nobody names now neither the rows nor entries behind the position will name, and why
    // is durable before they count.
    let bodies = broker.journal.bodies();
    let unneeded = || bodies.map(|bodies| bodies.unneeded());
    let Some((position, ticket, unneeded)) = at_rest(broker, log, unneeded)? else {
        return Ok(None);
    };
    wait_durable(log, ticket)?;
    definitions.durable_to(log.durable());
    definitions.save_snapshot().map_err(|error| match error {
        SnapshotError::Io { verb, source } => StoreError::io(verb, "definitions.snapshot", source),
        other => StoreError::Refused(other.to_string()),
    })?;
    let freed = pages.freed_so_far();
    let mut rows = RowWriter::new(CheckpointWriter::new(Arc::clone(disk), position)?);
    each_durable(broker, |queue| rows.queue(queue, between))?;
    between();
    // What the rows show may have entries that are not synced yet, or are still to come.
    let Some((_, ticket, ())) = at_rest(broker, log, || ())? else {
        return Ok(None);
    };
    wait_durable(log, ticket)?;
    // What a sync has failed to write is nowhere any more, full disk or not.
    pages
        .sync()
        .inspect_err(|error| log.give_up(error.clone()))?;
    rows.writer.finish()?;
    pages.reuse(freed);
    log.recycle(position, &rows.files)?;
    if let Some((bodies, unneeded)) = bodies.zip(unneeded) {
        bodies.remove(&unneeded)?;
    }
    Ok(Some(position))
}

/// The log's position and last ticket at a moment when every change has its entry: nobody is on the
/// way from one to the other, and no dead letter waits to be told of; and what `look` sees then. `None`
/// when there always was one.
fn at_rest<T>(
    broker: &Broker,
    log: &Arc<Log>,
    look: impl Fn() -> T,
) -> Result<Option<(Position, u64, T)>, StoreError> {
    let begun = Instant::now();
    loop {
        let found = broker.journal.at_rest(|| {
            let settled = !broker.timer.has_put_off();
            settled.then(|| (log.position(), log.last_ticket(), look()))
        });
        if found.is_some() {
            return Ok(found);
        }
        // At the end of the broker nobody else does.
        let worked = broker.timer.bury_put_off(broker);
        // Those in others' hands are done soon, or cannot be read for now.
        let patience = if worked {
            PUT_OFF_PATIENCE
        } else {
            IN_HAND_PATIENCE
        };
        if begun.elapsed() > patience {
            tracing::debug!("no checkpoint now: dead letters are still being moved");
            return Ok(None);
        }
        if !worked {
            std::thread::sleep(IN_HAND_PAUSE);
        }
        if broker.journal.is_congested() {
            wait_durable(log, log.last_ticket())?;
        }
    }
}

/// Writes rows and notes the files of the log that they name.
struct RowWriter {
    writer: CheckpointWriter,
    files: BTreeSet<u32>,
    last_file: Option<u32>,
}

impl RowWriter {
    fn new(writer: CheckpointWriter) -> Self {
        Self {
            writer,
            files: BTreeSet::new(),
            last_file: None,
        }
    }

    fn names(&mut self, file: u32) {
        if self.last_file != Some(file) {
            self.last_file = Some(file);
            self.files.insert(file);
        }
    }

    fn queue(&mut self, queue: &SharedQueue, between: &mut dyn FnMut()) -> Result<(), StoreError> {
        self.writer.queue(queue.id)?;
        for priority in queue.look(|machine| machine.contents().priorities()) {
            let level = queue.look(|machine| {
                let level = machine.contents().level(priority)?;
                Some((level.next(), level.delivered_below()))
            });
            let Some((next, delivered)) = level else {
                continue;
            };
            self.writer
                .level(priority, next, delivered.checked_sub(1))?;
            let mut from = Some(0);
            while let Some(at) = from {
                from = self.block(queue, priority, at)?;
                between();
            }
        }
        Ok(())
    }

    /// Writes the rows of the first block at or behind `from`; returns where to go on.
    fn block(
        &mut self,
        queue: &SharedQueue,
        priority: u8,
        from: u64,
    ) -> Result<Option<u64>, StoreError> {
        let mut away = None;
        let mut messages = Vec::new();
        let more = queue.look(|machine| {
            let level = machine.contents().level(priority)?;
            let more = level.show(from, |shown| match shown {
                Shown::Away(block) => away = Some(AwayRow::of(block)),
                Shown::Message(number, meta, home) => {
                    // What is not written yet lies behind the checkpoint's position.
                    if let Some(home) = home.filter(|_| meta.logged) {
                        messages.push(MessageRow::of(number, &meta, &home));
                    }
                }
            });
            // To the end as it is now: a message that was given back at the end meanwhile is here
            // under its new number, and its entry behind the position tells only where it went.
            more.filter(|on| *on < level.next())
        });
        if let Some(row) = &away {
            row.files.iter().for_each(|(file, _)| self.names(*file));
            self.writer.away(row)?;
        }
        for row in &messages {
            self.names(row.file);
            self.writer.message(row)?;
        }
        Ok(more)
    }
}
