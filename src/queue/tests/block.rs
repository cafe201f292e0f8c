//! One block of the index under everything that can happen to it, beside a plain map: chunks that
//! get a home, let go of and read again, messages found in files with holes between their numbers,
//! thinning, and what all of it counts in the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::disk::Disk;
use super::outlet::write_named;
use crate::message::{Body, Chunk};
use crate::queue::block::{Block, Meta, State};
use crate::queue::page;
use crate::queue::{Arriving, MessageId, Wanted};

/// The number of a block's first message.
const BASE: u64 = 70_000;

#[derive(Debug, Clone)]
enum Step {
    /// Octets, whether the log knows it, expiry: a batch in one chunk.
    Push(Vec<(u32, bool, u64)>),
    /// Octets, numbers left out before it, expiry: found in files, in this order or the other.
    Stored(Vec<(u32, u64, u64)>, bool),
    Tell,
    Shed,
    Thin,
    /// So many from there on, with gaps of so many octets.
    Read(usize, usize, u32),
    /// So many from there on are copied to another file, in their order or the other.
    Relocate(usize, usize, bool),
    Deliver(usize, usize),
    Settle(usize, usize),
    GiveBack(usize, bool, bool),
    Run(usize, bool),
}

fn any_step() -> impl Strategy<Value = Step> {
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    let size = || prop_oneof![9 => 0u32..60, 1 => 3000u32..9000];
    let expiry = || prop_oneof![2 => Just(u64::MAX), 1 => 1u64..1000];
    let pushed = (size(), prop::bool::weighted(0.7), expiry());
    let found = (size(), prop_oneof![Just(0u64), 0u64..9], expiry());
    prop_oneof![
        4 => prop::collection::vec(pushed, 1..9).prop_map(Step::Push),
        3 => (prop::collection::vec(found, 1..9), any::<bool>())
            .prop_map(|(found, back)| Step::Stored(found, back)),
        2 => Just(Step::Tell),
        2 => Just(Step::Shed),
        2 => Just(Step::Thin),
        3 => (at(), 1usize..20, prop_oneof![Just(0u32), 1u32..90, Just(1 << 20)])
            .prop_map(|(at, count, gap)| Step::Read(at, count, gap)),
        2 => (at(), 1usize..20, any::<bool>())
            .prop_map(|(at, count, back)| Step::Relocate(at, count, back)),
        3 => (at(), 1usize..9).prop_map(|(at, count)| Step::Deliver(at, count)),
        3 => (at(), 1usize..9).prop_map(|(at, count)| Step::Settle(at, count)),
        2 => (at(), any::<bool>(), any::<bool>())
            .prop_map(|(at, flag, count)| Step::GiveBack(at, flag, count)),
        1 => (1usize..9, any::<bool>()).prop_map(|(most, settle)| Step::Run(most, settle)),
    ]
}

struct Stage {
    block: Block,
    disk: Disk,
    /// Every message that lives, with its name and its facts; the offset is not one of them.
    live: BTreeMap<u64, (String, Meta)>,
    names: u64,
}

impl Stage {
    fn new() -> Self {
        Self {
            block: Block::new(BASE),
            disk: Disk::default(),
            live: BTreeMap::new(),
            names: 0,
        }
    }

    fn fresh_name(&mut self) -> String {
        self.names += 1;
        format!("b{}", self.names)
    }

    fn expect(&mut self, number: u64, name: String, message: Arriving) {
        let meta = Meta {
            offset: 0,
            size: message.size,
            state: State::Ready,
            redelivered: false,
            count: 0,
            expires_at: message.expires_at,
            logged: message.logged,
        };
        self.live.insert(number, (name, meta));
    }

