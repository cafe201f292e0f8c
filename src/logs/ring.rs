//! The last of something that happens again and again, for whoever looks on: lines of the log,
//! events. A reader that is slower than what happens misses some and is told how many.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The last entries, each with a number that grows by one. The first is 1.
#[derive(Debug)]
pub struct Ring<T> {
    inner: Mutex<Inner<T>>,
    grown: Notify,
    capacity: usize,
}

#[derive(Debug)]
struct Inner<T> {
    entries: VecDeque<T>,
    /// The number of the newest.
    last: u64,
}

/// What [`Ring::since`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since<T> {
    /// The entries, oldest first.
    pub entries: Vec<T>,
    /// The number of the newest entry there is: what to ask for next time.
    pub last: u64,
    /// Entries that came after the given number and are gone already.
    pub missed: u64,
}

impl<T: Clone> Ring<T> {
    /// A ring of `capacity` entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                entries: VecDeque::new(),
                last: 0,
            }),
            grown: Notify::new(),
            capacity,
        }
    }

    /// Adds an entry; the oldest goes when the ring is full.
    pub fn push(&self, entry: T) {
        let mut inner = self.inner.lock();
        if inner.entries.len() >= self.capacity {
            inner.entries.pop_front();
        }
        inner.entries.push_back(entry);
        inner.last += 1;
        drop(inner);
        self.grown.notify_waiters();
    }

    /// What came after entry `number`; 0 asks for everything that is kept.
    pub fn since(&self, number: u64) -> Since<T> {
        let inner = self.inner.lock();
        let fresh = inner.last.saturating_sub(number);
        let kept = inner.entries.len() as u64;
        let wanted = usize::try_from(fresh.min(kept)).unwrap_or(usize::MAX);
        let skip = inner.entries.len().saturating_sub(wanted);
        Since {
            entries: inner.entries.iter().skip(skip).cloned().collect(),
            last: inner.last,
            missed: fresh.saturating_sub(kept),
        }
    }

    /// The number of the newest entry; 0 when there was none yet.
    pub fn last(&self) -> u64 {
        self.inner.lock().last
    }

    /// Waits until there is an entry after `number`.
    pub async fn grown_beyond(&self, number: u64) {
        loop {
            let grown = self.grown.notified();
            tokio::pin!(grown);
            // Counts from here on, so that an entry between the look and the wait is not missed.
            grown.as_mut().enable();
            if self.last() > number {
                return;
            }
            grown.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_last_and_tells_what_was_missed() {
        let ring = Ring::new(3);
        assert_eq!(ring.since(0).entries, Vec::<u32>::new());
        (1..=5).for_each(|n| ring.push(n));
        let all = ring.since(0);
        assert_eq!((all.entries, all.last, all.missed), (vec![3, 4, 5], 5, 2));
        let some = ring.since(4);
        assert_eq!((some.entries, some.missed), (vec![5], 0));
        assert_eq!(ring.since(5).entries, Vec::<u32>::new());
        // A number from another life.
        assert_eq!(ring.since(99).entries, Vec::<u32>::new());
    }

    #[tokio::test]
    async fn a_reader_is_woken_by_the_next_entry() {
        let ring = std::sync::Arc::new(Ring::new(3));
        let theirs = std::sync::Arc::clone(&ring);
        let reader = tokio::spawn(async move {
            theirs.grown_beyond(1).await;
            theirs.since(1).entries
        });
        ring.push(1);
        ring.push(2);
        assert_eq!(reader.await.unwrap().first(), Some(&2));
    }
}
