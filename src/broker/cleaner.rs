//! Gives space of the log back: what still lives in a file that is mostly dead is appended to the
//! log once more, sorted by queue, and the file is used again.
//!
//! The log thereby stays below twice what lives in it and a budget for what is young. Files in
//! which most lives are left alone: a deep backlog is never copied for its own sake. A copy says
//! the same as the first telling, so a start may find both.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::core::Broker;
use super::journal::Journal;
use super::keeper::wait_durable;
use super::shared_queue::SharedQueue;
use crate::message::{Chunk, Home, StoredFile, record};
use crate::queue::level::{Level, Shown};
use crate::queue::{MessageId, Wanted};
use crate::store::StoreError;
use crate::store::batch::Draft;
use crate::store::log::{Log, Position};

/// Octets that are copied before the keeper looks at other things: ten times a second, this
/// bounds the copying to 80 MB/s.
const STEP_BYTES: u64 = 8 * 1024 * 1024;

/// Octets of records in one entry of copies.
const ENTRY_BYTES: usize = 512 * 1024;

/// A message that is to be copied.
#[derive(Debug, Clone)]
struct Survivor {
    id: MessageId,
    home: Home,
    size: u32,
    expires_at: u64,
    count: u32,
    /// The log speaks of it; otherwise only its body lies there, to save memory.
    logged: bool,
}

/// Sizes of the log, in octets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Space {
    /// All files.
    pub files: u64,
    /// What is wanted in them.
    pub live: u64,
}

/// How much of the log is wanted.
pub fn space(log: &Log) -> Space {
    log.files()
        .iter()
        .fold(Space::default(), |sum, (file, octets)| Space {
            files: sum.files + octets,
            live: sum.live + file.live_bytes().min(*octets),
        })
}

/// Copies what lives in the file that has least of it, if the log is too large. `below` is where
/// the last checkpoint was: only files before it can be used again. Returns octets copied.
///
/// Files in `idle` are passed over; those that emptying does not change now are added: what lives in
/// them is on its way to consumers only, or cannot be read, which is told.
pub fn clean(
    broker: &Broker,
    log: &Arc<Log>,
    below: Position,
    young: u64,
    idle: &mut BTreeSet<u32>,
) -> Result<u64, StoreError> {
    let mut copied = 0;
    while copied < STEP_BYTES {
        let space = space(log);
        if space.files <= 2 * space.live + young {
            break;
        }
        let Some(victim) = worst(log, below, idle) else {
            break;
        };
        match empty(broker, log, &victim) {
            Ok(octets) => copied += octets,
            // The log itself is whole: what cannot be read stays where it is.
            Err(error) if error.is_of_reading() && log.failure().is_none() => {
                tracing::error!("a file of the log cannot be emptied: {error}");
            }
            Err(error) => return Err(error),
        }
        // Its last holders are chunks on their way to consumers; a later checkpoint sees.
        if victim.live_bytes() > 0 {
            idle.insert(victim.number);
        }
    }
    Ok(copied)
}

/// The file with the smallest share of what is wanted, of those that have any.
fn worst(log: &Log, below: Position, idle: &BTreeSet<u32>) -> Option<Arc<StoredFile>> {
    let files = log.files().into_iter();
    files
        .filter(|(file, octets)| {
            file.number < below.file && *octets > 0 && file.live_bytes() * 4 < octets * 3
        })
        .filter(|(file, _)| file.live_bytes() > 0 && !idle.contains(&file.number))
        .min_by_key(|(file, octets)| file.live_bytes() * 1000 / octets)
        .map(|(file, _)| file)
}

fn empty(broker: &Broker, log: &Arc<Log>, victim: &Arc<StoredFile>) -> Result<u64, StoreError> {
    let mut copied = 0;
    for vhost in broker.vhosts() {
        for queue in &vhost.all_queues() {
            copied += move_out(broker, log, queue, victim.number)?;
        }
    }
    Ok(copied)
}

