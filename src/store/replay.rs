//! What the log says of the messages of queues, put together at start.
//!
//! Entries are read in their order, which is not quite the order in which things happened: two
//! publishers of one queue may have written in the other order than they got their numbers. So
//! everything is gathered first and sorted by number at the end, and no order of the entries
//! changes the outcome: a message may even be gone, or at the end of its queue, before it came. An
//! entry may be told twice, and a fact that a checkpoint knows already changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::batch::Fact;
use crate::message::{Home, StoredFile};
use crate::queue::runs::Runs;
use crate::queue::{Arriving, Contents, MessageId};

/// At least so many messages are gathered before those that are gone are taken out again, and at
/// least as many as were left the last time: each is looked at a few times only, however many stay.
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

/// Where a message went.
#[derive(Debug, Clone, Copy)]
struct Move {
    to: u64,
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
    /// By the number that a message left.
    moves: BTreeMap<u64, Move>,
    /// Everything up to here has been delivered once; `None` when nothing has.
    delivered: Option<u64>,
    /// Above every number that was met, even of messages that were not: a stop may have lost them,
    /// and what is told of them must not become true of others.
    next: u64,
}

impl FoundLevel {
    fn meet(&mut self, number: u64) {
        self.next = self.next.max(number.saturating_add(1));
    }

    /// Gives messages that were moved the numbers they have now.
    fn follow_moves(&mut self) {
        if self.moves.is_empty() {
            return;
        }
        for found in &mut self.messages {
            while let Some(step) = self.moves.get(&found.number) {
                if let Some(expires_at) = self.expiries.get(&found.number).copied() {
                    self.expiries.insert(step.to, expires_at);
                }
                found.number = step.to;
                found.count = step.count;
            }
        }
    }

    /// Forgets the moves of messages that are gone: the numbers they left are gone as well. Moves
    /// lead to higher numbers, so that the last step of a way is looked at first.
    fn forget_moves(&mut self) {
        let ended: Vec<u64> = {
            let gone = &mut self.gone;
            let steps = self.moves.iter().rev();
            steps
                .filter(|(from, step)| gone.contains(step.to) && gone.insert(**from))
                .map(|(from, _)| *from)
                .collect()
        };
        for from in ended {
            self.moves.remove(&from);
        }
    }

    fn tidy(&mut self) {
        self.follow_moves();
        // Of two tellings the later one stays: an older file may be gone.
        self.messages.sort_by_key(|found| found.number);
        self.messages.dedup_by(|later, kept| {
            let same = later.number == kept.number;
            if same {
                *kept = *later;
            }
            same
        });
        self.forget_moves();
        let gone = &self.gone;
        self.messages.retain(|found| !gone.contains(found.number));
        self.tidy = self.messages.len();
    }

    fn add(&mut self, found: Found, expires_at: u64) {
        if expires_at != u64::MAX {
            self.expiries.insert(found.number, expires_at);
        }
        self.meet(found.number);
        self.messages.push(found);
        if self.messages.len() - self.tidy >= self.tidy.max(TIDY_EVERY) {
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
                if let Some(more) = len.checked_sub(1) {
                    let last = first.saturating_add(more);
                    level.gone.insert_run(first, last);
                    level.meet(last);
                }
            }
            Fact::Returned { queue, id, count } => {
                let id = MessageId::from_raw(id);
                let level = self.level(queue, id);
                level.meet(id.number());
                let known = level.counts.entry(id.number()).or_insert(count);
                *known = count.max(*known);
            }
            Fact::Moved {
                queue,
                from,
                to,
                count,
            } => {
                let (from, to) = (MessageId::from_raw(from), MessageId::from_raw(to));
                let level = self.level(queue, from);
                level.meet(to.number());
                // Ways lead upwards; whatever else is told here would lead in circles.
                if from < to && !level.gone.contains(from.number()) {
                    let to = to.number();
                    level.moves.insert(from.number(), Move { to, count });
                }
            }
            Fact::Delivered { queue, up_to } => {
                let id = MessageId::from_raw(up_to);
                let level = self.level(queue, id);
                level.meet(id.number());
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
                let returned = found.counts.get(&number).copied().unwrap_or(0);
                let count = message.count.max(returned);
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
