//! Where a record lies at rest: in which file of the store, and at which octet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;

use super::Chunk;

/// Set in the numbers of files that hold one large body each; the numbers of the log's files stay
/// below.
pub const BODY_FILE: u32 = 1 << 31;

/// A file of the store, as a message's place names it. It may be used again only when nobody but
/// the store itself holds it.
#[derive(Debug)]
pub struct StoredFile {
    /// Its number, never given to another file.
    pub number: u32,
    live_bytes: AtomicI64,
    /// The log tells of it, so that it has to be there until a checkpoint does not.
    named: AtomicBool,
}

impl StoredFile {
    /// A file in which nothing lives yet.
    pub fn new(number: u32) -> Arc<Self> {
        Arc::new(Self {
            number,
            live_bytes: AtomicI64::new(0),
            named: AtomicBool::new(false),
        })
    }

    /// Its name in the log's folder.
    pub fn name(&self) -> String {
        stored_name(self.number)
    }

    /// True for the file of one large body.
    #[inline]
    pub fn is_body(&self) -> bool {
        self.number >= BODY_FILE
    }

    /// The log tells of it from now on.
    pub fn name_it(&self) {
        self.named.store(true, Ordering::Relaxed);
    }

    /// True when the log may tell of it.
    pub fn is_named(&self) -> bool {
        self.named.load(Ordering::Relaxed)
    }

    /// Octets of records in it that are still wanted; chunks in memory count as a whole.
    pub fn live_bytes(&self) -> u64 {
        u64::try_from(self.live_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Counts octets that are wanted from now on, or no longer.
    pub fn count_live(&self, bytes: i64) {
        self.live_bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// The name, in the log's folder, of the file that places name `number`.
pub fn stored_name(number: u32) -> String {
    match number & BODY_FILE {
        0 => format!("{number:010}.log"),
        bit => format!("{:010}.body", number ^ bit),
    }
}

/// Where octets lie at rest.
#[derive(Debug, Clone)]
pub struct Home {
    /// The file.
    pub file: Arc<StoredFile>,
    /// The first of them in it.
    pub offset: u32,
}

impl Home {
    /// The place `by` octets further on; files are far smaller than 4 GiB.
    pub fn at(&self, by: u32) -> Self {
        Self {
            file: Arc::clone(&self.file),
            offset: self.offset.saturating_add(by),
        }
    }
}

/// Places of pages that nobody needs any more: the first octet of each, and the octets it was
/// written with.
pub type FreedPlaces = Arc<Mutex<Vec<(u64, u32)>>>;

/// A page of a queue's index at rest. Its place is given back when the last holder lets go of it.
#[derive(Debug)]
pub struct StoredPage {
    /// Its first octet in the file of pages.
    pub place: u64,
    /// Octets that were written, without what the file adds to them.
    pub len: u32,
    freed: FreedPlaces,
}

impl StoredPage {
    /// The page of `len` octets at `place`; the place goes to `freed` in the end.
    pub fn new(place: u64, len: u32, freed: FreedPlaces) -> Self {
        Self { place, len, freed }
    }
}

impl Drop for StoredPage {
    fn drop(&mut self) {
        self.freed.lock().push((self.place, self.len));
    }
}

impl Body {
    /// The record at `offset` of `chunk`.
    pub fn of(chunk: &Arc<Chunk>, offset: u32) -> Self {
        match chunk.home().filter(|_| chunk.is_away().is_some()) {
            Some(home) => Self::Stored(home.at(offset)),
            None => Self::Held(Arc::clone(chunk), offset),
        }
    }
}

/// Where one record can be had.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory, in a chunk, at an offset.
    Held(Arc<Chunk>, u32),
    /// In a file only.
    Stored(Home),
}
