//! Keeps the memory of queues within its budget and writes checkpoints, on a thread of its own.
//!
//! What lies in the log as well is let go of when bodies take too much; blocks of the index that
//! nobody will want soon go to the file of pages. A checkpoint says what every durable queue
//! holds, so that a start has to read only the end of the log, and lets files of the log be used
//! again.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::checkpoint;
use super::cleaner::{clean, space};
use super::core::Broker;
use super::pressure::Hope;
use super::shared_queue::SharedQueue;
use crate::limits::{
    BODIES_SOFT, CHECKPOINT_BYTES, HOLD_EIGHTHS, HOLD_LOG_QUARTERS, HOLD_PATIENCE, INDEX_SOFT,
    PAGES_PER_HOLD, SPILL_SHARE,
};
use crate::message::chunk::bytes_held;
use crate::queue::block::index_bytes;
use crate::store::StoreError;
use crate::store::io::Disk;
use crate::store::log::{Log, Position, Wake};

/// How often memory is looked at: a publisher at 1 GB/s brings 50 MB in between.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The pause between looks while bodies take too much.
const PRESSED: Duration = Duration::from_millis(10);

/// The pause between looks while the log grows fast.
const HURRIED: Duration = Duration::from_millis(2);

/// How often a checkpoint is written while something happens.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(5);

/// The thread.
#[derive(Debug)]
pub struct Keeper {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What only the thread uses.
pub(super) struct Work {
    disk: Arc<dyn Disk>,
    /// Where the last checkpoint was.
    last: Position,
    last_at: Instant,
    /// Bodies were let go of at the last look.
    pressed: bool,
    /// The log grows fast.
    hurried: bool,
    /// Files are not emptied before this: it has failed a moment ago.
    clean_from: Instant,
    /// Octets of large bodies that had been written by then.
    last_bodies: u64,
    /// Octets of the log beyond twice what lives in it that may be kept.
    young: u64,
    /// Files that emptying does not change before the next checkpoint.
    idle: BTreeSet<u32>,
    /// Whether publishers wait for bodies to be put away with reason.
    bodies: Hope,
    /// Whether they wait for the log to shrink with reason.
    files: Hope,
    /// They wait for the log.
    log_holds: bool,
}

impl Keeper {
    /// Starts the thread; checkpoints go to `disk`. The log is kept below twice what lives in it
    /// and `young` octets more.
    pub fn start(broker: &Arc<Broker>, disk: Arc<dyn Disk>, young: u64) -> std::io::Result<Self> {
        let (stop, stopped) = channel();
        let broker = Arc::downgrade(broker);
        let mut work = Work::new(disk, young);
        let thread = std::thread::Builder::new()
            .name("leveret-keeper".into())
            .spawn(move || work.run(&broker, &stopped))?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Writes a last checkpoint and ends the thread.
    pub fn stop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic has been logged where it happened.
            let _ = thread.join();
        }
    }
}

impl Work {
    pub(super) fn new(disk: Arc<dyn Disk>, young: u64) -> Self {
        Self {
            disk,
            last: Position::ZERO,
            last_at: Instant::now(),
            last_bodies: 0,
            pressed: false,
            hurried: false,
            clean_from: Instant::now(),
            young,
            idle: BTreeSet::new(),
            bodies: Hope::default(),
            files: Hope::default(),
            log_holds: false,
        }
    }

    /// Where the last checkpoint was.
    #[cfg(test)]
    pub(super) fn last(&self) -> Position {
        self.last
    }

