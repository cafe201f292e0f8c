//! Random operations on the queue and on the naive one beside it: they must do the same, and what
//! the consumers see must hold together by itself.

use proptest::prelude::*;

use super::harness::{CONNECTIONS, Harness};
use super::model::Published;
use crate::queue::settle::Settlement;
use crate::queue::{Overflow, QueueArguments, QueueKind};

/// Octets, priority, time to live, forced, persistent.
type Message = (u32, u8, Option<u64>, bool, bool);

/// An operation; places in a list are taken modulo its length.
#[derive(Debug, Clone)]
enum Step {
    Publish(Vec<Message>),
    Consume {
        no_ack: bool,
        priority: i32,
        prefetch: u32,
        connection: usize,
    },
    Cancel(usize),
    Settle(usize, usize, Settlement),
    Get(bool),
    Purge,
    Wait(u64),
    Tick,
    Prefetch(usize, u32),
    Room(usize, isize),
    Credit(usize, Option<u32>),
    Revisit(usize),
    Bury(usize),
    /// What is written so far is known to be.
    Tell,
    /// Bodies that lie in files leave memory, all or most.
    Shed(bool),
    /// What the queue has asked for is read, with gaps of so many octets.
    Read(usize, u32),
    /// A checkpoint is begun, or what was begun is ended.
    Checkpoint(bool),
    /// The log is read in the order of this number.
    Recover(u64),
    /// The same, and the queue goes on with what was found.
    Restart(u64),
}

fn any_settings() -> impl Strategy<Value = QueueArguments> {
    let overflow = prop_oneof![
        2 => Just(Overflow::DropHead),
        2 => Just(Overflow::RejectPublish),
        1 => Just(Overflow::RejectPublishDlx),
    ];
    let limits = (
        prop::option::weighted(0.4, 0u64..6),
        prop::option::weighted(0.2, 0u64..40),
        overflow,
    );
    let deaths = (
        prop::bool::weighted(0.7),
        any::<bool>(),
        prop::option::weighted(0.3, 0u32..3),
    );
    let ttl = prop::option::weighted(0.3, prop_oneof![Just(0u64), 1u64..30]);
    let kind = prop_oneof![2 => Just(QueueKind::Classic), 1 => Just(QueueKind::Quorum)];
    let single = prop::bool::weighted(0.2);
    (kind, limits, deaths, ttl, 0u8..4, single).prop_map(
        |(kind, (max_length, max_length_bytes, overflow), deaths, ttl, max_priority, single)| {
            QueueArguments {
                kind,
                message_ttl_ms: ttl,
                max_length,
                max_length_bytes,
                overflow,
                max_priority,
                dead_letter_exchange: deaths.0.then(|| b"dead".to_vec()),
                at_least_once: deaths.1,
                delivery_limit: deaths.2,
                single_active_consumer: single,
                ..QueueArguments::default()
            }
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    let message = (
        0u32..20,
        0u8..5,
        prop::option::weighted(0.2, prop_oneof![Just(0u64), 1u64..30]),
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.8),
    );
    let how = prop_oneof![
        3 => Just(Settlement::Ack),
        1 => Just(Settlement::Reject),
        2 => Just(Settlement::Requeue),
        1 => Just(Settlement::Undeliver),
    ];
    let consume = (any::<bool>(), -1..2i32, 0u32..4, 0..CONNECTIONS).prop_map(
        |(no_ack, priority, prefetch, connection)| Step::Consume {
            no_ack,
            priority,
            prefetch,
            connection,
        },
    );
    let at = any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    prop_oneof![
        8 => prop::collection::vec(message, 1..6).prop_map(Step::Publish),
        2 => consume,
        1 => at.clone().prop_map(Step::Cancel),
        8 => (at.clone(), 1usize..6, how).prop_map(|(at, n, how)| Step::Settle(at, n, how)),
        2 => any::<bool>().prop_map(Step::Get),
        1 => Just(Step::Purge),
        2 => (1u64..20).prop_map(Step::Wait),
        2 => Just(Step::Tick),
        1 => (at.clone(), 0u32..4).prop_map(|(at, limit)| Step::Prefetch(at, limit)),
        2 => (0..CONNECTIONS, -50isize..400).prop_map(|(c, room)| Step::Room(c, room)),
        2 => (0..CONNECTIONS, prop::option::of(0u32..4)).prop_map(|(c, n)| Step::Credit(c, n)),
        3 => at.clone().prop_map(Step::Revisit),
        2 => at.clone().prop_map(Step::Bury),
        3 => Just(Step::Tell),
        3 => prop::bool::weighted(0.9).prop_map(Step::Shed),
        4 => (at, prop_oneof![Just(0u32), 1u32..200, Just(1 << 20)])
            .prop_map(|(at, gap)| Step::Read(at, gap)),
        2 => any::<bool>().prop_map(Step::Checkpoint),
        1 => any::<u64>().prop_map(Step::Recover),
        1 => any::<u64>().prop_map(Step::Restart),
    ]
}

fn apply(harness: &mut Harness, step: &Step) {
    match step {
        Step::Publish(messages) => {
            let batch: Vec<Published> = messages
                .iter()
                .map(|(size, priority, ttl, forced, persistent)| Published {
                    name: harness.fresh_name(),
                    size: *size,
                    priority: *priority,
                    ttl_ms: ttl.unwrap_or(u64::MAX),
                    persistent: *persistent,
                    forced: *forced,
                })
                .collect();
            harness.publish(&batch);
        }
        Step::Consume {
            no_ack,
            priority,
            prefetch,
            connection,
        } => harness.consume(*no_ack, *priority, *prefetch, *connection),
        Step::Cancel(at) => harness.with_consumer(*at, Harness::cancel),
        Step::Settle(at, count, how) => harness.settle(*at, *count, *how),
        Step::Get(no_ack) => harness.get(*no_ack),
        Step::Purge => harness.purge(),
        Step::Wait(ms) => harness.model.now += ms,
        Step::Tick => harness.tick(),
        Step::Prefetch(at, limit) => {
            harness.with_consumer(*at, |harness, key| harness.set_prefetch(key, *limit));
        }
        Step::Room(at, room) => {
            harness.connections[*at].room.set(*room);
            harness.model.room[*at] = *room;
        }
        Step::Credit(at, credit) => {
            harness.connections[*at].credit.set(*credit);
            harness.model.credit[*at] = *credit;
        }
        Step::Revisit(at) => harness.with_consumer(*at, Harness::revisit),
        Step::Bury(at) => harness.bury(*at),
        Step::Tell => harness.disk.tell(),
        Step::Shed(all) => harness.shed(*all),
        Step::Read(at, gap) => harness.read(*at, *gap),
        Step::Checkpoint(begin) => harness.checkpoint(*begin),
        Step::Recover(seed) => drop(harness.recover(*seed)),
        Step::Restart(seed) => harness.restart(*seed),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_queue_does_what_a_naive_one_does(
        settings in any_settings(),
        durable in prop::bool::weighted(0.7),
        seed in any::<u64>(),
        steps in prop::collection::vec(any_step(), 1..120),
    ) {
        let mut harness = Harness::new(settings, durable);
        for step in &steps {
            apply(&mut harness, step);
        }
        harness.recover(seed);
        harness.drain();
        harness.end(seed);
    }
}
