//! Deep durable backlogs: blocks of the index go to the file of pages and come back, bodies leave
//! memory and come back, the broker restarts now and then; beside it a set of numbers.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::disk::{Disk, draft_of};
use super::durable::find_again;
use super::outlet::{Connection, Outlet, Seen, read_name, write_named};
use crate::limits::BLOCK_ENTRIES;
use crate::message::Chunk;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{
    ConsumerKey, ConsumerSpec, Effects, Incoming, MessageId, Queue, QueueArguments, Wanted,
};

#[derive(Debug, Clone)]
enum Step {
    /// So many, each with this time to live.
    Publish(usize, Option<u64>),
    /// This many of the oldest, or of the newest, that are out.
    Settle(usize, bool, Settlement),
    /// Octets of room, then a visit.
    Room(isize),
    Get(bool),
    Cancel,
    Purge,
    /// The time goes on, and the queue is visited.
    Wait(u64),
    /// What is written is known to be; bodies leave memory, all or most.
    Shed(bool),
    /// So many blocks of the index leave memory.
    PutAway(usize, bool),
    /// What the queue has asked for is read.
    Read,
    Checkpoint(bool),
    Restart(Option<u64>),
}

fn any_step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        4 => Just(Settlement::Ack),
        1 => Just(Settlement::Requeue),
        1 => Just(Settlement::Undeliver),
    ];
    let ttl = prop::option::weighted(0.2, 1u64..50);
    prop_oneof![
        4 => (1usize..6000, ttl).prop_map(|(n, ttl)| Step::Publish(n, ttl)),
        4 => (1usize..4000, any::<bool>(), how).prop_map(|(n, old, how)| Step::Settle(n, old, how)),
        2 => prop_oneof![Just(isize::MAX / 2), 0isize..400_000].prop_map(Step::Room),
        1 => any::<bool>().prop_map(Step::Get),
        1 => Just(Step::Cancel),
        1 => prop::bool::weighted(0.2).prop_map(|purge| match purge {
            true => Step::Purge,
            false => Step::Read,
        }),
        1 => (1u64..20).prop_map(Step::Wait),
        4 => any::<bool>().prop_map(Step::Shed),
        4 => (1usize..9, any::<bool>()).prop_map(|(most, partial)| Step::PutAway(most, partial)),
        6 => Just(Step::Read),
        2 => any::<bool>().prop_map(Step::Checkpoint),
        1 => prop::option::of(any::<u64>()).prop_map(Step::Restart),
    ]
}

/// One durable queue without limits, at most one consumer, and what each message is up to: its name
/// is its number.
struct Deep {
    queue: Queue<Outlet>,
    settings: QueueArguments,
    outlet: Outlet,
    consuming: bool,
    disk: Disk,
    wanted: Vec<Wanted>,
    now: u64,
    /// When the queue is to be visited.
    alarm: u64,
    published: u64,
    /// Expiries of those that wait.
    ready: BTreeMap<u64, u64>,
    out: BTreeMap<u64, u64>,
    /// What must be called redelivered.
    again: BTreeSet<u64>,
    /// Blocks that went away, for the curious and for the test below.
    put_away: usize,
}