    fn run(&mut self, broker: &Weak<Broker>, stopped: &Receiver<()>) {
        loop {
            let pause = match (self.hurried, self.pressed) {
                (true, _) => HURRIED,
                (false, true) => PRESSED,
                (false, false) => LOOK_EVERY,
            };
            let last = stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout);
            let Some(broker) = broker.upgrade() else {
                return;
            };
            if let Err(error) = self.look(&broker, last) {
                self.on_error(&broker, error);
            }
            if last {
                broker.pressure.set(u64::MAX, u64::MAX);
                broker.pressure.wake(&broker.journal);
                return;
            }
        }
    }

    /// A full disk may have room later. What else cannot be written or synced must not be gone on
    /// without.
    fn on_error(&mut self, broker: &Broker, error: StoreError) {
        tracing::error!("memory and checkpoints: {error}");
        self.hurried = false;
        self.log_holds = false;
        // The next look that ends well holds them up again.
        broker.pressure.set(u64::MAX, u64::MAX);
        broker.pressure.wake(&broker.journal);
        self.last_at = Instant::now();
        self.clean_from = Instant::now() + CHECKPOINT_EVERY;
        if matches!(error, StoreError::Io { .. })
            && !error.is_full()
            && let Some(log) = broker.journal.log()
        {
            log.give_up(error);
        }
    }

    fn look(&mut self, broker: &Broker, last: bool) -> Result<(), StoreError> {
        let Some(log) = broker.journal.log().cloned() else {
            return Ok(());
        };
        let held = bytes_held();
        if held > BODIES_SOFT {
            // Once is mostly enough; bodies that consumers are about to get go only if it is not.
            let all = std::mem::replace(&mut self.pressed, true);
            // What need not be written is, when it takes a large share of the memory.
            // The last room on the disk is for what frees some.
            let spill = held > broker.alarms.memory_limit() / SPILL_SHARE && !log.space_low();
            for vhost in broker.vhosts() {
                for queue in vhost.all_queues() {
                    if spill {
                        spill_bodies(broker, &queue);
                    }
                    queue.shed(all && held > 2 * BODIES_SOFT);
                }
            }
        } else {
            self.pressed = false;
        }
        // A disk without room for pages may get some by what follows.
        let indexes = shrink_indexes(broker);
        let position = log.position();
        let bodies = broker.journal.bodies();
        let mut grown = log_bytes(&log, self.last, position);
        if let Some(bodies) = bodies {
            bodies.sweep()?;
            grown += bodies.octets_written() - self.last_bodies;
        }
        // Only a checkpoint lets files be used again.
        let most = CHECKPOINT_BYTES.min(self.young / 8);
        let due = self.last_at.elapsed() >= CHECKPOINT_EVERY
            || grown >= most
            || last
            || (self.log_holds && position.file != self.last.file);
        if due && position != self.last {
            self.last_at = Instant::now();
            self.checkpoint(broker, &log, &mut || {})?;
            self.last_at = Instant::now();
        }
        if !last && Instant::now() >= self.clean_from {
            // What is emptied can be used again after a checkpoint, and more comes meanwhile.
            clean(broker, &log, self.last, self.young / 4, &mut self.idle)?;
        }
        // A log that grows by a checkpoint's worth between two looks is looked at more often.
        self.hurried = log_bytes(&log, self.last, log.position()) >= most / 2;
        self.hold_publishers(broker, &log);
        indexes
    }

    /// Says what every durable queue holds; what a start needs no longer may be used again. `between`
    /// is called wherever others may change things meanwhile.
    pub(super) fn checkpoint(
        &mut self,
        broker: &Broker,
        log: &Arc<Log>,
        between: &mut dyn FnMut(),
    ) -> Result<(), StoreError> {
        let begun = Instant::now();
        let bodies = broker.journal.bodies();
        self.last_bodies = bodies.map_or(0, |bodies| bodies.octets_written());
        if let Some(position) = checkpoint::write(broker, log, &self.disk, between)? {
            self.last = position;
            self.idle.clear();
            log.meter().note_checkpoint(begun.elapsed());
        }
        Ok(())
    }

    /// Holds publishers up while memory or the log is near its bound and gets better by waiting.
    fn hold_publishers(&mut self, broker: &Broker, log: &Log) {
        let held = bytes_held();
        let bound = broker.alarms.memory_limit() / 8 * HOLD_EIGHTHS;
        let bodies = if held <= bound {
            self.bodies.rest();
            true
        } else {
            let idle = log.pending_bytes() == 0;
            self.bodies.look(held, bound / 64, idle, HOLD_PATIENCE)
        };
        // Before the space is looked at: what comes meanwhile counts.
        let appended = log.appended();
        let space = space(log);
        let most = 2 * space.live + self.young / 4 * HOLD_LOG_QUARTERS;
        let room = most.saturating_sub(space.files);
        let hope = match room {
            // Emptying a file takes a copy and a checkpoint, both of which are made before this.
            0 => self.files.look(space.files, 1, true, HOLD_PATIENCE),
            _ => {
                self.files.rest();
                true
            }
        };
        self.log_holds = room == 0 && hope;
        let log_end = match hope {
            true => appended + room,
            false => u64::MAX,
        };
        let bound = if bodies { bound } else { u64::MAX };
        broker.pressure.set(bound, log_end);
        self.hurried |= self.log_holds || (bodies && held > bound);
        broker.pressure.wake(&broker.journal);
    }
}

