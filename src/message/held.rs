//! Octets that are held outside of chunks: content that is arriving, open transactions. Each is a
//! share of the one memory budget, so that the alarm sees it.

use std::sync::atomic::{AtomicU64, Ordering};

static HELD: AtomicU64 = AtomicU64::new(0);

/// Octets counted by every [`Held`] of the process.
pub fn bytes_outside() -> u64 {
    HELD.load(Ordering::Relaxed)
}

/// A holder's count, given back when it is dropped.
#[derive(Debug, Default)]
pub struct Held(u64);

impl Held {
    /// Counts `octets` more.
    #[inline]
    pub fn add(&mut self, octets: usize) {
        self.0 += octets as u64;
        HELD.fetch_add(octets as u64, Ordering::Relaxed);
    }

    /// What this holder counts.
    pub fn octets(&self) -> u64 {
        self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        HELD.fetch_sub(self.0, Ordering::Relaxed);
    }
}
