//! An immutable run of message records, shared by reference.
//!
//! A chunk is filled by one connection while it reads a batch of publishes, then frozen. It is freed
//! when the last queue and the last delivery let go of it; a queue's index copies the survivors of
//! mostly dead blocks out ([`crate::queue::block::Block::thin`]).

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use super::record::{self, Record};
use super::stored::Home;

/// Octets held by all chunks of the process: the memory budget's largest part.
static HELD: AtomicI64 = AtomicI64::new(0);

/// Octets held by all chunks of the process.
pub fn bytes_held() -> u64 {
    u64::try_from(HELD.load(Ordering::Relaxed)).unwrap_or(0)
}

/// What is known of a record that lies in a file only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwayRecord {
    /// Octets of its body.
    pub size: u32,
    /// The checksum at its end.
    pub sum: u32,
}

/// Records behind each other; each is found by its offset.
#[derive(Debug)]
pub struct Chunk {
    data: Box<[u8]>,
    /// Its one record lies at its home and is not in memory.
    away: Option<AwayRecord>,
    /// Where the same octets lie at rest, once they do.
    home: OnceLock<Home>,
    /// It is on its way to a file although nobody asked for that: memory did.
    spilled: AtomicBool,
}

impl Chunk {
    /// Freezes `data`, giving back what the buffer reserved in vain.
    pub fn new(data: Vec<u8>) -> Arc<Self> {
        let data = data.into_boxed_slice();
        HELD.fetch_add(i64::try_from(data.len()).unwrap_or(0), Ordering::Relaxed);
        Arc::new(Self {
            data,
            away: None,
            home: OnceLock::new(),
            spilled: AtomicBool::new(false),
        })
    }

    /// A chunk that was read from its home.
    pub fn loaded(data: Vec<u8>, home: Home) -> Arc<Self> {
        let chunk = Self::new(data);
        chunk.set_home(home);
        chunk
    }

    /// One record that lies at `home`, sealed, with a body of `size` octets and `sum` at its end, and
    /// that nobody has read. It is there to be put into queues, which read it when they need it.
    pub fn away(home: Home, size: u32, sum: u32) -> Arc<Self> {
        Arc::new(Self {
            data: Box::default(),
            away: Some(AwayRecord { size, sum }),
            home: OnceLock::from(home),
            spilled: AtomicBool::new(true),
        })
    }

    /// What is known of its record where that is not in memory.
    #[inline]
    pub fn is_away(&self) -> Option<AwayRecord> {
        self.away
    }

    /// True for the first who wants to write it to a file to free memory; it has no home yet.
    pub fn may_spill(&self) -> bool {
        self.home.get().is_none() && !self.spilled.swap(true, Ordering::Relaxed)
    }

    /// Where its octets lie at rest; `None` while they are in memory only.
    #[inline]
    pub fn home(&self) -> Option<&Home> {
        self.home.get()
    }

    /// Says where its octets lie; only the first time counts.
    pub fn set_home(&self, home: Home) {
        let file = Arc::clone(&home.file);
        if self.home.set(home).is_ok() {
            file.count_live(i64::try_from(self.data.len()).unwrap_or(i64::MAX));
        }
    }

    /// A copy of `data` in a chunk of exactly its size.
    pub fn copied(data: &[u8]) -> Arc<Self> {
        Self::new(data.to_vec())
    }

    /// The record at `offset`; an empty one if there is none, which would be our own bug.
    #[inline]
    pub fn record(&self, offset: u32) -> Record<'_> {
        let found = self.data.get(offset as usize..).and_then(Record::read);
        debug_assert!(found.is_some(), "no record at {offset}");
        found.unwrap_or_default()
    }

    /// True when the record at `offset`, whose body has `size` octets, is what was written: see
    /// [`record::holds`].
    pub fn holds(&self, offset: u32, size: u32) -> bool {
        let octets = self.data.get(offset as usize..);
        octets.is_some_and(|octets| record::holds(octets, size))
    }

    /// All octets.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let len = i64::try_from(self.data.len()).unwrap_or(0);
        HELD.fetch_sub(len, Ordering::Relaxed);
        if let Some(home) = self.home.get() {
            home.file.count_live(-len);
        }
    }
}
