//! What the log says of the messages of queues, put together at start.
//!
//! Entries are read in their order, which is not quite the order in which things happened: two
//! publishers of one queue may have written in the other order than they got their numbers. So
//! everything is gathered first and sorted by number at the end. An entry may be told twice, and
//! a fact that a checkpoint knows already changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::StoreError;
use super::batch::Fact;
use super::checkpoint::{AwayRow, MessageRow, Row};
use crate::message::{Home, StoredFile, StoredPage};
use crate::queue::level::Level;
use crate::queue::page::{self, Away};
use crate::queue::runs::Runs;
use crate::queue::{Arriving, Contents, MessageId};

/// Messages that are gathered before those that are gone are taken out again.
const TIDY_EVERY: usize = 65_536;

/// One message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub number: u64,
    pub file: u32,
    pub offset: u32,
    pub size: u32,
    pub count: u32,
}

/// The messages of one priority.
#[derive(Debug, Default)]
pub(super) struct FoundLevel {
    pub messages: Vec<Found>,
    /// Tidied up to here.
    tidy: usize,
    pub expiries: HashMap<u64, u64, foldhash::fast::RandomState>,
    pub gone: Runs,
    pub counts: HashMap<u64, u32, foldhash::fast::RandomState>,
    /// Everything up to here has been delivered once; `None` when nothing has.
    pub delivered: Option<u64>,
    pub next: u64,
    /// Blocks of the index that lie in the file of pages.
    pub away: Vec<AwayRow>,
    /// Messages that had been delivered although they stand behind that.
    pub redelivered: Runs,
}

impl FoundLevel {
    pub fn tidy(&mut self) {
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
    pub(super) queues: HashMap<u64, BTreeMap<u8, FoundLevel>, foldhash::fast::RandomState>,
    last_queue: u64,
    /// What the rows of a checkpoint belong to.
    at: (u64, u8),
    pages: Vec<(u64, u32)>,
}

/// What places in the log and in the file of pages are resolved by.
pub struct Places<'a> {
    /// The files of the log by number.
    pub files: BTreeMap<u32, Arc<StoredFile>>,
    /// The pages that [`Replay::pages`] named, by place.
    pub pages: BTreeMap<u64, Arc<StoredPage>>,
    /// Reads a page.
    pub read: &'a dyn Fn(&StoredPage) -> Result<Vec<u8>, StoreError>,
}

impl Places<'_> {
    fn file(&self, number: u32) -> Result<&Arc<StoredFile>, StoreError> {
        self.files.get(&number).ok_or_else(|| StoreError::Damaged {
            file: format!("{number:010}.log"),
            offset: 0,
            reason: "it is missing, and messages lie in it".into(),
        })
    }

    fn away(&self, row: &AwayRow) -> Result<Away, StoreError> {
        let mut files = Vec::with_capacity(row.files.len());
        for (number, live) in &row.files {
            let live = i64::try_from(*live).unwrap_or(i64::MAX);
            files.push((Arc::clone(self.file(*number)?), live));
        }
        let page = self.pages.get(&row.page.0).ok_or_else(|| {
            StoreError::Refused("the checkpoint names a page of the index twice".into())
        })?;
        let away = Away {
            base: row.base,
            span: row.span,
            live: row.live,
            bytes: row.bytes,
            first: row.first,
            earliest_expiry: row.earliest_expiry,
            page: Arc::clone(page),
            files,
        };
        Ok(away.restored())
    }
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

    /// Takes in a row of the checkpoint, which comes before the log.
    pub fn take_row(&mut self, row: Row) {
        let (queue, priority) = self.at;
        match row {
            Row::Queue(queue) => {
                self.at = (queue, 0);
                self.last_queue = self.last_queue.max(queue);
                self.queues.entry(queue).or_default();
            }
            Row::Level {
                priority,
                next,
                delivered,
            } => {
                self.at = (queue, priority);
                let level = self.level(queue, MessageId::new(priority, 0));
                level.next = level.next.max(next);
                level.delivered = level.delivered.max(delivered);
            }
            Row::Away(away) => {
                self.pages.push(away.page);
                self.level(queue, MessageId::new(priority, 0))
                    .away
                    .push(away);
            }
            Row::Message(row) => self.take_message(queue, priority, row),
        }
    }

    fn take_message(&mut self, queue: u64, priority: u8, row: MessageRow) {
        let level = self.level(queue, MessageId::new(priority, 0));
        let found = Found {
            number: row.number,
            file: row.file,
            offset: row.offset,
            size: row.size,
            count: row.count,
        };
        if row.redelivered {
            level.redelivered.insert(row.number);
        }
        level.add(found, row.expires_at);
    }

    /// The pages that the checkpoint named.
    pub fn pages(&self) -> &[(u64, u32)] {
        &self.pages
    }

    /// The messages of a queue, all ready. What belongs to queues that nobody asks for was theirs
    /// who are deleted.
    pub fn contents_of(
        &mut self,
        queue: u64,
        places: &Places<'_>,
    ) -> Result<Option<Contents>, StoreError> {
        let Some(levels) = self.queues.remove(&queue) else {
            return Ok(None);
        };
        let mut contents = Contents::default();
        for (priority, found) in levels {
            found.build(contents.level_made(priority), places)?;
        }
        Ok(Some(contents))
    }
}

