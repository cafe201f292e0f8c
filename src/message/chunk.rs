//! An immutable run of message records, shared by reference.
//!
//! A chunk is filled by one connection while it reads a batch of publishes, then frozen. It is freed
//! when the last queue and the last delivery let go of it; a queue's index copies the survivors of
//! mostly dead blocks out ([`crate::queue::block::Block::thin`]).

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use super::record::Record;
use super::stored::Home;

/// Octets held by all chunks of the process: the memory budget's largest part.
static HELD: AtomicI64 = AtomicI64::new(0);

/// Octets held by all chunks of the process.
pub fn bytes_held() -> u64 {
    u64::try_from(HELD.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Records behind each other; each is found by its offset.
#[derive(Debug)]
pub struct Chunk {
    data: Box<[u8]>,
    /// Where the same octets lie at rest, once they do.
    home: OnceLock<Home>,
}

impl Chunk {
    /// Freezes `data`, giving back what the buffer reserved in vain.
    pub fn new(data: Vec<u8>) -> Arc<Self> {
        let data = data.into_boxed_slice();
        HELD.fetch_add(i64::try_from(data.len()).unwrap_or(0), Ordering::Relaxed);
        Arc::new(Self {
            data,
            home: OnceLock::new(),
        })
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

    /// All octets.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// Where the first of these octets lies at rest; `None` until they are written.
    #[inline]
    pub fn home(&self) -> Option<&Home> {
        self.home.get()
    }

    /// Says where these octets lie at rest, and counts them as live there until the chunk goes.
    /// Only the first call counts: a chunk that is logged twice stays at home where it was first.
    pub fn set_home(&self, home: Home) {
        let octets = self.data.len();
        let mut first = false;
        let home = self.home.get_or_init(|| {
            first = true;
            home
        });
        if first {
            home.file.add_live(octets);
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        HELD.fetch_sub(
            i64::try_from(self.data.len()).unwrap_or(0),
            Ordering::Relaxed,
        );
        if let Some(home) = self.home.get() {
            home.file.sub_live(self.data.len());
        }
    }
}
