//! The log as its callers see it: append, wait, read, recycle.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::buffer::{Buffer, Pending, Rest, octets_pending};
use super::files::{Files, LogFile, SPARES_LOW, SPARES_MAX, retire};
use super::format::{PAYLOAD_MAX, log_name, spare_name};
use super::groups::Groups;
use super::meter::Meter;
use super::options::{Entry, LogOptions, Wake};
use super::place::Position;
use crate::message::StoredFile;
use crate::store::StoreError;
use crate::store::io::Disk;

/// Reads up to so many octets need not ask how many there are.
const UNASKED: usize = 1024 * 1024;

/// Called once with the log's failure.
type OnFailure = Box<dyn Fn(&StoreError) + Send + Sync>;

/// The commit log. [`Log::open`] reads it; then either [`Log::start`] runs its thread or a test calls
/// [`Log::step`].
pub struct Log {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) options: LogOptions,
    /// A leaf lock: nothing is taken and nothing is written under it.
    pub(super) buffer: Mutex<Buffer>,
    pub(super) arrived: Condvar,
    /// The highest ticket that is synced.
    pub(super) durable: AtomicU64,
    /// Everything below this position is synced.
    pub(super) durable_end: AtomicU64,
    /// Octets of entries appended but not durable.
    pub(super) pending: AtomicUsize,
    pub(super) files: Mutex<Files>,
    /// Taken before the buffer's, so that a group's index has the order of the log.
    pub(super) groups: Mutex<Groups>,
    /// Held during a step.
    pub(super) writer: Mutex<Writer>,
    pub(super) low: AtomicBool,
    /// Free octets of the disk below which it is low; changes while the log is open.
    pub(super) reserve_bytes: AtomicU64,
    pub(super) meter: Meter,
    pub(super) failure: OnceLock<StoreError>,
    pub(super) on_failure: Mutex<Option<OnFailure>>,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

/// What only a step uses.
pub(super) struct Writer {
    /// The file that is written, if there is one already.
    pub current: Option<LogFile>,
    /// The batch, kept for its room.
    pub batch: VecDeque<Pending>,
    /// Everything of a batch that is not written from its chunk, kept for its room.
    pub scratch: Vec<u8>,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log")
            .field("durable", &self.durable())
            .field("pending_bytes", &self.pending_bytes())
            .finish_non_exhaustive()
    }
}

