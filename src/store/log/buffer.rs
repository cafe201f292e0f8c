//! Where entries gather until they are written: the append side, under one leaf lock.

use std::collections::VecDeque;
use std::sync::Arc;

use super::format::{HEADER_LEN, size_of_entry};
use super::options::{Entry, Wake};
use super::place::Position;

/// Octets written at once at most, unless one entry alone is longer. What a crash may leave torn is
/// no more than this.
pub(super) const BATCH_MAX: u64 = 8 * 1024 * 1024;

/// What an entry with this payload counts until it is durable.
pub(super) fn octets_pending(payload: u64) -> usize {
    usize::try_from(size_of_entry(payload)).unwrap_or(usize::MAX / 2)
}

/// An entry that has its place but is not written.
pub(super) struct Pending {
    pub entry: Entry,
    pub at: Position,
    pub ticket: u64,
    /// Octets it takes in its file.
    pub size: u64,
}

/// What the thread that writes is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// It is at work, or there is none.
    Awake,
    /// For the first entry.
    Empty,
    /// For somebody in a hurry, or the end of the delay.
    Lazy,
}

/// Somebody who waits for a ticket.
struct Waiter {
    ticket: u64,
    who: Arc<dyn Wake>,
}

pub(super) struct Buffer {
    pub entries: VecDeque<Pending>,
    /// The ticket of the newest entry, 0 before the first.
    pub last_ticket: u64,
    /// The newest ticket that the writer has taken out.
    pub taken: u64,
    /// Where the next entry is placed, unless the file cannot hold it.
    pub next: Position,
    segment_bytes: u32,
    waiters: Vec<Waiter>,
    clear_waiters: Vec<Arc<dyn Wake>>,
    /// Somebody waits for what is in `entries`.
    pub urgent: bool,
    pub rest: Rest,
    /// The log is being stopped.
    pub stopping: bool,
    /// The log has failed; nothing is taken any more.
    pub failed: bool,
}

impl Buffer {
    pub fn new(next: Position, segment_bytes: u32) -> Self {
        Self {
            entries: VecDeque::new(),
            last_ticket: 0,
            taken: 0,
            next,
            segment_bytes,
            waiters: Vec::new(),
            clear_waiters: Vec::new(),
            urgent: false,
            rest: Rest::Awake,
            stopping: false,
            failed: false,
        }
    }

    /// Gives `entry` its ticket and its place. The caller has checked its length.
    pub fn push(&mut self, entry: Entry, payload: u64) -> (u64, Position) {
        let size = size_of_entry(payload);
        let at = self.place(size);
        self.last_ticket += 1;
        if !self.failed {
            self.entries.push_back(Pending {
                entry,
                at,
                ticket: self.last_ticket,
                size,
            });
        }
        (self.last_ticket, at)
    }

    /// Where an entry of `size` octets goes: behind the one before it, or at the start of the next
    /// file. A place is known as soon as the entry is appended, so that a caller can say what lies
    /// before it and what behind.
    fn place(&mut self, size: u64) -> Position {
        let full = u64::from(self.next.offset) + size > self.segment_bytes.into();
        if full && self.next.offset > HEADER_LEN {
            self.next = Position::new(self.next.file.saturating_add(1), HEADER_LEN);
        }
        let at = self.next;
        // A payload has an upper bound far below what an offset can name.
        let end = u64::from(at.offset) + size;
        self.next.offset = u32::try_from(end).unwrap_or(u32::MAX);
        at
    }

    /// Moves the next batch into `batch`, which is empty: entries of one file, as many as are
    /// written at once.
    pub fn take(&mut self, batch: &mut VecDeque<Pending>) {
        let Some(first) = self.entries.front() else {
            return;
        };
        let file = first.at.file;
        let mut octets = 0;
        let fits = |pending: &&Pending| {
            octets += pending.size;
            pending.at.file == file && (octets == pending.size || octets <= BATCH_MAX)
        };
        let count = self.entries.iter().take_while(fits).count();
        if count == self.entries.len() {
            std::mem::swap(&mut self.entries, batch);
            self.urgent = false;
        } else {
            batch.extend(self.entries.drain(..count));
        }
        self.taken = batch.back().map_or(self.taken, |last| last.ticket);
    }

    /// Notes that `who` waits for `ticket`. Dropped without a word once the log has failed.
    pub fn wait(&mut self, ticket: u64, who: Arc<dyn Wake>) {
        if self.failed {
            return;
        }
        if ticket > self.taken {
            self.urgent = true;
        }
        // One that waits for what is in the buffer anyway waits for its end: a batch wakes each of
        // its waiters once. What is being written already must not wait longer.
        if let Some(last) = self.waiters.last_mut()
            && last.ticket > self.taken
            && Arc::ptr_eq(&last.who, &who)
        {
            last.ticket = last.ticket.max(ticket);
            return;
        }
        self.waiters.push(Waiter { ticket, who });
    }

    /// Notes that `who` waits until the log is not congested.
    pub fn wait_clear(&mut self, who: Arc<dyn Wake>) {
        if !self.failed && !self.clear_waiters.iter().any(|w| Arc::ptr_eq(w, &who)) {
            self.clear_waiters.push(who);
        }
    }

    /// Those who wait for tickets up to `durable`, and, if the log is `clear`, for that; each once.
    pub fn due(&mut self, durable: u64, clear: bool) -> Vec<Arc<dyn Wake>> {
        let due = self.waiters.extract_if(.., |w| w.ticket <= durable);
        let mut due: Vec<_> = due.map(|waiter| waiter.who).collect();
        if clear {
            due.append(&mut self.clear_waiters);
        }
        due.sort_by_key(|who| Arc::as_ptr(who).addr());
        due.dedup_by(|a, b| Arc::ptr_eq(a, b));
        due
    }

    /// Takes everything out for good; what is handed back is dropped without the lock.
    pub fn fail(&mut self) -> impl Sized + use<> {
        self.failed = true;
        (
            std::mem::take(&mut self.entries),
            std::mem::take(&mut self.waiters),
            std::mem::take(&mut self.clear_waiters),
        )
    }
}
