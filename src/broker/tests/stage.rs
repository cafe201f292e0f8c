//! A broker with one virtual host, and short words for what the tests do to it.

use std::sync::Arc;

use crate::amqp::hot::join_route;
use crate::amqp::properties::{Properties, parse_expiration};
use crate::amqp::{Table, Value};
use crate::broker::batch::{Batch, Refusals};
use crate::broker::core::{Broker, Options};
use crate::broker::exchange::ExchangeSpec;
use crate::broker::route::{Route, RoutedMessage, extra_keys};
use crate::broker::shared_queue::{QueueSpec, SharedQueue};
use crate::broker::vhost::Vhost;
use crate::exchange::{Binding, Destination, ExchangeType};
use crate::ids::Name;
use crate::message::Record;
use crate::queue::serving::Taken;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{Effects, Incoming, QueueArguments, QueueKind};
use crate::time::unix_ms;

pub struct Stage {
    pub broker: Arc<Broker>,
    pub vhost: Arc<Vhost>,
}

/// A message as a consumer would see it.
#[derive(Debug)]
pub struct Seen {
    pub exchange: String,
    pub routing_key: String,
    pub body: String,
    pub headers: Table,
    pub expiration: Option<String>,
    pub taken: Taken,
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn long(text: &str) -> Value {
    Value::text(text)
}

pub fn table(fields: &[(&str, Value)]) -> Table {
    let fields = fields.iter();
    Table(
        fields
            .map(|(name, value)| (name.as_bytes().to_vec(), value.clone()))
            .collect(),
    )
}

pub fn keys(keys: &[&str]) -> Value {
    Value::Array(keys.iter().map(|key| long(key)).collect())
}

impl Stage {
    pub fn new() -> Self {
        let broker = Broker::new(Options {
            max_message_size: 1 << 27,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        let vhost = broker.put_vhost(b"/", None);
        Self { broker, vhost }
    }

    pub fn queue(&self, name: &str, arguments: &[(&str, Value)]) -> Arc<SharedQueue> {
        let arguments = table(arguments);
        let settings = QueueArguments::parse(&arguments, name, QueueKind::Classic).unwrap();
        let spec = QueueSpec {
            name: Name::from(name),
            durable: true,
            owner: None,
            auto_delete: false,
            arguments,
            settings,
            declared_by: Name::from("tester"),
        };
        let declared = self.vhost.declare_queue(&self.broker, spec, 1, unix_ms());
        let (queue, new) = declared.unwrap();
        assert!(new, "{name} is there already");
        queue
    }

    /// A queue whose dead letters go to `exchange`.
    pub fn mortal(
        &self,
        name: &str,
        exchange: &str,
        arguments: &[(&str, Value)],
    ) -> Arc<SharedQueue> {
        let mut arguments = arguments.to_vec();
        arguments.push(("x-dead-letter-exchange", long(exchange)));
        self.queue(name, &arguments)
    }

    pub fn exchange(&self, name: &str, kind: ExchangeType, alternate: Option<&str>) {
        let arguments = match alternate {
            Some(alternate) => table(&[("alternate-exchange", long(alternate))]),
            None => Table::default(),
        };
        let spec = ExchangeSpec {
            name: Name::from(name),
            kind,
            durable: true,
            auto_delete: false,
            internal: false,
            arguments,
            declared_by: Name::from("tester"),
        };
        self.vhost.declare_exchange(spec).unwrap();
    }

    pub fn bind(&self, source: &str, key: &str, queue: &str) {
        self.vhost
            .bind(source.as_bytes(), &to_queue(queue, key))
            .unwrap();
    }

    pub fn unbind(&self, source: &str, key: &str, queue: &str) {
        self.vhost
            .unbind(source.as_bytes(), &to_queue(queue, key))
            .unwrap();
    }

    pub fn bind_exchange(&self, source: &str, key: &str, destination: &str) {
        let binding = Binding {
            destination: Destination::exchange(destination.as_bytes()),
            ..to_queue("", key)
        };
        self.vhost.bind(source.as_bytes(), &binding).unwrap();
    }

    pub fn route_with(&self, exchange: &str, routing_keys: &[&str], headers: &Table) -> Route {
        let keys: Vec<&[u8]> = routing_keys.iter().map(|key| key.as_bytes()).collect();
        if exchange.is_empty() {
            return self.vhost.route_default(&keys);
        }
        let message = RoutedMessage {
            keys: &keys,
            headers: Some(headers),
            properties: &Properties::default(),
            random: 0,
        };
        let exchange = self.vhost.exchange(exchange.as_bytes()).unwrap();
        self.vhost.route(&exchange, message)
    }

    pub fn route(&self, exchange: &str, key: &str) -> Route {
        self.route_with(exchange, &[key], &Table::default())
    }

    /// Publishes as a channel does; returns to how many queues, and whether one refused.
    pub fn publish(
        &self,
        exchange: &str,
        key: &str,
        body: &str,
        headers: &[(&str, Value)],
        expiration: Option<&str>,
    ) -> (usize, bool) {
        let mut headers = table(headers);
        let extra = extra_keys(&headers).unwrap();
        let mut hidden = Vec::new();
        if let Some(Value::Array(blind)) = headers.remove(b"BCC") {
            for key in blind.iter().filter_map(Value::as_long_string) {
                hidden.push(key.len() as u8);
                hidden.extend_from_slice(key);
            }
        }
        let mut routing_keys = vec![key];
        let extra: Vec<String> = extra.iter().map(|key| text(key)).collect();
        routing_keys.extend(extra.iter().map(String::as_str));
        let route = self.route_with(exchange, &routing_keys, &headers);
        let properties = Properties {
            expiration: expiration.map(str::as_bytes),
            ..Properties::default()
        };
        let mut raw = Vec::new();
        properties.write(&mut raw, Some(&headers));
        let mut batch = Batch::default();
        let offset = batch.append_record(&Record {
            route: &join_route(exchange.as_bytes(), key.as_bytes()),
            properties: &raw,
            hidden: &hidden,
            body: body.as_bytes(),
        });
        for queue in &route.queues {
            let ttl = expiration.map(|text| parse_expiration(text.as_bytes()).unwrap());
            let message = Incoming {
                offset,
                size: body.len() as u32,
                priority: 0,
                ttl_ms: ttl.unwrap_or(u64::MAX),
                publish: 7,
                persistent: false,
                forced: false,
            };
            batch.push(queue, message);
        }
        let mut refusals = Refusals::default();
        batch.flush(&self.broker, unix_ms(), &mut refusals, None);
        (route.queues.len(), !refusals.refused.is_empty())
    }

    /// Publishes to one queue by the default exchange.
    pub fn put(&self, queue: &str, body: &str) {
        assert_eq!(self.publish("", queue, body, &[], None), (1, false));
    }

    pub fn get(&self, queue: &str) -> Option<Seen> {
        let queue = self.vhost.queue(queue.as_bytes()).unwrap();
        let taken = queue.get(&self.broker, false, unix_ms()).unwrap()?;
        let record = taken.chunk.record(taken.offset);
        let properties = Properties::read(record.properties).unwrap();
        Some(Seen {
            exchange: text(record.exchange()),
            routing_key: text(record.routing_key()),
            body: text(record.body),
            headers: properties.headers_table(),
            expiration: properties.expiration.map(text),
            taken: taken.clone(),
        })
    }

    pub fn must_get(&self, queue: &str) -> Seen {
        let seen = self.get(queue);
        seen.unwrap_or_else(|| panic!("nothing in {queue}"))
    }

    pub fn settle(&self, queue: &str, seen: &Seen, how: Settlement) {
        let queue = self.vhost.queue(queue.as_bytes()).unwrap();
        let run = SettleRun {
            first: seen.taken.id,
            len: 1,
            consumer: None,
            how,
        };
        queue.settle(&self.broker, &[run], unix_ms());
    }

    /// Takes the head of a queue and rejects it.
    pub fn reject(&self, queue: &str) {
        let seen = self.must_get(queue);
        self.settle(queue, &seen, Settlement::Reject);
    }

    /// Lets everything in a queue expire that has a time to live.
    pub fn expire(&self, queue: &str) {
        let queue = self.vhost.queue(queue.as_bytes()).unwrap();
        let mut effects = Effects::default();
        queue.tick(unix_ms() + 1_000_000_000, &mut effects);
        self.broker.carry_out(&queue, effects);
    }

    pub fn ready(&self, queue: &str) -> u64 {
        let queue = self.vhost.queue(queue.as_bytes()).unwrap();
        queue.status().ready
    }
}

fn to_queue(queue: &str, key: &str) -> Binding {
    Binding {
        destination: Destination::queue(queue.as_bytes()),
        routing_key: Name::from(key),
        arguments: Table::default(),
    }
}

/// The queues of a route by name, in alphabetic order; a queue that is there twice stands twice.
pub fn names(route: &Route) -> Vec<String> {
    let queues = route.queues.iter();
    let mut names: Vec<String> = queues.map(|queue| text(queue.name.as_bytes())).collect();
    names.sort();
    names
}

/// The entries of `x-death` as `queue/reason/count`, newest first.
pub fn deaths(headers: &Table) -> Vec<String> {
    let Some(Value::Array(deaths)) = headers.get(b"x-death") else {
        return Vec::new();
    };
    let field = |death: &Table, name: &str| match death.get(name.as_bytes()) {
        Some(Value::LongString(value)) => text(value),
        Some(Value::I64(count)) => count.to_string(),
        other => format!("{other:?}"),
    };
    let tables = deaths.iter().map(|death| match death {
        Value::Table(table) => table,
        other => panic!("x-death holds {other:?}"),
    });
    tables
        .map(|death| {
            let [queue, reason, count] = ["queue", "reason", "count"].map(|f| field(death, f));
            format!("{queue}/{reason}/{count}")
        })
        .collect()
}
