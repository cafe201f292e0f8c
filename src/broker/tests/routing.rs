//! Routes: one copy for every queue, bindings between exchanges, alternates, and circles of both.

use super::stage::{Stage, keys, names, table};
use crate::amqp::Value;
use crate::exchange::ExchangeType;

#[test]
fn a_queue_gets_one_copy_whatever_leads_to_it() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Topic, None);
    stage.exchange("y", ExchangeType::Fanout, None);
    stage.queue("q", &[]);
    stage.queue("other", &[]);
    for key in ["a.b", "a.*", "#"] {
        stage.bind("x", key, "q");
    }
    stage.bind("y", "", "q");
    stage.bind("y", "", "other");
    stage.bind_exchange("x", "a.#", "y");
    assert_eq!(names(&stage.route("x", "a.b")), ["other", "q"]);
    assert_eq!(names(&stage.route("x", "c")), ["q"]);
    assert_eq!(stage.publish("x", "a.b", "body", &[], None), (2, false));
    assert_eq!((stage.ready("q"), stage.ready("other")), (1, 1));
}

#[test]
fn every_key_of_cc_and_bcc_is_a_key() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Direct, None);
    for name in ["a", "b", "c", "d"] {
        stage.queue(name, &[]);
        stage.bind("x", name, name);
    }
    let headers = [("CC", keys(&["b", "a"])), ("BCC", keys(&["c"]))];
    assert_eq!(stage.publish("x", "a", "body", &headers, None), (3, false));
    assert_eq!(stage.ready("a"), 1, "one copy");
    assert_eq!(stage.publish("", "a", "body", &headers, None), (3, false));
    assert_eq!(stage.ready("d"), 0);
    for name in ["a", "b", "c"] {
        assert_eq!(stage.ready(name), 2);
        assert_eq!(stage.must_get(name).headers.get(b"BCC"), None);
    }
    // A route by several keys is not that of the first one.
    assert!(
        !stage
            .route_with("x", &["a", "b"], &table(&[]))
            .may_be_kept()
    );
}

#[test]
fn exchanges_that_lead_to_each_other_are_visited_once() {
    let stage = Stage::new();
    for (name, next) in [("a", "b"), ("b", "c"), ("c", "a")] {
        stage.exchange(name, ExchangeType::Fanout, None);
        stage.queue(&format!("q{name}"), &[]);
        stage.bind(name, "", &format!("q{name}"));
        // The last one exists already when it is named.
        if name == "c" {
            stage.bind_exchange("a", "", "b");
            stage.bind_exchange("b", "", "c");
            stage.bind_exchange("c", "", next);
        }
    }
    stage.bind_exchange("a", "", "a");
    for name in ["a", "b", "c"] {
        assert_eq!(names(&stage.route(name, "k")), ["qa", "qb", "qc"]);
        assert_eq!(stage.publish(name, "k", "body", &[], None), (3, false));
    }
    assert_eq!(stage.ready("qa"), 3);
}

#[test]
fn an_alternate_takes_what_nothing_else_takes() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Direct, Some("spare"));
    stage.exchange("spare", ExchangeType::Direct, Some("last"));
    stage.exchange("last", ExchangeType::Fanout, None);
    for queue in ["qx", "qspare", "qlast"] {
        stage.queue(queue, &[]);
    }
    stage.bind("x", "1", "qx");
    stage.bind("spare", "1", "qspare");
    stage.bind("spare", "2", "qspare");
    stage.bind("last", "", "qlast");
    assert_eq!(names(&stage.route("x", "1")), ["qx"]);
    assert_eq!(names(&stage.route("x", "2")), ["qspare"]);
    assert_eq!(names(&stage.route("x", "3")), ["qlast"]);
    // The message keeps the exchange that it was published to.
    stage.publish("x", "3", "body", &[], None);
    assert_eq!(stage.must_get("qlast").exchange, "x");
}

#[test]
fn the_alternate_of_an_exchange_further_on_counts_as_well() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Fanout, Some("spare of x"));
    stage.exchange("y", ExchangeType::Direct, Some("spare of y"));
    for spare in ["spare of x", "spare of y"] {
        stage.exchange(spare, ExchangeType::Fanout, None);
        stage.queue(spare, &[]);
        stage.bind(spare, "", spare);
    }
    stage.bind_exchange("x", "", "y");
    // x has found an exchange, so that its own alternate has nothing to do.
    assert_eq!(names(&stage.route("x", "k")), ["spare of y"]);
}

#[test]
fn alternates_in_a_circle_end() {
    let stage = Stage::new();
    stage.exchange("a", ExchangeType::Direct, Some("b"));
    stage.exchange("b", ExchangeType::Direct, Some("a"));
    stage.exchange("self", ExchangeType::Direct, Some("self"));
    stage.exchange("lost", ExchangeType::Direct, Some("never declared"));
    for name in ["a", "b", "self", "lost"] {
        assert!(stage.route(name, "k").queues.is_empty());
        assert_eq!(stage.publish(name, "k", "body", &[], None), (0, false));
    }
    stage.queue("q", &[]);
    stage.bind("b", "k", "q");
    assert_eq!(names(&stage.route("a", "k")), ["q"]);
}

#[test]
fn headers_decide_for_each_message() {
    let stage = Stage::new();
    stage.exchange("x", ExchangeType::Headers, None);
    stage.queue("q", &[]);
    let binding = crate::exchange::Binding {
        destination: crate::exchange::Destination::queue(b"q"),
        routing_key: crate::ids::Name::from(""),
        arguments: table(&[("colour", Value::text("red"))]),
    };
    stage.vhost.bind(b"x", &binding).unwrap();
    let red = stage.route_with("x", &["k"], &table(&[("colour", Value::text("red"))]));
    let blue = stage.route_with("x", &["k"], &table(&[("colour", Value::text("blue"))]));
    assert_eq!((red.queues.len(), blue.queues.len()), (1, 0));
    assert!(!red.may_be_kept() && !blue.may_be_kept());
}
