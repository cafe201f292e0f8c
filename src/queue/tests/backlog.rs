//! Tens of thousands of messages: their order, their bodies after blocks have been thinned, and
//! deliveries in long runs.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use proptest::prelude::*;

use super::outlet::{Connection, Outlet, Seen, arriving, read_name, write_named};
use crate::message::Chunk;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{
    ConsumerKey, ConsumerSpec, Contents, Effects, Incoming, MessageId, Queue, QueueArguments,
};

#[derive(Debug, Clone)]
enum Step {
    Publish(usize),
    /// This many of the oldest, or of the newest, that are out.
    Settle(usize, bool, Settlement),
    /// Octets of room, then a visit.
    Room(isize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        4 => Just(Settlement::Ack),
        1 => Just(Settlement::Requeue),
        1 => Just(Settlement::Undeliver),
    ];
    prop_oneof![
        3 => (1usize..4000).prop_map(Step::Publish),
        4 => (1usize..3000, any::<bool>(), how).prop_map(|(n, old, how)| Step::Settle(n, old, how)),
        1 => (0isize..400_000).prop_map(Step::Room),
    ]
}

/// One queue, one consumer, and what each message is up to.
struct Backlog {
    queue: Queue<Outlet>,
    outlet: Outlet,
    prefetch: u32,
    no_ack: bool,
    published: u64,
    ready: BTreeSet<u64>,
    out: BTreeMap<u64, MessageId>,
}

impl Backlog {
    fn new(prefetch: u32, no_ack: bool) -> Self {
        let outlet = Outlet {
            connection: Connection::new(1),
            key: ConsumerKey(1),
        };
        let spec = ConsumerSpec {
            no_ack,
            prefetch,
            ..ConsumerSpec::default()
        };
        let mut queue = Queue::new(QueueArguments::default(), false, 0);
        let mut effects = Effects::default();
        queue.add_consumer(outlet.key, spec, outlet.clone(), 0, &mut effects);
        Self {
            queue,
            outlet,
            prefetch,
            no_ack,
            published: 0,
            ready: BTreeSet::new(),
            out: BTreeMap::new(),
        }
    }

    fn step(&mut self, step: &Step) {
        let mut effects = Effects::default();
        match step {
            Step::Publish(count) => self.publish(*count, &mut effects),
            Step::Settle(count, oldest, how) => self.settle(*count, *oldest, *how, &mut effects),
            Step::Room(room) => {
                self.outlet.connection.room.set(*room);
                self.queue.revisit(self.outlet.key, 0, &mut effects);
            }
        }
        assert!(effects.is_empty());
        self.check_deliveries();
    }

    fn publish(&mut self, count: usize, effects: &mut Effects) {
        let mut data = Vec::new();
        let batch: Vec<Incoming> = (0..count)
            .map(|at| {
                let number = self.published + at as u64;
                Incoming {
                    offset: write_named(&mut data, &number.to_string(), at % 50),
                    size: (at % 50) as u32,
                    priority: 0,
                    ttl_ms: u64::MAX,
                    publish: at as u32,
                    persistent: false,
                    forced: false,
                }
            })
            .collect();
        self.ready
            .extend(self.published..self.published + count as u64);
        self.published += count as u64;
        self.queue.enqueue(&Chunk::new(data), &batch, 0, effects);
    }

    fn settle(&mut self, count: usize, oldest: bool, how: Settlement, effects: &mut Effects) {
        let mut runs: Vec<SettleRun> = Vec::new();
        let mut chosen: Vec<u64> = match oldest {
            true => self.out.keys().take(count).copied().collect(),
            false => self.out.keys().rev().take(count).copied().collect(),
        };
        chosen.sort_unstable();
        for number in chosen {
            let Some(id) = self.out.remove(&number) else {
                continue;
            };
            if how != Settlement::Ack {
                self.ready.insert(number);
            }
            let follows = |run: &&mut SettleRun| run.first.raw() + u64::from(run.len) == id.raw();
            match runs.last_mut().filter(follows) {
                Some(run) => run.len += 1,
                None => runs.push(SettleRun {
                    first: id,
                    len: 1,
                    consumer: Some(self.outlet.key),
                    how,
                }),
            }
        }
        self.queue.settle(&runs, 0, effects);
    }

