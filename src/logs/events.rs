//! The event log: what happened in the broker, for programs. Names are those of RabbitMQ's event
//! exchange (`connection.created`, `queue.deleted`, `policy.set`, `alarm.set`, ...).
//!
//! Kept in a ring of bounded size; nothing waits for a reader.

use std::borrow::Cow;

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
    pub fields: Vec<(&'static str, Cow<'static, str>)>,
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
    pub fn emit<const N: usize>(
        &self,
        name: &'static str,
        fields: [(&'static str, Cow<'static, str>); N],
    ) {
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
        log.emit("queue.deleted", [("name", String::from("q").into())]);
        let seen = log.since(0);
        let names: Vec<&str> = seen.entries.iter().map(|event| event.name).collect();
        assert_eq!(names, ["queue.created", "queue.deleted"]);
        assert_eq!(seen.entries[0].fields[1], ("vhost", "/".into()));
    }
}
