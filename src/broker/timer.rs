//! What happens by the clock: expiries, queue leases, and dead letters beyond one burst.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::core::Broker;
use super::dead_letter::Deaths;
use super::shared_queue::SharedQueue;
use crate::queue::{DeadLetter, Effects};
use crate::time::unix_ms;

/// Due messages leave at most this long after their time (RULINGS 14 asks for 100 ms), and no
/// queue is visited more often than that.
const RESOLUTION_MS: u64 = 20;

/// First wait before a dead letter that must not be lost is tried again; doubled up to a minute.
const RETRY_FIRST_MS: u64 = 500;
const RETRY_DOUBLINGS: u32 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Work {
    Expire,
    Lease,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    work: Work,
    queue: Weak<SharedQueue>,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

#[derive(Debug, Default)]
struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    deaths: Deaths,
    /// Deaths that no queue took, by when to try again.
    again: BTreeMap<(u64, u64), (Arc<SharedQueue>, DeadLetter)>,
    tries: u64,
}

/// The broker's alarm clock. Queues ask for a visit; a task of [`Timer::run`] pays it.
#[derive(Debug, Default)]
pub struct Timer {
    agenda: Mutex<Agenda>,
    changed: Notify,
}

impl Timer {
    /// Visits `queue` at `at` to expire what is due.
    pub(super) fn wake_queue(&self, queue: &Arc<SharedQueue>, at: u64) {
        self.add(at, Work::Expire, queue);
    }

    /// Looks at `at` whether anybody has used `queue`.
    pub(super) fn watch_lease(&self, queue: &Arc<SharedQueue>, at: u64) {
        self.add(at, Work::Lease, queue);
    }

    fn add(&self, at: u64, work: Work, queue: &Arc<SharedQueue>) {
        let mut agenda = self.agenda.lock();
        let sooner = agenda
            .entries
            .peek()
            .is_none_or(|Reverse(first)| at < first.at);
        agenda.entries.push(Reverse(Entry {
            at,
            work,
            queue: Arc::downgrade(queue),
        }));
        drop(agenda);
        if sooner {
            self.changed.notify_one();
        }
    }

    /// Takes deaths that one caller should not have to work off.
    pub(super) fn bury_later(&self, mut deaths: Deaths) {
        self.agenda.lock().deaths.append(&mut deaths);
        self.changed.notify_one();
    }

    /// Tries a death again later, each time after twice as long.
    pub(super) fn bury_again(&self, queue: Arc<SharedQueue>, mut dead: DeadLetter, now: u64) {
        let wait = RETRY_FIRST_MS << dead.attempts.min(RETRY_DOUBLINGS);
        dead.attempts += 1;
        let mut agenda = self.agenda.lock();
        agenda.tries += 1;
        let key = (now + wait, agenda.tries);
        agenda.again.insert(key, (queue, dead));
        drop(agenda);
        self.changed.notify_one();
    }

    /// Pays visits until the task is dropped.
    pub async fn run(broker: Arc<Broker>) {
        let timer = &broker.timer;
        loop {
            let wait = timer.work(&broker);
            let sleep = tokio::time::sleep(wait);
            tokio::select! {
                () = sleep => {}
                () = timer.changed.notified() => {}
            }
        }
    }

    /// Pays the visits that are due; returns how long nothing else is.
    fn work(&self, broker: &Broker) -> Duration {
        let now = unix_ms();
        let mut due = Vec::new();
        let mut agenda = self.agenda.lock();
        while agenda
            .entries
            .peek()
            .is_some_and(|Reverse(first)| first.at <= now)
        {
            due.extend(agenda.entries.pop().map(|Reverse(entry)| entry));
        }
        let mut deaths = std::mem::take(&mut agenda.deaths);
        while let Some(entry) = agenda.again.first_entry().filter(|e| e.key().0 <= now) {
            let (queue, dead) = entry.remove();
            if !queue.is_deleted() {
                deaths.push_back((queue, dead));
            }
        }
        drop(agenda);
        let more_deaths = !deaths.is_empty();
        if more_deaths {
            broker.bury(deaths);
        }
        for entry in due {
            let Some(queue) = entry.queue.upgrade().filter(|queue| !queue.is_deleted()) else {
                continue;
            };
            match entry.work {
                Work::Expire => {
                    let mut effects = Effects::default();
                    queue.tick(now, &mut effects);
                    broker.carry_out(&queue, effects);
                }
                Work::Lease => broker.end_lease(&queue, now),
            }
        }
        let agenda = self.agenda.lock();
        if !agenda.deaths.is_empty() {
            return Duration::ZERO;
        }
        let visit = agenda
            .entries
            .peek()
            .map_or(u64::MAX, |Reverse(first)| first.at);
        let again = agenda
            .again
            .first_key_value()
            .map_or(u64::MAX, |(key, _)| key.0);
        let next = visit.min(again).min(now + 3_600_000);
        Duration::from_millis(next.saturating_sub(now).clamp(RESOLUTION_MS, 3_600_000))
    }
}
