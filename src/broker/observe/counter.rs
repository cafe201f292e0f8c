//! Counters that one task writes and everybody reads.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number with one writer. Changing it is a load and a store, never a locked instruction: a
/// second writer would lose counts.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `count`; for the one writer.
    #[inline]
    pub fn add(&self, count: u64) {
        let old = self.0.load(Ordering::Relaxed);
        self.0.store(old.wrapping_add(count), Ordering::Relaxed);
    }

    /// Sets it; for the one writer.
    #[inline]
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Its value.
    #[inline]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number with many writers, for what happens once a batch or seldom.
#[derive(Debug, Default)]
pub struct SharedCounter(AtomicU64);

impl SharedCounter {
    /// Adds `count`.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Its value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Begins at 0 again.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
