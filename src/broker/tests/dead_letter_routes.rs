//! Where dead letters go: keys, missing exchanges, cycles, chains.

use super::stage::{Stage, deaths, keys, long};
use crate::amqp::Value;
use crate::exchange::ExchangeType;
use crate::limits::DEAD_LETTER_BURST;

const TTL: (&str, Value) = ("x-message-ttl", Value::I32(1000));

#[test]
fn without_a_key_of_the_queue_the_message_keeps_its_own() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Fanout, None);
    stage.exchange("dlx", ExchangeType::Direct, None);
    stage.mortal("q", "dlx", &[]);
    stage.bind("x", "", "q");
    for key in ["key", "copy", "blind"] {
        stage.queue(key, &[]);
        stage.bind("dlx", key, key);
    }
    let headers = [("CC", keys(&["copy"])), ("BCC", keys(&["blind"]))];
    stage.publish("x", "key", "body", &headers, None);
    stage.reject("q");
    for key in ["key", "copy", "blind"] {
        let seen = stage.must_get(key);
        assert_eq!(
            (seen.exchange.as_str(), seen.routing_key.as_str()),
            ("dlx", "key")
        );
        assert_eq!(seen.headers.get(b"CC"), Some(&keys(&["copy"])));
        assert_eq!(seen.headers.get(b"BCC"), None, "nobody sees BCC");
        assert_eq!(stage.ready(key), 0, "one copy");
    }
}

#[test]
fn what_nobody_takes_is_gone() {
    let stage = Stage::new();
    stage.mortal("nowhere", "missing", &[]);
    stage.put("nowhere", "body");
    stage.reject("nowhere");
    stage.exchange("dlx", ExchangeType::Direct, None);
    stage.mortal("unbound", "dlx", &[]);
    stage.put("unbound", "body");
    stage.reject("unbound");
    for queue in ["nowhere", "unbound"] {
        let status = stage.vhost.queue(queue.as_bytes()).unwrap().status();
        assert_eq!((status.ready, status.unacked), (0, 0));
    }
    // An exchange that comes later takes what dies from then on; its alternate as well.
    stage.exchange("missing", ExchangeType::Direct, Some("spare"));
    stage.exchange("spare", ExchangeType::Fanout, None);
    stage.queue("dead", &[]);
    stage.bind("spare", "", "dead");
    stage.put("nowhere", "later");
    stage.reject("nowhere");
    assert_eq!(stage.must_get("dead").body, "later");
}

#[test]
fn a_cycle_without_a_rejection_ends_at_once() {
    let stage = Stage::new();
    // By the message's own key it would come back to the queue that it died in.
    stage.mortal("q", "", &[TTL]);
    stage.put("q", "body");
    stage.expire("q");
    assert_eq!(stage.ready("q"), 0);

    // Around two queues it ends where it has been.
    stage.mortal("a", "", &[TTL, ("x-dead-letter-routing-key", long("b"))]);
    stage.mortal("b", "", &[TTL, ("x-dead-letter-routing-key", long("a"))]);
    stage.put("a", "body");
    stage.expire("a");
    assert_eq!(stage.ready("b"), 1);
    stage.expire("b");
    assert_eq!((stage.ready("a"), stage.ready("b")), (0, 0));
}

#[test]
fn a_cycle_with_a_rejection_goes_on() {
    let stage = Stage::new();
    stage.mortal("q", "", &[]);
    stage.put("q", "body");
    for count in 1..=3 {
        stage.reject("q");
        let seen = stage.must_get("q");
        assert_eq!(deaths(&seen.headers), [format!("q/rejected/{count}")]);
        let how = crate::queue::settle::Settlement::Undeliver;
        stage.settle("q", &seen, how);
    }
    // A client that rejects once on the way round starts it anew.
    stage.mortal("a", "", &[TTL, ("x-dead-letter-routing-key", long("b"))]);
    stage.mortal("b", "", &[("x-dead-letter-routing-key", long("a"))]);
    stage.put("a", "body");
    stage.expire("a");
    stage.reject("b");
    assert_eq!(stage.ready("a"), 1);
}

#[test]
fn only_the_queue_of_the_cycle_is_left_out() {
    let stage = Stage::new();
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.mortal("q", "dlx", &[TTL]);
    stage.queue("other", &[]);
    stage.bind("dlx", "", "q");
    stage.bind("dlx", "", "other");
    stage.put("q", "body");
    stage.expire("q");
    assert_eq!((stage.ready("q"), stage.ready("other")), (0, 1));
}

#[test]
fn one_death_may_cause_others_in_a_long_chain() {
    let stage = Stage::new();
    // Every queue is too short for anything and hands on to the next: no recursion carries it.
    let length = 300;
    for at in 0..length {
        let arguments = [
            ("x-max-length", Value::I32(0)),
            ("x-dead-letter-routing-key", long(&format!("q{}", at + 1))),
        ];
        stage.mortal(&format!("q{at}"), "", &arguments);
    }
    stage.queue(&format!("q{length}"), &[]);
    stage.put("q0", "body");
    let seen = stage.must_get(&format!("q{length}"));
    let deaths = deaths(&seen.headers);
    assert_eq!(deaths.len(), length);
    assert_eq!(deaths[0], format!("q{}/maxlen/1", length - 1));
}

#[test]
fn what_exceeds_a_burst_is_left_to_the_timer() {
    let stage = Stage::new();
    // Longer than a busy machine takes to put them all.
    let ttl = ("x-message-ttl", Value::I32(3_600_000));
    let arguments = [ttl, ("x-dead-letter-routing-key", long("dead"))];
    let source = stage.mortal("q", "", &arguments);
    stage.queue("dead", &[]);
    let count = DEAD_LETTER_BURST as u64 + 100;
    for _ in 0..count {
        stage.put("q", "body");
    }
    let mut all = crate::queue::Effects::default();
    loop {
        let mut effects = crate::queue::Effects::default();
        source.tick(u64::MAX - 1, &mut effects);
        all.dead.append(&mut effects.dead);
        if !effects.more {
            break;
        }
    }
    assert_eq!(all.dead.len() as u64, count);
    stage.broker.carry_out(&source, all);
    let done = stage.ready("dead");
    assert!(
        done >= DEAD_LETTER_BURST as u64 && done < count,
        "{done} at once"
    );
    super::at_least_once::run_timer_until(&stage, || stage.ready("dead") == count);
}
