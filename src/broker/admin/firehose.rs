//! Telling of publishes and deliveries (RabbitMQ's firehose): a copy of each message goes to the
//! exchange `amq.rabbitmq.trace`, with what happened to it in the headers. Costs what its copies cost
//! while it is on, and nothing while it is off: sessions learn of it when they look for a route, and
//! once per handful of deliveries.

use std::sync::Arc;

use super::error::AdminError;
use crate::amqp::hot::join_route;
use crate::amqp::properties::Properties;
use crate::amqp::table::Cursor;
use crate::amqp::{Table, Value};
use crate::broker::batch::{Batch, Refusals};
use crate::broker::core::Broker;
use crate::broker::route::{RoutedMessage, extra_keys};
use crate::broker::shared_queue::SharedQueue;
use crate::broker::vhost::Vhost;
use crate::message::Record;
use crate::queue::Incoming;

/// Where the copies go.
const TRACE: &[u8] = b"amq.rabbitmq.trace";

/// Whose doing it is.
#[derive(Debug, Clone, Copy)]
pub struct Tap<'a> {
    /// The virtual host.
    pub vhost: &'a Vhost,
    /// The connection's name; `None` where it is none of the network's.
    pub connection: Option<&'a str>,
    /// The channel's number.
    pub channel: u16,
    /// The user.
    pub user: &'a str,
}

/// What happened to a message.
#[derive(Debug, Clone, Copy)]
pub enum Told<'a> {
    /// It was published, and these queues get it.
    Published(&'a [Arc<SharedQueue>]),
    /// It was delivered from this queue, for the first time or again.
    Delivered(&'a SharedQueue, bool),
}

impl Broker {
    /// Switches the firehose of a host on or off. Not kept over a restart, as in RabbitMQ.
    pub fn admin_trace(&self, vhost: &str, on: bool) -> Result<(), AdminError> {
        let vhost = self.vhost(vhost.as_bytes()).ok_or(AdminError::NotFound)?;
        self.trace(&vhost, on);
        Ok(())
    }

    pub(super) fn trace(&self, vhost: &Vhost, on: bool) {
        if vhost.is_traced() == on {
            return;
        }
        let what = if on { "Enabling" } else { "Disabling" };
        tracing::info!("{what} tracing for vhost '{}'", vhost.name);
        vhost.set_traced(on);
        // Publishers look again at what they remembered, and find it.
        self.users.forget_grants();
    }

    /// Tells of a message. Its own copies are not told of. What a full queue refuses is lost.
    pub fn tell(&self, tap: Tap<'_>, record: &Record<'_>, told: Told<'_>, now: u64) {
        if record.exchange() == TRACE {
            return;
        }
        let (Some(exchange), Ok(properties)) = (
            tap.vhost.exchange(TRACE),
            Properties::read(record.properties),
        ) else {
            return;
        };
        let mut key = match told {
            Told::Published(_) => [b"publish.", record.exchange()].concat(),
            Told::Delivered(queue, _) => [b"deliver.", queue.name.as_bytes()].concat(),
        };
        // As long as a key may be.
        key.truncate(255);
        let none = Properties::default();
        let routed = RoutedMessage {
            keys: &[&key],
            headers: None,
            properties: &none,
            random: rand::random(),
        };
        let queues = tap.vhost.route(&exchange, routed).queues;
        if queues.is_empty() {
            return;
        }
        let headers = self.describe(tap, record, &properties, told);
        let mut raw = Vec::new();
        none.write(&mut raw, Some(&headers));
        let mut batch = Batch::default();
        let offset = batch.append_record(&Record {
            route: &join_route(TRACE, &key),
            properties: &raw,
            hidden: &[],
            body: record.body,
        });
        let copy = Incoming {
            offset,
            size: u32::try_from(record.body.len()).unwrap_or(u32::MAX),
            priority: 0,
            ttl_ms: u64::MAX,
            publish: 0,
            persistent: false,
            forced: false,
        };
        for queue in &queues {
            batch.push(queue, copy);
        }
        // Quorum queues keep what is transient as well.
        batch.set_logged(queues.iter().any(|queue| queue.durable));
        batch.flush(self, now, &mut Refusals::default(), None);
    }

    /// The headers of a copy, in RabbitMQ's order.
    fn describe(
        &self,
        tap: Tap<'_>,
        record: &Record<'_>,
        properties: &Properties<'_>,
        told: Told<'_>,
    ) -> Table {
        let long = |octets: &[u8]| Value::LongString(octets.to_vec());
        let mut keys = vec![long(record.routing_key())];
        let extra = extra_keys(&properties.headers_table()).unwrap_or_default();
        keys.extend(extra.into_iter().map(Value::LongString));
        let mut hidden = Cursor::new(record.hidden);
        while let Ok(key) = hidden.short_string() {
            keys.push(long(key));
        }
        let mut headers = Table::default();
        let mut set = |name: &str, value| headers.0.push((name.as_bytes().to_vec(), value));
        set("exchange_name", long(record.exchange()));
        set("routing_keys", Value::Array(keys));
        set("properties", Value::Table(properties_table(properties)));
        set("node", Value::text(self.node()));
        if let Told::Delivered(_, redelivered) = told {
            set("redelivered", Value::I32(i32::from(redelivered)));
        }
        set("vhost", long(tap.vhost.name.as_bytes()));
        set(
            "connection",
            Value::text(tap.connection.unwrap_or_default()),
        );
        set("channel", Value::I32(tap.channel.into()));
        set("user", Value::text(tap.user));
        if let Told::Published(queues) = told {
            let names = queues.iter().map(|queue| long(queue.name.as_bytes()));
            set("routed_queues", Value::Array(names.collect()));
        }
        headers
    }
}

/// The properties a message has, each under its name.
fn properties_table(properties: &Properties<'_>) -> Table {
    let mut table = Table::default();
    let texts = [
        ("content_type", properties.content_type),
        ("content_encoding", properties.content_encoding),
    ];
    let more = [
        ("correlation_id", properties.correlation_id),
        ("reply_to", properties.reply_to),
        ("expiration", properties.expiration),
        ("message_id", properties.message_id),
    ];
    let last = [
        ("type", properties.kind),
        ("user_id", properties.user_id),
        ("app_id", properties.app_id),
        ("cluster_id", properties.cluster_id),
    ];
    let text = |table: &mut Table, fields: &[(&str, Option<&[u8]>)]| {
        for (name, value) in fields {
            if let Some(value) = value {
                table.set(name.as_bytes(), Value::LongString(value.to_vec()));
            }
        }
    };
    text(&mut table, &texts);
    if properties.headers.is_some() {
        table.set(b"headers", Value::Table(properties.headers_table()));
    }
    if let Some(mode) = properties.delivery_mode {
        table.set(b"delivery_mode", Value::I32(mode.into()));
    }
    if let Some(priority) = properties.priority {
        table.set(b"priority", Value::I32(priority.into()));
    }
    text(&mut table, &more);
    if let Some(seconds) = properties.timestamp {
        let value = match i32::try_from(seconds) {
            Ok(seconds) => Value::I32(seconds),
            Err(_) => Value::I64(i64::try_from(seconds).unwrap_or(i64::MAX)),
        };
        table.set(b"timestamp", value);
    }
    text(&mut table, &last);
    table
}
