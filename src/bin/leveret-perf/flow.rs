//! The bound between publisher and consumer: how much is in flight, when to stop, what failed.
//!
//! A slow broker must not pile messages up, or its queues would be measured instead of its
//! path. The publisher therefore waits until enough deliveries came back. One publisher thread,
//! any number of consumer threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// A sleeping publisher looks up at least this often, so a missed wake-up costs no more.
const LOOK_UP: Duration = Duration::from_millis(20);

/// How the publishing thread is woken.
#[derive(Debug)]
enum Publisher {
    Parked(Thread),
    Polling(mio::Waker),
}

/// Shared by one run's publisher and consumers.
#[derive(Debug)]
pub struct Flow {
    origin: Instant,
    window: u64,
    copies: u64,
    sent: AtomicU64,
    received: AtomicU64,
    wake_at: AtomicU64,
    publisher: OnceLock<Publisher>,
    measuring: AtomicBool,
    publishing: AtomicBool,
    consuming: AtomicBool,
    failed: AtomicBool,
    failure: Mutex<Option<String>>,
}

impl Flow {
    /// At most `window` deliveries outstanding; each publish causes `copies` of them.
    pub fn new(window: u64, copies: u64) -> Self {
        Self {
            origin: Instant::now(),
            window,
            copies,
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            wake_at: AtomicU64::new(u64::MAX),
            publisher: OnceLock::new(),
            measuring: AtomicBool::new(false),
            publishing: AtomicBool::new(true),
            consuming: AtomicBool::new(true),
            failed: AtomicBool::new(false),
            failure: Mutex::new(None),
        }
    }

    /// Nanoseconds since this flow began: the clock of the stamps in the bodies.
    #[inline]
    pub fn now_ns(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Waits until `wanted` more publishes fit; 0 when publishing is to end.
    pub fn wait_for_room(&self, wanted: u64) -> u64 {
        let _ = self.publisher.set(Publisher::Parked(thread::current()));
        let sent = self.sent.load(Ordering::Relaxed) * self.copies;
        let wanted = wanted.min(self.window / self.copies).max(1);
        loop {
            if !self.is_publishing() {
                return 0;
            }
            let in_flight = sent.saturating_sub(self.received());
            let room = self.window.saturating_sub(in_flight) / self.copies;
            if room >= wanted {
                self.wake_at.store(u64::MAX, Ordering::SeqCst);
                return room;
            }
            let needed = (sent + wanted * self.copies).saturating_sub(self.window);
            self.wake_at.store(needed, Ordering::SeqCst);
            if self.received() < needed {
                thread::park_timeout(LOOK_UP);
            }
        }
    }

    /// The publishing thread waits in a poll loop, and this wakes it.
    pub fn wake_with(&self, waker: mio::Waker) {
        let _ = self.publisher.set(Publisher::Polling(waker));
    }

    fn wake(&self) {
        match self.publisher.get() {
            Some(Publisher::Parked(thread)) => thread.unpark(),
            // A wake-up that fails is made up for by the next look-up.
            Some(Publisher::Polling(waker)) => drop(waker.wake()),
            None => {}
        }
    }

    /// How many more publishes fit, 0 when fewer than `wanted`; the waker then tells when.
    pub fn room_or_wake(&self, wanted: u64) -> u64 {
        let sent = self.sent.load(Ordering::Relaxed) * self.copies;
        let wanted = wanted.min(self.window / self.copies).max(1);
        let room = || {
            let in_flight = sent.saturating_sub(self.received());
            self.window.saturating_sub(in_flight) / self.copies
        };
        if room() < wanted {
            let needed = (sent + wanted * self.copies).saturating_sub(self.window);
            self.wake_at.store(needed, Ordering::SeqCst);
        }
        // Once more, for what came before the wake-up was set.
        Some(room()).filter(|room| *room >= wanted).unwrap_or(0)
    }

    /// The publisher has written `count` messages in all.
    #[inline]
    pub fn set_sent(&self, count: u64) {
        self.sent.store(count, Ordering::SeqCst);
    }

    /// A consumer took `count` more deliveries.
    #[inline]
    pub fn add_received(&self, count: u64) {
        let now = self.received.fetch_add(count, Ordering::SeqCst) + count;
        if now >= self.wake_at.load(Ordering::SeqCst) {
            self.wake_at.store(u64::MAX, Ordering::SeqCst);
            self.wake();
        }
    }

    /// Messages published.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Deliveries taken.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::SeqCst)
    }

    /// Whether every copy of everything published was delivered.
    pub fn is_drained(&self) -> bool {
        self.received() >= self.sent() * self.copies
    }

    /// Whether latencies count now.
    #[inline]
    pub fn is_measuring(&self) -> bool {
        self.measuring.load(Ordering::Relaxed)
    }

    /// Begins or ends the time in which latencies count.
    pub fn set_measuring(&self, on: bool) {
        self.measuring.store(on, Ordering::Relaxed);
    }

    /// Whether the publisher goes on.
    #[inline]
    pub fn is_publishing(&self) -> bool {
        self.publishing.load(Ordering::SeqCst) && !self.has_failed()
    }

    /// Ends publishing.
    pub fn stop_publishing(&self) {
        self.publishing.store(false, Ordering::SeqCst);
        self.wake();
    }

    /// Whether consumers go on.
    #[inline]
    pub fn is_consuming(&self) -> bool {
        self.consuming.load(Ordering::Relaxed) && !self.has_failed()
    }

    /// Ends consuming.
    pub fn stop_consuming(&self) {
        self.consuming.store(false, Ordering::Relaxed);
    }

    /// Keeps the first failure and ends both sides.
    pub fn fail(&self, what: &anyhow::Error) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| format!("{what:#}"));
        drop(failure);
        self.failed.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Whether something failed.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The first failure.
    pub fn failure(&self) -> Option<String> {
        self.failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::Flow;

    #[test]
    fn room_counts_the_copies_of_a_fan_out() {
        let flow = Flow::new(100, 10);
        assert_eq!(flow.wait_for_room(1), 10);
        flow.set_sent(9);
        assert_eq!(flow.wait_for_room(1), 1);
        flow.add_received(40);
        assert_eq!(flow.wait_for_room(5), 5);
        assert!(!flow.is_drained());
        flow.add_received(50);
        assert!(flow.is_drained());
    }

    #[test]
    fn a_full_window_waits_for_deliveries() {
        let flow = Arc::new(Flow::new(10, 1));
        flow.set_sent(10);
        let consumer = Arc::clone(&flow);
        let thread = thread::spawn(move || consumer.add_received(4));
        assert_eq!(flow.wait_for_room(4), 4);
        thread.join().unwrap();
    }

    #[test]
    fn a_failure_ends_both_sides_and_the_first_one_is_kept() {
        let flow = Flow::new(10, 1);
        flow.set_sent(10);
        flow.fail(&anyhow::anyhow!("first"));
        flow.fail(&anyhow::anyhow!("second"));
        assert_eq!(flow.wait_for_room(1), 0);
        assert!(!flow.is_consuming());
        assert_eq!(flow.failure().as_deref(), Some("first"));
    }
}