impl FoundLevel {
    /// True when the log says something of messages of a block that is away.
    fn concerns(&self, row: &AwayRow) -> bool {
        let end = row.base + u64::from(row.span);
        self.gone.meets(row.base, end)
            || self.delivered.is_some_and(|last| row.base <= last)
            || self
                .counts
                .keys()
                .any(|number| (row.base..end).contains(number))
    }

    fn build(mut self, level: &mut Level, places: &Places<'_>) -> Result<(), StoreError> {
        let mut kept = Vec::new();
        for row in std::mem::take(&mut self.away) {
            let away = places.away(&row)?;
            if !self.concerns(&row) {
                kept.push(away);
                continue;
            }
            let octets = (places.read)(&away.page)?;
            let block = page::read(&octets, &away).ok_or_else(|| {
                StoreError::Refused("a page of the index is not what the checkpoint names".into())
            })?;
            for (number, meta, home) in block.live_entries() {
                let Some(home) = home else { continue };
                let row = MessageRow {
                    number,
                    file: home.file.number,
                    offset: home.offset,
                    size: meta.size,
                    redelivered: meta.redelivered,
                    count: meta.count,
                    expires_at: meta.expires_at,
                };
                if row.redelivered {
                    self.redelivered.insert(number);
                }
                let found = Found {
                    number,
                    file: row.file,
                    offset: row.offset,
                    size: row.size,
                    count: row.count,
                };
                // What the log tells of the same message is as good.
                self.messages.insert(0, found);
                if row.expires_at != u64::MAX {
                    self.expiries.insert(number, row.expires_at);
                }
            }
        }
        self.tidy();
        let mut kept = kept.into_iter().peekable();
        for message in &self.messages {
            let number = message.number;
            while let Some(away) = kept.next_if(|away| away.base <= number) {
                level.restore_away(away);
            }
            let home = Home {
                file: Arc::clone(places.file(message.file)?),
                offset: message.offset,
            };
            let arriving = Arriving {
                offset: 0,
                size: message.size,
                expires_at: self.expiries.get(&number).copied().unwrap_or(u64::MAX),
                logged: true,
            };
            level.restore(number, &home, arriving);
            let count = self.counts.get(&number).copied().unwrap_or(message.count);
            let delivered = self.delivered.is_some_and(|last| number <= last)
                || self.redelivered.contains(number);
            if delivered || count > 0 {
                level.mark(number, true, count);
            }
        }
        kept.for_each(|away| level.restore_away(away));
        level.advance_next(self.next);
        Ok(())
    }
}
