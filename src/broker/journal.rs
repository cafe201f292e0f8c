//! The way to the commit log: what happens to messages of durable queues is drafted under the
//! broker's gate and appended before the gate is left, so that a checkpoint, which closes the gate
//! for a moment, finds queues and log in step.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{RwLock, RwLockReadGuard};

use super::define::Follower;
use super::inbox::Inbox;
use crate::definitions::Definitions;
use crate::logs::events::EventLog;
use crate::message::{Body, Chunk, Home, Record, StoredPage};
use crate::queue::{Incoming, Op, Placed};
use crate::store::StoreError;
use crate::store::batch::Draft;
use crate::store::bodies::Bodies;
use crate::store::log::{Entry, Log};
use crate::store::pages::Pages;

/// Kind of the log entries of batches.
pub const BATCH: u8 = 1;

/// Kind of the log entries of definitions.
pub const DEFINITION: u8 = 2;

/// The first read of a record takes this much more than its body: mostly all of it.
const AROUND_BODY: usize = 512;

/// The commit log as the broker sees it. Without one, which tests of other things have, nothing
/// is kept and everything counts as durable at once.
#[derive(Debug, Default)]
pub struct Journal {
    log: OnceLock<Arc<Log>>,
    pages: OnceLock<Arc<Pages>>,
    bodies: OnceLock<Arc<Bodies>>,
    follower: OnceLock<Arc<Follower>>,
    /// What happened, for programs.
    pub events: EventLog,
    gate: RwLock<()>,
    /// The ticket of the last definition.
    last_definition: AtomicU64,
}

impl Journal {
    /// From now on everything goes to `log`. Called once, before anybody connects.
    pub fn attach(&self, log: Arc<Log>, pages: Arc<Pages>, definitions: Arc<Definitions>) {
        // A second log would be our own bug; the first stays.
        let _ = self.follower.set(Follower::new(&log, definitions));
        let _ = self.pages.set(pages);
        let _ = self.log.set(log);
    }

    /// From now on large bodies go to `bodies`. Called once, as [`Self::attach`].
    pub fn attach_bodies(&self, bodies: Arc<Bodies>) {
        let _ = self.bodies.set(bodies);
    }

    /// The files of large bodies.
    pub fn bodies(&self) -> Option<&Arc<Bodies>> {
        self.bodies.get()
    }

    fn read_at(&self, home: &Home, len: usize) -> Result<Vec<u8>, StoreError> {
        if home.file.is_body() {
            let bodies = self.bodies.get().ok_or_else(StoreError::closed)?;
            return bodies.read(home.file.number, home.offset, len);
        }
        let log = self.log.get().ok_or_else(StoreError::closed)?;
        log.read(&home.file, home.offset, len)
    }

    /// The file of index pages.
    pub fn pages(&self) -> Option<&Arc<Pages>> {
        self.pages.get()
    }

    /// Reads a page of a queue's index.
    pub fn read_page(&self, page: &StoredPage) -> Result<Vec<u8>, StoreError> {
        let pages = self.pages.get().ok_or_else(StoreError::closed)?;
        pages.read(page)
    }

    pub(super) fn follower(&self) -> Option<&Arc<Follower>> {
        self.follower.get()
    }

    /// The definitions.
    pub fn definitions(&self) -> Option<&Arc<Definitions>> {
        self.follower.get().map(|follower| follower.definitions())
    }

    pub(super) fn note_definition(&self, ticket: u64) {
        self.last_definition.fetch_max(ticket, Ordering::AcqRel);
    }

    /// The ticket of the last definition: with it every change that anybody has seen is durable.
    pub fn last_definition(&self) -> u64 {
        self.last_definition.load(Ordering::Acquire)
    }