impl Log {
    /// A log that goes on at `end`, in `current` if that exists.
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        files: Files,
        groups: Groups,
        current: Option<LogFile>,
        next: Position,
        end: Position,
    ) -> Arc<Self> {
        let log = Self {
            buffer: Mutex::new(Buffer::new(next, options.segment_bytes)),
            arrived: Condvar::new(),
            durable: AtomicU64::new(0),
            durable_end: AtomicU64::new(end.to_u64()),
            pending: AtomicUsize::new(0),
            files: Mutex::new(files),
            groups: Mutex::new(groups),
            writer: Mutex::new(Writer {
                current,
                batch: VecDeque::new(),
                scratch: Vec::new(),
            }),
            low: AtomicBool::new(false),
            reserve_bytes: AtomicU64::new(options.reserve_bytes),
            meter: Meter::default(),
            failure: OnceLock::new(),
            on_failure: Mutex::new(None),
            thread: Mutex::new(None),
            disk,
            options,
        };
        log.check_space();
        Arc::new(log)
    }

    /// Takes `entry`, one of this node's own, in memory only, and gives its ticket. Tickets count from 1 in the order of the
    /// log. Without anybody who waits, it is written 200 ms later at most.
    pub fn append(&self, entry: Entry) -> u64 {
        debug_assert_eq!(entry.group, 0, "groups number their entries");
        self.append_placed(entry, None).0
    }

    /// Takes `entry`, one of this node's own, and wakes `waiter` once it is durable.
    pub fn append_and_wake(&self, entry: Entry, waiter: Arc<dyn Wake>) -> u64 {
        debug_assert_eq!(entry.group, 0, "groups number their entries");
        self.append_placed(entry, Some(waiter)).0
    }

    /// Appends any entry; gives its ticket and its place.
    pub(super) fn append_placed(
        &self,
        entry: Entry,
        waiter: Option<Arc<dyn Wake>>,
    ) -> (u64, Position) {
        let payload = entry.head.len() as u64 + entry.tail().len() as u64;
        if payload > PAYLOAD_MAX {
            self.fail(StoreError::TooLong {
                octets: payload,
                limit: PAYLOAD_MAX,
            });
        }
        let size = octets_pending(payload);
        let pending = self.pending.fetch_add(size, Ordering::Relaxed) + size;
        let mut buffer = self.buffer.lock();
        let (ticket, at) = buffer.push(entry, payload.min(PAYLOAD_MAX));
        if let Some(waiter) = waiter {
            buffer.wait(ticket, waiter);
        }
        // Memory is what the writer must hurry for when nobody else asks it to.
        buffer.urgent |= pending >= self.options.buffer_bytes / 2;
        self.rouse(&buffer);
        (ticket, at)
    }

    /// Wakes the thread if it rests and must not.
    fn rouse(&self, buffer: &Buffer) {
        let needed = match buffer.rest {
            Rest::Awake => false,
            Rest::Empty => true,
            Rest::Lazy => buffer.urgent || buffer.stopping,
        };
        if needed {
            self.arrived.notify_one();
        }
    }

    /// Wakes `waiter` once `ticket` is durable; false, and no wake, if it is already.
    pub fn wake_when(&self, ticket: u64, waiter: Arc<dyn Wake>) -> bool {
        let mut buffer = self.buffer.lock();
        // Read under the lock: who is not durable now is woken by a later step, which takes it.
        if ticket <= self.durable() {
            return false;
        }
        buffer.wait(ticket, waiter);
        self.rouse(&buffer);
        true
    }

    /// The highest ticket that is synced; it and all below are safe.
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The newest ticket given.
    pub fn last_ticket(&self) -> u64 {
        self.buffer.lock().last_ticket
    }

    /// Octets of the log that wait to be durable.
    pub fn pending_bytes(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// True while more waits to be durable than there should be: who appends should pause until
    /// woken by [`Self::wake_when_clear`].
    pub fn is_congested(&self) -> bool {
        self.pending_bytes() >= self.options.buffer_bytes
    }

    /// Wakes `waiter` once the log is well below congestion; false, and no wake, if it is already.
    pub fn wake_when_clear(&self, waiter: Arc<dyn Wake>) -> bool {
        let mut buffer = self.buffer.lock();
        if self.is_clear() {
            return false;
        }
        buffer.wait_clear(waiter);
        buffer.urgent = true;
        self.rouse(&buffer);
        true
    }

    pub(super) fn is_clear(&self) -> bool {
        self.pending_bytes() <= self.options.buffer_bytes / 2
    }

    /// Where the next entry lies at the earliest: every entry appended so far lies below, every
    /// later one at or above. A checkpoint may start here once all of them are durable.
    pub fn position(&self) -> Position {
        self.buffer.lock().next
    }

    /// Octets appended since the log began, give or take what was left free at the ends of files: what
    /// has come between two calls is meant.
    pub fn appended(&self) -> u64 {
        let end = self.durable_position();
        let files = u64::from(end.file) * u64::from(self.options.segment_bytes);
        files + u64::from(end.offset) + self.pending_bytes() as u64
    }

    /// Everything below is synced.
    pub fn durable_position(&self) -> Position {
        Position::from_u64(self.durable_end.load(Ordering::Acquire))
    }

    /// What the log measures of itself.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// True while the disk has less free space than its reserve: publishes should be refused.
    pub fn space_low(&self) -> bool {
        self.low.load(Ordering::Relaxed)
    }

    /// Free octets of the disk, asked now; 0 where it does not answer.
    pub fn free_bytes(&self) -> u64 {
        self.disk.free_bytes().unwrap_or(0)
    }

    /// Free octets of the disk below which space is low.
    pub fn reserve_bytes(&self) -> u64 {
        self.options.reserve_bytes
    }

    /// Asks the disk how much is free, now.
    pub fn check_space(&self) {
        // A disk that does not answer will fail a write soon enough; that is where it is reported.
        if let Ok(free) = self.disk.free_bytes() {
            let reserve = self.reserve_bytes.load(Ordering::Relaxed);
            self.low.store(free < reserve, Ordering::Relaxed);
        }
    }

    /// Looks whether the disk has more free space than its reserve.
    pub fn has_room(&self) -> bool {
        self.check_space();
        !self.space_low()
    }

    /// Sets the free octets below which the disk is low, and looks at once.
    pub fn set_reserve_bytes(&self, octets: u64) {
        self.reserve_bytes.store(octets, Ordering::Relaxed);
        self.check_space();
    }

    /// Reads `len` octets from `offset` of a file of the log, fewer where it ends before. They are not checked; what their
    /// caller keeps in them must be.
    pub fn read(&self, file: &StoredFile, offset: u32, len: usize) -> Result<Vec<u8>, StoreError> {
        let handle = {
            let files = self.files.lock();
            files.map.get(&file.number).map(|f| Arc::clone(&f.handle))
        };
        let handle = handle.ok_or(StoreError::NoSuchFile {
            number: file.number,
        })?;
        let fail = |e| StoreError::io("read", log_name(file.number), e);
        let mut len = len;
        if len > UNASKED {
            // A length that was read from a damaged place must not ask for memory.
            let rest = handle.len().map_err(fail)?.saturating_sub(offset.into());
            len = len.min(usize::try_from(rest).unwrap_or(len));
        }
        let mut octets = vec![0; len];
        match handle.read_at(&mut octets, offset.into()) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(fail(error)),
            Ok(()) => return Ok(octets),
        }
        let rest = handle.len().map_err(fail)?.saturating_sub(offset.into());
        octets.truncate(usize::try_from(rest).unwrap_or(len));
        handle.read_at(&mut octets, offset.into()).map_err(fail)?;
        Ok(octets)
    }

    /// Every file and the octets that it holds, oldest first; of one that was not replayed, its length.
    pub fn files(&self) -> Vec<(Arc<StoredFile>, u64)> {
        let files = self.files.lock();
        let each = files.map.values();
        each.map(|file| (Arc::clone(&file.stored), file.written.into()))
            .collect()
    }

    /// Gives up the files that lie wholly below `below`, that nobody holds and that are not in
    /// `named`: a few are kept to be used again, the others removed. Below `below` nothing may be
    /// needed for a replay any more; `named` are the files that the checkpoint speaks of, though
    /// what it says of them may be over by now.
    ///
    /// # Errors
    /// The disk's own; what is not given up yet is given up another time.
    pub fn recycle(&self, below: Position, named: &BTreeSet<u32>) -> Result<(), StoreError> {
        // The file that the durable end lies in is the newest that is known to be whole.
        let below = below.file.min(self.durable_position().file);
        let most = match self.space_low() {
            true => SPARES_LOW,
            false => SPARES_MAX,
        };
        self.remove_spares(most)?;
        let mut free = self.files.lock().unneeded(below, named).into_iter();
        while let Some((number, file)) = free.next() {
            let keep = self.files.lock().spares.len() < most;
            let usual = self.options.segment_bytes.into();
            let retired = retire(self.disk.as_ref(), number, keep, usual);
            let mut files = self.files.lock();
            match retired {
                Ok(true) => files.spares.push(number),
                Ok(false) => {}
                Err(error) => {
                    files.map.insert(number, file);
                    files.map.extend(free);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Removes spares until `most` are left.
    fn remove_spares(&self, most: usize) -> Result<(), StoreError> {
        loop {
            let spare = {
                let mut files = self.files.lock();
                match files.spares.len() > most {
                    true => files.spares.pop(),
                    false => None,
                }
            };
            let Some(spare) = spare.map(spare_name) else {
                return Ok(());
            };
            self.disk
                .remove(&spare)
                .map_err(|error| StoreError::io("remove", spare, error))?;
        }
    }

    /// Calls `callback` once if the log fails, or now if it has failed. After that nothing becomes
    /// durable any more and nobody is woken: the node must end.
    pub fn on_failure(&self, callback: impl Fn(&StoreError) + Send + Sync + 'static) {
        let mut slot = self.on_failure.lock();
        if let Some(failure) = self.failure.get() {
            drop(slot);
            callback(failure);
        } else {
            *slot = Some(Box::new(callback));
        }
    }

    /// Ends the log for a failure of the store beside it, as if it had failed itself.
    pub fn give_up(&self, failure: StoreError) {
        self.fail(failure);
    }

    /// Why the log has failed, if it has.
    pub fn failure(&self) -> Option<&StoreError> {
        self.failure.get()
    }

    /// Poisons the log with its first failure and tells whoever wants to know.
    pub(super) fn fail(&self, failure: StoreError) {
        let mut slot = self.on_failure.lock();
        if self.failure.set(failure).is_err() {
            return;
        }
        let callback = slot.take();
        drop(slot);
        let left = self.buffer.lock().fail();
        drop(left);
        self.arrived.notify_all();
        if let (Some(callback), Some(failure)) = (callback, self.failure.get()) {
            callback(failure);
        }
    }
}