/// Octets of the log from one position to another.
fn log_bytes(log: &Log, from: Position, to: Position) -> u64 {
    if from.file == to.file {
        return u64::from(to.offset.saturating_sub(from.offset));
    }
    let between = log.files().into_iter();
    let whole: u64 = between
        .filter(|(file, _)| from.file < file.number && file.number < to.file)
        .map(|(_, octets)| octets)
        .sum();
    whole + u64::from(to.offset)
}

pub(super) fn each_durable(
    broker: &Broker,
    mut work: impl FnMut(&Arc<SharedQueue>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    for vhost in broker.vhosts() {
        for queue in vhost.all_queues() {
            if queue.durable {
                work(&queue)?;
            }
        }
    }
    Ok(())
}

/// Puts blocks of indexes away while these take too much.
fn shrink_indexes(broker: &Broker) -> Result<(), StoreError> {
    if index_bytes() > INDEX_SOFT {
        each_durable(broker, |queue| put_away(broker, queue, false))?;
    }
    // Of many deep queues each has a block that is not full: together they are too much.
    if index_bytes() > INDEX_SOFT {
        each_durable(broker, |queue| match index_bytes() > INDEX_SOFT {
            true => put_away(broker, queue, true),
            false => Ok(()),
        })?;
    }
    Ok(())
}

/// Sends transient messages' bodies to the log, unsynced, so that they can be let go of.
fn spill_bodies(broker: &Broker, queue: &SharedQueue) {
    let mut chunks = Vec::new();
    queue.look(|machine| {
        for (_, level) in machine.contents().levels() {
            level.unwritten(&mut |chunk| {
                if chunk.may_spill() {
                    chunks.push(Arc::clone(chunk));
                }
            });
        }
    });
    for chunk in chunks {
        broker.journal.spill(&chunk);
        while broker.journal.is_congested() && !broker.journal.has_failed() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Puts blocks of a queue's index into the file of pages, as long as there are such; `partial` takes
/// those that still grow as well.
pub(super) fn put_away(
    broker: &Broker,
    queue: &Arc<SharedQueue>,
    partial: bool,
) -> Result<(), StoreError> {
    let Some(pages) = broker.journal.pages() else {
        return Ok(());
    };
    loop {
        let drafts = queue.drafts(partial, PAGES_PER_HOLD);
        let more = drafts.len() >= PAGES_PER_HOLD;
        for (priority, draft) in drafts {
            let page = pages.write(&draft.octets)?;
            queue.put_away(priority, draft.at(page));
        }
        if !more {
            return Ok(());
        }
    }
}

/// Rings when the log has come far enough.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Bell {
    fn wake(&self) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}

/// Waits until `ticket` is durable.
pub fn wait_durable(log: &Log, ticket: u64) -> Result<(), StoreError> {
    let bell = Arc::new(Bell::default());
    while log.durable() < ticket {
        if let Some(error) = log.failure() {
            return Err(error.clone());
        }
        // Without a thread of the log's own, who waits writes.
        if !log.is_started() {
            log.step()?;
            continue;
        }
        if !log.wake_when(ticket, Arc::clone(&bell) as _) {
            return Ok(());
        }
        let mut rung = bell.rung.lock();
        if !*rung {
            // A log that fails wakes nobody: look now and then.
            bell.changed.wait_for(&mut rung, LOOK_EVERY);
        }
    }
    Ok(())
}
