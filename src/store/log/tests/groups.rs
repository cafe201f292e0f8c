//! Groups against a model, through losses of power. `LEVERET_SEEDS` and `LEVERET_SEED` as in `seeds`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::life::{open, payload};
use super::seeds::{Repeat, seeds};
use crate::message::Chunk;
use crate::store::io::{Fault, SimDisk};
use crate::store::log::GroupState;
use crate::store::{Entry, Log, Position, StoreError};

/// What is done to groups, in the order of the log.
#[derive(Debug, Clone)]
enum Act {
    Append {
        group: u32,
        index: u64,
        term: u64,
        id: u64,
    },
    Truncate {
        group: u32,
        from: u64,
    },
    Cover {
        group: u32,
        index: u64,
        term: u64,
    },
    Remove(u32),
}

/// A group as a list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Plain {
    covered: (u64, u64),
    /// Term, payload's number, and the act that appended it.
    entries: Vec<(u64, u64, usize)>,
}

impl Plain {
    fn last(&self) -> u64 {
        self.covered.0 + self.entries.len() as u64
    }

    fn term(&self, index: u64) -> u64 {
        if index == self.covered.0 {
            return self.covered.1;
        }
        self.entries[(index - self.covered.0 - 1) as usize].0
    }

    fn state(&self, durable_acts: usize) -> GroupState {
        let entries = self.entries.iter();
        let durable = entries
            .take_while(|(_, _, act)| *act < durable_acts)
            .count();
        GroupState {
            covered: self.covered,
            last: (self.last(), self.term(self.last())),
            durable: self.covered.0 + durable as u64,
        }
    }
}

type Model = BTreeMap<u32, Plain>;

fn apply(model: &mut Model, number: usize, act: &Act) {
    match *act {
        Act::Append {
            group,
            index,
            term,
            id,
        } => {
            let plain = model.entry(group).or_default();
            assert_eq!(plain.last() + 1, index);
            plain.entries.push((term, id, number));
        }
        Act::Truncate { group, from } => {
            let plain = model.entry(group).or_default();
            let keep = from.saturating_sub(plain.covered.0 + 1);
            plain.entries.truncate(keep as usize);
        }
        Act::Cover { group, index, term } => {
            let plain = model.entry(group).or_default();
            if index > plain.last() {
                plain.entries.clear();
            } else {
                plain.entries.drain(..(index - plain.covered.0) as usize);
            }
            plain.covered = (index, term);
        }
        Act::Remove(group) => drop(model.remove(&group)),
    }
}

fn model_of(acts: &[Act]) -> Model {
    let mut model = Model::new();
    for (number, act) in acts.iter().enumerate() {
        apply(&mut model, number, act);
    }
    model
}

struct Run {
    seed: u64,
    rng: StdRng,
    disk: SimDisk,
    acts: Vec<Act>,
    /// So many of the acts must be there after a crash.
    durable: usize,
    model: Model,
    from: Position,
    next_id: u64,
}

/// A life: the ticket of each act of it.
struct Life {
    log: Arc<Log>,
    start: usize,
    tickets: Vec<u64>,
}

impl Run {
    fn begin(&mut self) -> Life {
        let (log, _) = open(&self.disk, self.from).unwrap();
        // What is there is what some number of the acts amount to, no less than are durable.
        let found = (self.durable..=self.acts.len())
            .rev()
            .find(|count| self.is_there(&log, &model_of(&self.acts[..*count])));
        let Some(found) = found else {
            let all: Vec<_> = log.groups().iter().map(|g| (*g, log.group(*g))).collect();
            panic!(
                "{} to {} acts, found {all:?}",
                self.durable,
                self.acts.len()
            );
        };
        self.acts.truncate(found);
        self.durable = found;
        self.model = model_of(&self.acts);
        Life {
            log,
            start: found,
            tickets: Vec::new(),
        }
    }

