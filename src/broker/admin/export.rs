//! Definitions as a file that RabbitMQ takes as well.

use serde_json::{Map, Value, json};

use crate::amqp::{self, Table};
use crate::broker::core::Broker;
use crate::broker::vhost::Vhost;
use crate::exchange::Destination;

/// What definitions are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope<'a> {
    /// The whole broker; imported objects that name no virtual host go into this one.
    Broker {
        /// That virtual host.
        default_vhost: &'a str,
    },
    /// One virtual host, without users and permissions.
    Vhost(&'a str),
}

/// What a file says of the broker that wrote it: RabbitMQ's version that it is like, and its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer<'a> {
    /// The version of RabbitMQ.
    pub rabbitmq_version: &'a str,
    /// The name of this product.
    pub product_name: &'a str,
    /// The version of this product.
    pub product_version: &'a str,
}

/// The exchanges that are everywhere have no place in a file.
fn is_predeclared(name: &[u8]) -> bool {
    name.is_empty() || name.starts_with(b"amq.")
}

impl Broker {
    /// The definitions of the broker or of one virtual host; `None` when there is no such host. Durable
    /// objects and transient ones; exclusive queues are their connections' own affair.
    pub fn export_definitions(&self, scope: Scope<'_>, writer: Writer<'_>) -> Option<Value> {
        let hosts = match scope {
            Scope::Broker { .. } => self.vhosts(),
            Scope::Vhost(name) => vec![self.vhost(name.as_bytes())?],
        };
        let (named, of_host) = match scope {
            Scope::Broker { .. } => (true, None),
            Scope::Vhost(name) => (false, Some(name)),
        };
        let mut file = Map::new();
        file.insert("rabbit_version".into(), writer.rabbitmq_version.into());
        if named {
            file.insert("rabbitmq_version".into(), writer.rabbitmq_version.into());
            file.insert("product_name".into(), writer.product_name.into());
            file.insert("product_version".into(), writer.product_version.into());
            self.export_access(&mut file);
        }
        file.insert("parameters".into(), self.export_parameters(of_host));
        file.insert("policies".into(), self.export_policies(of_host));
        let all = |rows: fn(&Vhost, bool) -> Vec<Value>| -> Value {
            hosts.iter().flat_map(|host| rows(host, named)).collect()
        };
        file.insert("queues".into(), all(queues));
        file.insert("exchanges".into(), all(exchanges));
        file.insert("bindings".into(), all(bindings));
        Some(Value::Object(file))
    }

    fn export_access(&self, file: &mut Map<String, Value>) {
        let users = self.admin_list_users().into_iter().map(|user| {
            let algorithm = match &user.password {
                Some(hash) => hash.algorithm(),
                None => self.options.hashing,
            };
            let limits: Map<String, Value> = user
                .limits
                .named()
                .into_iter()
                .map(|(name, limit)| (name, limit.into()))
                .collect();
            json!({
                "name": user.name,
                "password_hash": user.password.map(|hash| hash.to_base64()).unwrap_or_default(),
                "hashing_algorithm": algorithm.name(),
                "tags": user.tags,
                "limits": limits,
            })
        });
        file.insert("users".into(), users.collect());
        let vhosts = self.admin_list_vhosts().into_iter().map(|vhost| {
            let mut metadata = Map::new();
            metadata.insert("description".into(), vhost.description.into());
            metadata.insert("tags".into(), vhost.tags.into());
            if let Some(kind) = vhost.default_queue_type {
                metadata.insert("default_queue_type".into(), kind.into());
            }
            // RabbitMQ 4.x writes everything twice but the protection.
            let mut row = metadata.clone();
            if vhost.protected {
                metadata.insert("protected_from_deletion".into(), true.into());
            }
            row.insert("name".into(), vhost.name.into());
            row.insert("metadata".into(), metadata.into());
            Value::Object(row)
        });
        file.insert("vhosts".into(), vhosts.collect());
        let permissions = self.admin_list_permissions(None, None).into_iter();
        let permissions = permissions.map(|row| {
            json!({
                "user": row.user,
                "vhost": row.vhost,
                "configure": row.configure,
                "write": row.write,
                "read": row.read,
            })
        });
        file.insert("permissions".into(), permissions.collect());
        let topics = self.admin_list_topic_permissions(None, None).into_iter();
        let topics = topics.map(|row| {
            json!({
                "user": row.user,
                "vhost": row.vhost,
                "exchange": row.exchange,
                "write": row.write,
                "read": row.read,
            })
        });
        file.insert("topic_permissions".into(), topics.collect());
        let globals = self.admin_list_global_parameters().into_iter();
        let globals = globals.map(|(name, value)| json!({"name": name, "value": value}));
        file.insert("global_parameters".into(), globals.collect());
    }

