//! The thread that writes bodies: `leveret-bodies`.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::files::{Bodies, Step};
use super::format::{HEADER_LEN, header};
use super::spool::{Progress, Writing};
use crate::limits::BODIES_ARRIVING;
use crate::message::{Held, stored_name};
use crate::store::StoreError;
use crate::store::io::DiskFile;
use crate::store::log::Wake;

/// Octets of a body that are synced at once: what the log's own syncs may have to wait for.
const SYNC_EVERY: u64 = 1024 * 1024;

/// How long the thread waits for a full disk to have room again before it looks.
const FULL_PAUSE: Duration = Duration::from_millis(200);

/// Something to do.
pub(super) enum Job {
    /// Write octets at a place.
    Write {
        writing: Arc<Writing>,
        at: u64,
        octets: Vec<u8>,
    },
    /// All is written; `sync` it.
    Finish { writing: Arc<Writing>, sync: bool },
}

impl Job {
    fn writing(&self) -> &Writing {
        match self {
            Self::Write { writing, .. } | Self::Finish { writing, .. } => writing,
        }
    }

    /// Octets that it writes.
    fn octets(&self) -> usize {
        match self {
            Self::Write { octets, .. } => octets.len(),
            Self::Finish { .. } => 0,
        }
    }
}

/// What is to be done, oldest first.
#[derive(Default)]
pub(super) struct Jobs {
    queue: VecDeque<(Job, Held)>,
    clear_waiters: Vec<Arc<dyn Wake>>,
    stopping: bool,
}

impl Jobs {
    pub fn wait_clear(&mut self, who: &Arc<dyn Wake>) {
        if !self.clear_waiters.iter().any(|w| Arc::ptr_eq(w, who)) {
            self.clear_waiters.push(Arc::clone(who));
        }
    }
}

/// Ends the node if the thread leaves by a panic: those who wait must not wait for ever.
struct Watch<'a>(&'a Bodies);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(StoreError::WriterGone);
        }
    }
}

impl Bodies {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(self: &Arc<Self>) -> std::io::Result<()> {
        let bodies = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("leveret-bodies".into())
            .spawn(move || bodies.run())?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Ends the thread. What is not written by then belongs to nobody.
    pub fn stop(&self) {
        self.jobs.lock().stopping = true;
        self.arrived.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // A panic has been logged where it happened.
            let _ = thread.join();
        }
    }