/// Copies the messages of one queue out of a file.
fn move_out(
    broker: &Broker,
    log: &Arc<Log>,
    queue: &Arc<SharedQueue>,
    file: u32,
) -> Result<u64, StoreError> {
    let mut copied = 0;
    for priority in queue.look(|machine| machine.contents().priorities()) {
        // What comes meanwhile goes to other files.
        let end = queue.look(|machine| machine.contents().level(priority).map_or(0, Level::next));
        let mut from = 0;
        loop {
            let mut survivors = Vec::new();
            let mut away = None;
            let next = queue.look(|machine| {
                let level = machine.contents().level(priority)?;
                level.show(from, |shown| match shown {
                    Shown::Away(block) => {
                        let concerned = block.files.iter().any(|(known, _)| known.number == file);
                        away = concerned.then(|| (block.base, Arc::clone(&block.page)));
                    }
                    Shown::Message(number, meta, home) => {
                        let home = home.filter(|home| home.file.number == file);
                        survivors.extend(home.map(|home| Survivor {
                            id: MessageId::new(priority, number),
                            home,
                            size: meta.size,
                            expires_at: meta.expires_at,
                            count: meta.count,
                            logged: meta.logged,
                        }));
                    }
                })
            });
            if let Some((base, page)) = away {
                let octets = broker.journal.read_page(&page)?;
                let back = queue.tend(|contents| {
                    contents
                        .level_made(priority)
                        .bring_back(base, &page, &octets)
                });
                if back == Some(false) {
                    return Err(StoreError::Refused(format!(
                        "a page of the index of {} is not what was written",
                        queue.subject()
                    )));
                }
                continue;
            }
            copied += copy(broker, log, queue, file, &survivors)?;
            match next {
                Some(next) if next < end => from = next,
                _ => break,
            }
        }
    }
    Ok(copied)
}

/// Appends copies and lets the queue know once they are durable.
fn copy(
    broker: &Broker,
    log: &Arc<Log>,
    queue: &Arc<SharedQueue>,
    file: u32,
    survivors: &[Survivor],
) -> Result<u64, StoreError> {
    let mut copied = 0;
    let mut rest = survivors;
    while !rest.is_empty() {
        let (mut taken, mut octets) = (0, 0);
        while octets < ENTRY_BYTES
            && let Some(survivor) = rest.get(taken)
        {
            octets += survivor.size as usize + 64;
            taken += 1;
        }
        let (now, later) = rest.split_at(taken);
        rest = later;
        let Some((ticket, chunk, moved)) = tell_again(broker, &broker.journal, queue, file, now)?
        else {
            continue;
        };
        wait_durable(log, ticket)?;
        copied += chunk.bytes().len() as u64;
        let Some(home) = chunk.home() else {
            continue;
        };
        queue.tend(|contents| {
            for (id, offset) in &moved {
                contents
                    .level_made(id.priority())
                    .relocate(id.number(), file, &home.at(*offset));
            }
        });
    }
    Ok(copied)
}

type Told = (u64, Arc<Chunk>, Vec<(MessageId, u32)>);

/// Appends one entry with copies of those that still live. Within the gate from the look at the
/// queue to the append: a checkpoint that comes between a settle and its message's copy would
/// bring the message back.
fn tell_again(
    broker: &Broker,
    journal: &Journal,
    queue: &Arc<SharedQueue>,
    file: u32,
    survivors: &[Survivor],
) -> Result<Option<Told>, StoreError> {
    let wanted = Wanted {
        messages: survivors
            .iter()
            .map(|survivor| (survivor.id, survivor.home.clone(), survivor.size))
            .collect(),
        ..Wanted::default()
    };
    let read = broker.read_wanted(queue, &wanted)?;
    if !read.damaged.is_empty() {
        queue.lose(broker, &read.damaged);
    }
    let mut read = read.messages;
    read.sort_by_key(|(id, _)| *id);
    let _gate = journal.enter();
    let alive: Vec<bool> = queue.look(|machine| {
        let lives = |survivor: &Survivor| machine.contents().get(survivor.id).is_some();
        survivors.iter().map(lives).collect()
    });
    let mut data = Vec::new();
    let mut moved = Vec::new();
    let mut draft = Draft::default();
    for (survivor, _) in survivors.iter().zip(alive).filter(|(_, alive)| *alive) {
        let found = read.binary_search_by_key(&survivor.id, |(id, _)| *id);
        let Some((_, chunk)) = found.ok().and_then(|at| read.get(at)) else {
            continue;
        };
        let Some(start) = chunk.home().map(|home| survivor.home.offset - home.offset) else {
            continue;
        };
        let Ok(offset) = u32::try_from(data.len()) else {
            break;
        };
        chunk.record(start).write(&mut data);
        record::seal(&mut data, offset as usize);
        moved.push((survivor.id, offset));
        if !survivor.logged {
            continue;
        }
        let one = std::iter::once(offset);
        draft.placed(queue.id, survivor.id.raw(), survivor.expires_at, one);
        if survivor.count > 0 {
            draft.returned(queue.id, survivor.id.raw(), survivor.count);
        }
    }
    if moved.is_empty() {
        return Ok(None);
    }
    tracing::debug!(
        file,
        messages = moved.len(),
        "copied what lives in a log file"
    );
    let chunk = Chunk::new(data);
    draft.set_chunk(&chunk);
    let ticket = journal.append(draft, None);
    Ok(Some((ticket, chunk, moved)))
}
