//! The half of the queue that a log will replay: the same operations give the same contents,
//! whatever chunks the bodies lie in.

use std::sync::Arc;

use proptest::prelude::*;

use super::outlet::{arriving, read_name, write_named};
use crate::message::Chunk;
use crate::queue::block::State;
use crate::queue::counters::Totals;
use crate::queue::{Contents, MessageId};

#[derive(Debug, Clone)]
enum Operation {
    /// Priority, sizes and expiry of a batch in one chunk.
    Push(u8, Vec<u32>, u64),
    /// Delivers what leaves next, this often.
    Deliver(usize),
    /// Settles a message that was pushed once: it may be gone, waiting or out.
    Settle(usize),
    GiveBack(usize, bool, bool, bool),
    /// Settles everything that is due.
    Expire(u64),
}

fn any_operation() -> impl Strategy<Value = Operation> {
    let at = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 30));
    let flag = any::<bool>;
    let expiry = prop_oneof![2 => Just(u64::MAX), 1 => 0u64..100];
    prop_oneof![
        3 => (0u8..3, prop::collection::vec(0u32..300, 1..200), expiry)
            .prop_map(|(priority, sizes, expiry)| Operation::Push(priority, sizes, expiry)),
        3 => (1usize..300).prop_map(Operation::Deliver),
        3 => at().prop_map(Operation::Settle),
        3 => (at(), flag(), flag(), flag())
            .prop_map(|(at, redelivered, count, end)| {
                Operation::GiveBack(at, redelivered, count, end)
            }),
        1 => (0u64..100).prop_map(Operation::Expire),
    ]
}

/// One life of a queue's contents.
struct Life {
    contents: Contents,
    /// Every id there ever was, in the order in which they came up.
    ids: Vec<MessageId>,
    /// What each operation answered.
    answers: Vec<String>,
    /// Each message in a chunk of its own, as after reading them from a log.
    apart: bool,
    names: u64,
}

impl Life {
    fn new(apart: bool) -> Self {
        Self {
            contents: Contents::default(),
            ids: Vec::new(),
            answers: Vec::new(),
            apart,
            names: 0,
        }
    }

    fn apply(&mut self, operation: &Operation) {
        let answer = match operation {
            Operation::Push(priority, sizes, expiry) => self.push(*priority, sizes, *expiry),
            Operation::Deliver(count) => {
                let mut delivered = Vec::new();
                for _ in 0..*count {
                    let Some(id) = self.contents.head() else {
                        break;
                    };
                    self.contents.deliver(id);
                    delivered.push(id);
                }
                format!("{delivered:?}")
            }
            Operation::Settle(at) => match self.pick(*at) {
                Some(id) => format!("{:?}", self.contents.settle(id)),
                None => String::new(),
            },
            Operation::GiveBack(at, redelivered, count, to_end) => match self.pick(*at) {
                Some(id) if *to_end => {
                    let moved = self.contents.give_back_at_end(id, *redelivered, *count);
                    self.ids.extend(moved);
                    format!("{moved:?}")
                }
                Some(id) => self
                    .contents
                    .give_back(id, *redelivered, *count)
                    .to_string(),
                None => String::new(),
            },
            Operation::Expire(now) => {
                let due = self.contents.due(*now, 100);
                for id in &due {
                    assert!(self.contents.settle(*id).is_some(), "due but gone");
                }
                format!("{due:?}")
            }
        };
        self.answers.push(answer);
    }

    fn push(&mut self, priority: u8, sizes: &[u32], expiry: u64) -> String {
        let mut data = Vec::new();
        let mut places = Vec::new();
        for size in sizes {
            self.names += 1;
            let name = format!("m{}", self.names);
            let offset = write_named(&mut data, &name, *size as usize);
            if self.apart {
                places.push((Some(Chunk::new(std::mem::take(&mut data))), 0, *size));
            } else {
                places.push((None, offset, *size));
            }
        }
        let shared = Chunk::new(data);
        let mut pushed = Vec::new();
        for (own, offset, size) in places {
            let chunk = own.unwrap_or_else(|| Arc::clone(&shared));
            let message = arriving(offset, size, expiry);
            pushed.push(self.contents.push(priority, &chunk, message));
        }
        self.ids.extend_from_slice(&pushed);
        format!("{pushed:?}")
    }

    fn pick(&self, at: usize) -> Option<MessageId> {
        (!self.ids.is_empty()).then(|| self.ids[at % self.ids.len()])
    }

    /// Everything that anybody can see: totals, and every message with its facts and its body.
    fn observed(&mut self) -> (Totals, Option<MessageId>, Vec<String>) {
        let head = self.contents.head();
        let mut all = Vec::new();
        let mut ready = 0;
        for number in 0..=self.names + 2000 {
            for priority in 0..3u64 {
                let id = MessageId::from_raw(priority << 56 | number);
                if let Some(meta) = self.contents.get(id) {
                    let chunk = self.contents.chunk(id).unwrap();
                    ready += u64::from(meta.state == State::Ready);
                    let name = read_name(chunk, meta.offset);
                    assert_eq!(chunk.record(meta.offset).body.len(), meta.size as usize);
                    all.push(format!(
                        "{id:?} {name} {:?} {} {} {} {}",
                        meta.state, meta.size, meta.redelivered, meta.count, meta.expires_at
                    ));
                }
            }
        }
        let totals = self.contents.totals();
        assert_eq!(totals.ready, ready);
        assert_eq!(totals.ready + totals.unacked, all.len() as u64);
        (totals, head, all)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_same_operations_give_the_same_contents(
        operations in prop::collection::vec(any_operation(), 1..80),
    ) {
        let mut first = Life::new(false);
        let mut again = Life::new(false);
        let mut apart = Life::new(true);
        for life in [&mut first, &mut again, &mut apart] {
            operations.iter().for_each(|operation| life.apply(operation));
        }
        prop_assert_eq!(&first.answers, &again.answers);
        prop_assert_eq!(&first.answers, &apart.answers);
        let observed = first.observed();
        prop_assert_eq!(&observed, &again.observed());
        prop_assert_eq!(&observed, &apart.observed());
    }
}
