//! One policy.

use serde_json::{Map, Value};

use super::validate::{Author, check_definition, validation_failed};
use crate::auth::{Pattern, PatternError};

/// What kind of object a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApplyTo {
    /// Queues and exchanges.
    All,
    /// Queues of every type.
    Queues,
    /// Exchanges.
    Exchanges,
    /// Queues of type classic (RabbitMQ 4.x).
    ClassicQueues,
    /// Queues of type quorum (RabbitMQ 4.x).
    QuorumQueues,
    /// Streams (RabbitMQ 4.x), of which there are none: accepted, and nothing is under it.
    Streams,
}

/// What an object is, for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An exchange.
    Exchange,
    /// A queue of type classic.
    ClassicQueue,
    /// A queue of type quorum.
    QuorumQueue,
}

/// The words in definitions.
const APPLY_TO: [(&str, ApplyTo); 6] = [
    ("all", ApplyTo::All),
    ("exchanges", ApplyTo::Exchanges),
    ("queues", ApplyTo::Queues),
    ("classic_queues", ApplyTo::ClassicQueues),
    ("quorum_queues", ApplyTo::QuorumQueues),
    ("streams", ApplyTo::Streams),
];

impl ApplyTo {
    /// The kind that definitions call `word`.
    pub fn from_name(word: &str) -> Option<Self> {
        let known = APPLY_TO.iter().find(|(name, _)| *name == word);
        known.map(|(_, kind)| *kind)
    }

    /// Its word in definitions.
    pub fn name(self) -> &'static str {
        let known = APPLY_TO.iter().find(|(_, kind)| *kind == self);
        known.map_or("all", |(name, _)| name)
    }

    /// True when objects of `kind` are meant.
    pub fn means(self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::Queues => kind != Kind::Exchange,
            Self::Exchanges => kind == Kind::Exchange,
            Self::ClassicQueues => kind == Kind::ClassicQueue,
            Self::QuorumQueues => kind == Kind::QuorumQueue,
            Self::Streams => false,
        }
    }
}

/// A policy of a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Which names it is for, as it was given; [`Self::matches`] has it compiled.
    pub pattern: Pattern,
    /// Which kind of object.
    pub apply_to: ApplyTo,
    /// Its keys.
    pub definition: Map<String, Value>,
    /// The highest of those that match wins.
    pub priority: i64,
}

impl Policy {
    /// A policy of `author`, or RabbitMQ's refusal (`Validation failed` and why).
    pub fn new(
        author: Author,
        name: &str,
        pattern: &str,
        apply_to: &str,
        definition: &Map<String, Value>,
        priority: i64,
    ) -> Result<Self, String> {
        let compiled = Pattern::anywhere(pattern)
            .map_err(|error| validation_failed(&bad_pattern(pattern, &error)))?;
        let kind = ApplyTo::from_name(apply_to).ok_or_else(|| {
            validation_failed(&format!(
                "apply-to '{apply_to}' unrecognised; should be 'queues', 'exchanges' or 'all'"
            ))
        })?;
        check_definition(author, definition).map_err(|why| validation_failed(&why))?;
        Ok(Self {
            name: name.to_owned(),
            pattern: compiled,
            apply_to: kind,
            definition: definition.clone(),
            priority,
        })
    }

    /// True when an object called `name` is under it.
    pub fn matches(&self, kind: Kind, name: &[u8]) -> bool {
        self.apply_to.means(kind) && self.concerns(kind) && self.pattern.matches(name)
    }

    /// A policy with a key that queues of this type know nothing of is not for them, as RabbitMQ 3.10
    /// has it; but classic queues here know `delivery-limit`.
    fn concerns(&self, kind: Kind) -> bool {
        let foreign: &[&str] = match kind {
            Kind::Exchange => &[],
            Kind::ClassicQueue => &[
                "dead-letter-strategy",
                "initial-cluster-size",
                "max-age",
                "queue-leader-locator",
                "stream-max-segment-size-bytes",
            ],
            Kind::QuorumQueue => &[
                "ha-mode",
                "ha-params",
                "ha-promote-on-failure",
                "ha-promote-on-shutdown",
                "ha-sync-mode",
                "initial-cluster-size",
                "max-age",
                "queue-master-locator",
                "queue-mode",
                "stream-max-segment-size-bytes",
            ],
        };
        !foreign.iter().any(|key| self.definition.contains_key(*key))
    }
}

/// RabbitMQ's text, with PCRE's words for the mistakes that are made most.
fn bad_pattern(pattern: &str, error: &PatternError) -> String {
    let (reason, at) = match error.reason.as_str() {
        "unclosed group" => ("missing )", pattern.len()),
        "unclosed character class" => ("missing terminating ] for character class", pattern.len()),
        "unopened group" => (
            "unmatched parentheses",
            pattern.rfind(')').unwrap_or_default(),
        ),
        "repetition operator missing expression" => ("nothing to repeat", 0),
        other => (other, 0),
    };
    format!("pattern should be regular expression but is invalid: {{\"{reason}\",{at}}}")
}
