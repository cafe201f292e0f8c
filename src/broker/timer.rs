//! What happens by the clock: expiries, queue leases, and dead letters beyond one burst.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::core::Broker;
use super::dead_letter::Deaths;
use super::shared_queue::SharedQueue;
use crate::queue::{DeadLetter, Effects};
use crate::time::unix_ms;

/// Due messages leave at most this long after their time (100 ms is what the broker promises), and no
/// queue is visited more often than that.
const RESOLUTION_MS: u64 = 20;

/// How long dead letters wait for a log that is behind before they are looked at again.
const CONGESTED: Duration = Duration::from_millis(2);

/// First wait before a dead letter that must not be lost is tried again; doubled up to a minute.
const RETRY_FIRST_MS: u64 = 500;
const RETRY_DOUBLINGS: u32 = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Work {
    Expire,
    Lease,
}

#[derive(Debug, Default)]
struct Agenda {
    /// Visits by time; a queue has at most one of each kind.
    visits: BTreeMap<(u64, Work, u64), Weak<SharedQueue>>,
    /// When each of them is due.
    due_at: HashMap<(Work, u64), u64, foldhash::fast::RandomState>,
    deaths: Deaths,
    /// Deaths that no queue took, by when to try again.
    again: BTreeMap<(u64, u64), (Arc<SharedQueue>, DeadLetter)>,
    tries: u64,
    /// Visits at which those to deleted queues are forgotten.
    sweep_at: usize,
}

/// Visits below this are not worth sweeping.
const SWEEP_FROM: usize = 1024;

impl Agenda {
    /// Forgets visits to queues that are no more; doubling the bound keeps the cost per visit
    /// constant.
    fn sweep(&mut self) {
        if self.visits.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        let due_at = &mut self.due_at;
        self.visits.retain(|(_, work, id), queue| {
            let lives = queue.strong_count() > 0;
            if !lives {
                due_at.remove(&(*work, *id));
            }
            lives
        });
        self.sweep_at = self.visits.len() * 2;
    }
    /// Notes a visit unless an earlier one is noted; true when it is the first of all.
    fn add(&mut self, at: u64, work: Work, queue: &Arc<SharedQueue>) -> bool {
        if let Some(known) = self.due_at.get(&(work, queue.id)) {
            if *known <= at {
                return false;
            }
            self.visits.remove(&(*known, work, queue.id));
        }
        self.sweep();
        let sooner = self
            .visits
            .first_key_value()
            .is_none_or(|(first, _)| at < first.0);
        self.due_at.insert((work, queue.id), at);
        self.visits
            .insert((at, work, queue.id), Arc::downgrade(queue));
        sooner
    }

    /// Takes a visit that is due.
    fn pop_due(&mut self, now: u64) -> Option<(Work, Weak<SharedQueue>)> {
        let entry = self
            .visits
            .first_entry()
            .filter(|entry| entry.key().0 <= now)?;
        let ((_, work, id), queue) = entry.remove_entry();
        self.due_at.remove(&(work, id));
        Some((work, queue))
    }

    /// When there is something to do next.
    fn next(&self) -> u64 {
        let visit = self
            .visits
            .first_key_value()
            .map_or(u64::MAX, |(key, _)| key.0);
        let again = self
            .again
            .first_key_value()
            .map_or(u64::MAX, |(key, _)| key.0);
        visit.min(again)
    }
}

/// The broker's alarm clock. Queues ask for a visit; a task of [`Timer::run`] pays it.
#[derive(Debug, Default)]
pub struct Timer {
    agenda: Mutex<Agenda>,
    changed: Notify,
    /// Dead letters that have left their queues and of which the log has not been told: those put
    /// off, and those in the hands of whoever works them off.
    put_off: AtomicU64,
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
        let sooner = self.agenda.lock().add(at, work, queue);
        if sooner {
            self.changed.notify_one();
        }
    }

    /// True while the log is behind what happened to some dead letters. To be asked while nobody is
    /// between a change and its entry.
    pub(super) fn has_put_off(&self) -> bool {
        self.put_off.load(Ordering::Acquire) > 0
    }

    /// Takes deaths that one caller should not have to work off; within the gate, where their queue is
    /// durable.
    pub(super) fn bury_later(&self, mut deaths: Deaths) {
        self.put_off
            .fetch_add(deaths.len() as u64, Ordering::AcqRel);
        self.agenda.lock().deaths.append(&mut deaths);
        self.changed.notify_one();
    }

    /// Works off what was put off; false when nothing was there to be worked off.
    pub(super) fn bury_put_off(&self, broker: &Broker) -> bool {
        let deaths = std::mem::take(&mut self.agenda.lock().deaths);
        let worked = !deaths.is_empty();
        self.bury_now(broker, deaths);
        worked
    }

    /// Works off all that was put off, due or not.
    #[cfg(test)]
    pub(super) fn bury_all_put_off(&self, broker: &Broker) {
        while self.has_put_off() {
            let mut agenda = self.agenda.lock();
            let mut deaths = std::mem::take(&mut agenda.deaths);
            let again = agenda
                .again
                .extract_if(.., |_, (_, dead)| dead.held.is_none());
            deaths.extend(again.map(|(_, death)| death));
            drop(agenda);
            self.bury_now(broker, deaths);
        }
    }

    /// Works off deaths that are counted as put off.
    fn bury_now(&self, broker: &Broker, deaths: Deaths) {
        let count = deaths.len() as u64;
        if count > 0 {
            broker.bury(deaths);
            self.put_off.fetch_sub(count, Ordering::AcqRel);
        }
    }

    /// Tries a death again later, each time after twice as long.
    pub(super) fn bury_again(&self, queue: Arc<SharedQueue>, mut dead: DeadLetter, now: u64) {
        if dead.held.is_none() {
            self.put_off.fetch_add(1, Ordering::AcqRel);
        }
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
        while let Some(visit) = agenda.pop_due(now) {
            due.push(visit);
        }
        // A log that is behind takes them later: they need less room here than there.
        let mut deaths = match broker.journal.is_congested() {
            true => Deaths::new(),
            false => std::mem::take(&mut agenda.deaths),
        };
        let mut held = Deaths::new();
        while let Some(entry) = agenda.again.first_entry().filter(|e| e.key().0 <= now) {
            let (queue, dead) = entry.remove();
            if dead.held.is_none() {
                deaths.push_back((queue, dead));
            } else if !queue.is_deleted() {
                held.push_back((queue, dead));
            }
        }
        drop(agenda);
        self.bury_now(broker, deaths);
        broker.bury(held);
        for (work, queue) in due {
            let Some(queue) = queue.upgrade().filter(|queue| !queue.is_deleted()) else {
                continue;
            };
            match work {
                Work::Expire => {
                    let mut effects = Effects::default();
                    let _gate = broker.journal.enter();
                    queue.tick(now, &mut effects);
                    broker.carry_out(&queue, effects);
                }
                Work::Lease => broker.end_lease(&queue, now),
            }
        }
        let agenda = self.agenda.lock();
        if !agenda.deaths.is_empty() {
            return match broker.journal.is_congested() {
                true => CONGESTED,
                false => Duration::ZERO,
            };
        }
        let next = agenda.next().min(now + 3_600_000);
        Duration::from_millis(next.saturating_sub(now).clamp(RESOLUTION_MS, 3_600_000))
    }
}