    /// True if the log holds this model, all of it durable.
    fn is_there(&self, log: &Log, model: &Model) -> bool {
        let groups = log.groups();
        groups.len() == model.len()
            && model.iter().all(|(group, plain)| {
                log.group(*group) == Some(plain.state(usize::MAX))
                    && self.has_entries(log, *group, plain, 1..u64::MAX)
            })
    }

    /// True if the log gives these entries as the model does.
    fn has_entries(
        &self,
        log: &Log,
        group: u32,
        plain: &Plain,
        range: std::ops::Range<u64>,
    ) -> bool {
        let start = range.start.max(plain.covered.0 + 1);
        if start > range.start {
            assert_eq!(log.entries(group, range.clone(), usize::MAX).unwrap(), None);
        }
        let Ok(found) = log.entries(group, start..range.end, usize::MAX) else {
            assert!(!self.disk.has_power());
            return true;
        };
        let skipped = (start - plain.covered.0 - 1) as usize;
        let expected = plain.entries.iter().skip(skipped).zip(start..range.end);
        let found = found.unwrap();
        found.len() == expected.clone().count()
            && found
                .iter()
                .zip(expected)
                .all(|(found, ((term, id, _), index))| {
                    (found.index, found.term, found.kind) == (index, *term, 5)
                        && found.payload == payload(self.seed, *id)
                        && log.term_of(group, index) == Some(*term)
                })
    }

    fn act(&mut self, life: &mut Life) {
        let group = self.rng.random_range(1..4);
        let plain = self.model.get(&group).cloned().unwrap_or_default();
        let (first, last) = (plain.covered.0 + 1, plain.last());
        let term = plain.term(last).max(1) + u64::from(self.rng.random_bool(0.1));
        let act = match self.rng.random_range(0..100) {
            0..10 if last >= first => Act::Truncate {
                group,
                from: self.rng.random_range(first..=last),
            },
            10..16 if last >= first => {
                let index = self.rng.random_range(first..=last);
                Act::Cover {
                    group,
                    index,
                    term: plain.term(index),
                }
            }
            // A snapshot from elsewhere.
            16..18 => Act::Cover {
                group,
                index: last + self.rng.random_range(1..5),
                term,
            },
            18 => Act::Remove(group),
            _ => {
                self.next_id += 1;
                Act::Append {
                    group,
                    index: last + 1,
                    term,
                    id: self.next_id,
                }
            }
        };
        let ticket = match act {
            Act::Append {
                group,
                index,
                term,
                id,
            } => {
                let mut head = payload(self.seed, id);
                let chunk = head.split_off(self.rng.random_range(0..=head.len()));
                let chunk = self
                    .rng
                    .random_bool(0.8)
                    .then(|| Chunk::new(chunk.clone()))
                    .ok_or(chunk);
                let chunk = chunk.map_err(|all| head.extend(all)).ok();
                let entry = Entry {
                    kind: 5,
                    group,
                    index,
                    term,
                    head,
                    chunk,
                };
                let wrong = Entry {
                    index: index + 1,
                    ..entry.clone()
                };
                assert!(matches!(
                    life.log.append_to_group(wrong),
                    Err(StoreError::Refused(_))
                ));
                life.log.append_to_group(entry).unwrap()
            }
            Act::Truncate { group, from } => {
                let ticket = life.log.truncate_suffix(group, from);
                let state = life.log.group(group).unwrap();
                assert!(state.durable < from && state.last.0 == from - 1);
                ticket
            }
            Act::Cover { group, index, term } => life.log.cover(group, index, term),
            Act::Remove(group) => life.log.remove_group(group),
        };
        apply(&mut self.model, self.acts.len(), &act);
        self.acts.push(act);
        life.tickets.push(ticket);
    }

    fn step(&mut self, life: &Life) -> bool {
        let done = life.log.step();
        let durable = life.log.durable();
        let tickets = life.tickets.iter();
        self.durable = life.start + tickets.take_while(|ticket| **ticket <= durable).count();
        done.is_ok_and(|did| did)
    }