    /// The log.
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.get()
    }

    /// Held from before a durable queue is changed until the change is appended.
    #[inline]
    pub fn enter(&self) -> RwLockReadGuard<'_, ()> {
        // Dead letters change further queues while their source's change is held.
        self.gate.read_recursive()
    }

    /// Runs `work` while nobody is between a change and its entry.
    pub fn at_rest<R>(&self, work: impl FnOnce() -> R) -> R {
        let _alone = self.gate.write();
        work()
    }

    /// Appends an entry; returns its ticket, 0 where there is nothing to wait for. `waiter` is woken
    /// when it is durable.
    pub fn append(&self, draft: Draft, waiter: Option<&Arc<Inbox>>) -> u64 {
        let Some(log) = self.log.get().filter(|_| !draft.is_empty()) else {
            return 0;
        };
        let (head, chunk) = draft.finish();
        let entry = Entry {
            kind: BATCH,
            head,
            chunk,
            ..Entry::default()
        };
        match waiter {
            Some(inbox) => log.append_and_wake(entry, Arc::clone(inbox) as _),
            None => log.append(entry),
        }
    }

    /// Writes a chunk to the log for the sake of memory alone: nothing is said of its messages.
    pub fn spill(&self, chunk: &Arc<Chunk>) {
        let mut draft = Draft::default();
        draft.set_chunk(chunk);
        self.append(draft, None);
    }

    /// True when nothing becomes durable any more.
    pub fn has_failed(&self) -> bool {
        self.log.get().is_some_and(|log| log.failure().is_some())
    }

    /// True while the log has more to write than it should.
    pub fn is_congested(&self) -> bool {
        self.log.get().is_some_and(|log| log.is_congested())
    }

    /// The ticket of the last entry; with it everything so far is durable.
    pub fn last_ticket(&self) -> u64 {
        self.log.get().map_or(0, |log| log.last_ticket())
    }

    /// Wakes `inbox` when the ticket is durable.
    pub fn wake_when(&self, ticket: u64, inbox: &Arc<Inbox>) {
        if let Some(log) = self.log.get()
            && !log.wake_when(ticket, Arc::clone(inbox) as _)
        {
            inbox.rouse();
        }
    }

    /// True while the log has more to write than it should; `inbox` is woken when that is over.
    #[inline]
    pub fn holds_up(&self, inbox: &Arc<Inbox>) -> bool {
        let Some(log) = self.log.get().filter(|log| log.is_congested()) else {
            return false;
        };
        // It may have got on by now; then nobody would be woken.
        log.wake_when_clear(Arc::clone(inbox) as _)
    }

    /// Everything up to this ticket is on disk.
    #[inline]
    pub fn durable(&self) -> u64 {
        self.log.get().map_or(u64::MAX, |log| log.durable())
    }

    /// The chunk of a record whose body has `size` octets, read if need be, and its offset there.
    pub fn fetch(&self, body: &Body, size: u32) -> Result<(Arc<Chunk>, u32), StoreError> {
        match body {
            Body::Held(chunk, offset) => Ok((Arc::clone(chunk), *offset)),
            Body::Stored(home) => Ok((self.read_record(home, size)?, 0)),
        }
    }

    /// Reads the record at `home`, whose body has `size` octets, and checks it. What does not hold is
    /// read a second time: not every flipped bit was flipped on the disk.
    pub fn read_record(&self, home: &Home, size: u32) -> Result<Arc<Chunk>, StoreError> {
        let read = || {
            let chunk = self.read_span(home, 0, size)?;
            match chunk.holds(0, size) {
                true => Ok(chunk),
                false => Err(StoreError::bad_record(home)),
            }
        };
        match read() {
            Err(error) if error.is_damage() => read(),
            outcome => outcome,
        }
    }

    /// Reads records that lie behind each other: the first at `home`, the last one `last` octets
    /// further on with a body of `size` octets. They are not checked.
    pub fn read_span(&self, home: &Home, last: u32, size: u32) -> Result<Arc<Chunk>, StoreError> {
        let mut len = last as usize + size as usize + AROUND_BODY;
        loop {
            let mut octets = self.read_at(home, len)?;
            let tail = octets.get(last as usize..).unwrap_or_default();
            let end = last as usize + Record::length(tail);
            if end <= octets.len() {
                octets.truncate(end);
                return Ok(Chunk::loaded(octets, home.clone()));
            }
            if end <= len {
                return Err(StoreError::cut_short(home));
            }
            len = end;
        }
    }
}

/// Drafts the places that a queue gave to messages of a batch.
pub fn draft_placed(draft: &mut Draft, queue: u64, placed: &[Placed], batch: &[Incoming]) {
    for run in placed {
        let first = run.item as usize;
        let items = batch
            .get(first..first + run.len as usize)
            .unwrap_or_default();
        let offsets = items.iter().map(|item| item.offset);
        draft.placed(queue, run.first.raw(), run.expires_at, offsets);
    }
}

/// Drafts what a queue wants noted.
pub fn draft_ops(draft: &mut Draft, queue: u64, ops: &[Op]) {
    for op in ops {
        match *op {
            Op::Settled { first, len } => draft.settled(queue, first.raw(), len),
            Op::Returned { id, count } => draft.returned(queue, id.raw(), count),
            Op::Moved { from, to, count } => draft.moved(queue, from.raw(), to.raw(), count),
            Op::Delivered { up_to } => draft.delivered(queue, up_to.raw()),
        }
    }
}
