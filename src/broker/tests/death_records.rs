//! What `x-death` and its companions say.

use super::stage::{Stage, deaths, keys, long, table, text};
use crate::amqp::{Table, Value};
use crate::exchange::ExchangeType;
use crate::queue::settle::Settlement;
use crate::time::unix_ms;

fn first_death(headers: &Table) -> Table {
    match headers.get(b"x-death") {
        Some(Value::Array(deaths)) => match deaths.first() {
            Some(Value::Table(death)) => death.clone(),
            other => panic!("x-death holds {other:?}"),
        },
        other => panic!("x-death is {other:?}"),
    }
}

fn string(headers: &Table, name: &str) -> Option<String> {
    let value = headers.get(name.as_bytes());
    value.and_then(Value::as_long_string).map(text)
}

#[test]
fn a_death_is_described_in_full() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Topic, None);
    stage.mortal("q", "", &[("x-dead-letter-routing-key", long("dead"))]);
    stage.queue("dead", &[]);
    stage.bind("x", "#", "q");
    let before = unix_ms() / 1000;
    let headers = [("CC", keys(&["other"])), ("mine", Value::Bool(true))];
    stage.publish("x", "key", "body", &headers, None);
    stage.reject("q");
    let seen = stage.must_get("dead");
    assert_eq!(
        (seen.exchange.as_str(), seen.routing_key.as_str()),
        ("", "dead")
    );
    assert_eq!(seen.body, "body");
    let death = first_death(&seen.headers);
    let names: Vec<String> = death.iter().map(|(name, _)| text(name)).collect();
    let expected = [
        "count",
        "reason",
        "queue",
        "time",
        "exchange",
        "routing-keys",
    ];
    assert_eq!(names, expected);
    assert_eq!(death.get(b"count"), Some(&Value::I64(1)));
    assert_eq!(string(&death, "reason").unwrap(), "rejected");
    assert_eq!(string(&death, "queue").unwrap(), "q");
    assert_eq!(string(&death, "exchange").unwrap(), "x");
    assert_eq!(death.get(b"routing-keys"), Some(&keys(&["key", "other"])));
    let Some(Value::Timestamp(at)) = death.get(b"time") else {
        panic!("time is {:?}", death.get(b"time"));
    };
    assert!((before..=unix_ms() / 1000).contains(at));
    assert_eq!(string(&seen.headers, "x-first-death-queue").unwrap(), "q");
    assert_eq!(
        string(&seen.headers, "x-first-death-reason").unwrap(),
        "rejected"
    );
    assert_eq!(
        string(&seen.headers, "x-first-death-exchange").unwrap(),
        "x"
    );
    assert_eq!(seen.headers.get(b"mine"), Some(&Value::Bool(true)));
    // A routing key of the queue's own takes the place of all of the message's.
    assert_eq!(seen.headers.get(b"CC"), None);
}

#[test]
fn every_way_to_die_has_its_word() {
    let stage = Stage::new();
    stage.queue("dead", &[]);
    let to_dead = ("x-dead-letter-routing-key", long("dead"));
    let mortal = |name: &str, argument: Option<(&'static str, Value)>| {
        let arguments: Vec<_> = [Some(to_dead.clone()), argument]
            .into_iter()
            .flatten()
            .collect();
        stage.mortal(name, "", &arguments);
        stage.put(name, name);
    };
    mortal("rejected", None);
    stage.reject("rejected");
    mortal("expired", Some(("x-message-ttl", Value::I32(1000))));
    stage.expire("expired");
    mortal("maxlen", Some(("x-max-length", Value::I32(0))));
    mortal("delivery_limit", Some(("x-delivery-limit", Value::I32(0))));
    let seen = stage.must_get("delivery_limit");
    stage.settle("delivery_limit", &seen, Settlement::Requeue);
    for reason in ["rejected", "expired", "maxlen", "delivery_limit"] {
        let seen = stage.must_get("dead");
        assert_eq!(seen.body, reason);
        assert_eq!(deaths(&seen.headers), [format!("{reason}/{reason}/1")]);
    }
    assert_eq!(stage.ready("dead"), 0);
}

