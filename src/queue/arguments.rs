//! The `x-` arguments of `queue.declare`: their checks with RabbitMQ's texts, and what they set.
//!
//! Rules and texts as RabbitMQ 3.10.8 answers them; `x-delivery-limit` on classic queues and
//! `x-consumer-timeout` are additions.

use crate::amqp::{AmqpError, Table, Value};
use crate::limits::EXPIRY_MAX_MS;

/// What happens to a message for which a full queue has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The oldest message leaves (`drop-head`).
    #[default]
    DropHead,
    /// The new one is refused (`reject-publish`).
    RejectPublish,
    /// The new one is refused and dead-lettered (`reject-publish-dlx`).
    RejectPublishDlx,
}

impl Overflow {
    /// The behaviour called `word` in a queue of `kind`.
    pub fn from_name(word: &[u8], kind: QueueKind) -> Self {
        match (word, kind) {
            (b"reject-publish", _) => Self::RejectPublish,
            // Quorum queues of 3.10 accept the value and drop at the head.
            (b"reject-publish-dlx", QueueKind::Classic) => Self::RejectPublishDlx,
            _ => Self::DropHead,
        }
    }
}

/// The `x-queue-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueKind {
    /// `classic`.
    #[default]
    Classic,
    /// `quorum`: RabbitMQ's visible rules of quorum queues on the one machine.
    Quorum,
}

impl QueueKind {
    /// The word in `x-queue-type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Quorum => "quorum",
        }
    }
}

impl QueueKind {
    /// RabbitMQ's module, which its error texts name.
    fn module(self) -> &'static str {
        match self {
            Self::Classic => "rabbit_classic_queue",
            Self::Quorum => "rabbit_quorum_queue",
        }
    }
}

/// What a queue's arguments set. `None` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct QueueArguments {
    /// The queue type.
    pub kind: QueueKind,
    /// `x-message-ttl`, milliseconds.
    pub message_ttl_ms: Option<u64>,
    /// `x-expires`, milliseconds without use.
    pub expires_ms: Option<u64>,
    /// `x-max-length`, ready messages.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`, octets of ready bodies.
    pub max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub overflow: Overflow,
    /// `x-max-priority`; 0 is a queue without priorities.
    pub max_priority: u8,
    /// `x-dead-letter-exchange`.
    pub dead_letter_exchange: Option<Vec<u8>>,
    /// `x-dead-letter-routing-key`.
    pub dead_letter_routing_key: Option<Vec<u8>>,
    /// `x-dead-letter-strategy` is `at-least-once`.
    pub at_least_once: bool,
    /// `x-delivery-limit`, returns.
    pub delivery_limit: Option<u32>,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// `x-consumer-timeout`, milliseconds without an acknowledgement.
    pub consumer_timeout_ms: Option<u64>,
}

/// How an argument's value is checked.
#[derive(Clone, Copy)]
enum Check {
    Expiry { zero: bool },
    NonNegative,
    Positive,
    MaxPriority,
    Overflow,
    LongString,
    RoutingKey,
    Strategy,
    Bool,
    Mode,
    Version,
    Locator,
    MasterLocator,
    Integer,
    Any,
}

const CLASSIC: u8 = 1;
const QUORUM: u8 = 2;
const BOTH: u8 = CLASSIC | QUORUM;

/// Every argument that some queue type of RabbitMQ 3.10 knows, in the order it checks them.
const KNOWN: &[(&str, u8, Check)] = &[
    ("x-expires", BOTH, Check::Expiry { zero: false }),
    ("x-message-ttl", BOTH, Check::Expiry { zero: true }),
    ("x-dead-letter-exchange", BOTH, Check::LongString),
    ("x-dead-letter-routing-key", BOTH, Check::RoutingKey),
    ("x-dead-letter-strategy", QUORUM, Check::Strategy),
    ("x-max-length", BOTH, Check::NonNegative),
    ("x-max-length-bytes", BOTH, Check::NonNegative),
    ("x-max-in-memory-length", QUORUM, Check::NonNegative),
    ("x-max-in-memory-bytes", QUORUM, Check::NonNegative),
    ("x-max-priority", CLASSIC, Check::MaxPriority),
    ("x-overflow", BOTH, Check::Overflow),
    ("x-queue-mode", CLASSIC, Check::Mode),
    ("x-queue-version", CLASSIC, Check::Version),
    ("x-single-active-consumer", BOTH, Check::Bool),
    ("x-queue-type", BOTH, Check::Any),
    ("x-delivery-limit", QUORUM, Check::Any),
    // An addition: RabbitMQ knows it for quorum queues only, where it takes any value.
    ("x-delivery-limit", CLASSIC, Check::Integer),
    ("x-quorum-initial-group-size", QUORUM, Check::Positive),
    ("x-queue-leader-locator", QUORUM, Check::Locator),
    ("x-queue-master-locator", CLASSIC, Check::MasterLocator),
    ("x-max-age", 0, Check::Any),
    ("x-stream-max-segment-size-bytes", 0, Check::Any),
    ("x-initial-cluster-size", 0, Check::Any),
    ("x-consumer-timeout", BOTH, Check::NonNegative),
];

