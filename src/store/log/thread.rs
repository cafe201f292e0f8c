//! The thread that writes the log: `leveret-log`.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::buffer::Rest;
use super::commit::Log;
use super::format::KIND_MARK;
use super::options::Entry;
use crate::store::StoreError;

/// How long what nobody waits for may lie in memory.
const DELAY: Duration = Duration::from_millis(200);

/// How often the free space is looked at while something happens or while it is low.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Fails the log if its writer leaves by a panic: those who wait must not wait for ever.
struct Watch<'a>(&'a Log);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(StoreError::WriterGone);
        }
    }
}

impl Log {
    /// Starts the thread that writes.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        let log = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("leveret-log".to_owned())
            .spawn(move || log.run())?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// True while a thread of its own writes it.
    pub fn is_started(&self) -> bool {
        self.thread.lock().is_some()
    }

    /// Writes everything that was appended, ends the thread and returns when it has gone.
    ///
    /// # Errors
    /// The log has failed, now or before.
    pub fn stop(&self) -> Result<(), StoreError> {
        self.buffer.lock().stopping = true;
        self.arrived.notify_all();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.fail(StoreError::WriterGone);
        }
        // The thread has written all; without one, or for what came since, it is done here. Behind
        // everything goes a mark, so that damage to the last batch is told from a torn one.
        while self.step()? {}
        if self.durable_position() != super::Position::ZERO {
            self.append(Entry::local(KIND_MARK, Vec::new(), None));
            while self.step()? {}
        }
        Ok(())
    }

    /// Writes until the log is stopped or has failed.
    pub fn run(&self) {
        let _watch = Watch(self);
        let mut looked = Instant::now();
        while self.wait_for_work(&mut looked) {
            if self.step().is_err() {
                return;
            }
            self.look(&mut looked);
        }
    }

    fn look(&self, looked: &mut Instant) {
        if looked.elapsed() >= LOOK_EVERY {
            self.check_space();
            *looked = Instant::now();
        }
    }

    /// Returns true when there is something to write now, false when there never will be.
    fn wait_for_work(&self, looked: &mut Instant) -> bool {
        let mut deadline = None;
        let mut buffer = self.buffer.lock();
        loop {
            let empty = buffer.entries.is_empty();
            if buffer.failed || (empty && buffer.stopping) {
                return false;
            }
            let late = deadline.is_some_and(|at| Instant::now() >= at);
            if !empty && (buffer.urgent || buffer.stopping || late) {
                return true;
            }
            if empty {
                // A full disk must be seen to have room again even if nobody writes.
                buffer.rest = Rest::Empty;
                if self.space_low() {
                    self.arrived.wait_for(&mut buffer, LOOK_EVERY);
                } else {
                    self.arrived.wait(&mut buffer);
                }
            } else {
                buffer.rest = Rest::Lazy;
                let at = *deadline.get_or_insert_with(|| Instant::now() + DELAY);
                self.arrived.wait_until(&mut buffer, at);
            }
            buffer.rest = Rest::Awake;
            if empty && self.space_low() {
                // Not under the lock: it asks the file system.
                parking_lot::MutexGuard::unlocked(&mut buffer, || self.look(looked));
            }
        }
    }
}
