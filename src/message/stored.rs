//! Where messages lie at rest: a file of the store by its number, and an offset in it. Nothing here
//! touches a file; the store does, and decides by what is counted here when one may be used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// A file of the store, as a message's place names it. The store may use it for something else only
/// when nobody but itself holds it: whoever keeps a place in it keeps its `Arc`.
#[derive(Debug)]
pub struct StoredFile {
    /// Its number, which is never given to another file.
    pub number: u32,
    live_bytes: AtomicI64,
}

impl StoredFile {
    /// A file without anything live in it.
    pub fn new(number: u32) -> Arc<Self> {
        Arc::new(Self {
            number,
            live_bytes: AtomicI64::new(0),
        })
    }

    /// Counts `octets` more that somebody needs.
    pub fn add_live(&self, octets: usize) {
        self.live_bytes
            .fetch_add(i64::try_from(octets).unwrap_or(0), Ordering::Relaxed);
    }

    /// Counts `octets` less.
    pub fn sub_live(&self, octets: usize) {
        self.live_bytes
            .fetch_sub(i64::try_from(octets).unwrap_or(0), Ordering::Relaxed);
    }

    /// Octets that somebody needs.
    pub fn live_bytes(&self) -> u64 {
        u64::try_from(self.live_bytes.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

/// Where octets lie at rest.
#[derive(Debug, Clone)]
pub struct Home {
    /// The file, held so that it is not used again.
    pub file: Arc<StoredFile>,
    /// The first octet's offset in the file.
    pub offset: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Chunk;

    #[test]
    fn a_chunk_is_live_where_it_was_written_first() {
        let (first, second) = (StoredFile::new(1), StoredFile::new(2));
        let chunk = Chunk::copied(&[7; 100]);
        assert!(chunk.home().is_none());
        for (file, offset) in [(&first, 64), (&second, 8)] {
            chunk.set_home(Home {
                file: Arc::clone(file),
                offset,
            });
        }
        assert_eq!((first.live_bytes(), second.live_bytes()), (100, 0));
        assert_eq!(chunk.home().map(|home| home.offset), Some(64));
        assert_eq!(Arc::strong_count(&second), 1);
        drop(chunk);
        assert_eq!((first.live_bytes(), Arc::strong_count(&first)), (0, 1));
    }
}
