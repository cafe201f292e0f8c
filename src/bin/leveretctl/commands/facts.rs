//! What the node tells about itself, as the pages and the health checks show it.

use serde_json::{Value, json};

use super::json::{integer, text};
use crate::client::path;
use crate::context::Context;
use crate::failure::Failure;

/// What the pages are made of.
pub struct Facts {
    /// The node's name.
    pub name: String,
    /// `GET /api/nodes/NAME`.
    pub node: Value,
    /// `GET /api/overview`.
    pub overview: Value,
    /// `GET /api/leveret/status`.
    pub own: Value,
}

impl Facts {
    /// Asks for them.
    pub fn read(context: &Context) -> Result<Self, Failure> {
        let name = context.node()?;
        Ok(Self {
            node: context.read(&path(&["nodes", &name]))?,
            overview: context.read("/api/overview")?,
            own: context.read("/api/leveret/status")?,
            name,
        })
    }

    /// Its listeners as RabbitMQ's tools show them.
    pub fn listeners(&self) -> Vec<Value> {
        let listeners = self.overview.get("listeners").and_then(Value::as_array);
        listeners
            .into_iter()
            .flatten()
            .map(|listener| {
                json!({
                    "interface": interface(text(listener, "ip_address")),
                    "node": self.name,
                    "port": listener.get("port"),
                    "protocol": text(listener, "protocol"),
                    "purpose": purpose(text(listener, "protocol")),
                })
            })
            .collect()
    }

    /// The alarms in effect, a sentence each.
    pub fn alarms(&self) -> Vec<String> {
        let mut alarms = Vec::new();
        for (key, what) in [
            ("mem_alarm", "Memory"),
            ("disk_free_alarm", "Free disk space"),
        ] {
            if self.node.get(key) == Some(&Value::Bool(true)) {
                alarms.push(format!("{what} alarm on node {}", self.name));
            }
        }
        alarms
    }

    /// A list of texts that the node tells.
    pub fn strings(&self, key: &str) -> Vec<String> {
        let list = self.node.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect()
    }

    /// A count of its own status.
    pub fn total(&self, key: &str) -> i64 {
        integer(&self.own, key)
    }
}

/// An IPv6 address stands in brackets.
fn interface(address: &str) -> String {
    match address.contains(':') {
        true => format!("[{address}]"),
        false => address.to_owned(),
    }
}

fn purpose(protocol: &str) -> &'static str {
    match protocol {
        "amqp" => "AMQP 0-9-1",
        "amqp/ssl" => "AMQP 0-9-1 over TLS",
        "http" => "HTTP API",
        "https" => "HTTP API over TLS (HTTPS)",
        "http/prometheus" => "Prometheus exporter API over HTTP",
        "https/prometheus" => "Prometheus exporter API over TLS (HTTPS)",
        _ => "",
    }
}

/// A listener whose certificates end, as RabbitMQ's tools show it.
pub fn shown_certificate(listener: &Value) -> Value {
    let mut shown = listener.clone();
    if let Some(map) = shown.as_object_mut() {
        let own = interface(text(listener, "interface"));
        let purpose = purpose(text(listener, "protocol"));
        map.insert("interface".to_owned(), own.into());
        map.insert("purpose".to_owned(), purpose.into());
    }
    shown
}

/// A listener after the first letter of its line, which is large where the line begins with it.
pub fn listener_line(listener: &Value) -> String {
    format!(
        "nterface: {}, port: {}, protocol: {}, purpose: {}",
        text(listener, "interface"),
        integer(listener, "port"),
        text(listener, "protocol"),
        text(listener, "purpose"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_six_stand_in_brackets() {
        assert_eq!(interface("::"), "[::]");
        assert_eq!(interface("127.0.0.1"), "127.0.0.1");
    }
}
