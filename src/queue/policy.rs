//! What a policy makes of a queue's settings, and its coming into force on a queue that has messages.

use serde_json::{Map, Value as Json};

use super::arguments::{Overflow, QueueArguments, QueueKind};
use super::consumers::Port;
use super::effects::Effects;
use super::serving::Queue;
use crate::amqp::Table;
use crate::limits::EXPIRY_MAX_MS;

impl QueueArguments {
    /// The settings of a queue that was declared with `arguments`, which made `self`, under a policy
    /// of these keys: of a number that both set the lower one holds, of anything else the
    /// declaration's (RabbitMQ's rule).
    pub fn under(&self, arguments: &Table, policy: &Map<String, Json>) -> Self {
        let number = |key: &str| match policy.get(key) {
            // Beyond 64 bits with sign it is no limit that anything could reach.
            Some(value) => value.as_u64(),
            None => None,
        };
        let lower = |declared: Option<u64>, key: &str| match (declared, number(key)) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        let text = |argument: &str, key: &str| match arguments.get(argument.as_bytes()) {
            Some(_) => None,
            None => policy.get(key).and_then(Json::as_str),
        };
        let expiry = |ms: u64| ms.min(EXPIRY_MAX_MS);
        let name = |argument, key, declared: &Option<Vec<u8>>| {
            let set = text(argument, key).map(|name| name.as_bytes().to_vec());
            set.or_else(|| declared.clone())
        };
        let limit = self.delivery_limit.map(u64::from);
        Self {
            kind: self.kind,
            message_ttl_ms: lower(self.message_ttl_ms, "message-ttl").map(expiry),
            expires_ms: lower(self.expires_ms, "expires").map(expiry),
            max_length: lower(self.max_length, "max-length"),
            max_length_bytes: lower(self.max_length_bytes, "max-length-bytes"),
            overflow: match text("x-overflow", "overflow") {
                Some(word) => Overflow::from_name(word.as_bytes(), self.kind),
                None => self.overflow,
            },
            max_priority: self.max_priority,
            dead_letter_exchange: name(
                "x-dead-letter-exchange",
                "dead-letter-exchange",
                &self.dead_letter_exchange,
            ),
            dead_letter_routing_key: name(
                "x-dead-letter-routing-key",
                "dead-letter-routing-key",
                &self.dead_letter_routing_key,
            ),
            at_least_once: match text("x-dead-letter-strategy", "dead-letter-strategy") {
                Some(word) => self.kind == QueueKind::Quorum && word == "at-least-once",
                None => self.at_least_once,
            },
            delivery_limit: lower(limit, "delivery-limit")
                .map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
            single_active_consumer: self.single_active_consumer,
            consumer_timeout_ms: lower(self.consumer_timeout_ms, "consumer-timeout")
                .filter(|ms| *ms > 0),
        }
    }
}

impl<P: Port> Queue<P> {
    /// Puts other settings into force. What is too much by them leaves in steps
    /// (`effects.more` asks for the next one); messages keep the expiry they came with, as in
    /// RabbitMQ.
    pub fn change_settings(&mut self, settings: QueueArguments, now: u64, effects: &mut Effects) {
        self.settings = settings;
        self.plain = self.settings.is_plain();
        self.tick(now, effects);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::Value;
    use serde_json::json;

    fn under(arguments: &[(&str, Value)], policy: Json) -> QueueArguments {
        let pairs = arguments.iter();
        let table = Table(
            pairs
                .map(|(name, value)| (name.as_bytes().to_vec(), value.clone()))
                .collect(),
        );
        let declared = QueueArguments::parse(&table, "queue 'q'", QueueKind::Classic).unwrap();
        declared.under(&table, policy.as_object().unwrap())
    }

    #[test]
    fn of_numbers_the_lower_holds() {
        let arguments = [
            ("x-max-length", Value::I32(5)),
            ("x-message-ttl", Value::I32(100)),
        ];
        let policy = json!({"max-length": 9, "message-ttl": 50, "expires": 7, "delivery-limit": 3,
            "max-length-bytes": u64::MAX});
        let settings = under(&arguments, policy);
        assert_eq!(settings.max_length, Some(5));
        assert_eq!(settings.message_ttl_ms, Some(50));
        assert_eq!(settings.expires_ms, Some(7));
        assert_eq!(settings.delivery_limit, Some(3));
        assert_eq!(settings.max_length_bytes, Some(u64::MAX));
    }

    #[test]
    fn of_anything_else_the_declaration_holds() {
        let policy = json!({"dead-letter-exchange": "p", "dead-letter-routing-key": "k",
            "overflow": "reject-publish"});
        let settings = under(
            &[
                ("x-dead-letter-exchange", Value::text("a")),
                ("x-overflow", Value::text("drop-head")),
            ],
            policy.clone(),
        );
        assert_eq!(settings.dead_letter_exchange.as_deref(), Some(&b"a"[..]));
        assert_eq!(settings.dead_letter_routing_key.as_deref(), Some(&b"k"[..]));
        assert_eq!(settings.overflow, Overflow::DropHead);
        let settings = under(&[], policy);
        assert_eq!(settings.dead_letter_exchange.as_deref(), Some(&b"p"[..]));
        assert_eq!(settings.overflow, Overflow::RejectPublish);
    }

    #[test]
    fn at_least_once_is_for_quorum_queues() {
        let policy = json!({"dead-letter-strategy": "at-least-once"});
        assert!(!under(&[], policy.clone()).at_least_once);
        let quorum = [("x-queue-type", Value::text("quorum"))];
        assert!(under(&quorum, policy).at_least_once);
    }
}
