//! What clients do, read from an input: records of six octets, so that a mutation of one leaves
//! the others as they are.

use leveret::amqp::properties::Properties;
use leveret::amqp::{Table, Value};

/// Octets of a record.
pub const RECORD: usize = 6;

/// One step; `a` to `d` mean what its kind makes of them.
#[derive(Debug, Clone, Copy)]
pub struct Op {
    pub kind: u8,
    /// Which client.
    pub client: usize,
    pub channel: u16,
    pub a: u8,
    pub b: u8,
    pub c: u8,
    pub d: u8,
}

/// The steps of an input.
pub fn read(data: &[u8]) -> impl Iterator<Item = Op> {
    let (records, _) = data.as_chunks::<RECORD>();
    records.iter().map(|[kind, who, a, b, c, d]| Op {
        kind: *kind,
        client: usize::from(who & 1),
        channel: [1, 1, 2, 3][usize::from(who >> 1) & 3],
        a: *a,
        b: *b,
        c: *c,
        d: *d,
    })
}

/// Queues, which are also the keys of their messages.
pub const QUEUES: [&str; 4] = ["a", "b", "c", "d"];

/// Exchanges and their types.
pub const EXCHANGES: [(&str, &str); 8] = [
    ("", "direct"),
    ("xd", "direct"),
    ("xt", "topic"),
    ("xf", "fanout"),
    ("xh", "headers"),
    ("xc", "x-consistent-hash"),
    ("xr", "x-random"),
    ("amq.topic", "topic"),
];

/// Routing and binding keys; the first are queues' names.
pub const KEYS: [&str; 8] = ["a", "b", "c", "d", "#", "*.b", "a.b", "1"];

pub fn queue(n: u8) -> &'static [u8] {
    QUEUES[usize::from(n) & 3].as_bytes()
}

pub fn exchange(n: u8) -> &'static [u8] {
    EXCHANGES[usize::from(n) & 7].0.as_bytes()
}

pub fn key(n: u8) -> &'static [u8] {
    KEYS[usize::from(n) & 7].as_bytes()
}

fn text(bytes: &[u8]) -> Value {
    Value::LongString(bytes.to_vec())
}

/// A queue's arguments. With `rejects` no queue both has a dead-letter exchange and drops messages
/// by itself: a message that was rejected once may then go round for ever, in RabbitMQ too.
pub fn queue_arguments(c: u8, d: u8, rejects: bool) -> Table {
    let mut table = any_queue_arguments(c, d);
    if rejects && table.get(b"x-dead-letter-exchange").is_some() {
        for name in ["x-message-ttl", "x-max-length", "x-max-length-bytes"] {
            table.remove(name.as_bytes());
        }
    }
    table
}

fn any_queue_arguments(c: u8, d: u8) -> Table {
    let mut table = Table::default();
    let mut set = |name: &str, value: Value| table.set(name.as_bytes(), value);
    let small = i32::from(d);
    match c & 15 {
        0..=3 => {}
        4 => set("x-max-length", Value::I32(small % 8)),
        5 => set("x-max-length-bytes", Value::I64(i64::from(small) * 16)),
        6 => set("x-message-ttl", Value::U8(d % 3)),
        7 => {
            set("x-dead-letter-exchange", text(exchange(d)));
            if d & 0x40 != 0 {
                set("x-dead-letter-routing-key", text(queue(d >> 4)));
            }
        }
        8 => set("x-max-priority", Value::U8(d)),
        9 => set("x-single-active-consumer", Value::Bool(true)),
        10 => {
            set("x-queue-type", text(b"quorum"));
            set("x-delivery-limit", Value::I32(small % 4 - 1));
        }
        11 => set("x-delivery-limit", Value::I32(small % 3)),
        12 => {
            set("x-max-length", Value::I32(small % 4));
            let overflow = ["reject-publish", "reject-publish-dlx"];
            set(
                "x-overflow",
                text(overflow[usize::from(d >> 4) & 1].as_bytes()),
            );
        }
        13 => {
            set("x-queue-type", text(b"quorum"));
            set("x-dead-letter-strategy", text(b"at-least-once"));
            set("x-overflow", text(b"reject-publish"));
            set("x-dead-letter-exchange", text(exchange(d)));
            set("x-max-length", Value::I32(small % 4 + 1));
        }
        14 => set("x-expires", Value::I32(1 + small % 2)),
        _ => {
            set("x-max-length", Value::I32(-small));
            set("x-queue-type", text(b"stream"));
        }
    }
    if c & 0x10 != 0 {
        set("x-dead-letter-exchange", text(b""));
        set("x-dead-letter-routing-key", text(queue(d)));
    }
    if c & 0x20 != 0 {
        set("x-max-length", Value::I32(3));
    }
    if c & 0x40 != 0 {
        set("x-message-ttl", Value::I32(0));
    }
    if c & 0x80 != 0 {
        set("x-max-priority", Value::I32(3));
    }
    table
}