    /// Each delivery was the oldest that waited, and no more came than may.
    fn check_deliveries(&mut self) {
        for seen in self.outlet.connection.take_seen() {
            let Seen::Given(given) = seen else { continue };
            let number: u64 = given.name.parse().unwrap();
            assert_eq!(self.ready.pop_first(), Some(number));
            if !self.no_ack {
                self.out.insert(number, given.id);
            }
        }
        if self.prefetch > 0 && !self.no_ack {
            assert!(self.out.len() <= self.prefetch as usize);
        }
        let status = self.queue.status();
        assert_eq!(status.ready, self.ready.len() as u64);
        assert_eq!(status.unacked, self.out.len() as u64);
        // Whoever can take one has taken it.
        let limited = self.prefetch > 0 && !self.no_ack && self.out.len() >= self.prefetch as usize;
        assert!(self.ready.is_empty() || limited || self.outlet.connection.room.get() <= 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_deep_backlog_keeps_its_order(
        prefetch in prop_oneof![Just(0u32), 1u32..5000],
        no_ack in prop::bool::weighted(0.2),
        steps in prop::collection::vec(any_step(), 1..25),
    ) {
        let mut backlog = Backlog::new(prefetch, no_ack);
        steps.iter().for_each(|step| backlog.step(step));
        backlog.step(&Step::Room(isize::MAX / 2));
        while !backlog.out.is_empty() || !backlog.ready.is_empty() {
            backlog.step(&Step::Settle(1000, true, Settlement::Ack));
        }
        assert_eq!(Rc::strong_count(&backlog.outlet.connection), 2);
    }
}

/// Sizes around every bound of the copying: empty, small, a page, more than is ever copied.
fn size_of_message(number: u64) -> usize {
    match number % 997 {
        0 => 70_000,
        1..=5 => 5_000,
        6..=9 => 4_085,
        n => (n % 120) as usize,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Messages are settled in any order: whatever is copied meanwhile, every one that is left
    /// keeps its body and its facts.
    #[test]
    fn thinning_keeps_what_is_left(
        order in Just((0..30_000u64).collect::<Vec<_>>()).prop_shuffle(),
        per_chunk in prop_oneof![Just(1usize), 2usize..40, Just(3000usize)],
        delivered in 0usize..30_000,
        returned in 0usize..200,
    ) {
        let mut contents = Contents::default();
        let mut ids = Vec::new();
        for numbers in order.iter().copied().collect::<BTreeSet<_>>().into_iter()
            .collect::<Vec<_>>().chunks(per_chunk)
        {
            let mut data = Vec::new();
            let places: Vec<_> = numbers.iter().map(|number| {
                let size = size_of_message(*number);
                (write_named(&mut data, &number.to_string(), size), size as u32, *number)
            }).collect();
            let chunk = Chunk::new(data);
            for (offset, size, number) in places {
                // Every seventh expires, each at a time of its own.
                let expires_at = if number % 7 == 0 { number } else { u64::MAX };
                ids.push(contents.push(0, &chunk, arriving(offset, size, expires_at)));
            }
        }
        for id in &ids[..delivered] {
            prop_assert_eq!(contents.head(), Some(*id));
            contents.deliver(*id);
        }
        let mut back = BTreeSet::new();
        for number in order.iter().filter(|n| **n < delivered as u64).take(returned) {
            prop_assert!(contents.give_back(ids[*number as usize], true, true));
            back.insert(*number);
        }
        let mut left: BTreeSet<u64> = order.iter().copied().collect();
        for (done, number) in order.iter().enumerate() {
            if done % 3000 == 0 {
                check_left(&contents, &ids, &left, &back);
                // New messages come in between: that is when old blocks are looked at.
                push_and_settle(&mut contents);
            }
            prop_assert!(contents.settle(ids[*number as usize]).is_some());
            let again = contents.settle(ids[*number as usize]);
            prop_assert!(again.is_none(), "settled twice");
            left.remove(number);
        }
        check_left(&contents, &ids, &left, &back);
        prop_assert_eq!(contents.totals(), Default::default());
    }
}

fn check_left(contents: &Contents, ids: &[MessageId], left: &BTreeSet<u64>, back: &BTreeSet<u64>) {
    for (number, id) in (0u64..).zip(ids) {
        let found = contents.get(*id);
        assert_eq!(found.is_some(), left.contains(&number), "{number}");
        let Some(meta) = found else { continue };
        let chunk = contents.chunk(*id).unwrap();
        assert_eq!(read_name(chunk, meta.offset), number.to_string());
        assert_eq!(meta.size as usize, size_of_message(number));
        assert_eq!(meta.redelivered, back.contains(&number));
        assert_eq!(meta.count, u32::from(back.contains(&number)));
        let expires = number % 7 == 0;
        assert_eq!(meta.expires_at, if expires { number } else { u64::MAX });
    }
}

fn push_and_settle(contents: &mut Contents) {
    let mut data = Vec::new();
    let offset = write_named(&mut data, "passing", 10);
    let chunk = Chunk::new(data);
    for _ in 0..10_000 {
        let id = contents.push(0, &chunk, arriving(offset, 10, u64::MAX));
        assert!(contents.settle(id).is_some());
    }
}
