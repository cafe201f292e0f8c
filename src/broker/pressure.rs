//! Holds publishers up while what they bring is put away: bodies that go to files for the sake of
//! memory, files of the log that are being emptied.
//!
//! The keeper sets it, which alone knows whether it gets on; a held publisher's socket is not
//! read, and its client is told nothing: that is for alarms, which stand behind this for what
//! cannot be put away. When the keeper sees that waiting changes nothing, it lets go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::inbox::Inbox;
use crate::message::chunk::bytes_held;

/// What publishers wait for.
#[derive(Debug)]
pub struct Pressure {
    /// Octets of bodies in memory beyond which they wait.
    bodies: AtomicU64,
    /// They wait for the log to shrink.
    log: AtomicBool,
    waiting: Mutex<Vec<Arc<Inbox>>>,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            bodies: AtomicU64::new(u64::MAX),
            log: AtomicBool::new(false),
            waiting: Mutex::default(),
        }
    }
}

impl Pressure {
    /// True while publishers wait; `inbox` is woken at one of the keeper's next looks.
    #[inline]
    pub fn holds_up(&self, inbox: &Arc<Inbox>) -> bool {
        if !self.is_on() {
            return false;
        }
        if inbox.begin_wait() {
            self.waiting.lock().push(Arc::clone(inbox));
        }
        true
    }

    #[inline]
    fn is_on(&self) -> bool {
        self.log.load(Ordering::Relaxed) || bytes_held() > self.bodies.load(Ordering::Relaxed)
    }

    /// From now on publishers wait while bodies take more than `bodies` octets; or while `log`.
    pub(super) fn set(&self, bodies: u64, log: bool) {
        self.bodies.store(bodies, Ordering::Relaxed);
        self.log.store(log, Ordering::Relaxed);
    }

    /// Wakes those who waited for no more reason. One who comes to wait just now is woken at the
    /// next look.
    pub(super) fn wake(&self) {
        if self.is_on() {
            return;
        }
        let waiting = std::mem::take(&mut *self.waiting.lock());
        for inbox in waiting {
            inbox.end_wait();
            inbox.rouse();
        }
    }
}

/// Tells whether waiting for a figure to fall is of any use: it is while it falls, or has only
/// begun not to.
#[derive(Debug, Default)]
pub(super) struct Hope {
    before: u64,
    in_vain: u32,
}

impl Hope {
    /// One more look at the figure; `idle` when nothing is on its way that could make it fall. True
    /// while there is hope: fewer than `patience` looks in vain.
    pub(super) fn look(&mut self, figure: u64, step: u64, idle: bool, patience: u32) -> bool {
        if figure + step <= self.before {
            self.in_vain = 0;
            self.before = figure;
        } else {
            if figure > self.before && self.in_vain < patience {
                // What was on its way when publishers were stopped.
                self.before = figure;
            }
            self.in_vain = self.in_vain.saturating_add(u32::from(idle));
        }
        self.in_vain < patience
    }

    /// There is nothing to hope for.
    pub(super) fn rest(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishers_wait_until_the_keeper_lets_go() {
        let pressure = Pressure::default();
        let inbox = Arc::new(Inbox::default());
        assert!(!pressure.holds_up(&inbox));
        pressure.set(u64::MAX, true);
        assert!(pressure.holds_up(&inbox));
        assert!(pressure.holds_up(&inbox));
        assert_eq!(pressure.waiting.lock().len(), 1);
        pressure.wake();
        assert!(!inbox.is_ringing());
        pressure.set(u64::MAX, false);
        pressure.wake();
        assert!(inbox.is_ringing());
        assert!(!pressure.holds_up(&inbox));
        pressure.set(u64::MAX, true);
        assert!(pressure.holds_up(&inbox));
        assert_eq!(pressure.waiting.lock().len(), 1);
    }

    #[test]
    fn hope_ends_where_nothing_falls_and_comes_back_where_it_does() {
        let mut hope = Hope::default();
        assert!(hope.look(100, 10, true, 3));
        assert!(hope.look(99, 10, true, 3));
        assert!(!hope.look(99, 10, true, 3));
        assert!(!hope.look(150, 10, true, 3));
        assert!(hope.look(80, 10, true, 3));
        // As long as something is on its way, nobody gives up.
        for _ in 0..10 {
            assert!(hope.look(80, 10, false, 3));
        }
        hope.rest();
        assert!(hope.look(200, 10, true, 3));
    }
}