/// True when dead letters of such a queue wait for a target.
pub fn retries(arguments: &Table) -> bool {
    arguments.get(b"x-dead-letter-strategy").is_some()
}

/// A message's properties.
pub fn properties(c: u8, d: u8) -> Vec<u8> {
    let mut given = Properties::default();
    let mut headers = None;
    let mut set = |name: &str, value: Value| {
        let table: &mut Table = headers.get_or_insert_default();
        table.set(name.as_bytes(), value);
    };
    let keys = || Value::Array(vec![text(queue(d)), text(queue(d >> 2)), text(key(d >> 4))]);
    match c & 15 {
        0..=3 => {}
        4 => given.delivery_mode = Some(1 + (d & 1)),
        5 => given.priority = Some(d),
        6 => given.expiration = Some(b"0"),
        7 => given.expiration = Some(b"1"),
        8 => set("CC", keys()),
        9 => set("BCC", keys()),
        10 => given.reply_to = Some(b"amq.rabbitmq.reply-to"),
        11 => {
            set("k", Value::U8(d & 3));
            set("l", text(key(d)));
        }
        12 => {
            let death = Table(vec![
                (b"queue".to_vec(), text(queue(d))),
                (b"reason".to_vec(), text(b"expired")),
                (b"count".to_vec(), Value::I64(i64::MAX)),
            ]);
            let deaths = [Value::Table(death), Value::Void, Value::Array(Vec::new())];
            set(
                "x-death",
                Value::Array(deaths[usize::from(d >> 6)..].to_vec()),
            );
        }
        13 => given.user_id = Some(if d & 1 == 0 { b"guest" } else { b"other" }),
        14 => {
            given.content_type = Some(b"text/plain");
            given.correlation_id = Some(b"c");
            given.message_id = Some(b"m");
            given.timestamp = Some(u64::from(d));
            given.kind = Some(b"t");
            given.app_id = Some(b"");
            given.cluster_id = Some(b"");
            given.expiration = Some(b"60000");
        }
        _ => {
            let mut value = Value::Table(Table::default());
            for _ in 0..d % 60 {
                value = Value::Array(vec![value]);
            }
            set("deep", value);
            set("long", text(&[d; 3000]));
        }
    }
    if c & 0x10 != 0 {
        given.delivery_mode = Some(2);
    }
    if c & 0x20 != 0 {
        given.priority = Some(d & 7);
    }
    let mut raw = Vec::new();
    given.write(&mut raw, headers.as_ref());
    raw
}

/// The arguments of a binding.
pub fn binding_arguments(d: u8) -> Table {
    let mut table = Table::default();
    if d & 1 != 0 {
        table.set(b"k", Value::U8(d >> 1 & 3));
    }
    if d & 8 != 0 {
        let kinds: [&[u8]; 4] = [b"any", b"all", b"any-with-x", b"odd"];
        table.set(b"x-match", text(kinds[usize::from(d >> 4) & 3]));
    }
    table
}
