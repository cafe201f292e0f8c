//! Spreads messages evenly over time.

use std::thread;
use std::time::{Duration, Instant};

/// From this rate on, messages go out in groups, a group a millisecond.
const GROUPED_RATE: u64 = 2_000;

/// Says when which message is due.
#[derive(Debug)]
pub struct Pacer {
    began: Instant,
    rate: u64,
    tick_ns: u64,
    awake_ns: u64,
}

impl Pacer {
    /// So many messages a second from now on.
    pub fn new(rate: u64) -> Self {
        let rate = rate.max(1);
        let tick_ns = if rate > GROUPED_RATE {
            1_000_000
        } else {
            1_000_000_000 / rate
        };
        Self {
            began: Instant::now(),
            rate,
            tick_ns,
            awake_ns: 0,
        }
    }

    /// Time since it began.
    pub fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits until a message is due; how many are, or 0 when publishing is to end.
    pub fn wait(&mut self, sent: u64, goes_on: impl Fn() -> bool) -> u64 {
        while goes_on() {
            let now = self.elapsed_ns();
            let ticks = now / self.tick_ns;
            let due = u128::from(ticks) * u128::from(self.tick_ns) * u128::from(self.rate)
                / 1_000_000_000;
            let due = u64::try_from(due).unwrap_or(u64::MAX).saturating_sub(sent);
            if due > 0 {
                return due;
            }
            let next = (ticks + 1) * self.tick_ns;
            thread::sleep(Duration::from_nanos(next - now));
            self.awake_ns = self.elapsed_ns();
        }
        0
    }

    /// When the message counts as sent: when it was due, or when this thread woke up to send it
    /// if that was later. A broker that blocks the write is thus charged for the messages that
    /// had to wait, and not for this thread's own oversleeping.
    pub fn stamp_ns(&self, number: u64) -> u64 {
        let due = u128::from(number + 1) * 1_000_000_000 / u128::from(self.rate);
        u64::try_from(due).unwrap_or(u64::MAX).max(self.awake_ns)
    }
}
