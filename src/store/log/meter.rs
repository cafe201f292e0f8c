//! What the log measures of itself. Noted once a batch by the thread that writes, read by whoever
//! shows it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the times of a write with its sync, in seconds.
pub const SYNC_BOUNDS_S: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
];

/// One more: above the last bound.
pub const SYNC_BUCKETS: usize = SYNC_BOUNDS_S.len() + 1;

/// Upper bounds of the numbers of entries that one sync covers.
pub const BATCH_BOUNDS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 1024.0];

/// One more: above the last bound.
pub const BATCH_BUCKETS: usize = BATCH_BOUNDS.len() + 1;

/// Counts by upper bounds, and the sum of all values in millionths.
#[derive(Debug, Default)]
struct Buckets<const N: usize> {
    counts: Spread<N>,
    sum_millionths: AtomicU64,
}

#[derive(Debug)]
struct Spread<const N: usize>([AtomicU64; N]);

impl<const N: usize> Default for Spread<N> {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl<const N: usize> Buckets<N> {
    /// Notes a value; the last bucket is for what exceeds every bound.
    fn note(&self, bounds: &[f64], value: f64) {
        let at = bounds.iter().position(|bound| value <= *bound);
        let at = at.unwrap_or(bounds.len());
        if let Some(count) = self.counts.0.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        // Times and counts are far below 2^53 millionths.
        let millionths = (value * 1e6) as u64;
        self.sum_millionths.fetch_add(millionths, Ordering::Relaxed);
    }

    fn read(&self) -> ([u64; N], f64) {
        let counts = std::array::from_fn(|at| {
            self.counts
                .0
                .get(at)
                .map_or(0, |count| count.load(Ordering::Relaxed))
        });
        let sum = self.sum_millionths.load(Ordering::Relaxed) as f64 / 1e6;
        (counts, sum)
    }
}

/// The log's measurements.
#[derive(Debug, Default)]
pub struct Meter {
    syncs: Buckets<SYNC_BUCKETS>,
    batches: Buckets<BATCH_BUCKETS>,
    checkpoints: AtomicU64,
    checkpoint_us: AtomicU64,
}

impl Meter {
    /// A batch of `entries` was written and synced within `time`.
    pub fn note_batch(&self, entries: usize, time: Duration) {
        self.syncs.note(&SYNC_BOUNDS_S, time.as_secs_f64());
        self.batches.note(&BATCH_BOUNDS, entries as f64);
    }

    /// A checkpoint was written within `time`.
    pub fn note_checkpoint(&self, time: Duration) {
        let us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.checkpoint_us.fetch_add(us, Ordering::Relaxed);
    }

    /// Counts by [`SYNC_BOUNDS_S`], and seconds in all.
    pub fn syncs(&self) -> ([u64; SYNC_BUCKETS], f64) {
        self.syncs.read()
    }

    /// Counts by [`BATCH_BOUNDS`], and entries in all.
    pub fn batches(&self) -> ([u64; BATCH_BUCKETS], f64) {
        self.batches.read()
    }

    /// Checkpoints, and the seconds that they took together.
    pub fn checkpoints(&self) -> (u64, f64) {
        let us = self.checkpoint_us.load(Ordering::Relaxed);
        (self.checkpoints.load(Ordering::Relaxed), us as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_below_their_bounds() {
        let meter = Meter::default();
        meter.note_batch(1, Duration::from_micros(100));
        meter.note_batch(3, Duration::from_millis(3));
        meter.note_batch(5000, Duration::from_secs(7));
        let (counts, sum) = meter.syncs();
        assert_eq!((counts[0], counts[5], counts[12]), (1, 1, 1));
        assert!((sum - 7.0031).abs() < 1e-6, "{sum}");
        let (counts, sum) = meter.batches();
        assert_eq!((counts[0], counts[2], counts[10], sum), (1, 1, 1, 5004.0));
        meter.note_checkpoint(Duration::from_millis(250));
        assert_eq!(meter.checkpoints(), (1, 0.25));
    }
}