impl Deep {
    fn new(dead_letters: bool) -> Self {
        let settings = QueueArguments {
            dead_letter_exchange: dead_letters.then(|| b"dead".to_vec()),
            ..QueueArguments::default()
        };
        Self {
            queue: Queue::new(settings.clone(), true, 1),
            settings,
            outlet: Outlet {
                connection: Connection::new(1),
                key: ConsumerKey(1),
            },
            consuming: false,
            disk: Disk::default(),
            wanted: Vec::new(),
            now: 1,
            alarm: u64::MAX,
            published: 0,
            ready: BTreeMap::new(),
            out: BTreeMap::new(),
            again: BTreeSet::new(),
            put_away: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        let mut effects = Effects::default();
        match step {
            Step::Publish(count, ttl) => self.publish(*count, *ttl, &mut effects),
            Step::Settle(count, oldest, how) => self.settle(*count, *oldest, *how, &mut effects),
            Step::Room(room) => {
                self.outlet.connection.room.set(*room);
                if self.consuming {
                    self.queue.revisit(self.outlet.key, self.now, &mut effects);
                } else {
                    self.consume(&mut effects);
                }
            }
            Step::Get(no_ack) => self.get(*no_ack, &mut effects),
            Step::Cancel => {
                let key = self.outlet.key;
                self.queue.remove_consumer(key, self.now, &mut effects);
                self.consuming = false;
            }
            Step::Purge => {
                let purged = self.queue.purge(&mut effects);
                let sure = self.ready.values().filter(|expiry| **expiry > self.now);
                let sure = sure.count() as u64;
                assert!((sure..=self.ready.len() as u64).contains(&purged));
                self.ready.clear();
            }
            Step::Wait(ms) => {
                self.now += ms;
                self.alarm = u64::MAX;
                self.queue.tick(self.now, &mut effects);
            }
            Step::Shed(all) => {
                self.disk.tell();
                self.queue.shed(*all);
            }
            Step::PutAway(most, partial) => self.put_away(*most, *partial),
            Step::Read => self.read(&mut effects),
            Step::Checkpoint(true) => self.disk.begin_checkpoint(),
            Step::Checkpoint(false) => self.disk.end_checkpoint(self.queue.contents()),
            Step::Restart(seed) => self.restart(*seed, &mut effects),
        }
        self.check(effects);
    }

    fn publish(&mut self, count: usize, ttl: Option<u64>, effects: &mut Effects) {
        let mut data = Vec::new();
        let ttl_ms = ttl.unwrap_or(u64::MAX);
        let batch: Vec<Incoming> = (0..count)
            .map(|at| {
                let number = self.published + at as u64;
                let size = (number % 23) as u32;
                Incoming {
                    offset: write_named(&mut data, &number.to_string(), size as usize),
                    size,
                    priority: 0,
                    ttl_ms,
                    publish: at as u32,
                    persistent: true,
                    forced: false,
                }
            })
            .collect();
        let numbers = self.published..self.published + count as u64;
        let expiry = self.now.saturating_add(ttl_ms);
        self.ready.extend(numbers.map(|number| (number, expiry)));
        self.published += count as u64;
        let chunk = Chunk::new(data);
        self.queue.enqueue(&chunk, &batch, self.now, effects);
        let mut draft = draft_of(effects, &batch);
        draft.set_chunk(&chunk);
        self.disk.append(draft);
        effects.placed.clear();
        effects.journal.clear();
    }

    fn settle(&mut self, count: usize, oldest: bool, how: Settlement, effects: &mut Effects) {
        let mut chosen: Vec<u64> = match oldest {
            true => self.out.keys().take(count).copied().collect(),
            false => self.out.keys().rev().take(count).copied().collect(),
        };
        chosen.sort_unstable();
        let mut runs: Vec<SettleRun> = Vec::new();
        for number in chosen {
            let expiry = self.out.remove(&number).unwrap();
            if how != Settlement::Ack {
                self.ready.insert(number, expiry);
            }
            if how == Settlement::Requeue {
                self.again.insert(number);
            }
            let consumer = Some(self.outlet.key);
            let follows = |run: &&mut SettleRun| run.first.raw() + u64::from(run.len) == number;
            match runs.last_mut().filter(follows) {
                Some(run) => run.len += 1,
                None => runs.push(SettleRun {
                    first: MessageId::new(0, number),
                    len: 1,
                    consumer,
                    how,
                }),
            }
        }
        self.queue.settle(&runs, self.now, effects);
    }

    fn consume(&mut self, effects: &mut Effects) {
        let outlet = self.outlet.clone();
        let spec = ConsumerSpec::default();
        self.queue
            .add_consumer(outlet.key, spec, outlet, self.now, effects);
        self.consuming = true;
    }

    fn get(&mut self, no_ack: bool, effects: &mut Effects) {
        let mut taken = self.queue.get(no_ack, self.now, effects);
        while let Some(wanted) = effects.wanted.take() {
            assert!(taken.is_none());
            self.fetch(&wanted, effects);
            // What consumers got meanwhile is theirs.
            let theirs = std::mem::take(effects);
            self.check(theirs);
            taken = self.queue.get(no_ack, self.now, effects);
        }
        self.bury(effects);
        let Some(taken) = taken else {
            self.expire_until(u64::MAX);
            return;
        };
        let name = read_name(&taken.chunk, taken.offset);
        self.delivered(name.parse().unwrap(), taken.id, taken.redelivered, no_ack);
    }

    fn fetch(&mut self, wanted: &Wanted, effects: &mut Effects) {
        let read = self.disk.read(wanted, 4096);
        let whole = self.queue.install(&read, self.now, effects);
        assert!(whole, "a page is what was written");
    }

    fn read(&mut self, effects: &mut Effects) {
        if !self.wanted.is_empty() {
            let wanted = self.wanted.remove(0);
            self.fetch(&wanted, effects);
        }
    }

    fn put_away(&mut self, most: usize, partial: bool) {
        for (priority, draft) in self.queue.drafts(partial, most) {
            let page = self.disk.write_page(draft.octets.clone());
            self.queue.put_away(priority, draft.at(page));
            self.put_away += 1;
        }
    }

    fn restart(&mut self, seed: Option<u64>, effects: &mut Effects) {
        let times = 1 + usize::from(seed.is_some_and(|seed| seed % 2 == 0));
        let contents = find_again(self.queue.contents(), &[], &self.disk, times, seed);
        self.disk.forget();
        self.wanted.clear();
        self.again.extend(self.out.keys());
        self.ready.append(&mut self.out);
        self.consuming = false;
        self.alarm = u64::MAX;
        self.queue = Queue::new(self.settings.clone(), true, self.now);
        self.queue.restore(contents);
        self.queue.tick(self.now, effects);
    }

    /// Those below `number` were due: they have left.
    fn expire_until(&mut self, number: u64) {
        while let Some(first) = self.ready.first_entry()
            && *first.key() < number
        {
            let (skipped, expiry) = first.remove_entry();
            assert!(expiry <= self.now, "{skipped} was passed over for {number}");
            assert!(self.settings.dead_letter_exchange.is_none());
        }
    }

    fn delivered(&mut self, number: u64, id: MessageId, redelivered: bool, no_ack: bool) {
        assert_eq!(id, MessageId::new(0, number), "its number is its id");
        self.expire_until(number);
        let expiry = self.ready.remove(&number).expect("it waited");
        assert!(expiry >= self.now, "{number} delivered after its expiry");
        assert!(redelivered || !self.again.contains(&number), "{number}");
        if !no_ack {
            self.out.insert(number, expiry);
        }
    }

    fn bury(&mut self, effects: &mut Effects) {
        let mut moved = Effects::default();
        for dead in effects.dead.drain(..) {
            let number: u64 = self.disk.name_of(&dead.body).parse().unwrap();
            let expiry = self.ready.remove(&number).expect("it waited");
            assert!(expiry <= self.now, "{number} died before its time");
            let id = MessageId::new(0, number);
            assert_eq!((dead.logged, dead.held), (Some(id), None));
            moved.settled(id);
        }
        self.disk.append(draft_of(&moved, &[]));
    }

    fn check(&mut self, mut effects: Effects) {
        self.disk.append(draft_of(&effects, &[]));
        self.bury(&mut effects);
        self.wanted.extend(effects.wanted.take());
        self.alarm = self.alarm.min(effects.wake_at.unwrap_or(u64::MAX));
        if effects.more {
            self.alarm = self.now;
        }
        for seen in self.outlet.connection.take_seen() {
            if let Seen::Given(given) = seen {
                let number = given.name.parse().unwrap();
                self.delivered(number, given.id, given.redelivered, false);
            }
        }
        let status = self.queue.status();
        assert_eq!(status.unacked, self.out.len() as u64);
        // Without a dead-letter exchange expired ones go unseen, and are found out later.
        let due = self.ready.values().filter(|expiry| **expiry <= self.now);
        let unseen = due.count() as u64;
        let most = self.ready.len() as u64;
        assert!((most - unseen..=most).contains(&status.ready));
        let room = self.outlet.connection.room.get() > 0;
        let visited = self.alarm <= self.now;
        let idle = status.ready == 0 || !self.consuming || !room || visited;
        assert!(
            idle || !self.wanted.is_empty(),
            "nobody reads what is waited for"
        );
        for (number, expiry) in self.ready.iter().filter(|(_, expiry)| **expiry > self.now) {
            // A block that is away may be due already: then it is looked for once a second.
            let id = MessageId::new(0, *number);
            let here = self.queue.contents().get(id).is_some();
            let latest = expiry.saturating_add(if here { 0 } else { 1000 });
            assert!(
                self.alarm <= latest,
                "nobody comes for {number} at {expiry}"
            );
        }
    }

    /// Everything leaves, with a bound on how long that may take.
    fn drain(&mut self) {
        self.step(&Step::Room(isize::MAX / 2));
        let turns = 1000 + self.published / 100;
        for _ in 0..turns {
            let ready = self.queue.status().ready;
            if ready == 0 && self.out.is_empty() {
                break;
            }
            self.step(&Step::Read);
            self.step(&Step::Settle(1000, true, Settlement::Ack));
            if self.alarm <= self.now + 2000 {
                self.step(&Step::Wait(self.alarm.saturating_sub(self.now)));
            }
        }
        let status = self.queue.status();
        assert_eq!((status.ready, status.unacked), (0, 0), "something stays");
        self.expire_until(u64::MAX);
        assert!(self.ready.is_empty());
        self.step(&Step::Restart(None));
        assert_eq!(self.queue.status().ready, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_deep_backlog_survives_its_absence(
        dead_letters in any::<bool>(),
        steps in prop::collection::vec(any_step(), 1..50),
    ) {
        let mut deep = Deep::new(dead_letters);
        steps.iter().for_each(|step| deep.step(step));
        deep.drain();
        drop(deep.queue);
        deep.disk.assert_dead();
    }
}

#[test]
fn a_backlog_is_put_away_and_drained_in_order() {
    let mut deep = Deep::new(false);
    for _ in 0..10 {
        deep.step(&Step::Publish(5000, None));
    }
    deep.step(&Step::Shed(true));
    deep.step(&Step::PutAway(100, false));
    assert_eq!(deep.put_away, 50_000 / BLOCK_ENTRIES, "every full block");
    deep.step(&Step::PutAway(100, true));
    assert_eq!(deep.put_away, 50_000usize.div_ceil(BLOCK_ENTRIES), "all");
    deep.step(&Step::Publish(50, None));
    deep.step(&Step::Shed(true));
    deep.step(&Step::PutAway(100, true));
    assert_eq!(
        deep.put_away,
        50_000usize.div_ceil(BLOCK_ENTRIES),
        "too few for a page"
    );
    deep.step(&Step::Checkpoint(true));
    deep.step(&Step::Checkpoint(false));
    deep.step(&Step::Restart(None));
    assert!(deep.queue.contents().body(MessageId::new(0, 0)).is_none());
    assert_eq!(deep.queue.status().ready, 50_050);
    deep.drain();
    drop(deep.queue);
    deep.disk.assert_dead();
}

#[test]
fn what_is_due_leaves_block_by_block_at_once() {
    let mut deep = Deep::new(true);
    for _ in 0..6 {
        deep.step(&Step::Publish(BLOCK_ENTRIES - 96, None));
        deep.step(&Step::Publish(96, Some(5)));
    }
    deep.step(&Step::Shed(true));
    deep.step(&Step::PutAway(100, false));
    assert_eq!(deep.put_away, 6);
    deep.step(&Step::Wait(5));
    // Reading is all it takes: the time stands still.
    while !deep.wanted.is_empty() {
        deep.step(&Step::Read);
    }
    let left = 6 * (BLOCK_ENTRIES - 96);
    assert_eq!(deep.queue.status().ready, left as u64);
    assert_eq!(deep.ready.len(), left, "each had its dead letter");
    deep.drain();
}
