//! The files there are: found at start, read, removed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use crc32c::crc32c_append;
use parking_lot::{Condvar, Mutex};

use super::format::{BadHeader, HEADER_LEN, check_header, number_in};
use super::thread::Jobs;
use crate::limits::BODIES_ARRIVING;
use crate::message::record::SUM_LEN;
use crate::message::{BODY_FILE, StoredFile, stored_name};
use crate::store::StoreError;
use crate::store::io::{Disk, DiskFile};
use crate::store::log::{Log, Wake};

/// Octets read at once where a whole file is looked at.
const PIECE: usize = 1024 * 1024;

/// A file.
#[derive(Debug)]
pub(super) struct BodyFile {
    pub stored: Arc<StoredFile>,
    /// Octets of it.
    pub written: AtomicU64,
}

/// What one step of the thread did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It did something.
    Done,
    /// There was nothing to do.
    Idle,
    /// The disk has no room but its reserve; the same step is to be tried again.
    Full,
}

/// The files of large bodies, and those that are being written. [`Bodies::start`] runs its thread, or
/// a test calls [`Bodies::step`].
pub struct Bodies {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) log: OnceLock<Arc<Log>>,
    pub(super) files: Mutex<BTreeMap<u32, Arc<BodyFile>>>,
    next: AtomicU32,
    /// A leaf lock: nothing is taken and nothing is written under it.
    pub(super) jobs: Mutex<Jobs>,
    pub(super) arrived: Condvar,
    /// Octets that wait to be written.
    pub(super) pending: AtomicUsize,
    /// Octets that were written since the start, for whoever decides on checkpoints.
    pub(super) written: AtomicU64,
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Bodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bodies")
            .field("files", &self.files.lock().len())
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

fn opened(disk: &dyn Disk, number: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
    let name = stored_name(number);
    disk.open(&name)
        .map_err(|e| StoreError::io("read", name, e))
}

fn failed(number: u32) -> impl Fn(std::io::Error) -> StoreError {
    move |e| StoreError::io("read", stored_name(number), e)
}

fn damaged(number: u32, offset: u64, reason: &str) -> StoreError {
    StoreError::Damaged {
        file: stored_name(number),
        offset,
        reason: reason.to_owned(),
    }
}

/// The numbers of the files on `disk`.
///
/// # Errors
/// The disk's own.
pub(super) fn find(disk: &dyn Disk) -> Result<Vec<u32>, StoreError> {
    let names = disk.list().map_err(|e| StoreError::io("list", ".", e))?;
    Ok(names.iter().filter_map(|name| number_in(name)).collect())
}

impl Bodies {
    /// Finds what is on the log's disk.
    ///
    /// # Errors
    /// The disk's own.
    pub fn open(disk: Arc<dyn Disk>) -> Result<Arc<Self>, StoreError> {
        let mut files = BTreeMap::new();
        for number in find(disk.as_ref())? {
            let len = opened(disk.as_ref(), number)?.len();
            let stored = StoredFile::new(number);
            // Whether the log names it is not known before all of it is read.
            stored.name_it();
            let len = len.map_err(failed(number))?;
            let file = BodyFile {
                stored,
                // There is something to remove, even if it is empty.
                written: AtomicU64::new(len.max(1)),
            };
            files.insert(number, Arc::new(file));
        }
        let last = files.keys().next_back().copied().unwrap_or(BODY_FILE);
        Ok(Arc::new(Self {
            disk,
            log: OnceLock::new(),
            files: Mutex::new(files),
            next: AtomicU32::new(last + 1),
            jobs: Mutex::default(),
            arrived: Condvar::new(),
            pending: AtomicUsize::new(0),
            written: AtomicU64::new(0),
            thread: Mutex::new(None),
        }))
    }

    /// The log beside it: it says how much room there is, and fails with this.
    pub fn attach(&self, log: &Arc<Log>) {
        // A second log would be our own bug; the first stays.
        let _ = self.log.set(Arc::clone(log));
    }

    /// True when a message lies in file `number`.
    pub fn is_held(&self, number: u32) -> bool {
        let files = self.files.lock();
        files
            .get(&number)
            .is_some_and(|file| Arc::strong_count(&file.stored) > 1)
    }

    /// Numbers up to this one are not given to new files: the log has named them.
    pub fn start_above(&self, number: u32) {
        self.next
            .fetch_max(number.saturating_add(1), Ordering::Relaxed);
    }

    /// A number that no file has, and the file's entry in the table.
    pub(super) fn add(&self) -> Arc<BodyFile> {
        let number = self.next.fetch_add(1, Ordering::Relaxed) | BODY_FILE;
        let file = Arc::new(BodyFile {
            stored: StoredFile::new(number),
            written: AtomicU64::new(0),
        });
        self.files.lock().insert(number, Arc::clone(&file));
        file
    }

    /// Every file and its octets.
    pub fn files(&self) -> Vec<(Arc<StoredFile>, u64)> {
        let files = self.files.lock();
        let each = files.values();
        each.map(|file| {
            (
                Arc::clone(&file.stored),
                file.written.load(Ordering::Relaxed),
            )
        })
        .collect()
    }

    /// Octets of all files.
    pub fn octets(&self) -> u64 {
        self.files().iter().map(|(_, octets)| octets).sum()
    }

    /// Octets that have been written since the start.
    pub fn octets_written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// True while more is to be written than there should be; `who` is woken when that is over.
    pub fn holds_up(&self, who: &Arc<dyn Wake>) -> bool {
        if self.pending.load(Ordering::Relaxed) < BODIES_ARRIVING {
            return false;
        }
        let mut jobs = self.jobs.lock();
        // The thread looks for those who wait under this lock, after it has counted.
        if self.pending.load(Ordering::Relaxed) < BODIES_ARRIVING {
            return false;
        }
        jobs.wait_clear(who);
        true
    }

