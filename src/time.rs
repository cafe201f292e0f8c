//! Clocks, read once per batch and handed down as numbers.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the epoch: expiries, `x-death`, timestamps.
pub fn unix_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A steady clock in milliseconds, for heartbeats and timeouts.
#[derive(Debug, Clone, Copy)]
pub struct SteadyClock {
    start: Instant,
}

impl SteadyClock {
    /// Starts at 0 now.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Milliseconds since the start.
    pub fn ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant that is `ms` after the start.
    pub fn at(&self, ms: u64) -> Instant {
        self.start + std::time::Duration::from_millis(ms)
    }
}
