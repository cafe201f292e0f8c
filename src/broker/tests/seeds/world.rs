//! A broker with journal, keeper and definitions on disks that lose power, without threads.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tempfile::TempDir;

use crate::broker::core::{Broker, Options};
use crate::broker::keeper::Work;
use crate::broker::reader::Request;
use crate::broker::recovery::{Disks, recover};
use crate::broker::shared_queue::SharedQueue;
use crate::broker::vhost::Vhost;
use crate::definitions::Recovery;
use crate::message::Body;
use crate::queue::block::State;
use crate::queue::{MessageId, QueueKind, level};
use crate::store::io::sim::SimDisk;
use crate::store::log::{Log, LogOptions};

/// Small files, so that a thousand operations use some again.
const SEGMENT: u32 = 32 * 1024;

/// Octets of the log that may be dead.
pub const YOUNG: u64 = 96 * 1024;

/// A message as a queue has it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// `None` where it cannot be read.
    pub name: Option<u64>,
    pub logged: bool,
    pub unacked: bool,
    pub redelivered: bool,
    pub count: u32,
}

/// All of a queue.
#[derive(Debug, Default)]
pub struct Shown {
    /// By raw id.
    pub messages: BTreeMap<u64, Seen>,
    /// Ids of blocks that are away.
    pub away: Vec<Range<u64>>,
}

/// What outlives a broker.
pub struct Rest {
    pub log: SimDisk,
    pub index: SimDisk,
    folder: TempDir,
}

impl Rest {
    pub fn new(seed: u64) -> Self {
        // The definitions' snapshot is the one file on a real disk: where syncing costs nothing.
        let memory = tempfile::tempdir_in("/dev/shm");
        Self {
            log: SimDisk::new(seed),
            index: SimDisk::new(seed ^ 0x5eed),
            folder: memory.or_else(|_| tempfile::tempdir()).unwrap(),
        }
    }
}

pub struct World {
    pub broker: Arc<Broker>,
    pub vhost: Arc<Vhost>,
    pub log: Arc<Log>,
    pub keeper: RefCell<Work>,
    pub requests: Receiver<Request>,
    /// The names of messages that lie in files of their own, by file: a disk without power cannot be
    /// asked.
    pub large: RefCell<BTreeMap<u32, u64>>,
}

impl World {
    /// Starts a broker on what is there.
    pub fn open(rest: &Rest) -> Result<Self, String> {
        let broker = Broker::new(Options {
            max_message_size: 1 << 27,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        let disks = Disks {
            log: Arc::new(rest.log.clone()),
            index: Arc::new(rest.index.clone()),
        };
        let options = LogOptions {
            segment_bytes: SEGMENT,
            reserve_bytes: 0,
            ..LogOptions::default()
        };
        let definitions = Recovery::open_bare(rest.folder.path()).map_err(|e| e.to_string())?;
        let recovered = recover(
            &broker,
            &disks,
            options,
            definitions,
            |definitions| Ok(definitions.finish_bare()),
            &mut |_, _| {},
        );
        let recovered = recovered.map_err(|error| format!("no start: {error}"))?;
        Ok(Self {
            vhost: broker.put_vhost(b"/", None),
            requests: broker.reader.by_hand(),
            log: recovered.log,
            keeper: RefCell::new(Work::new(disks.index, YOUNG)),
            broker,
            large: RefCell::default(),
        })
    }

    /// Every queue, in the same order whenever a seed is repeated.
    pub fn queues(&self) -> Vec<Arc<SharedQueue>> {
        let mut queues = self.vhost.all_queues();
        queues.sort_by_key(|queue| queue.id);
        queues
    }

    pub fn queue(&self, name: &str) -> Option<Arc<SharedQueue>> {
        self.vhost.queue(name.as_bytes())
    }

    /// Changes whenever a queue does.
    pub fn print(&self, queue: &SharedQueue) -> (u64, u64, u64) {
        queue.look(|machine| {
            let status = machine.status();
            let next = machine.contents().levels().map(|(_, level)| level.next());
            (status.ready, status.unacked, next.sum())
        })
    }

    /// Brings every block back that is away.
    pub fn bring_back(&self, queue: &SharedQueue) {
        let mut away = Vec::new();
        queue.look(|machine| {
            for (priority, level) in machine.contents().levels() {
                walk(level, |shown| {
                    if let level::Shown::Away(block) = shown {
                        away.push((priority, block.base, Arc::clone(&block.page)));
                    }
                });
            }
        });
        for (priority, base, page) in away {
            let octets = self.broker.journal.read_page(&page).unwrap();
            let back = queue.tend(|contents| {
                contents
                    .level_made(priority)
                    .bring_back(base, &page, &octets)
            });
            assert_eq!(back, Some(true), "a page is what was written");
        }
    }

    /// Everything in a queue; the names that are `known` need not be read.
    pub fn show(&self, queue: &SharedQueue, known: impl Fn(u64) -> Option<u64>) -> Shown {
        let mut found = Vec::new();
        let mut all = Shown::default();
        queue.look(|machine| {
            for (priority, level) in machine.contents().levels() {
                let raw = |number| MessageId::new(priority, number).raw();
                walk(level, |shown| match shown {
                    level::Shown::Away(block) => {
                        all.away.push(raw(block.base)..raw(block.end()));
                    }
                    level::Shown::Message(number, meta, _) => {
                        found.push((raw(number), meta, level.body(number).unwrap()));
                    }
                });
            }
        });
        for (raw, meta, body) in found {
            let large = match &body {
                Body::Stored(home) => self.large.borrow().get(&home.file.number).copied(),
                Body::Held(..) => None,
            };
            let name = known(raw).or(large).or_else(|| {
                let (chunk, offset) = self.broker.journal.fetch(&body, meta.size).ok()?;
                let name = chunk.record(offset).body.first_chunk()?;
                Some(u64::from_le_bytes(*name))
            });
            let seen = Seen {
                name,
                logged: meta.logged,
                unacked: meta.state == State::Unacked,
                redelivered: meta.redelivered,
                count: meta.count,
            };
            all.messages.insert(raw, seen);
        }
        all
    }
}

fn walk(level: &level::Level, mut visit: impl FnMut(level::Shown<'_>)) {
    let mut from = 0;
    while let Some(next) = level.show(from, &mut visit) {
        from = next;
    }
}
