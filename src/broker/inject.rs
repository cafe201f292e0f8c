//! Publishing and getting for who has no connection: the management API.

use std::sync::Arc;

use super::batch::{Batch, Refusals};
use super::core::Broker;
use super::exchange::Exchange;
use super::observe::message_counts::MessageCounts;
use super::route::{Route, RoutedMessage, extra_keys};
use super::shared_queue::SharedQueue;
use super::vhost::Vhost;
use crate::amqp::hot::join_route;
use crate::amqp::properties::{Properties, parse_expiration};
use crate::amqp::table::write_short_string;
use crate::amqp::{AmqpError, Table, Value};
use crate::message::Record;
use crate::queue::serving::Taken;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{Incoming, MessageId};

/// A message to publish.
#[derive(Debug, Clone, Copy)]
pub struct Injected<'a> {
    /// The exchange; empty for the default one.
    pub exchange: &'a [u8],
    /// The routing key.
    pub routing_key: &'a [u8],
    /// Its properties but for the headers.
    pub properties: Properties<'a>,
    /// Its headers, if it has some.
    pub headers: Option<&'a Table>,
    /// Its body.
    pub body: &'a [u8],
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Some queue has it.
    pub routed: bool,
    /// The log's ticket after which that outlives a crash; 0 when there is nothing to wait for.
    pub ticket: u64,
}

impl Broker {
    /// Publishes one message, as a channel would that wants unroutable ones back.
    pub fn inject(
        &self,
        vhost: &Arc<Vhost>,
        message: Injected<'_>,
        now: u64,
    ) -> Result<Outcome, AmqpError> {
        let max = self.options.max_message_size;
        if message.body.len() as u64 > max {
            return Err(AmqpError::precondition_failed(format!(
                "message size {} is larger than configured max size {max}",
                message.body.len()
            )));
        }
        let exchange = match message.exchange {
            [] => None,
            name => Some(vhost.existing_exchange(name)?),
        };
        if exchange.as_ref().is_some_and(|exchange| exchange.internal) {
            return Err(AmqpError::access_refused(format!(
                "cannot publish to internal exchange '{}' in vhost '{}'",
                String::from_utf8_lossy(message.exchange),
                vhost.name
            )));
        }
        let (route, outcome) = self.publish_into(vhost, exchange.as_ref(), message, now)?;
        vhost.gone.lock().counts += MessageCounts {
            publish: 1,
            confirm: 1,
            return_unroutable: u64::from(route.queues.is_empty()),
            ..MessageCounts::default()
        };
        Ok(outcome)
    }

    /// Publishes one message to the default exchange (`None`) or this one, whoever may; its size is
    /// not looked at.
    pub(super) fn publish_into(
        &self,
        vhost: &Arc<Vhost>,
        exchange: Option<&Arc<Exchange>>,
        message: Injected<'_>,
        now: u64,
    ) -> Result<(Route, Outcome), AmqpError> {
        let ttl_ms = match message.properties.expiration {
            None => u64::MAX,
            Some(text) => parse_expiration(text).map_err(AmqpError::precondition_failed)?,
        };
        let invalid =
            |why: String| AmqpError::precondition_failed(format!("invalid message: {why}"));
        let extra = match message.headers {
            Some(headers) => extra_keys(headers).map_err(invalid)?,
            None => Vec::new(),
        };
        let mut keys = vec![message.routing_key];
        keys.extend(extra.iter().map(Vec::as_slice));
        let route = match exchange {
            None => vhost.route_default(&keys),
            Some(exchange) => vhost.route(
                exchange,
                RoutedMessage {
                    keys: &keys,
                    headers: message.headers,
                    properties: &message.properties,
                    random: rand::random(),
                },
            ),
        };
        route.counts.publish_in.add(1);
        route.counts.publish_out.add(route.queues.len() as u64);
        let persistent = message.properties.delivery_mode == Some(2);
        let mut batch = Batch::default();
        batch.set_logged(route.logs(persistent));
        let (properties, hidden) = written(&message);
        let offset = batch.append_record(&Record {
            route: &join_route(message.exchange, message.routing_key),
            properties: &properties,
            hidden: &hidden,
            body: message.body,
        });
        for queue in &route.queues {
            batch.push(
                queue,
                Incoming {
                    offset,
                    size: u32::try_from(message.body.len()).unwrap_or(u32::MAX),
                    priority: message.properties.priority.unwrap_or(0),
                    ttl_ms,
                    publish: 0,
                    persistent,
                    forced: false,
                },
            );
        }
        let mut refusals = Refusals::default();
        let ticket = batch.flush(self, now, &mut refusals, None);
        let lost = refusals.refused.len() + refusals.gone.len();
        let routed = route.queues.len() > lost;
        Ok((route, Outcome { routed, ticket }))
    }

    /// `basic.get` for who has no channel. The outer `None`: the queue is deleted.
    pub fn extract(
        &self,
        queue: &Arc<SharedQueue>,
        no_ack: bool,
        now: u64,
    ) -> Option<Option<Taken>> {
        let taken = queue.get(self, no_ack, now)?;
        let mut counts = MessageCounts::default();
        match &taken {
            None => counts.get_empty = 1,
            Some(taken) => {
                *if no_ack {
                    &mut counts.get_no_ack
                } else {
                    &mut counts.get
                } += 1;
                counts.redeliver += u64::from(taken.redelivered);
            }
        }
        if let Some(vhost) = queue.vhost.upgrade() {
            vhost.gone.lock().counts += counts;
        }
        Some(taken)
    }

    /// Ends what [`Self::extract`] took: back into the queue, or rejected.
    pub fn end_extracts(
        &self,
        queue: &Arc<SharedQueue>,
        ids: &[MessageId],
        how: Settlement,
        now: u64,
    ) {
        let runs: Vec<SettleRun> = ids
            .iter()
            .map(|id| SettleRun {
                first: *id,
                len: 1,
                consumer: None,
                how,
            })
            .collect();
        queue.settle(self, &runs, now);
    }
}

/// The properties as they lie in the record, without BCC, and the keys of that.
fn written(message: &Injected<'_>) -> (Vec<u8>, Vec<u8>) {
    let mut headers = message.headers.cloned();
    let removed = headers.as_mut().and_then(|headers| headers.remove(b"BCC"));
    let mut hidden = Vec::new();
    if let Some(Value::Array(keys)) = removed {
        for key in keys.iter().filter_map(Value::as_long_string) {
            write_short_string(&mut hidden, key);
        }
    }
    let mut properties = Vec::new();
    message.properties.write(&mut properties, headers.as_ref());
    (properties, hidden)
}