    fn check(&mut self, life: &Life) {
        for (group, plain) in &self.model {
            let state = plain.state(self.durable);
            assert_eq!(life.log.group(*group), Some(state), "group {group}");
            let start = self.rng.random_range(1..=plain.last() + 1);
            let end = start + self.rng.random_range(0..10);
            assert!(self.has_entries(&life.log, *group, plain, start..end));
        }
    }

    fn live(&mut self, actions: usize) {
        let mut life = self.begin();
        if self.rng.random_bool(0.7) {
            let at = self.disk.operations() + self.rng.random_range(0..80);
            self.disk.plan(at, Fault::Crash);
        }
        for _ in 0..actions {
            match self.rng.random_range(0..100) {
                0..80 => self.act(&mut life),
                80..95 => drop(self.step(&life)),
                95..97 => {
                    let from = life.log.checkpoint_groups();
                    while self.step(&life) {}
                    if life.log.failure().is_none() {
                        self.from = from;
                        drop(life.log.recycle(from, &BTreeSet::new()));
                    }
                }
                _ if self.disk.has_power() => self.check(&life),
                _ => {}
            }
        }
        self.disk.crash(self.rng.random());
    }
}

#[test]
fn groups_are_as_durable_as_they_say_and_never_mixed_up() {
    for seed in seeds(100) {
        let _repeat = Repeat(seed, "groups");
        let mut run = Run {
            seed,
            rng: StdRng::seed_from_u64(seed),
            disk: SimDisk::new(seed),
            acts: Vec::new(),
            durable: 0,
            model: Model::new(),
            from: Position::ZERO,
            next_id: 0,
        };
        while run.next_id < 500 {
            let actions = run.rng.random_range(1..150);
            run.live(actions);
        }
        run.begin();
    }
}

#[test]
fn an_entry_that_takes_the_place_of_another_is_not_durable_by_it() {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, Position::ZERO).unwrap();
    let entry = |index, term| Entry {
        kind: 1,
        group: 9,
        index,
        term,
        head: vec![term as u8],
        chunk: None,
    };
    for index in 1..=3 {
        log.append_to_group(entry(index, 1)).unwrap();
    }
    // The batch with the old second entry is written after it was taken back.
    log.truncate_suffix(9, 2);
    let old = log.last_ticket();
    log.append_to_group(entry(2, 2)).unwrap();
    assert_eq!(log.group(9).unwrap().durable, 0);
    while log.durable() < old {
        log.step().unwrap();
    }
    assert_eq!(log.group(9).unwrap().durable, 2);
    log.truncate_suffix(9, 2);
    log.append_to_group(entry(2, 3)).unwrap();
    assert_eq!(log.group(9).unwrap().durable, 1);
    disk.crash(0);
    let (log, _) = open(&disk, Position::ZERO).unwrap();
    assert_eq!(log.group(9).unwrap().durable, log.group(9).unwrap().last.0);
}

#[test]
fn a_reader_gets_at_most_what_it_asks_for_but_never_nothing() {
    let disk = SimDisk::new(1);
    let (log, _) = open(&disk, Position::ZERO).unwrap();
    for index in 1..=10 {
        let entry = Entry {
            kind: 1,
            group: 1,
            index,
            term: 1,
            head: vec![0; 100],
            chunk: None,
        };
        log.append_to_group(entry).unwrap();
    }
    let count = |range, octets| log.entries(1, range, octets).unwrap().map(|e| e.len());
    for _ in 0..2 {
        assert_eq!(count(1..u64::MAX, usize::MAX), Some(10));
        assert_eq!(count(3..7, usize::MAX), Some(4));
        assert_eq!(count(3..7, 250), Some(2));
        assert_eq!(count(3..7, 0), Some(1));
        assert_eq!(count(11..20, 100), Some(0));
        assert_eq!(count(0..5, 100), None);
        while log.step().unwrap() {}
    }
    log.cover(1, 4, 1);
    assert_eq!((count(4..7, 1_000), count(5..7, 1_000)), (None, Some(2)));
    assert_eq!((log.term_of(1, 4), log.term_of(1, 3)), (Some(1), None));
}
