//! What the log says of the messages of queues, put together at start.
//!
//! Entries are read in their order, which is not quite the order in which things happened: two
//! publishers of one queue may have written in the other order than they got their numbers. So
//! everything is gathered first and sorted by number at the end, and no order of the entries
//! changes the outcome: a message may even be gone, or at the end of its queue, before it came. An
//! entry may be told twice, and a fact that a checkpoint knows already changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::StoreError;
use super::batch::{self, Fact};
use super::bodies::format::HEADER_LEN as BODY_RECORD;
use super::checkpoint::{AwayRow, MessageRow, Row};
use super::log::Replayed;
use crate::message::{Home, StoredFile, StoredPage, stored_name};
use crate::queue::level::Level;
use crate::queue::page::{self, Away};
use crate::queue::runs::Runs;
use crate::queue::{Arriving, Contents, MessageId};

/// At least so many messages are gathered before those that are gone are taken out again, and at
/// least as many as were left the last time: each is looked at a few times only, however many stay.
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

/// Where a message went.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub to: u64,
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
    pub counts: BTreeMap<u64, u32>,
    /// By the number that a message left.
    pub moves: BTreeMap<u64, Move>,
    /// Everything up to here has been delivered once; `None` when nothing has.
    pub delivered: Option<u64>,
    /// Above every number that was met, even of messages that were not: a stop may have lost them,
    /// and what is told of them must not become true of others.
    pub next: u64,
    /// Blocks of the index that lie in the file of pages.
    pub away: Vec<AwayRow>,
    /// Messages that had been delivered although they stand behind that.
    pub redelivered: Runs,
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
        let gone = &mut self.gone;
        let steps = self.moves.iter().rev();
        let ended: Vec<u64> = steps
            .filter(|(from, step)| gone.contains(step.to) && gone.insert(**from))
            .map(|(from, _)| *from)
            .collect();
        for from in ended {
            self.moves.remove(&from);
        }
    }

    pub fn tidy(&mut self) {
        self.follow_moves();
        // Of two tellings the later one stays: an older file may be gone.
        self.messages.sort_by_key(|found| found.number);
        self.messages.dedup_by(|later, kept| {
            let same = later.number == kept.number;
            if same {
                let count = kept.count.max(later.count);
                *kept = Found { count, ..*later };
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
            file: stored_name(number),
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
        Ok(row.away(Arc::clone(page), files).restored())
    }
}

/// Asked whether the file of a large body is there, with a record that ends with this checksum: an
/// entry names `file`, with a body of `size` octets and `sum`.
pub type IsThere<'a> = &'a mut dyn FnMut(u32, u32, u32) -> Result<bool, StoreError>;

/// Asked whether facts of a queue and priority are wanted.
pub type IsWanted<'a> = &'a dyn Fn(u64, u8) -> bool;

impl Replay {
    /// Takes in what an entry of the log says of messages. Messages whose file is not there were gone
    /// when it was removed.
    ///
    /// # Errors
    /// Those of `is_there`, and what is wrong with the entry as `Refused`.
    pub fn take_entry(
        &mut self,
        entry: &Replayed<'_>,
        is_wanted: IsWanted<'_>,
        is_there: IsThere<'_>,
    ) -> Result<(), StoreError> {
        // The facts come before the records; where these start is known at once.
        let start = batch::records_start(entry.payload);
        let mut records = Home {
            file: Arc::clone(entry.file),
            offset: entry.payload_offset.saturating_add(start),
        };
        let size_at = |offset: u32| {
            let record = entry.payload.get(start.saturating_add(offset) as usize..);
            let len = record.and_then(<[u8]>::first_chunk::<4>);
            len.map_or(0, |len| u32::from_le_bytes(*len))
        };
        let (mut away, mut failure) = (None, None);
        let outcome = batch::read(entry.payload, |fact| {
            let fact = match fact {
                Fact::Away { file, size, sum } => {
                    records = Home {
                        file: StoredFile::new(file),
                        offset: BODY_RECORD,
                    };
                    match is_there(file, size, sum) {
                        Ok(there) => away = Some((size, there)),
                        Err(error) => failure = Some(error),
                    }
                    return;
                }
                Fact::Placed { queue, id, .. } if away.is_some_and(|(_, there)| !there) => {
                    Fact::Settled {
                        queue,
                        first: id,
                        len: 1,
                    }
                }
                fact => fact,
            };
            if fact
                .level()
                .is_some_and(|(queue, id)| is_wanted(queue, MessageId::from_raw(id).priority()))
            {
                match away {
                    Some((size, _)) => self.take(fact, &records, |_| size),
                    None => self.take(fact, &records, size_at),
                }
            }
        });
        match (failure, outcome) {
            (Some(failure), _) => Err(failure),
            (None, Ok(_)) => Ok(()),
            (None, Err(error)) => Err(StoreError::Refused(error.to_string())),
        }
    }

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
            // Whoever reads the entry says so by `records`.
            Fact::Away { .. } => {}
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
            || self.moves.range(row.base..end).next().is_some()
            || self.counts.range(row.base..end).next().is_some()
    }

    fn build(mut self, level: &mut Level, places: &Places<'_>) -> Result<(), StoreError> {
        let (mut kept, mut paged) = (Vec::new(), Vec::new());
        for row in std::mem::take(&mut self.away) {
            // Nothing of it is left, nor need there be the page and the files that it lay in.
            if self.gone.covers(row.base, row.base + u64::from(row.span)) {
                continue;
            }
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
                let Some(home) = home.filter(|_| !self.gone.contains(number)) else {
                    continue;
                };
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
                paged.push(found);
                if row.expires_at != u64::MAX {
                    self.expiries.insert(number, row.expires_at);
                }
            }
        }
        // What the log tells of the same message comes later, and is as good.
        paged.append(&mut self.messages);
        self.messages = paged;
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
            let returned = self.counts.get(&number).copied().unwrap_or(0);
            let count = message.count.max(returned);
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
