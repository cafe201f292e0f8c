//! What the live view shows, read from the management API.

use serde_json::Value;

/// A moment of the broker.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// The node's name.
    pub node: String,
    /// Why publishers are blocked.
    pub alarms: Vec<&'static str>,
    /// Open connections, channels, consumers, queues.
    pub objects: [u64; 4],
    /// Messages ready and unacknowledged.
    pub messages: [u64; 2],
    /// Messages a second: published, delivered, acknowledged, redelivered.
    pub rates: [f64; 4],
    /// Memory and free disk: octets, and their limits.
    pub memory: [u64; 2],
    /// Free octets of the disk, and those below which publishers are blocked.
    pub disk: [u64; 2],
    /// Queues, those that were asked for first.
    pub queues: Vec<Queue>,
}

/// A queue of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Queue {
    /// Virtual host and name.
    pub name: String,
    /// Messages ready.
    pub ready: u64,
    /// Messages unacknowledged.
    pub unacked: u64,
    /// Consumers.
    pub consumers: u64,
    /// Messages a second: in, out, acknowledged.
    pub rates: [f64; 3],
}

impl Queue {
    fn of(item: &Value) -> Self {
        let stats = item.get("message_stats").unwrap_or(&Value::Null);
        let text = |key| item.get(key).and_then(Value::as_str).unwrap_or("");
        Self {
            name: format!("{} {}", text("vhost"), text("name")),
            ready: number(item, "messages_ready"),
            unacked: number(item, "messages_unacknowledged"),
            consumers: number(item, "consumers"),
            rates: ["publish", "deliver_get", "ack"].map(|key| rate(stats, key)),
        }
    }

    /// What is wrong with it, in two words; empty when nothing is.
    pub fn trouble(&self) -> &'static str {
        let [incoming, outgoing, acknowledged] = self.rates;
        if self.ready > 0 && self.consumers == 0 {
            "no consumer"
        } else if self.ready > 0 && incoming > outgoing {
            "grows"
        } else if self.unacked > 0 && outgoing == 0.0 && acknowledged == 0.0 {
            "nobody acks"
        } else {
            ""
        }
    }
}

impl Snapshot {
    /// Of the overview, the node and a list of queues.
    pub fn of(overview: &Value, node: &Value, queues: &[Value]) -> Self {
        let part = |key| overview.get(key).unwrap_or(&Value::Null);
        let (objects, totals, stats) = (
            part("object_totals"),
            part("queue_totals"),
            part("message_stats"),
        );
        let mut alarms = Vec::new();
        if node.get("mem_alarm") == Some(&Value::Bool(true)) {
            alarms.push("memory");
        }
        if node.get("disk_free_alarm") == Some(&Value::Bool(true)) {
            alarms.push("disk");
        }
        Self {
            node: node
                .get("name")
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned(),
            alarms,
            objects: ["connections", "channels", "consumers", "queues"]
                .map(|key| number(objects, key)),
            messages: ["messages_ready", "messages_unacknowledged"].map(|key| number(totals, key)),
            rates: ["publish", "deliver_get", "ack", "redeliver"].map(|key| rate(stats, key)),
            memory: ["mem_used", "mem_limit"].map(|key| number(node, key)),
            disk: ["disk_free", "disk_free_limit"].map(|key| number(node, key)),
            queues: queues.iter().map(Queue::of).collect(),
        }
    }
}

fn number(item: &Value, key: &str) -> u64 {
    item.get(key).and_then(Value::as_u64).unwrap_or(0)
}

fn rate(stats: &Value, key: &str) -> f64 {
    let details = stats.get(format!("{key}_details"));
    details
        .and_then(|details| details.get("rate"))
        .and_then(Value::as_f64)
        .unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn trouble_is_named() {
        let queue = |ready, unacked, consumers, rates| Queue {
            ready,
            unacked,
            consumers,
            rates,
            ..Queue::default()
        };
        assert_eq!(queue(1, 0, 0, [0.0; 3]).trouble(), "no consumer");
        assert_eq!(queue(9, 0, 1, [5.0, 4.0, 4.0]).trouble(), "grows");
        assert_eq!(queue(0, 3, 1, [0.0; 3]).trouble(), "nobody acks");
        assert_eq!(queue(1, 1, 1, [4.0, 5.0, 5.0]).trouble(), "");
        assert_eq!(queue(0, 0, 0, [0.0; 3]).trouble(), "");
    }

    #[test]
    fn what_is_missing_is_nothing() {
        let found = Snapshot::of(&json!({}), &json!({ "mem_alarm": true }), &[json!({})]);
        assert_eq!(found.alarms, ["memory"]);
        assert_eq!(found.objects, [0; 4]);
        assert_eq!(found.queues.len(), 1);
    }
}
