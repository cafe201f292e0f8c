//! One body on its way into its file.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use crc32c::crc32c_append;
use parking_lot::Mutex;

use super::files::{Bodies, BodyFile};
use super::format::HEADER_LEN;
use super::thread::Job;
use crate::message::{Chunk, Home};
use crate::store::io::DiskFile;
use crate::store::log::Wake;

/// How far a body has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Progress {
    /// Octets are missing, or not written.
    Arriving,
    /// All of it can be read; a loss of power may take it.
    Written,
    /// All of it is safe.
    Synced,
}

/// What the thread knows of a body.
pub(super) struct Writing {
    pub file: Arc<BodyFile>,
    /// It is synced now and then while it arrives, so that little is left to do at the end.
    pub keep: bool,
    pub handle: Mutex<Option<Arc<dyn DiskFile>>>,
    /// Octets that were written and not synced.
    pub unsynced: AtomicU64,
    progress: AtomicU8,
    /// Nobody waits for what is still to be done for it.
    given_up: AtomicBool,
    pub waiter: Arc<dyn Wake>,
}

impl Writing {
    pub fn progress(&self) -> Progress {
        match self.progress.load(Ordering::Acquire) {
            0 => Progress::Arriving,
            1 => Progress::Written,
            _ => Progress::Synced,
        }
    }

    pub fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Acquire)
    }

    pub fn reached(&self, progress: Progress) {
        self.progress.store(progress as u8, Ordering::Release);
    }
}

/// A record that is being written to a file of its own. Dropped before a chunk was made of it, it is
/// as if it had never been.
pub struct Spool {
    bodies: Arc<Bodies>,
    writing: Arc<Writing>,
    /// Where the next octets go.
    at: u64,
    /// Checksum of the record so far.
    sum: u32,
    /// All of it has been pushed; the content says whether a sync was asked for.
    finished: Option<bool>,
    /// Octets of the body.
    size: u32,
}

impl std::fmt::Debug for Spool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("file", &self.writing.file.stored.number)
            .field("at", &self.at)
            .field("progress", &self.writing.progress())
            .finish_non_exhaustive()
    }
}

impl Bodies {
    /// Begins a record with a body of `size` octets, which is likely to be kept over a restart where
    /// `keep` says so. `waiter` is woken whenever the end of it gets further.
    pub fn begin(self: &Arc<Self>, size: u32, keep: bool, waiter: Arc<dyn Wake>) -> Spool {
        Spool {
            bodies: Arc::clone(self),
            writing: Arc::new(Writing {
                file: self.add(),
                keep,
                handle: Mutex::new(None),
                unsynced: AtomicU64::new(0),
                progress: AtomicU8::new(Progress::Arriving as u8),
                given_up: AtomicBool::new(false),
                waiter,
            }),
            at: HEADER_LEN.into(),
            sum: 0,
            finished: None,
            size,
        }
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What became a chunk is written; what did not is nothing any more.
        self.writing.given_up.store(true, Ordering::Release);
    }
}

impl Spool {
    /// Takes octets of the record in their order: what stands before the body, marked as sealed, and
    /// the body.
    pub fn push(&mut self, octets: Vec<u8>) {
        self.sum = crc32c_append(self.sum, &octets);
        self.write(octets);
    }

    fn write(&mut self, octets: Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        let at = self.at;
        self.at += octets.len() as u64;
        let writing = Arc::clone(&self.writing);
        self.bodies.send(Job::Write {
            writing,
            at,
            octets,
        });
    }

    /// All octets have been pushed: the record is complete once it is written. Where `sync` says so,
    /// it is synced as well; that may be asked for later.
    pub fn finish(&mut self, sync: bool) {
        match self.finished {
            // Who is woken asks again.
            Some(asked) if asked || !sync => return,
            Some(_) => {}
            None => self.write(self.sum.to_le_bytes().to_vec()),
        }
        self.finished = Some(sync);
        let writing = Arc::clone(&self.writing);
        self.bodies.send(Job::Finish { writing, sync });
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.writing.progress()
    }

    /// Where its record lies.
    pub fn home(&self) -> Home {
        Home {
            file: Arc::clone(&self.writing.file.stored),
            offset: HEADER_LEN,
        }
    }

    /// Octets of its body.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The record, which is written, as something to put into queues.
    pub fn chunk(&self) -> Arc<Chunk> {
        Chunk::away(self.home(), self.size, self.sum)
    }
}
