//! What the log says of the messages of queues, put together at start.
//!
//! Entries are read in their order, which is not quite the order in which things happened: two
//! publishers of one queue may have written in the other order than they got their numbers. So
//! everything is gathered first and sorted by number at the end. An entry may be told twice, and
//! a fact that a checkpoint knows already changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::batch::Fact;
use crate::message::{Home, StoredFile};
use crate::queue::runs::Runs;
use crate::queue::{Arriving, Contents, MessageId};

/// Messages that are gathered before those that are gone are taken out again.
const TIDY_EVERY: usize = 65_536;

/// One message.
#[derive(Debug, Clone, Copy)]
struct Found {
    number: u64,
    file: u32,
    offset: u32,
    size: u32,
    count: u32,
}

/// The messages of one priority.
#[derive(Debug, Default)]
struct FoundLevel {
    messages: Vec<Found>,
    /// Tidied up to here.
    tidy: usize,
    expiries: HashMap<u64, u64, foldhash::fast::RandomState>,
    gone: Runs,
    counts: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// Everything up to here has been delivered once; `None` when nothing has.
    delivered: Option<u64>,
    next: u64,
}

impl FoundLevel {
    fn tidy(&mut self) {
        // Of two tellings the later one stays: an older file may be gone.
        self.messages.sort_by_key(|found| found.number);
        self.messages.reverse();
        self.messages.dedup_by_key(|found| found.number);
        self.messages.reverse();
        let gone = &self.gone;
        self.messages.retain(|found| !gone.contains(found.number));
        self.tidy = self.messages.len();
    }

    fn add(&mut self, found: Found, expires_at: u64) {
        if expires_at != u64::MAX {
            self.expiries.insert(found.number, expires_at);
        }
        self.next = self.next.max(found.number + 1);
        self.messages.push(found);
        if self.messages.len() >= self.tidy + TIDY_EVERY {
            self.tidy();
        }
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Replay {
    queues: HashMap<u64, BTreeMap<u8, FoundLevel>, foldhash::fast::RandomState>,
    files: HashMap<u32, Arc<StoredFile>, foldhash::fast::RandomState>,
    last_queue: u64,
}

impl Replay {
    /// Takes in one fact. `records` is where the records of its entry start, `size` tells the octets
    /// of the body of the record at an offset from there.
    pub fn take(&mut self, fact: Fact, records: &Home, size: impl Fn(u32) -> u32) {
        match fact {
            Fact::Placed {
                queue,
                id,
                expires_at,
                offset,
            } => {
                let file = records.file.number;
                self.files
                    .entry(file)
                    .or_insert_with(|| Arc::clone(&records.file));
                let id = MessageId::from_raw(id);
                let found = Found {
                    number: id.number(),
                    file,
                    offset: records.offset.saturating_add(offset),
                    size: size(offset),
                    count: 0,
                };
                self.level(queue, id).add(found, expires_at);
            }
            Fact::Settled { queue, first, len } => {
                let id = MessageId::from_raw(first);
                let (first, level) = (id.number(), self.level(queue, id));
                level
                    .gone
                    .insert_run(first, first.saturating_add(len - len.min(1)));
                level.next = level.next.max(first.saturating_add(len));
            }
            Fact::Returned { queue, id, count } => {
                let id = MessageId::from_raw(id);
                self.level(queue, id).counts.insert(id.number(), count);
            }
            Fact::Moved {
                queue,
                from,
                to,
                count,
            } => self.relocate(
                queue,
                MessageId::from_raw(from),
                MessageId::from_raw(to),
                count,
            ),
            Fact::Delivered { queue, up_to } => {
                let id = MessageId::from_raw(up_to);
                let level = self.level(queue, id);
                level.delivered = level.delivered.max(Some(id.number()));
            }
        }
    }

    fn level(&mut self, queue: u64, id: MessageId) -> &mut FoundLevel {
        self.last_queue = self.last_queue.max(queue);
        self.queues
            .entry(queue)
            .or_default()
            .entry(id.priority())
            .or_default()
    }

    fn relocate(&mut self, queue: u64, from: MessageId, to: MessageId, count: u32) {
        let level = self.level(queue, from);
        let old = level
            .messages
            .iter()
            .rposition(|found| found.number == from.number());
        if let Some(found) = old.and_then(|at| level.messages.get(at)).copied() {
            let moved = Found {
                number: to.number(),
                count,
                ..found
            };
            let expires_at = level.expiries.get(&from.number()).copied();
            level.add(moved, expires_at.unwrap_or(u64::MAX));
            level.counts.insert(to.number(), count);
            // It came back: it has been delivered.
            level.delivered = level.delivered.max(Some(from.number()));
        }
        level.gone.insert_run(from.number(), from.number());
    }

    /// The highest id of a queue that was met.
    pub fn last_queue(&self) -> u64 {
        self.last_queue
    }

    /// The messages of a queue, all ready. What belongs to queues that nobody asks for was theirs
    /// who are deleted.
    pub fn contents_of(&mut self, queue: u64) -> Option<Contents> {
        let levels = self.queues.remove(&queue)?;
        let mut contents = Contents::default();
        for (priority, mut found) in levels {
            found.tidy();
            let level = contents.level_made(priority);
            for message in &found.messages {
                let Some(file) = self.files.get(&message.file) else {
                    continue;
                };
                let number = message.number;
                let home = Home {
                    file: Arc::clone(file),
                    offset: message.offset,
                };
                let arriving = Arriving {
                    offset: 0,
                    size: message.size,
                    expires_at: found.expiries.get(&number).copied().unwrap_or(u64::MAX),
                    logged: true,
                };
                level.restore(number, &home, arriving);
                let count = found.counts.get(&number).copied().unwrap_or(message.count);
                let delivered = found.delivered.is_some_and(|last| number <= last);
                if delivered || count > 0 {
                    level.mark(number, true, count);
                }
            }
            level.advance_next(found.next);
        }
        Some(contents)
    }
}
