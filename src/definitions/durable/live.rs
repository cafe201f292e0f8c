//! The definitions while the broker runs.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::applier::{Applier, Work};
use crate::definitions::command::Command;
use crate::definitions::snapshot::{self, SnapshotError};
use crate::definitions::state::State;

/// Commands since the last snapshot from which on a new one is due: what a start replays at most,
/// besides those that came since the last look.
const SNAPSHOT_DUE: u64 = 10_000;

/// The definitions of a running broker.
#[derive(Debug)]
pub struct Definitions {
    shared: Arc<Shared>,
    folder: PathBuf,
    /// The index that the snapshot covers; held while one is written.
    covered: Mutex<u64>,
    applier: Mutex<Option<JoinHandle<()>>>,
}

/// What the applier's thread shares.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) history: u128,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Debug)]
struct Inner {
    /// Durable commands only.
    state: State,
    /// In the log but not known to be durable: ticket and command, the first one's index is
    /// [`State::applied`] + 1.
    proposed: VecDeque<(u64, Command)>,
    /// What the tables lack; `None` once they have failed.
    work: Option<Work>,
    stop: bool,
}

/// What the applier does next.
#[derive(Debug)]
pub(super) struct Round {
    pub(super) work: Work,
    pub(super) state: State,
    pub(super) stop: bool,
}

impl Definitions {
    pub(super) fn start(
        folder: PathBuf,
        history: u128,
        state: State,
        covered: u64,
        tables: Option<(Work, Applier)>,
    ) -> Self {
        let (work, applier) = tables.unzip();
        let shared = Arc::new(Shared {
            history,
            inner: Mutex::new(Inner {
                state,
                proposed: VecDeque::new(),
                work,
                stop: false,
            }),
            changed: Condvar::new(),
        });
        let thread = applier.and_then(|applier| applier.start(Arc::clone(&shared)));
        Self {
            shared,
            folder,
            covered: Mutex::new(covered),
            applier: Mutex::new(thread),
        }
    }

    /// The definitions as far as they are durable: a copy that costs nothing.
    pub fn state(&self) -> State {
        self.shared.inner.lock().state.clone()
    }

    /// Puts a command into the log: `append` gets its index and the record's payload, and returns
    /// the log's ticket of it. Commands lie in the log in the order of their indexes, since only
    /// one `append` runs at a time; it must not wait. Returns the ticket: the command may be
    /// answered once that is durable.
    pub fn propose(&self, command: Command, append: impl FnOnce(u64, Vec<u8>) -> u64) -> u64 {
        let payload = command.encode();
        let mut inner = self.shared.inner.lock();
        let index = inner.state.applied() + inner.proposed.len() as u64 + 1;
        let ticket = append(index, payload);
        inner.proposed.push_back((ticket, command));
        ticket
    }

    /// Takes the commands whose tickets are not above `ticket` into the state, from where they go
    /// to the tables. To be called whenever the log's durable position has grown; cheap when there
    /// is nothing to do.
    pub fn durable_to(&self, ticket: u64) {
        let mut guard = self.shared.inner.lock();
        let inner = &mut *guard;
        let mut changes = Vec::new();
        while let Some((at, _)) = inner.proposed.front()
            && *at <= ticket
            && let Some((_, command)) = inner.proposed.pop_front()
        {
            let index = inner.state.applied() + 1;
            inner.state.apply(index, &command, &mut changes);
        }
        if let Some(work) = &mut inner.work
            && !changes.is_empty()
        {
            let idle = work.is_empty();
            work.add(changes.into_iter());
            if idle {
                self.shared.changed.notify_one();
            }
        }
    }

    /// The index of the last durable command.
    pub fn applied(&self) -> u64 {
        self.shared.inner.lock().state.applied()
    }

    /// The index up to which the snapshot on disk goes: files of the log whose records of
    /// definitions are not above it are not needed for them.
    pub fn snapshot_covers(&self) -> u64 {
        *self.covered.lock()
    }

    /// True when enough commands have come since the last snapshot that a checkpoint should write
    /// one.
    pub fn is_snapshot_due(&self) -> bool {
        self.applied() >= self.snapshot_covers().saturating_add(SNAPSHOT_DUE)
    }

    /// Writes a snapshot of the durable definitions, unless there is one of this index already.
    /// Returns the index that is now covered. Holds up no declaration; takes about as long as
    /// writing and syncing 150 octets for each definition.
    pub fn save_snapshot(&self) -> Result<u64, SnapshotError> {
        let mut covered = self.covered.lock();
        let state = self.state();
        if state.applied() > *covered {
            snapshot::save(&self.folder, self.shared.history, &state)?;
            *covered = state.applied();
        }
        Ok(*covered)
    }

    /// Brings the tables up to date and closes them. What is proposed afterwards reaches the log
    /// and the snapshot only.
    pub fn close(&self) {
        self.shared.inner.lock().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.applier.lock().take() {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

impl Drop for Definitions {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// Waits until there is work, gathers what comes within `gather`, and hands it over with the
    /// state of the same moment. With `flush`, it comes back without work when none came.
    pub(super) fn next_round(&self, gather: Duration, flush: bool) -> Round {
        let mut inner = self.inner.lock();
        while !inner.stop && inner.work.as_ref().is_none_or(Work::is_empty) {
            if flush {
                let waited = self.changed.wait_for(&mut inner, gather * 10);
                if waited.timed_out() {
                    break;
                }
            } else {
                self.changed.wait(&mut inner);
            }
        }
        let found = inner.work.as_ref().is_some_and(|work| !work.is_empty());
        if found && !inner.stop {
            // Only the end is worth waking up for.
            self.changed.wait_for(&mut inner, gather);
        }
        // After the last round nobody would take what is added.
        let stopped = inner.stop;
        let work = if stopped {
            inner.work.take()
        } else {
            inner.work.as_mut().map(std::mem::take)
        };
        Round {
            work: work.unwrap_or_default(),
            state: inner.state.clone(),
            stop: inner.stop,
        }
    }

    /// The tables are not kept any more.
    pub(super) fn tables_failed(&self) {
        self.inner.lock().work = None;
    }
}
