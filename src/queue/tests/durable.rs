//! The harness's log and files: what the queue has noted is written, bodies leave memory and are
//! read again, and now and then everything is found again from what was written alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::disk::{Disk, draft_of};
use super::harness::Harness;
use crate::message::{Body, Chunk, Home};
use crate::queue::block::{Meta, State};
use crate::queue::level::{Level, Shown};
use crate::queue::page;
use crate::queue::{Contents, Effects, Incoming, MessageId, Queue, Wanted};

/// What must be the same of a message before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    name: String,
    size: u32,
    expires_at: u64,
    count: u32,
}

/// Messages in the order of their ids, each with whether it must be, or is, called redelivered.
type Account = Vec<(MessageId, Facts, bool)>;

/// Shows every message that is not settled, wherever its block lies.
fn each_live(level: &Level, disk: &Disk, mut visit: impl FnMut(u64, Meta, Option<Home>)) {
    let mut from = Some(0);
    while let Some(at) = from {
        from = level.show(at, |shown| match shown {
            Shown::Message(number, meta, home) => visit(number, meta, home),
            Shown::Away(away) => {
                let block = page::read(&disk.page(&away.page), away);
                let block = block.expect("a page is what was written");
                let mut bytes = 0;
                for (number, meta, home) in block.live_entries() {
                    bytes += u64::from(meta.size);
                    visit(number, meta, home);
                }
                assert_eq!((block.live(), bytes), (away.live, away.bytes));
            }
        });
    }
}

fn account(contents: &Contents, disk: &Disk, held: &[(String, MessageId)]) -> Account {
    let mut found = Vec::new();
    for (priority, level) in contents.levels() {
        each_live(level, disk, |number, meta, home| {
            if !meta.logged {
                return;
            }
            let id = MessageId::new(priority, number);
            let body = contents.body(id).or(home.map(Body::Stored));
            let facts = Facts {
                name: disk.name_of(&body.expect("it lies somewhere")),
                size: meta.size,
                expires_at: meta.expires_at,
                count: meta.count,
            };
            let dead = held.iter().any(|(_, held)| *held == id);
            let out = meta.state == State::Unacked && !dead;
            found.push((id, facts, meta.redelivered || out));
        });
    }
    found
}

/// Finds the messages of `live` from checkpoint and log alone, and compares them with those there
/// are; `held` are dead, and wait for a target only.
pub fn find_again(
    live: &Contents,
    held: &[(String, MessageId)],
    disk: &Disk,
    times: usize,
    shuffle: Option<u64>,
) -> Contents {
    let live = account(live, disk, held);
    let contents = disk.recover(times, shuffle);
    let found = account(&contents, disk, &[]);
    let facts = |account: &Account| -> Vec<(MessageId, Facts)> {
        let each = account.iter();
        each.map(|(id, facts, _)| (*id, facts.clone())).collect()
    };
    let what = format!("found, live: {times} {shuffle:?}");
    assert_eq!(facts(&found), facts(&live), "{what}");
    for ((id, facts, must), (.., is)) in live.iter().zip(&found) {
        assert!(!must || *is, "{} ({id:?}) is not redelivered", facts.name);
    }
    contents
}

impl Harness {
    /// Writes what the log must know of a batch. A chunk is in the log even if this queue has
    /// nothing to say of it.
    pub(super) fn note_batch(
        &mut self,
        effects: &mut Effects,
        batch: &[Incoming],
        chunk: &Arc<Chunk>,
    ) {
        assert!(self.durable || effects.placed.is_empty());
        let mut draft = draft_of(effects, batch);
        if effects.placed.is_empty() {
            self.disk.append_for_another(chunk);
        } else {
            draft.set_chunk(chunk);
        }
        self.disk.append(draft);
        effects.placed.clear();
        effects.journal.clear();
    }

