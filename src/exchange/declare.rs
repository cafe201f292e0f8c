//! Arguments of exchange.declare.

use std::fmt;

use super::kind::ExchangeType;
use crate::amqp::value::{Table, Value};

/// A declare whose arguments are refused: a 406 that closes the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentRefusal {
    /// An argument that must be a string is not.
    NotString {
        /// The argument.
        argument: &'static str,
        /// RabbitMQ's name of the type it has.
        type_name: &'static str,
    },
    /// `hash-header` and `hash-property` together.
    HashBoth,
    /// `hash-property` names a property that is not hashed.
    HashProperty(Vec<u8>),
}

impl ArgumentRefusal {
    /// RabbitMQ's text without its `PRECONDITION_FAILED - ` prefix.
    pub fn text(&self, exchange: &[u8], vhost: &[u8]) -> String {
        match self {
            Self::NotString {
                argument,
                type_name,
            } => format!(
                "invalid type '{type_name}' for arg '{argument}' in exchange '{}' in vhost '{}'",
                String::from_utf8_lossy(exchange),
                String::from_utf8_lossy(vhost)
            ),
            Self::HashBoth | Self::HashProperty(_) => self.to_string(),
        }
    }
}

impl fmt::Display for ArgumentRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotString {
                argument,
                type_name,
            } => write!(f, "invalid type '{type_name}' for arg '{argument}'"),
            Self::HashBoth => f.write_str("hash-header and hash-property are mutually exclusive"),
            Self::HashProperty(name) => {
                write!(f, "Unsupported property: {}", String::from_utf8_lossy(name))
            }
        }
    }
}

impl std::error::Error for ArgumentRefusal {}

/// Checks the arguments of exchange.declare for `kind`; unknown arguments are accepted.
///
/// `hash-header` and `hash-property` only count for `x-consistent-hash`. Where they are not
/// strings RabbitMQ 3.10 ends the connection with a 541; here that is the same 406 as for
/// `alternate-exchange`.
pub fn check_arguments(kind: ExchangeType, arguments: &Table) -> Result<(), ArgumentRefusal> {
    string_argument(arguments, "alternate-exchange")?;
    if kind != ExchangeType::ConsistentHash {
        return Ok(());
    }
    let header = string_argument(arguments, "hash-header")?;
    let property = string_argument(arguments, "hash-property")?;
    match (header, property) {
        (Some(_), Some(_)) => Err(ArgumentRefusal::HashBoth),
        (_, Some(name)) if HashProperty::from_name(name).is_none() => {
            Err(ArgumentRefusal::HashProperty(name.to_vec()))
        }
        _ => Ok(()),
    }
}

/// A property that `hash-property` can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HashProperty {
    MessageId,
    CorrelationId,
    Timestamp,
}

impl HashProperty {
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"message_id" => Self::MessageId,
            b"correlation_id" => Self::CorrelationId,
            b"timestamp" => Self::Timestamp,
            _ => return None,
        })
    }
}

fn string_argument<'t>(
    arguments: &'t Table,
    argument: &'static str,
) -> Result<Option<&'t [u8]>, ArgumentRefusal> {
    match arguments.get(argument.as_bytes()) {
        None => Ok(None),
        Some(Value::LongString(octets)) => Ok(Some(octets)),
        Some(other) => Err(ArgumentRefusal::NotString {
            argument,
            type_name: other.type_name(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: ExchangeType, pairs: &[(&str, Value)]) -> Result<(), String> {
        let table = pairs
            .iter()
            .map(|(k, v)| (k.as_bytes().to_vec(), v.clone()))
            .collect();
        check_arguments(kind, &Table(table)).map_err(|refusal| refusal.text(b"x", b"/"))
    }

    #[test]
    fn the_alternate_exchange_is_a_string_for_every_type() {
        for kind in ExchangeType::ALL {
            assert_eq!(
                check(kind, &[("alternate-exchange", Value::text(""))]),
                Ok(())
            );
            assert_eq!(
                check(kind, &[("alternate-exchange", Value::I32(1))]),
                Err("invalid type 'signedint' for arg 'alternate-exchange' in exchange 'x' in vhost '/'".into())
            );
        }
    }

    #[test]
    fn the_alternate_exchange_is_checked_before_the_type() {
        let text = check(
            ExchangeType::ConsistentHash,
            &[
                ("hash-property", Value::text("foo")),
                ("alternate-exchange", Value::Void),
            ],
        );
        assert!(text.is_err_and(|text| text.starts_with("invalid type 'void'")));
    }

    #[test]
    fn hash_arguments_only_count_for_the_hash_type() {
        let both = [
            ("hash-header", Value::text("a")),
            ("hash-property", Value::text("message_id")),
        ];
        assert_eq!(check(ExchangeType::Direct, &both), Ok(()));
        assert_eq!(
            check(ExchangeType::ConsistentHash, &both),
            Err("hash-header and hash-property are mutually exclusive".into())
        );
        for name in ["message_id", "correlation_id", "timestamp"] {
            let one = [("hash-property", Value::text(name))];
            assert_eq!(check(ExchangeType::ConsistentHash, &one), Ok(()));
        }
        assert_eq!(
            check(
                ExchangeType::ConsistentHash,
                &[("hash-property", Value::text("app_id"))]
            ),
            Err("Unsupported property: app_id".into())
        );
        assert_eq!(
            check(
                ExchangeType::ConsistentHash,
                &[("hash-header", Value::Void)]
            ),
            Err("invalid type 'void' for arg 'hash-header' in exchange 'x' in vhost '/'".into())
        );
        let other = [("x-hash-on", Value::text("h")), ("x-foo", Value::Void)];
        assert_eq!(check(ExchangeType::ConsistentHash, &other), Ok(()));
    }
}