#[test]
fn a_refused_publish_dies_where_the_overflow_says_so() {
    let stage = Stage::new();
    stage.queue("dead", &[]);
    let arguments = [
        ("x-dead-letter-routing-key", long("dead")),
        ("x-max-length", Value::I32(1)),
        ("x-overflow", long("reject-publish-dlx")),
    ];
    stage.mortal("q", "", &arguments);
    assert_eq!(stage.publish("", "q", "1", &[], None), (1, false));
    assert_eq!(stage.publish("", "q", "2", &[], None), (1, true));
    let seen = stage.must_get("dead");
    assert_eq!(seen.body, "2");
    assert_eq!(deaths(&seen.headers), ["q/maxlen/1"]);
}

#[test]
fn the_expiration_ends_with_the_first_death_and_is_remembered() {
    let stage = Stage::new();
    stage.mortal("q", "", &[("x-dead-letter-routing-key", long("dead"))]);
    stage.queue("dead", &[]);
    stage.publish("", "q", "body", &[], Some("5000"));
    stage.expire("q");
    let seen = stage.must_get("dead");
    assert_eq!(seen.expiration, None);
    let death = first_death(&seen.headers);
    assert_eq!(string(&death, "original-expiration").unwrap(), "5000");
    // It does not expire again.
    stage.settle("dead", &seen, Settlement::Requeue);
    stage.expire("dead");
    assert_eq!(stage.ready("dead"), 1);
}

#[test]
fn deaths_are_counted_by_queue_and_reason_the_newest_first() {
    let stage = Stage::new();
    stage.mortal("a", "", &[("x-dead-letter-routing-key", long("b"))]);
    stage.mortal("b", "", &[("x-dead-letter-routing-key", long("a"))]);
    stage.put("a", "body");
    stage.reject("a");
    stage.reject("b");
    let seen = stage.must_get("a");
    assert_eq!(deaths(&seen.headers), ["b/rejected/1", "a/rejected/1"]);
    stage.settle("a", &seen, Settlement::Reject);
    let seen = stage.must_get("b");
    assert_eq!(deaths(&seen.headers), ["a/rejected/2", "b/rejected/1"]);
    // The first death stays what it was.
    assert_eq!(string(&seen.headers, "x-first-death-queue").unwrap(), "a");
}

#[test]
fn a_further_death_turns_the_older_ones_round() {
    let stage = Stage::new();
    for (queue, next) in [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")] {
        stage.mortal(queue, "", &[("x-dead-letter-routing-key", long(next))]);
    }
    stage.queue("e", &[]);
    stage.put("a", "body");
    let orders: [&[&str]; 4] = [&["a"], &["b", "a"], &["c", "a", "b"], &["d", "b", "a", "c"]];
    for ((queue, next), order) in ["a", "b", "c", "d"]
        .into_iter()
        .zip(["b", "c", "d", "e"])
        .zip(orders)
    {
        stage.reject(queue);
        let seen = stage.must_get(next);
        let expected: Vec<String> = order.iter().map(|q| format!("{q}/rejected/1")).collect();
        assert_eq!(deaths(&seen.headers), expected);
        stage.settle(next, &seen, Settlement::Undeliver);
    }
}

#[test]
fn a_record_that_a_client_made_is_gone_on_with() {
    let stage = Stage::new();
    stage.mortal("q", "", &[("x-dead-letter-routing-key", long("dead"))]);
    stage.queue("dead", &[]);
    let death = table(&[
        ("queue", long("q")),
        ("reason", long("rejected")),
        ("count", Value::I64(41)),
    ]);
    let record = [("x-death", Value::Array(vec![Value::Table(death)]))];
    stage.publish("", "q", "body", &record, None);
    stage.reject("q");
    let seen = stage.must_get("dead");
    assert_eq!(deaths(&seen.headers), ["q/rejected/42"]);
    assert_eq!(string(&seen.headers, "x-first-death-queue"), None);
    // One that is no array is replaced.
    stage.publish("", "q", "body", &[("x-death", Value::I32(1))], None);
    stage.reject("q");
    let seen = stage.must_get("dead");
    assert_eq!(deaths(&seen.headers), ["q/rejected/1"]);
}
