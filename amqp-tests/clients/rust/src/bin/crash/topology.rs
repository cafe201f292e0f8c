//! The queues under test. A *line* is the way of one copy of a message: the
//! queue it is published to, and the queues it is dead-lettered to from there.
//! At rest a copy is in exactly one queue of its line.

use lapin::{
    Channel, ExchangeKind,
    options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions},
    types::{AMQPValue, FieldTable},
};

/// What a consumer does with a message, in percent; the rest is held.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub queue: &'static str,
    pub ack: u64,
    pub requeue: u64,
    pub reject: u64,
    /// Whether acknowledgements are collected and sent with `multiple`.
    pub multiple: bool,
}

/// How messages move on from the first queue of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moves {
    Never,
    /// By themselves, when their time is over.
    Expiry,
    /// When a consumer rejects them.
    Reject,
}

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub queues: &'static [&'static str],
    pub moves: Moves,
    /// Whether order holds within a priority only.
    pub priorities: bool,
}

/// What a group of publishers does.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    pub exchange: &'static str,
    pub key: &'static str,
    /// Indices of [`LINES`]: each message has one copy in each.
    pub lines: &'static [usize],
    pub publishers: u16,
    /// Whether it publishes in transactions of [`BATCH`] instead of with confirms.
    pub tx: bool,
}

/// Publishes of a transaction: their places are `n * BATCH` and those after it.
pub const BATCH: u32 = 6;

const fn line(queues: &'static [&'static str], moves: Moves) -> Line {
    Line {
        queues,
        moves,
        priorities: false,
    }
}

pub const LINES: [Line; 10] = [
    line(&["plain"], Moves::Never),
    line(&["fan.1"], Moves::Never),
    line(&["fan.2"], Moves::Never),
    line(&["fan.3"], Moves::Never),
    Line {
        queues: &["priority"],
        moves: Moves::Never,
        priorities: true,
    },
    line(&["ttl", "ttl.middle", "ttl.end"], Moves::Expiry),
    line(&["reject", "reject.dead"], Moves::Reject),
    line(&["requeue"], Moves::Never),
    line(&["tx.1"], Moves::Never),
    line(&["tx.2"], Moves::Never),
];

const fn family(key: &'static str, lines: &'static [usize], publishers: u16) -> Family {
    Family {
        exchange: "",
        key,
        lines,
        publishers,
        tx: false,
    }
}

pub const FAMILIES: [Family; 7] = [
    family("plain", &[0], 2),
    Family {
        exchange: "fan",
        key: "",
        lines: &[1, 2, 3],
        publishers: 1,
        tx: false,
    },
    family("priority", &[4], 1),
    family("ttl", &[5], 1),
    family("reject", &[6], 1),
    family("requeue", &[7], 1),
    Family {
        exchange: "tx",
        key: "",
        lines: &[8, 9],
        publishers: 1,
        tx: true,
    },
];

const fn policy(queue: &'static str, ack: u64, requeue: u64, reject: u64) -> Policy {
    Policy {
        queue,
        ack,
        requeue,
        reject,
        multiple: false,
    }
}

/// The consumers; `fan.3`, `ttl`, `ttl.middle`, `tx.1` and `tx.2` have none.
pub const POLICIES: [Policy; 9] = [
    policy("plain", 75, 10, 0),
    policy("plain", 60, 20, 0),
    Policy {
        multiple: true,
        ..policy("fan.1", 100, 0, 0)
    },
    policy("fan.2", 50, 0, 0),
    policy("priority", 70, 10, 0),
    policy("ttl.end", 50, 10, 0),
    policy("reject", 30, 5, 45),
    policy("reject.dead", 30, 10, 0),
    policy("requeue", 40, 55, 0),
];

/// The family of a publisher, by its number.
pub fn family_of(publisher: u16) -> Option<&'static Family> {
    let mut first = 0;
    FAMILIES.iter().find(|family| {
        first += family.publishers;
        publisher < first
    })
}

/// How many publishers there are.
pub fn publishers() -> u16 {
    FAMILIES.iter().map(|f| f.publishers).sum()
}

/// A queue's line and its place there.
pub fn place(queue: &str) -> (usize, usize) {
    for (at, line) in LINES.iter().enumerate() {
        if let Some(place) = line.queues.iter().position(|q| *q == queue) {
            return (at, place);
        }
    }
    unreachable!("no line has the queue {queue}")
}

/// Declares everything, durable; what is there already must be equal.
pub async fn declare(channel: &Channel) -> lapin::Result<()> {
    let int = |key: &str, value: i32| (key.to_string(), AMQPValue::LongInt(value));
    let dead = |key: &str| {
        vec![
            (
                "x-dead-letter-exchange".to_string(),
                AMQPValue::LongString("".into()),
            ),
            (
                "x-dead-letter-routing-key".to_string(),
                AMQPValue::LongString(key.into()),
            ),
        ]
    };
    for queue in LINES.iter().flat_map(|line| line.queues) {
        let arguments = match *queue {
            "priority" => vec![int("x-max-priority", 5)],
            "ttl" => [dead("ttl.middle"), vec![int("x-message-ttl", 200)]].concat(),
            "ttl.middle" => [dead("ttl.end"), vec![int("x-message-ttl", 300)]].concat(),
            "reject" => dead("reject.dead"),
            _ => Vec::new(),
        };
        let mut table = FieldTable::default();
        for (key, value) in arguments {
            table.insert(key.as_str().into(), value);
        }
        channel
            .queue_declare((*queue).into(), QueueDeclareOptions::durable(), table)
            .await?;
    }
    let options = ExchangeDeclareOptions {
        durable: true,
        ..Default::default()
    };
    let none = FieldTable::default;
    let bound = [
        ("fan", &["fan.1", "fan.2", "fan.3"][..]),
        ("tx", &["tx.1", "tx.2"][..]),
    ];
    for (exchange, queues) in bound {
        channel
            .exchange_declare(exchange.into(), ExchangeKind::Fanout, options, none())
            .await?;
        for queue in queues {
            let options = QueueBindOptions::default();
            channel
                .queue_bind((*queue).into(), exchange.into(), "".into(), options, none())
                .await?;
        }
    }
    Ok(())
}
