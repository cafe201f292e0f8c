//! The event log: what happened in the broker, for programs. Names are those of RabbitMQ's event
//! exchange (`connection.created`, `queue.deleted`, `policy.set`, `alarm.set`, ...).
//!
//! Kept in a ring of bounded size; nothing waits for a reader.

use serde_json::{Map, Value};

use super::record::now_us;
use super::ring::{Ring, Since};
use crate::limits::EVENTS_KEPT;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// Its name, the noun first: `queue.created`.
    pub name: &'static str,
    /// What it happened to, by RabbitMQ's names: `name`, `vhost`, `user`, ...
    pub fields: Vec<(&'static str, Value)>,
}

impl Event {
    /// As RabbitMQ's tools show events: `event`, the fields, `timestamp_in_ms`.
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("event".to_owned(), self.name.into());
        for (name, value) in &self.fields {
            object.insert((*name).to_owned(), value.clone());
        }
        object.insert("timestamp_in_ms".to_owned(), (self.at_us / 1_000).into());
        Value::Object(object)
    }
}

/// The last events.
#[derive(Debug)]
pub struct EventLog {
    ring: Ring<Event>,
}

impl Default for EventLog {
    fn default() -> Self {
        Self {
            ring: Ring::new(EVENTS_KEPT),
        }
    }
}

impl EventLog {
    /// Notes an event.
    pub fn emit<const N: usize>(&self, name: &'static str, fields: [(&'static str, Value); N]) {
        self.ring.push(Event {
            at_us: now_us(),
            name,
            fields: fields.into(),
        });
    }

    /// The events after number `number`, as [`Ring::since`] gives them.
    pub fn since(&self, number: u64) -> Since<Event> {
        self.ring.since(number)
    }

    /// The number of the newest event; 0 when there was none yet.
    pub fn last(&self) -> u64 {
        self.ring.last()
    }

    /// Waits for an event after number `number`.
    pub async fn grown_beyond(&self, number: u64) {
        self.ring.grown_beyond(number).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_kept_in_order() {
        let log = EventLog::default();
        log.emit(
            "queue.created",
            [("name", "q".into()), ("vhost", "/".into())],
        );
        log.emit("queue.deleted", [("name", "q".into())]);
        let seen = log.since(0);
        let names: Vec<&str> = seen.entries.iter().map(|event| event.name).collect();
        assert_eq!(names, ["queue.created", "queue.deleted"]);
        let mut told = seen.entries[0].json();
        assert!(told["timestamp_in_ms"].take().is_i64());
        let expected = serde_json::json!({
            "event": "queue.created", "name": "q", "vhost": "/", "timestamp_in_ms": null,
        });
        assert_eq!(told, expected);
    }
}