    /// Reads `len` octets from `offset` of a file, fewer where it ends before. They are not checked.
    ///
    /// # Errors
    /// The disk's own.
    pub fn read(&self, number: u32, offset: u32, len: usize) -> Result<Vec<u8>, StoreError> {
        let file = opened(self.disk.as_ref(), number)?;
        let rest = file.len().map_err(failed(number))?;
        let rest = rest.saturating_sub(offset.into());
        let mut octets = vec![0; usize::try_from(rest).unwrap_or(len).min(len)];
        file.read_at(&mut octets, offset.into())
            .map_err(failed(number))?;
        Ok(octets)
    }

    /// As [`is_there`].
    ///
    /// # Errors
    /// The disk's own.
    pub fn is_there(&self, number: u32, sum: u32) -> Result<bool, StoreError> {
        is_there(self.disk.as_ref(), number, sum)
    }

    /// Reads all of a file to see whether it is what was written, with a body of `size` octets.
    ///
    /// # Errors
    /// As [`verify`].
    pub fn verify(&self, number: u32, size: u32) -> Result<(), StoreError> {
        verify(self.disk.as_ref(), number, size)
    }

    /// The files that nothing names: what is done to the queues after this call cannot name them
    /// again. Within the gate of a checkpoint, they may be removed once that is safe.
    pub fn unneeded(&self) -> Vec<u32> {
        self.unheld(|_| true)
    }

    fn unheld(&self, which: impl Fn(&BodyFile) -> bool) -> Vec<u32> {
        let files = self.files.lock();
        let free = files.iter().filter(|(_, file)| {
            // Under this lock nobody can get hold of it who does not hold it already.
            Arc::strong_count(file) == 1 && Arc::strong_count(&file.stored) == 1 && which(file)
        });
        free.map(|(number, _)| *number).collect()
    }

    /// Removes files that nothing needs.
    ///
    /// # Errors
    /// The disk's own.
    pub fn remove(&self, numbers: &[u32]) -> Result<(), StoreError> {
        for number in numbers {
            let Some(file) = self.files.lock().remove(number) else {
                continue;
            };
            if file.written.load(Ordering::Relaxed) == 0 {
                // It was never begun.
                continue;
            }
            let name = stored_name(*number);
            // No sync: what comes back after a loss of power is unneeded again.
            self.disk
                .remove(&name)
                .map_err(|e| StoreError::io("remove", name, e))?;
        }
        Ok(())
    }

    /// Removes the files that nothing names and the log never named.
    ///
    /// # Errors
    /// The disk's own.
    pub fn sweep(&self) -> Result<(), StoreError> {
        let numbers = self.unheld(|file| !file.stored.is_named());
        self.remove(&numbers)
    }
}

/// True when `disk` has a file of this number whose record ends with this checksum. A number may have
/// been another file's before, and the log may still tell of that one.
///
/// # Errors
/// The disk's own.
pub fn is_there(disk: &dyn Disk, number: u32, sum: u32) -> Result<bool, StoreError> {
    let file = match opened(disk, number) {
        Err(error) if error.is_missing() => return Ok(false),
        file => file?,
    };
    let len = file.len().map_err(failed(number))?;
    let Some(at) = len.checked_sub(SUM_LEN as u64) else {
        return Ok(false);
    };
    let mut found = [0; SUM_LEN];
    file.read_at(&mut found, at).map_err(failed(number))?;
    Ok(u32::from_le_bytes(found) == sum)
}

/// Reads all of file `number` on `disk` to see whether it is what was written, with a body of `size`
/// octets.
///
/// # Errors
/// `Damaged`, where it is not or is missing; `Version`; the disk's own.
pub fn verify(disk: &dyn Disk, number: u32, size: u32) -> Result<(), StoreError> {
    let file = match opened(disk, number) {
        Err(error) if error.is_missing() => {
            return Err(damaged(
                number,
                0,
                "it is missing, and a message lies in it",
            ));
        }
        file => file?,
    };
    let len = file.len().map_err(failed(number))?;
    let wrong = || {
        damaged(
            number,
            HEADER_LEN.into(),
            "a message's record is not what was written",
        )
    };
    let Some(mut left) = len.checked_sub(u64::from(HEADER_LEN) + SUM_LEN as u64) else {
        return Err(damaged(
            number,
            len,
            "it ends before a message's record does",
        ));
    };
    let mut header = [0; HEADER_LEN as usize];
    file.read_at(&mut header, 0).map_err(failed(number))?;
    match check_header(&header, number) {
        Ok(()) => {}
        Err(BadHeader::Unreadable) => {
            return Err(damaged(number, 0, "its header is not what was written"));
        }
        Err(BadHeader::Version(found)) => {
            return Err(StoreError::Version {
                file: stored_name(number),
                found,
                known: super::format::VERSION,
            });
        }
    }
    let (mut at, mut sum, mut first) = (u64::from(HEADER_LEN), 0, None);
    let mut piece = vec![0; PIECE];
    while left > 0 {
        let take = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let octets = piece.get_mut(..take).unwrap_or_default();
        file.read_at(octets, at).map_err(failed(number))?;
        sum = crc32c_append(sum, octets);
        first = first.or(octets.first_chunk().map(|size| u32::from_le_bytes(*size)));
        at += take as u64;
        left -= take as u64;
    }
    let mut expected = [0; SUM_LEN];
    file.read_at(&mut expected, at).map_err(failed(number))?;
    match first == Some(size) && u32::from_le_bytes(expected) == sum {
        true => Ok(()),
        false => Err(wrong()),
    }
}