    /// Numbers that live, from the one at `at` on.
    fn some(&self, at: usize, count: usize) -> Vec<u64> {
        let at = at % self.live.len().max(1);
        self.live.keys().skip(at).take(count).copied().collect()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Push(messages) => self.push(messages),
            Step::Stored(messages, back) => self.find(messages, *back),
            Step::Tell => self.disk.tell(),
            Step::Shed => self.block.shed(),
            // An empty block is dropped, never thinned.
            Step::Thin if self.live.is_empty() => {}
            Step::Thin => self.block.thin(),
            Step::Read(at, count, gap) => self.read(*at, *count, *gap),
            Step::Relocate(at, count, back) => self.relocate(*at, *count, *back),
            Step::Deliver(at, count) => {
                for number in self.some(*at, *count) {
                    let (_, meta) = self.live.get_mut(&number).unwrap();
                    let ready = meta.state == State::Ready;
                    assert_eq!(self.block.deliver(number), ready.then_some(meta.size));
                    meta.state = State::Unacked;
                }
            }
            Step::Settle(at, count) => {
                for number in self.some(*at, *count) {
                    let (_, meta) = self.live.remove(&number).unwrap();
                    let settled = self.block.settle(number).unwrap();
                    assert_eq!(settled.state, meta.state);
                    assert_eq!((settled.size, settled.logged), (meta.size, meta.logged));
                    assert_eq!(self.block.settle(number), None, "settled twice");
                }
            }
            Step::GiveBack(at, flag, count) => {
                for number in self.some(*at, 1) {
                    let (_, meta) = self.live.get_mut(&number).unwrap();
                    let out = meta.state == State::Unacked;
                    let size = self.block.give_back(number, *flag, *count);
                    assert_eq!(size, out.then_some(meta.size));
                    if out {
                        meta.state = State::Ready;
                        meta.redelivered |= flag;
                        meta.count += u32::from(*count);
                    }
                }
            }
            Step::Run(most, settle) => self.run(*most, *settle),
        }
        self.check();
    }

    fn push(&mut self, messages: &[(u32, bool, u64)]) {
        let mut data = Vec::new();
        let mut places = Vec::new();
        for (size, logged, expires_at) in messages {
            let name = self.fresh_name();
            let message = Arriving {
                offset: write_named(&mut data, &name, *size as usize),
                size: *size,
                expires_at: *expires_at,
                logged: *logged,
            };
            places.push((name, message));
        }
        let chunk = Chunk::new(data);
        self.disk.append_for_another(&chunk);
        for (name, message) in places {
            let number = self.block.end();
            self.block.push(&chunk, message);
            self.expect(number, name, message);
        }
    }

    fn find(&mut self, messages: &[(u32, u64, u64)], back: bool) {
        let mut data = Vec::new();
        let mut places = Vec::new();
        for (size, skipped, expires_at) in messages {
            let name = self.fresh_name();
            let offset = write_named(&mut data, &name, *size as usize);
            let message = Arriving {
                offset: 0,
                size: *size,
                expires_at: *expires_at,
                logged: true,
            };
            places.push((name, offset, *skipped, message));
        }
        if back {
            places.reverse();
        }
        let home = self.disk.write_apart(&data);
        for (name, offset, skipped, message) in places {
            let number = self.block.end() + skipped;
            self.block.skip_to(number);
            self.block.push_stored(&home.at(offset), message);
            self.expect(number, name, message);
        }
    }

    fn read(&mut self, at: usize, count: usize, gap: u32) {
        let mut wanted = Wanted::default();
        for number in self.some(at, count) {
            if let Some(Body::Stored(home)) = self.block.body(number) {
                let size = self.live[&number].1.size;
                let id = MessageId::new(0, number);
                wanted.messages.push((id, home, size));
            }
        }
        for (id, chunk) in self.disk.read(&wanted, gap).messages {
            self.block.install(id.number(), &chunk);
            let known = self.block.chunk(id.number());
            assert!(known.is_some_and(|known| Arc::ptr_eq(known, &chunk)));
        }
    }

    fn relocate(&mut self, at: usize, count: usize, back: bool) {
        let mut data = Vec::new();
        let mut copied = Vec::new();
        for number in self.some(at, count) {
            if let Some(home) = self.block.home(number) {
                let (name, meta) = &self.live[&number];
                let offset = write_named(&mut data, name, meta.size as usize);
                copied.push((number, home.file.number, offset));
            }
        }
        if back {
            copied.reverse();
        }
        let home = self.disk.write_apart(&data);
        for (number, from, offset) in copied {
            let to = home.at(offset);
            self.block.relocate(number, from + 1_000, &to);
            let before = self.block.home(number).unwrap();
            assert_eq!(before.file.number, from, "it lay elsewhere");
            self.block.relocate(number, from, &to);
            let after = self.block.home(number).unwrap();
            assert_eq!(after.file.number, to.file.number);
            assert_eq!(after.offset, to.offset);
        }
    }

    /// A run begins at the first that is ready and ends where the next number is not, or is in a
    /// file.
    fn run(&mut self, most: usize, settle: bool) {
        let Some(from) = self.block.next_ready(BASE) else {
            return;
        };
        let mut seen = Vec::new();
        let disk = &self.disk;
        let visit = |number: u64, chunk: &Arc<Chunk>, meta: Meta| {
            let name = disk.name_of(&Body::Held(Arc::clone(chunk), meta.offset));
            seen.push((number, name, Meta { offset: 0, ..meta }));
            true
        };
        let (count, bytes) = self.block.take_run(from, most, 0, settle, visit);
        assert_eq!(count as usize, seen.len());
        assert!(seen.len() <= most);
        let sum: u64 = seen.iter().map(|(.., meta)| u64::from(meta.size)).sum();
        assert_eq!(bytes, sum);
        for ((number, name, meta), at) in seen.into_iter().zip(from..) {
            assert_eq!(number, at, "a run goes by number");
            assert_eq!(self.live.get(&number), Some(&(name, meta)));
            if settle {
                self.live.remove(&number);
            } else if let Some((_, meta)) = self.live.get_mut(&number) {
                meta.state = State::Unacked;
            }
        }
    }

    fn check(&self) {
        let ready = |(_, meta): &&(String, Meta)| meta.state == State::Ready;
        let count = self.live.values().filter(ready).count();
        assert_eq!(self.block.live() as usize, self.live.len());
        assert_eq!(self.block.ready() as usize, count);
        let mut next = None;
        for number in (BASE..self.block.end()).rev() {
            let found = self.block.get(number);
            let found = found.map(|meta| {
                let name = self.disk.name_of(&self.block.body(number).unwrap());
                (name, Meta { offset: 0, ..meta })
            });
            assert_eq!(found.as_ref(), self.live.get(&number), "{number}");
            if found.is_some_and(|(_, meta)| meta.state == State::Ready) {
                next = Some(number);
            }
            assert_eq!(self.block.next_ready(number), next, "from {number}");
        }
        let entries: Vec<u64> = self.block.live_entries().map(|(n, ..)| n).collect();
        assert!(entries.iter().eq(self.live.keys()));
        let first = self.live.values().filter(ready).map(|(_, m)| m.expires_at);
        assert!(self.block.earliest_expiry() <= first.min().unwrap_or(u64::MAX));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_block_is_a_map_wherever_its_bodies_lie(
        steps in prop::collection::vec(any_step(), 1..60),
        settled in any::<bool>(),
    ) {
        let mut stage = Stage::new();
        steps.iter().for_each(|step| stage.step(step));
        if settled {
            stage.step(&Step::Settle(0, usize::MAX));
        }
        drop(stage.block);
        stage.disk.assert_dead();
    }
}

#[test]
fn an_emptied_block_may_begin_behind_a_gap() {
    let mut stage = Stage::new();
    stage.step(&Step::Push(vec![(1, true, u64::MAX); 5]));
    stage.step(&Step::Settle(0, 5));
    stage.block.recycle(BASE + 5);
    stage.step(&Step::Stored(
        vec![(1, 7, u64::MAX), (1, 0, u64::MAX)],
        false,
    ));
    assert_eq!(stage.live.keys().next(), Some(&(BASE + 12)));
    stage.step(&Step::Push(vec![(1, true, u64::MAX); 2]));
    drop(stage.block);
    stage.disk.assert_dead();
}

#[test]
fn only_what_the_log_knows_goes_to_a_page() {
    for logged in [true, false] {
        let mut stage = Stage::new();
        stage.step(&Step::Push(vec![
            (1, true, u64::MAX),
            (2, logged, u64::MAX),
        ]));
        assert!(page::draft(&stage.block).is_none(), "it lies nowhere yet");
        stage.step(&Step::Tell);
        assert_eq!(page::draft(&stage.block).is_some(), logged);
        stage.step(&Step::Deliver(0, 1));
        assert!(page::draft(&stage.block).is_none(), "one is out");
    }
}