    /// Writes what the log must know besides, and takes down what the queue wants to be read.
    pub(super) fn note(&mut self, effects: &mut Effects) {
        assert!(effects.placed.is_empty(), "places outside a batch");
        assert!(self.durable || effects.journal.is_empty());
        self.disk.append(draft_of(effects, &[]));
        for dead in effects.dead.iter().filter(|dead| dead.held.is_none()) {
            // Its arrival elsewhere is written together with this.
            if let Some(id) = dead.logged {
                assert!(self.durable);
                let mut moved = Effects::default();
                moved.settled(id);
                self.disk.append(draft_of(&moved, &[]));
            }
        }
        self.wanted.extend(effects.wanted.take());
    }

    /// Writes that a target has what is held here.
    pub(super) fn note_buried(&mut self, id: MessageId) {
        let meta = self.queue.contents().get(id);
        if meta.expect("what is held is there").logged {
            let mut moved = Effects::default();
            moved.settled(id);
            self.disk.append(draft_of(&moved, &[]));
        }
    }

    /// Lets go of bodies.
    pub fn shed(&mut self, all: bool) {
        self.queue.shed(all);
        let contents = self.queue.contents();
        for (priority, level) in contents.levels() {
            each_live(level, &self.disk, |number, _, home| {
                let body = contents.body(MessageId::new(priority, number)).unwrap();
                let name = self.disk.name_of(&body);
                let at = self.model.position(&name);
                let away = matches!(body, Body::Stored(_));
                assert!(!all || away == home.is_some(), "{name} stays in memory");
                self.model.messages[at].away = away;
            });
        }
    }

    /// Answers one of the queue's requests.
    pub fn read(&mut self, at: usize, gap: u32) {
        if !self.wanted.is_empty() {
            let wanted = self.wanted.remove(at % self.wanted.len());
            self.fetch(&wanted, gap);
        }
    }

    /// Hands in what is wanted.
    pub(super) fn fetch(&mut self, wanted: &Wanted, gap: u32) {
        for (id, home, _) in &wanted.messages {
            if self.queue.contents().get(*id).is_some() {
                self.model.fetched(&self.disk.name_at(home));
            }
        }
        let read = self.disk.read(wanted, gap);
        let mut effects = Effects::default();
        assert!(self.queue.install(&read, self.model.now, &mut effects));
        self.model.dispatch();
        self.compare(effects);
    }

    /// Begins a checkpoint, or ends the one that was begun.
    pub fn checkpoint(&mut self, begin: bool) {
        if begin {
            self.disk.begin_checkpoint();
        } else if self.durable {
            self.disk.end_checkpoint(self.queue.contents());
        }
    }

    /// Finds the queue's messages from the log alone, in different ways, and compares them with
    /// those there are.
    pub fn recover(&self, seed: u64) -> Contents {
        let ways = [(2, None), (1, Some(seed)), (2, Some(!seed))];
        for (times, shuffle) in ways {
            find_again(
                self.queue.contents(),
                &self.held,
                &self.disk,
                times,
                shuffle,
            );
        }
        find_again(self.queue.contents(), &self.held, &self.disk, 1, None)
    }

    /// The broker ends and comes back with what the log knows.
    pub fn restart(&mut self, seed: u64) {
        if !self.durable {
            return;
        }
        let contents = self.recover(seed);
        let found = account(&contents, &self.disk, &[]).into_iter();
        let kept: BTreeMap<String, bool> = found
            .map(|(_, facts, redelivered)| (facts.name, redelivered))
            .collect();
        self.out.clear();
        self.held.clear();
        self.wanted.clear();
        self.disk.forget();
        self.alarm = u64::MAX;
        self.queue = Queue::new(self.model.settings.clone(), true, self.model.now);
        self.queue.restore(contents);
        self.model.restart(&kept);
        self.ledger.left_unseen(|name| kept.contains_key(name));
        self.ledger.restarted();
        self.tick();
    }

    /// When everything has left, nothing is found and no file is wanted.
    pub fn end(mut self, seed: u64) {
        self.recover(seed);
        self.restart(seed);
        drop(self.queue);
        self.disk.assert_dead();
    }
}