/// The arguments that a redeclaration is compared by, for a queue of `kind`.
pub fn compared_arguments(kind: QueueKind) -> impl Iterator<Item = &'static str> {
    let bit = if kind == QueueKind::Classic {
        CLASSIC
    } else {
        QUORUM
    };
    KNOWN
        .iter()
        .filter(move |(_, kinds, _)| kinds & bit != 0)
        .map(|(name, ..)| *name)
}

impl QueueArguments {
    /// Checks `table` for a queue that errors call `subject` (`queue 'q' in vhost '/'`).
    /// `default_kind` stands in where `x-queue-type` is absent.
    pub fn parse(table: &Table, subject: &str, default_kind: QueueKind) -> Result<Self, AmqpError> {
        let kind = parse_kind(table, subject, default_kind)?;
        let bit = if kind == QueueKind::Classic {
            CLASSIC
        } else {
            QUORUM
        };
        for (name, kinds, check) in KNOWN {
            let Some(value) = table.get(name.as_bytes()) else {
                continue;
            };
            let elsewhere = KNOWN
                .iter()
                .any(|(other, kinds, _)| other == name && kinds & bit != 0);
            if kinds & bit == 0 && elsewhere {
                continue;
            }
            if kinds & bit == 0 {
                return Err(AmqpError::precondition_failed(format!(
                    "invalid arg '{name}' for {subject} of queue type {}",
                    kind.module()
                )));
            }
            check.run(value, table).map_err(|why| match check {
                Check::LongString => AmqpError::precondition_failed(format!(
                    "invalid type '{}' for arg '{name}' in {subject}",
                    value.type_name()
                )),
                _ => AmqpError::precondition_failed(format!(
                    "invalid arg '{name}' for {subject}: {why}"
                )),
            })?;
        }
        Ok(Self::from_checked(table, kind))
    }

    fn from_checked(table: &Table, kind: QueueKind) -> Self {
        let number = |name: &str| table.get(name.as_bytes()).and_then(Value::as_int);
        let natural = |name: &str| number(name).and_then(|n| u64::try_from(n).ok());
        let text = |name: &str| table.get(name.as_bytes()).and_then(Value::as_long_string);
        Self {
            kind,
            message_ttl_ms: natural("x-message-ttl"),
            expires_ms: natural("x-expires"),
            max_length: natural("x-max-length"),
            max_length_bytes: natural("x-max-length-bytes"),
            overflow: Overflow::from_name(text("x-overflow").unwrap_or_default(), kind),
            max_priority: natural("x-max-priority")
                .and_then(|n| u8::try_from(n).ok())
                .unwrap_or(0),
            dead_letter_exchange: text("x-dead-letter-exchange").map(<[u8]>::to_vec),
            dead_letter_routing_key: text("x-dead-letter-routing-key").map(<[u8]>::to_vec),
            at_least_once: text("x-dead-letter-strategy") == Some(b"at-least-once"),
            // A negative limit is no limit.
            delivery_limit: natural("x-delivery-limit")
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            single_active_consumer: table.get(b"x-single-active-consumer")
                == Some(&Value::Bool(true)),
            consumer_timeout_ms: natural("x-consumer-timeout").filter(|ms| *ms > 0),
        }
    }

    /// True when nothing can refuse, expire at once or reorder what arrives.
    pub fn is_plain(&self) -> bool {
        !self.has_length_limit() && self.message_ttl_ms != Some(0) && self.max_priority == 0
    }

    /// True when something may have to leave or be refused on arrival.
    pub fn has_length_limit(&self) -> bool {
        self.max_length.is_some() || self.max_length_bytes.is_some()
    }
}

fn parse_kind(table: &Table, subject: &str, default: QueueKind) -> Result<QueueKind, AmqpError> {
    let refused = |why: String| {
        Err(AmqpError::precondition_failed(format!(
            "invalid arg 'x-queue-type' for {subject}: {why}"
        )))
    };
    match table.get(b"x-queue-type") {
        None => Ok(default),
        Some(Value::LongString(name)) => match name.as_slice() {
            b"classic" => Ok(QueueKind::Classic),
            b"quorum" => Ok(QueueKind::Quorum),
            other => {
                let name = String::from_utf8_lossy(other);
                refused(format!("\"unsupported queue type '{name}'\""))
            }
        },
        Some(other) => refused(unacceptable(other)),
    }
}

fn unacceptable(value: &Value) -> String {
    format!("{{unacceptable_type,{}}}", value.type_name())
}

fn integer(value: &Value) -> Result<i64, String> {
    value
        .as_int()
        .ok_or_else(|| format!("\"expected integer, got {}\"", value.type_name()))
}

fn non_negative(value: &Value) -> Result<i64, String> {
    match integer(value)? {
        n if n < 0 => Err(format!("{{value_negative,{n}}}")),
        n => Ok(n),
    }
}