    fn export_parameters(&self, vhost: Option<&str>) -> Value {
        let parameters = self.admin_list_parameters(None, vhost).into_iter();
        parameters
            .map(|row| {
                json!({
                    "value": row.value,
                    "vhost": row.vhost,
                    "component": row.component,
                    "name": row.name,
                })
            })
            .collect()
    }

    fn export_policies(&self, vhost: Option<&str>) -> Value {
        let policies = self.admin_list_policies(false, vhost).into_iter();
        policies
            .map(|row| {
                json!({
                    "vhost": row.vhost,
                    "name": row.name,
                    "pattern": row.pattern,
                    "apply-to": row.apply_to,
                    "definition": row.definition,
                    "priority": row.priority,
                })
            })
            .collect()
    }
}

/// A row of a host, with the host's name where the file is of many.
fn row(host: &Vhost, named: bool, mut fields: Value) -> Value {
    if let (true, Some(fields)) = (named, fields.as_object_mut()) {
        fields.insert("vhost".into(), host.name.to_string().into());
    }
    fields
}

fn queues(host: &Vhost, named: bool) -> Vec<Value> {
    let mut queues = host.all_queues();
    queues.retain(|queue| queue.owner.is_none());
    queues.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let rows = queues.iter().map(|queue| {
        let mut arguments = arguments_json(&queue.arguments);
        // The host's default may be another one where the file is read.
        if queue.settings.kind != crate::queue::QueueKind::Classic
            && let Some(fields) = arguments.as_object_mut()
        {
            fields.insert("x-queue-type".into(), queue.settings.kind.name().into());
        }
        let fields = json!({
            "name": queue.name.to_string(),
            "durable": queue.durable,
            "auto_delete": queue.auto_delete,
            "arguments": arguments,
        });
        row(host, named, fields)
    });
    rows.collect()
}

fn exchanges(host: &Vhost, named: bool) -> Vec<Value> {
    let mut exchanges = host.all_exchanges();
    exchanges.retain(|exchange| !is_predeclared(exchange.name.as_bytes()));
    exchanges.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let rows = exchanges.iter().map(|exchange| {
        let fields = json!({
            "name": exchange.name.to_string(),
            "type": exchange.kind.name(),
            "durable": exchange.durable,
            "auto_delete": exchange.auto_delete,
            "internal": exchange.internal,
            "arguments": arguments_json(&exchange.arguments),
        });
        row(host, named, fields)
    });
    rows.collect()
}

/// Every binding but those to exclusive queues, which are not in the file.
fn bindings(host: &Vhost, named: bool) -> Vec<Value> {
    let mut sources = host.all_exchanges();
    sources.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut rows = Vec::new();
    for source in sources {
        for binding in source.bindings().iter() {
            let (kind, name) = match binding.destination {
                Destination::Queue(name) => ("queue", name),
                Destination::Exchange(name) => ("exchange", name),
            };
            let exclusive = kind == "queue"
                && host
                    .queue(name.as_bytes())
                    .is_none_or(|queue| queue.owner.is_some());
            if exclusive {
                continue;
            }
            let fields = json!({
                "source": source.name.to_string(),
                "destination": name.to_string(),
                "destination_type": kind,
                "routing_key": binding.routing_key.to_string(),
                "arguments": arguments_json(binding.arguments),
            });
            rows.push(row(host, named, fields));
        }
    }
    rows
}

/// A field table as JSON, as RabbitMQ's management shows it: octets that are no text one by one.
pub fn arguments_json(table: &Table) -> Value {
    let fields = table.0.iter();
    let fields = fields.map(|(key, value)| {
        let key = String::from_utf8_lossy(key).into_owned();
        (key, value_json(value))
    });
    Value::Object(fields.collect())
}

fn value_json(value: &amqp::Value) -> Value {
    use amqp::Value as V;
    match value {
        V::Void => Value::Null,
        V::Bool(flag) => Value::Bool(*flag),
        V::LongString(text) | V::Bytes(text) => match std::str::from_utf8(text) {
            Ok(text) => text.into(),
            Err(_) => text.iter().map(|octet| Value::from(*octet)).collect(),
        },
        V::F32(number) => f64::from(*number).into(),
        V::F64(number) => (*number).into(),
        V::Timestamp(seconds) => (*seconds).into(),
        V::Array(items) => items.iter().map(value_json).collect(),
        V::Table(table) => arguments_json(table),
        V::Decimal(..) => Value::Null,
        number => number.as_int().into(),
    }
}
