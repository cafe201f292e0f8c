//! Messages by position while blocks of the index lie in pages and bodies in the log's files.

use std::sync::Arc;

use super::world::{Rest, World};
use crate::amqp::properties::Properties;
use crate::broker::inject::Injected;
use crate::broker::keeper::put_away;
use crate::broker::shared_queue::SharedQueue;
use crate::broker::tests::stage::{Stage, text};
use crate::limits::BLOCK_ENTRIES;

const BLOCKS: usize = 4;
const MESSAGES: usize = BLOCKS * BLOCK_ENTRIES;

struct Deep {
    world: World,
    stage: Stage,
    queue: Arc<SharedQueue>,
    /// What the queue holds.
    model: Vec<usize>,
}

impl Deep {
    /// A queue of numbered messages, all of it on disk.
    fn new(rest: &Rest) -> Self {
        let world = World::open(rest).unwrap();
        let stage = Stage {
            broker: Arc::clone(&world.broker),
            vhost: Arc::clone(&world.vhost),
        };
        let queue = stage.queue("deep", &[]);
        let mut deep = Self {
            world,
            stage,
            queue,
            model: Vec::new(),
        };
        for number in 0..MESSAGES {
            deep.publish("deep", number);
            deep.model.push(number);
        }
        deep.to_disk();
        deep
    }

    fn publish(&self, key: &str, number: usize) {
        let body = number.to_string();
        let message = Injected {
            exchange: b"",
            routing_key: key.as_bytes(),
            properties: Properties {
                delivery_mode: Some(2),
                ..Properties::default()
            },
            headers: None,
            body: body.as_bytes(),
        };
        let broker = &self.stage.broker;
        assert!(broker.inject(&self.stage.vhost, message, 1).unwrap().routed);
    }

    /// Writes the log and lets everything go from memory that can be had again.
    fn to_disk(&self) {
        while self.world.log.step().unwrap() {}
        self.queue.shed(true);
        put_away(&self.stage.broker, &self.queue, true).unwrap();
        assert!(self.away() >= BLOCKS - 1, "{} are away", self.away());
    }

    /// Blocks that are away.
    fn away(&self) -> usize {
        self.world.show(&self.queue, |_| Some(0)).away.len()
    }

    /// Looks at `most` messages from `offset` on.
    fn check(&self, offset: usize, most: usize) {
        let broker = &self.stage.broker;
        let peeked = broker
            .peek(&self.queue, offset as u64, most, u64::MAX, 1)
            .unwrap();
        let bodies: Vec<String> = peeked
            .iter()
            .map(|peeked| text(peeked.chunk.record(peeked.offset).body))
            .collect();
        let expected = self.model.iter().skip(offset).take(most);
        let expected: Vec<String> = expected.map(usize::to_string).collect();
        assert_eq!(bodies, expected, "from {offset}");
    }

    fn check_all(&self) {
        for offset in (0..self.model.len()).step_by(999) {
            self.check(offset, 1000);
        }
    }
}

/// Positions in every block, some of them neighbours.
fn scattered() -> Vec<usize> {
    let mut positions: Vec<usize> = (0..MESSAGES).step_by(61).collect();
    positions.extend(BLOCK_ENTRIES - 20..BLOCK_ENTRIES + 20);
    positions.sort_unstable();
    positions.dedup();
    positions
}

fn numbers(positions: &[usize]) -> Vec<u64> {
    positions.iter().map(|position| *position as u64).collect()
}

#[test]
fn messages_on_disk_are_seen_at_their_positions() {
    let rest = Rest::new(1);
    let deep = Deep::new(&rest);
    deep.check(MESSAGES - 5, 10);
    deep.check(MESSAGES, 10);
    deep.check(0, 3);
    // Two blocks.
    deep.check(BLOCK_ENTRIES - 10, 1000);
    deep.to_disk();
    deep.check_all();
    let ready = deep.queue.status().ready;
    assert_eq!(ready, MESSAGES as u64);
}

#[test]
fn what_is_deleted_or_moved_may_have_gone_to_disk_since_it_was_found() {
    let rest = Rest::new(2);
    let mut deep = Deep::new(&rest);
    let positions = scattered();
    let broker = Arc::clone(&deep.stage.broker);
    let found = broker
        .at_positions(&deep.queue, &numbers(&positions), 1)
        .unwrap();
    assert_eq!(found.len(), positions.len());
    deep.to_disk();
    let deleted = broker.act_on(&deep.queue, &found, 1, |queue, id, effects| {
        queue.delete_ready(id, effects)
    });
    assert_eq!(deleted.unwrap(), positions.len());
    for position in positions.iter().rev() {
        deep.model.remove(*position);
    }
    deep.check_all();
    let again = broker.act_on(&deep.queue, &found, 1, |queue, id, effects| {
        queue.delete_ready(id, effects)
    });
    assert_eq!(again.unwrap(), 0, "what is gone is not deleted again");
    deep.to_disk();
    let positions: Vec<usize> = scattered()
        .into_iter()
        .filter(|position| *position < deep.model.len())
        .collect();
    let moved = broker.requeue_at(&deep.queue, &numbers(&positions), 1);
    assert_eq!(moved.unwrap(), positions.len());
    let mut behind: Vec<usize> = positions
        .iter()
        .rev()
        .map(|position| deep.model.remove(*position))
        .collect();
    behind.reverse();
    deep.model.extend(behind);
    deep.to_disk();
    deep.check_all();
}

#[test]
fn dead_letters_on_disk_are_sent_on() {
    use crate::broker::redrive::{Filter, Order, Target};
    let rest = Rest::new(3);
    let deep = Deep::new(&rest);
    let target = deep.stage.queue("target", &[]);
    let order = Order {
        target: Target::Queue("target".into()),
        filter: Filter::default(),
    };
    let (broker, vhost) = (&deep.stage.broker, &deep.stage.vhost);
    let mut after = None;
    let mut moved = 0;
    while moved < MESSAGES as u64 {
        deep.world.log.step().unwrap();
        // Whatever can leave memory does so between two handfuls.
        deep.queue.shed(true);
        put_away(broker, &deep.queue, true).unwrap();
        let progress = broker
            .redrive_some(vhost, &deep.queue, &order, after, 700, u64::MAX, 1)
            .unwrap();
        assert_eq!((progress.failed, progress.kept), (0, 0));
        assert!(progress.moved > 0, "{moved} have left");
        moved += progress.moved;
        after = progress.last;
    }
    assert_eq!(deep.queue.status().ready, 0);
    assert_eq!(target.status().ready, MESSAGES as u64);
}
