//! What a caller hands to the log.

use std::sync::Arc;

use crate::message::Chunk;

/// One entry: `head`, then all octets of `chunk`, are its payload.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// What it is, 1 to 239; the log gives it back and never looks at it.
    pub kind: u8,
    /// Whose it is; 0 is this node's own.
    pub group: u32,
    /// Its number within the group.
    pub index: u64,
    /// The group's term.
    pub term: u64,
    /// The first octets of the payload.
    pub head: Vec<u8>,
    /// The others, by reference. Once written, its home is where they lie.
    pub chunk: Option<Arc<Chunk>>,
}

impl Entry {
    /// An entry of this node's own.
    pub fn local(kind: u8, head: Vec<u8>, chunk: Option<Arc<Chunk>>) -> Self {
        Self {
            kind,
            head,
            chunk,
            ..Self::default()
        }
    }

    pub(super) fn tail(&self) -> &[u8] {
        self.chunk.as_ref().map_or(&[], |chunk| chunk.bytes())
    }
}

/// Somebody who waits for the log. Called on the log's thread with no lock held: it must be short
/// and never wait for the log.
pub trait Wake: Send + Sync {
    /// What was waited for is so; look again.
    fn wake(&self);
}

/// Sizes of the log.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// Octets of a file. An entry that is longer gets a file of its own size.
    pub segment_bytes: u32,
    /// Octets appended but not yet durable from which on the log calls itself congested.
    pub buffer_bytes: usize,
    /// Free octets of the disk below which [`super::Log::space_low`] says so. It should hold several
    /// files, so that publishing ends before the log fails.
    pub reserve_bytes: u64,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * 1024 * 1024,
            buffer_bytes: 32 * 1024 * 1024,
            reserve_bytes: 512 * 1024 * 1024,
        }
    }
}
