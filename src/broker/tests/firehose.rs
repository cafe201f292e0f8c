//! What the firehose tells, and to whom.

use super::stage::Stage;
use crate::amqp::hot::join_route;
use crate::amqp::{Table, Value};
use crate::broker::admin::{Tap, Told};
use crate::exchange::ExchangeType;
use crate::message::Record;
use crate::time::unix_ms;

fn tap(stage: &Stage) -> Tap<'_> {
    Tap {
        vhost: &stage.vhost,
        connection: Some("a -> b"),
        channel: 3,
        user: "guest",
    }
}

fn field<'t>(table: &'t Table, name: &str) -> &'t Value {
    table.get(name.as_bytes()).unwrap()
}

#[test]
fn publishes_and_deliveries_go_to_their_keys_with_an_account() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Fanout, None);
    let to = stage.queue("q", &[]);
    for (queue, key) in [("published", "publish.x"), ("delivered", "deliver.q")] {
        stage.queue(queue, &[]);
        stage.bind("amq.rabbitmq.trace", key, queue);
    }
    let route = join_route(b"x", b"k");
    let record = Record {
        route: &route,
        body: b"body",
        ..Record::default()
    };
    let queues = [to];
    let now = unix_ms();
    stage
        .broker
        .tell(tap(&stage), &record, Told::Published(&queues), now);
    stage
        .broker
        .tell(tap(&stage), &record, Told::Delivered(&queues[0], true), now);
    let seen = stage.must_get("published");
    assert_eq!(
        (seen.body.as_str(), seen.routing_key.as_str()),
        ("body", "publish.x")
    );
    let long = |text: &str| Value::text(text);
    assert_eq!(field(&seen.headers, "exchange_name"), &long("x"));
    assert_eq!(
        field(&seen.headers, "routing_keys"),
        &Value::Array(vec![long("k")])
    );
    assert_eq!(field(&seen.headers, "node"), &long("nonode@nohost"));
    assert_eq!(field(&seen.headers, "connection"), &long("a -> b"));
    assert_eq!(field(&seen.headers, "channel"), &Value::I32(3));
    assert_eq!(
        field(&seen.headers, "routed_queues"),
        &Value::Array(vec![long("q")])
    );
    let seen = stage.must_get("delivered");
    assert_eq!(field(&seen.headers, "redelivered"), &Value::I32(1));
    assert!(seen.headers.get(b"routed_queues").is_none());
}

#[test]
fn its_own_copies_are_not_told_of() {
    let stage = Stage::new();
    stage.queue("all", &[]);
    stage.bind("amq.rabbitmq.trace", "#", "all");
    let route = join_route(b"amq.rabbitmq.trace", b"publish.x");
    let record = Record {
        route: &route,
        ..Record::default()
    };
    stage
        .broker
        .tell(tap(&stage), &record, Told::Published(&[]), unix_ms());
    assert_eq!(stage.ready("all"), 0);
}

#[test]
fn switching_makes_publishers_look_again() {
    let stage = Stage::new();
    let before = stage.broker.users.generation();
    stage.broker.admin_trace("/", true).unwrap();
    let on = stage.broker.users.generation();
    assert!(stage.vhost.is_traced() && on > before);
    stage.broker.admin_trace("/", true).unwrap();
    assert_eq!(stage.broker.users.generation(), on);
    assert!(stage.broker.admin_trace("nosuch", true).is_err());
}
