//! Why a bind is refused.

use std::fmt;

use super::term::{binary_text, value_text};
use crate::amqp::value::Value;

/// A bind that the exchange type refuses: a 406 that closes the channel. `Display` is RabbitMQ's
/// text without its `PRECONDITION_FAILED - ` prefix.
#[derive(Debug, Clone, PartialEq)]
pub enum BindRefusal {
    /// `x-match` is a string, but none of the four.
    MatchValue(Vec<u8>),
    /// `x-match` is not a string.
    MatchType(Value),
    /// The weight of an `x-consistent-hash` binding is not an integer.
    WeightNotInteger(Vec<u8>),
    /// The weight of an `x-consistent-hash` binding is zero or less.
    WeightNotPositive,
}

impl fmt::Display for BindRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MatchValue(octets) => write!(
                f,
                "Invalid x-match field value {}; expected all, any, all-with-x, or any-with-x",
                binary_text(octets)
            ),
            Self::MatchType(value) => write!(
                f,
                "Invalid x-match field type {} (value {}); expected longstr",
                value.type_name(),
                value_text(value)
            ),
            Self::WeightNotInteger(key) => write!(
                f,
                "The binding key must be an integer: {}",
                binary_text(key)
            ),
            Self::WeightNotPositive => f.write_str("The binding key must be greater than 0"),
        }
    }
}

impl std::error::Error for BindRefusal {}