impl Check {
    fn run(self, value: &Value, table: &Table) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::Integer => integer(value).map(drop),
            Self::NonNegative => non_negative(value).map(drop),
            Self::Positive => match non_negative(value)? {
                0 => Err("{value_zero,0}".into()),
                _ => Ok(()),
            },
            Self::Expiry { zero } => match non_negative(value)? {
                0 if !zero => Err("{value_zero,0}".into()),
                n if n.unsigned_abs() > EXPIRY_MAX_MS => Err(format!("{{value_too_large,{n}}}")),
                _ => Ok(()),
            },
            Self::MaxPriority => match non_negative(value)? {
                n if n > 255 => Err(format!("{{max_value_exceeded,{n}}}")),
                _ => Ok(()),
            },
            Self::LongString => value.as_long_string().map(drop).ok_or_else(String::new),
            Self::RoutingKey => match value.as_long_string() {
                None => Err(unacceptable(value)),
                Some(_) if table.get(b"x-dead-letter-exchange").is_none() => {
                    Err("routing_key_but_no_dlx_defined".into())
                }
                Some(_) => Ok(()),
            },
            Self::Bool => match value {
                Value::Bool(_) => Ok(()),
                other => Err(unacceptable(other)),
            },
            Self::Version => match integer(value)? {
                1 | 2 => Ok(()),
                n => Err(format!("\"unsupported queue version '{n}'\"")),
            },
            Self::Overflow | Self::Strategy | Self::Mode | Self::Locator | Self::MasterLocator => {
                let Some(text) = value.as_long_string() else {
                    return Err(unacceptable(value));
                };
                let shown = String::from_utf8_lossy(text);
                let (allowed, refusal): (&[&str], String) = match self {
                    Self::Overflow => (
                        &["drop-head", "reject-publish", "reject-publish-dlx"],
                        "invalid_overflow".into(),
                    ),
                    Self::Strategy => (
                        &["at-most-once", "at-least-once"],
                        "invalid_dlx_strategy".into(),
                    ),
                    Self::Mode => (
                        &["default", "lazy"],
                        format!("\"unsupported queue mode '{shown}'\""),
                    ),
                    Self::MasterLocator => (
                        &["client-local", "min-masters", "random"],
                        "invalid_queue_locator_arg".into(),
                    ),
                    _ => (
                        &["client-local", "balanced", "random", "least-leaders"],
                        "invalid_queue_locator_arg".into(),
                    ),
                };

                if allowed.contains(&shown.as_ref()) {
                    Ok(())
                } else {
                    Err(refusal)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, Value)]) -> Result<QueueArguments, String> {
        let table = Table(
            pairs
                .iter()
                .map(|(k, v)| (k.as_bytes().to_vec(), v.clone()))
                .collect(),
        );
        QueueArguments::parse(&table, "queue 'q' in vhost '/'", QueueKind::Classic)
            .map_err(|e| e.text.into_owned())
    }

    fn refusal(name: &str, value: Value) -> String {
        let text = parse(&[(name, value)]).unwrap_err();
        text.strip_prefix(&format!("invalid arg '{name}' for queue 'q' in vhost '/'"))
            .map(str::to_owned)
            .unwrap_or(text)
    }

    #[test]
    fn refusals_are_rabbitmqs() {
        let int = Value::I32;
        assert_eq!(refusal("x-message-ttl", int(-1)), ": {value_negative,-1}");
        assert_eq!(
            refusal("x-message-ttl", Value::text("a")),
            ": \"expected integer, got longstr\""
        );
        assert_eq!(refusal("x-expires", int(0)), ": {value_zero,0}");
        assert_eq!(
            refusal("x-expires", Value::I64(315_360_000_001)),
            ": {value_too_large,315360000001}"
        );
        assert_eq!(
            refusal("x-max-priority", int(256)),
            ": {max_value_exceeded,256}"
        );
        assert_eq!(
            refusal("x-overflow", Value::text("foo")),
            ": invalid_overflow"
        );
        assert_eq!(
            refusal("x-dead-letter-exchange", int(1)),
            "invalid type 'signedint' for arg 'x-dead-letter-exchange' in queue 'q' in vhost '/'"
        );
        assert_eq!(
            refusal("x-dead-letter-routing-key", Value::text("a")),
            ": routing_key_but_no_dlx_defined"
        );
        assert_eq!(
            refusal("x-max-age", Value::text("1h")),
            " of queue type rabbit_classic_queue"
        );
        assert_eq!(
            refusal("x-queue-type", Value::text("foo")),
            ": \"unsupported queue type 'foo'\""
        );
    }

    #[test]
    fn what_is_not_known_is_not_refused() {
        assert_eq!(
            parse(&[("x-foo", Value::Void)]),
            Ok(QueueArguments::default())
        );
    }

    #[test]
    fn every_width_of_integer_is_one() {
        for value in [
            Value::I8(5),
            Value::U8(5),
            Value::I16(5),
            Value::U32(5),
            Value::I64(5),
        ] {
            let parsed = parse(&[("x-max-length", value)]).unwrap();
            assert_eq!(parsed.max_length, Some(5));
        }
    }
}
