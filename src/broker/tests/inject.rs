//! Messages of who has no connection.

use super::stage::Stage;
use crate::amqp::properties::Properties;
use crate::amqp::{Table, Value};
use crate::broker::inject::Injected;
use crate::queue::settle::Settlement;

fn message<'a>(key: &'a str, body: &'a str, headers: Option<&'a Table>) -> Injected<'a> {
    Injected {
        exchange: b"",
        routing_key: key.as_bytes(),
        properties: Properties::default(),
        headers,
        body: body.as_bytes(),
    }
}

#[test]
fn a_message_goes_in_and_comes_out_and_both_are_counted() {
    let stage = Stage::new();
    let (broker, vhost) = (&stage.broker, &stage.vhost);
    let queue = stage.queue("q", &[]);
    let sent = broker
        .inject(vhost, message("q", "hello", None), 1)
        .unwrap();
    assert!(sent.routed);
    let lost = broker.inject(vhost, message("none", "x", None), 1).unwrap();
    assert!(!lost.routed);
    let taken = broker.extract(&queue, false, 2).unwrap().unwrap();
    assert_eq!(taken.chunk.record(taken.offset).body, b"hello");
    broker.end_extracts(&queue, &[taken.id], Settlement::Requeue, 3);
    let again = broker.extract(&queue, true, 4).unwrap().unwrap();
    assert!(again.redelivered);
    assert!(broker.extract(&queue, true, 5).unwrap().is_none());
    let counts = vhost.gone.lock().counts;
    assert_eq!((counts.publish, counts.return_unroutable), (2, 1));
    let gets = (counts.get, counts.get_no_ack, counts.get_empty);
    assert_eq!((gets, counts.redeliver), ((1, 1, 1), 1));
    assert_eq!(vhost.default_counts.publish_in.get(), 2);
    assert_eq!(vhost.default_counts.publish_out.get(), 1);
}

#[test]
fn bcc_routes_and_is_not_seen() {
    let stage = Stage::new();
    let queue = stage.queue("hidden", &[]);
    let mut headers = Table::default();
    headers.set(b"BCC", Value::Array(vec![Value::text("hidden")]));
    let sent = message("none", "x", Some(&headers));
    assert!(stage.broker.inject(&stage.vhost, sent, 1).unwrap().routed);
    let taken = stage.broker.extract(&queue, true, 2).unwrap().unwrap();
    let record = taken.chunk.record(taken.offset);
    let properties = Properties::read(record.properties).unwrap();
    assert_eq!(properties.headers_table().get(b"BCC"), None);
}
