use std::sync::Arc;

use super::*;
use crate::amqp::encode;
use crate::amqp::table::{write_long_string, write_short_string};
use crate::auth::{HashingAlgorithm, PasswordHash, Permissions};
use crate::broker::Options;
use crate::limits::{INBOX_BYTES, OUTPUT_FULL, OUTPUT_HIGH};
use crate::queue::QueueKind;

/// A broker with guest and `/`, and a session whose connection and channel 1 are open.
fn opened() -> (Arc<Broker>, Session) {
    let broker = Broker::new(Options {
        max_message_size: 1 << 20,
        memory_limit: u64::MAX,
        consumer_timeout_ms: None,
        hashing: Default::default(),
        default_kind: QueueKind::Classic,
    });
    broker.put_vhost(b"/", None);
    let password = PasswordHash::make(HashingAlgorithm::default(), [0; 4], b"guest");
    broker.users.change(|tables| {
        tables.put_user(User {
            name: "guest".into(),
            password: password.ok(),
            tags: Vec::new(),
        });
        let all = Permissions::new(".*", ".*", ".*").unwrap();
        tables.put_permissions("guest", "/", all);
    });
    let session = another(&broker);
    (broker, session)
}

/// One more session of a broker that [`opened`] made.
fn another(broker: &Arc<Broker>) -> Session {
    let options = SessionOptions {
        tuning: Tuning {
            channel_max: 2047,
            frame_max: 131_072,
            heartbeat_s: 0,
        },
        initial_frame_max: 8192,
        server_properties: Table::default(),
        mechanisms: vec![Mechanism::Plain],
        anonymous_user: None,
        loopback_users: Vec::new(),
        handshake_timeout_ms: 10_000,
        connection_max: None,
    };
    let mut session = Session::new(Arc::clone(broker), Arc::new(options), PeerInfo::default());
    let mut out = b"AMQP\x00\x00\x09\x01".to_vec();
    encode::method(&mut out, 0, (10, 11), |out| {
        out.extend_from_slice(&[0; 4]);
        write_short_string(out, b"PLAIN");
        write_long_string(out, b"\0guest\0guest");
        write_short_string(out, b"en_US");
    });
    encode::connection_tune(&mut out, 2047, 131_072, 0);
    // The client's answer differs from the broker's offer by its method number only.
    let tune = out.len() - 10;
    out[tune] = 31;
    encode::method(&mut out, 0, (10, 40), |out| {
        out.extend_from_slice(b"\x01/\0\0")
    });
    encode::method(&mut out, 1, (20, 10), |out| out.push(0));
    assert_eq!(session.on_bytes(&out), out.len());
    assert_eq!(session.phase, Phase::Running);
    assert!(session.channels.contains_key(&1));
    session
}

fn declare(out: &mut Vec<u8>, queue: &[u8]) {
    encode::method(out, 1, (50, 10), |out| {
        out.extend_from_slice(&[0; 2]);
        write_short_string(out, queue);
        out.extend_from_slice(&[0; 5]);
    });
}

fn consume(out: &mut Vec<u8>, queue: &[u8], tag: &[u8]) {
    encode::method(out, 1, (60, 20), |out| {
        out.extend_from_slice(&[0; 2]);
        write_short_string(out, queue);
        write_short_string(out, tag);
        out.extend_from_slice(&[0; 5]);
    });
}

fn publish(out: &mut Vec<u8>, queue: &[u8], body: &[u8]) {
    encode::method(out, 1, (60, 40), |out| {
        out.extend_from_slice(&[0; 3]);
        write_short_string(out, queue);
        out.push(0);
    });
    encode::content_header(out, 1, body.len() as u64, &[0, 0]);
    encode::body(out, 1, body);
}

#[test]
fn a_channel_error_gives_the_mail_of_all_its_consumers_back() {
    let (broker, mut session) = opened();
    let mut out = Vec::new();
    declare(&mut out, b"q");
    for _ in 0..10 {
        publish(&mut out, b"q", b"body");
    }
    for tag in [b"a", b"b", b"c"] {
        consume(&mut out, b"q", tag);
    }
    // Deliveries wait in the inbox when this closes the channel: 404.
    consume(&mut out, b"nowhere", b"d");
    session.on_bytes(&out);
    let queue = broker.vhost(b"/").unwrap().queue(b"q").unwrap();
    let status = queue.status();
    assert_eq!((status.ready, status.unacked, status.consumers), (10, 0, 0));
}

#[test]
fn a_disconnect_gives_back_what_a_batch_in_progress_has_delivered() {
    let (broker, mut session) = opened();
    let mut out = Vec::new();
    declare(&mut out, b"q");
    consume(&mut out, b"q", b"a");
    session.on_bytes(&out);
    let (mut publisher, mut batch) = (another(&broker), Vec::new());
    publish(&mut batch, b"q", b"body");
    // The connection is rung only when the batch is through with all its queues.
    crate::broker::inbox::waking_once(|| {
        publisher.on_bytes(&batch);
        assert!(!session.inbox().is_ringing());
        session.on_disconnect();
    });
    let queue = broker.vhost(b"/").unwrap().queue(b"q").unwrap();
    let status = queue.status();
    assert_eq!((status.ready, status.unacked, status.consumers), (1, 0, 0));
}

#[test]
fn one_consumers_end_does_not_write_anothers_backlog() {
    let (_broker, mut session) = opened();
    let mut out = Vec::new();
    declare(&mut out, b"q");
    declare(&mut out, b"other");
    consume(&mut out, b"q", b"a");
    consume(&mut out, b"other", b"b");
    let body = vec![b'x'; 100_000];
    for _ in 0..40 {
        publish(&mut out, b"q", &body);
    }
    encode::method(&mut out, 1, (60, 30), |out| {
        write_short_string(out, b"b");
        out.push(0);
    });
    session.on_bytes(&out);
    // The peer has read nothing of 4 MB.
    let bound = OUTPUT_HIGH + 2 * usize::try_from(INBOX_BYTES).unwrap() + 2 * body.len();
    let written = session.output().len();
    assert!(
        written <= bound,
        "{written} octets for a peer that does not read"
    );
}

#[test]
fn gets_and_returns_end_where_the_output_is_full() {
    for mandatory in [false, true] {
        let (_broker, mut session) = opened();
        let mut out = Vec::new();
        declare(&mut out, b"q");
        let body = vec![b'x'; 120_000];
        for _ in 0..60 {
            let at = out.len();
            publish(&mut out, if mandatory { b"-" } else { b"q" }, &body);
            // Type, channel, size, ids, ticket, exchange, key with its length, then the bits.
            out[at + 7 + 4 + 2 + 1 + 2] = u8::from(mandatory);
        }
        for _ in 0..60 {
            encode::method(&mut out, 1, (60, 70), |out| {
                out.extend_from_slice(b"\0\0\x01q\0");
            });
        }
        let used = session.on_bytes(&out);
        assert!(used < out.len(), "the peer must read first");
        let written = session.output().len();
        let bound = OUTPUT_FULL + 2 * body.len();
        assert!(written >= OUTPUT_FULL && written <= bound, "{written}");
    }
}