    fn run(&self) {
        let _watch = Watch(self);
        loop {
            {
                let mut jobs = self.jobs.lock();
                while jobs.queue.is_empty() && !jobs.stopping {
                    self.arrived.wait(&mut jobs);
                }
                if jobs.stopping {
                    return;
                }
            }
            match self.step() {
                Ok(Step::Done | Step::Idle) => {}
                Ok(Step::Full) => {
                    let mut jobs = self.jobs.lock();
                    if !jobs.stopping {
                        self.arrived.wait_for(&mut jobs, FULL_PAUSE);
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Things that are to be done.
    #[cfg(test)]
    pub(super) fn jobs_left(&self) -> usize {
        self.jobs.lock().queue.len()
    }

    pub(super) fn send(&self, job: Job) {
        let mut held = Held::default();
        if let Job::Write { octets, .. } = &job {
            held.add(octets.len());
            self.pending.fetch_add(octets.len(), Ordering::Relaxed);
        }
        let mut jobs = self.jobs.lock();
        if jobs.queue.is_empty() {
            self.arrived.notify_all();
        }
        jobs.queue.push_back((job, held));
    }

    /// Does the next thing that is to be done. Called by the thread, and by tests.
    ///
    /// # Errors
    /// What the disk refused, but for want of room; the log has failed with it.
    pub fn step(&self) -> Result<Step, StoreError> {
        if let Some(failure) = self.log.get().and_then(|log| log.failure()) {
            return Err(failure.clone());
        }
        let Some((job, held)) = self.jobs.lock().queue.pop_front() else {
            return Ok(Step::Idle);
        };
        let outcome = match &job {
            // Nobody waits for what was given up, whether or not there is room for it.
            job if job.writing().is_given_up() => Ok(Step::Done),
            // What is waiting has no room but the log's reserve, which is for what frees space.
            Job::Write { .. } if self.log.get().is_some_and(|log| !log.has_room()) => {
                Ok(Step::Full)
            }
            Job::Write {
                writing,
                at,
                octets,
            } => self.write(writing, *at, octets),
            Job::Finish { writing, sync } => self.finish(writing, *sync),
        };
        let outcome = match outcome {
            // After a sync that failed, nobody knows what is on the disk.
            Err(StoreError::Io { verb, source, .. })
                if verb != "sync" && source.kind() == ErrorKind::StorageFull =>
            {
                Ok(Step::Full)
            }
            outcome => outcome,
        };
        match outcome {
            Ok(Step::Full) => {
                self.jobs.lock().queue.push_front((job, held));
                self.forget_given_up();
            }
            Ok(_) => {
                drop(held);
                self.count_done(job.octets());
            }
            Err(ref error) => self.fail(error.clone()),
        }
        outcome
    }

    /// Lets go of what was given up, wherever it stands: its files hold room that a full disk needs.
    fn forget_given_up(&self) {
        let mut octets = 0;
        self.jobs.lock().queue.retain(|(job, _)| {
            let keep = !job.writing().is_given_up();
            octets += if keep { 0 } else { job.octets() };
            keep
        });
        self.count_done(octets);
    }

    /// What could not be written must not be gone on without.
    fn fail(&self, error: StoreError) {
        if let Some(log) = self.log.get() {
            log.give_up(error);
        }
    }

    fn count_done(&self, octets: usize) {
        if octets == 0 {
            return;
        }
        let left = self.pending.fetch_sub(octets, Ordering::Relaxed) - octets;
        if left > BODIES_ARRIVING / 2 {
            return;
        }
        let waiters = std::mem::take(&mut self.jobs.lock().clear_waiters);
        for waiter in waiters {
            waiter.wake();
        }
    }

    fn write(&self, writing: &Arc<Writing>, at: u64, octets: &[u8]) -> Result<Step, StoreError> {
        let number = writing.file.stored.number;
        let handle = self.handle(writing)?;
        let begun = header(number);
        let first = at == u64::from(HEADER_LEN);
        let parts = [IoSlice::new(&begun), IoSlice::new(octets)];
        let written = match first {
            true => handle.write_at(&parts, 0),
            false => handle.write_at(parts.get(1..).unwrap_or_default(), at),
        };
        written.map_err(|e| StoreError::io("write", stored_name(number), e))?;
        let len = octets.len() as u64;
        writing.file.written.store(at + len, Ordering::Relaxed);
        self.written.fetch_add(len, Ordering::Relaxed);
        let unsynced = writing.unsynced.fetch_add(len, Ordering::Relaxed) + len;
        if writing.keep && unsynced >= SYNC_EVERY {
            self.sync(writing, &handle)?;
        }
        Ok(Step::Done)
    }

    /// The file, made if it is not there yet.
    fn handle(&self, writing: &Writing) -> Result<Arc<dyn DiskFile>, StoreError> {
        let mut slot = writing.handle.lock();
        if let Some(handle) = &*slot {
            return Ok(Arc::clone(handle));
        }
        let name = stored_name(writing.file.stored.number);
        let made = self.disk.create(&name);
        let handle = made.map_err(|e| StoreError::io("create", name, e))?;
        // From here on there is something to remove.
        writing.file.written.store(1, Ordering::Relaxed);
        *slot = Some(Arc::clone(&handle));
        Ok(handle)
    }

    fn sync(&self, writing: &Writing, handle: &Arc<dyn DiskFile>) -> Result<(), StoreError> {
        let name = || stored_name(writing.file.stored.number);
        writing.unsynced.store(0, Ordering::Relaxed);
        handle.sync().map_err(|e| StoreError::io("sync", name(), e))
    }

    fn finish(&self, writing: &Arc<Writing>, sync: bool) -> Result<Step, StoreError> {
        let handle = self.handle(writing)?;
        if sync {
            self.sync(writing, &handle)?;
            self.disk
                .sync_folder()
                .map_err(|e| StoreError::io("sync", ".", e))?;
            writing.reached(Progress::Synced);
        } else {
            writing.reached(Progress::Written);
        }
        writing.waiter.wake();
        Ok(Step::Done)
    }
}
