//! What RabbitMQ's lists cannot be asked for: items in a condition, named by `only`.
//!
//! `only=nonempty,growing` leaves those for which every named condition holds. It looks at the
//! fields of queues, whose list the pages filter so; other lists have none of these fields.

use serde_json::Value;

use crate::management::error::ApiError;
use crate::management::query::Params;

/// The conditions: each has a name and the field whose number decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Condition {
    /// Holds messages, ready or not.
    NonEmpty,
    /// Nobody consumes from it.
    Unconsumed,
    /// Holds more than at the sample before.
    Growing,
}

impl Condition {
    const NAMES: [(&str, Self); 3] = [
        ("nonempty", Self::NonEmpty),
        ("unconsumed", Self::Unconsumed),
        ("growing", Self::Growing),
    ];

    fn holds(self, item: &Value) -> bool {
        let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_f64);
        match self {
            Self::NonEmpty => number("/messages").is_some_and(|messages| messages > 0.0),
            Self::Unconsumed => number("/consumers").is_some_and(|consumers| consumers <= 0.0),
            Self::Growing => number("/messages_details/rate").is_some_and(|rate| rate > 0.0),
        }
    }
}

/// The conditions that a request names; empty when it names none.
#[derive(Debug, Clone, Default)]
pub struct Only(Vec<Condition>);

impl Only {
    /// The dotted fields that conditions look at.
    pub const FIELDS: [&str; 3] = ["messages", "consumers", "messages_details.rate"];

    /// Reads the parameter; a word that is none of the conditions is a 400 that names it.
    pub fn of(params: &Params) -> Result<Self, ApiError> {
        let mut conditions = Vec::new();
        let words = params.get("only").unwrap_or_default().split(',');
        for word in words.filter(|word| !word.is_empty()) {
            let known = Condition::NAMES.iter().find(|(name, _)| *name == word);
            let Some((_, condition)) = known else {
                let names = Condition::NAMES.map(|(name, _)| name).join(", ");
                let reason = format!("'{word}' is no condition of a list; there are {names}");
                return Err(ApiError::bad_request(reason));
            };
            if !conditions.contains(condition) {
                conditions.push(*condition);
            }
        }
        Ok(Self(conditions))
    }

    /// True when everything is wanted.
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// True when each condition holds for the item.
    pub fn takes(&self, item: &Value) -> bool {
        self.0.iter().all(|condition| condition.holds(item))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(text: &str) -> Result<Only, ApiError> {
        Only::of(&Params::parse(&format!("only={text}")))
    }

    #[test]
    fn every_named_condition_must_hold() {
        let queue = |messages: u32, consumers: u32, rate: f64| json!({ "messages": messages, "consumers": consumers, "messages_details": { "rate": rate } });
        let cases = [
            ("", queue(0, 1, 0.0), true),
            ("nonempty", queue(0, 0, 0.0), false),
            ("nonempty", queue(1, 0, 0.0), true),
            ("unconsumed", queue(1, 0, 0.0), true),
            ("unconsumed", queue(1, 2, 0.0), false),
            ("growing", queue(1, 0, 0.2), true),
            ("growing", queue(1, 0, -0.2), false),
            ("nonempty,unconsumed,nonempty", queue(1, 0, 0.0), true),
            ("nonempty,unconsumed", queue(1, 1, 0.0), false),
            // What is not a queue is in none of the conditions.
            ("unconsumed", json!({ "name": "x" }), false),
        ];
        for (text, item, expected) in cases {
            assert_eq!(only(text).unwrap().takes(&item), expected, "{text} {item}");
        }
    }

    #[test]
    fn a_condition_that_is_none_is_refused() {
        assert!(only("nonempty,deep").is_err());
        assert!(only("").unwrap().is_all());
    }
}
