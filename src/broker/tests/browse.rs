//! An operator's look into a queue, and messages sent on.

use super::stage::{Stage, keys, long, text};
use crate::broker::redrive::{Filter, Order, Progress, Target};
use crate::queue::settle::Settlement;
use crate::time::unix_ms;

/// The bodies in a queue from `offset` on, without taking them.
fn bodies(stage: &Stage, queue: &str, offset: u64, most: usize) -> Vec<String> {
    let queue = stage.vhost.queue(queue.as_bytes()).unwrap();
    let peeked = stage
        .broker
        .peek(&queue, offset, most, u64::MAX, unix_ms())
        .unwrap();
    assert!(peeked.iter().zip(offset..).all(|(p, at)| p.position == at));
    peeked
        .iter()
        .map(|peeked| text(peeked.chunk.record(peeked.offset).body))
        .collect()
}

#[test]
fn positions_follow_the_order_in_which_messages_leave() {
    let stage = Stage::new();
    let queue = stage.queue("q", &[("x-max-priority", crate::amqp::Value::I32(3))]);
    for n in 0..2500 {
        stage.put("q", &format!("m{n}"));
    }
    assert_eq!(bodies(&stage, "q", 0, 3), ["m0", "m1", "m2"]);
    assert_eq!(bodies(&stage, "q", 2040, 2), ["m2040", "m2041"]);
    assert_eq!(bodies(&stage, "q", 2498, 10), ["m2498", "m2499"]);
    assert!(bodies(&stage, "q", 2500, 10).is_empty());
    // What is with a consumer has no position; what comes back has its old one.
    let first = stage.must_get("q");
    let second = stage.must_get("q");
    assert_eq!(bodies(&stage, "q", 0, 2), ["m2", "m3"]);
    stage.settle("q", &second, Settlement::Requeue);
    assert_eq!(bodies(&stage, "q", 0, 2), ["m1", "m2"]);
    stage.settle("q", &first, Settlement::Ack);
    assert_eq!(queue.status().ready, 2499);
}

#[test]
fn messages_are_deleted_and_moved_by_position() {
    let stage = Stage::new();
    let queue = stage.queue("q", &[]);
    for n in 0..6 {
        stage.put("q", &format!("m{n}"));
    }
    let (broker, now) = (&stage.broker, unix_ms());
    assert_eq!(broker.delete_at(&queue, &[1, 2, 5, 9], now).unwrap(), 3);
    assert_eq!(bodies(&stage, "q", 0, 9), ["m0", "m3", "m4"]);
    assert_eq!(broker.requeue_at(&queue, &[0, 1], now).unwrap(), 2);
    assert_eq!(bodies(&stage, "q", 0, 9), ["m4", "m0", "m3"]);
    assert_eq!(stage.ready("q"), 3);
    let seen = stage.must_get("q");
    assert_eq!((seen.body.as_str(), seen.taken.redelivered), ("m4", false));
    let moved = stage.must_get("q");
    assert_eq!(
        (moved.body.as_str(), moved.taken.redelivered),
        ("m0", false)
    );
}

fn order(target: Target, filter: Filter) -> Order {
    Order { target, filter }
}

fn redrive(stage: &Stage, queue: &str, order: &Order, most: usize, limit: u64) -> Progress {
    let queue = stage.vhost.queue(queue.as_bytes()).unwrap();
    stage
        .broker
        .redrive_some(&stage.vhost, &queue, order, None, most, limit, unix_ms())
        .unwrap()
}

#[test]
fn dead_letters_go_back_to_where_they_died() {
    let stage = Stage::new();
    stage.exchange("dlx", crate::exchange::ExchangeType::Fanout, None);
    stage.queue("dead", &[]);
    stage.bind("dlx", "", "dead");
    stage.mortal("one", "dlx", &[]);
    stage.mortal("two", "dlx", &[]);
    for queue in ["one", "two", "one"] {
        stage.put(queue, queue);
        stage.reject(queue);
    }
    stage.put("dead", "never died");
    assert_eq!(stage.ready("dead"), 4);
    let only_two = Filter {
        queue: Some("two".to_owned()),
        ..Filter::default()
    };
    let progress = redrive(&stage, "dead", &order(Target::Origin, only_two), 100, 100);
    assert_eq!((progress.seen, progress.moved, progress.kept), (4, 1, 3));
    assert_eq!((stage.ready("one"), stage.ready("two")), (0, 1));
    let all = order(Target::Origin, Filter::default());
    let progress = redrive(&stage, "dead", &all, 100, 1);
    assert_eq!((progress.seen, progress.moved), (1, 1));
    let progress = redrive(&stage, "dead", &all, 100, 100);
    // What never died has no origin and stays.
    assert_eq!((progress.moved, progress.failed), (1, 1));
    assert_eq!((stage.ready("one"), stage.ready("dead")), (2, 1));
    let back = stage.must_get("one");
    assert_eq!(
        (back.exchange.as_str(), back.routing_key.as_str()),
        ("", "one")
    );
    assert_eq!(super::stage::deaths(&back.headers), ["one/rejected/1"]);
}

#[test]
fn messages_go_to_a_queue_only_where_it_takes_them() {
    let stage = Stage::new();
    stage.queue("from", &[]);
    stage.queue(
        "full",
        &[
            ("x-max-length", crate::amqp::Value::I32(1)),
            ("x-overflow", long("reject-publish")),
        ],
    );
    for n in 0..3 {
        stage.publish("", "from", &format!("m{n}"), &[("CC", keys(&[]))], None);
    }
    let to = |name: &str| order(Target::Queue(name.to_owned()), Filter::default());
    let progress = redrive(&stage, "from", &to("full"), 100, 100);
    assert_eq!((progress.moved, progress.failed), (1, 2));
    assert_eq!(bodies(&stage, "from", 0, 9), ["m1", "m2"]);
    assert_eq!(bodies(&stage, "full", 0, 9), ["m0"]);
    assert_eq!(redrive(&stage, "from", &to("nosuch"), 9, 9).failed, 2);
    assert_eq!(redrive(&stage, "from", &to("from"), 9, 9).failed, 2);
    let seen = stage.must_get("from");
    assert!(!seen.taken.redelivered, "a failed move leaves no trace");
}
