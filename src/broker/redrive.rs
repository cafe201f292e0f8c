//! Sends messages of a queue on: dead letters back to the queue they died in first, or all to one
//! queue. Each leaves its queue only once the other has it; a crash in between leaves both with it.

use std::sync::Arc;

use super::batch::{Batch, Refusals};
use super::core::Broker;
use super::shared_queue::SharedQueue;
use super::vhost::Vhost;
use crate::amqp::hot::{join_route, split_route};
use crate::amqp::properties::{Properties, parse_expiration};
use crate::amqp::{Table, Value};
use crate::message::Record;
use crate::queue::browse::{Found, From};
use crate::queue::{Incoming, MessageId};
use crate::store::StoreError;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To the queue where each died first, by its `x-first-death-queue`.
    Origin,
    /// To this queue.
    Queue(String),
}

/// Which messages go. Empty fields take all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The routing key they were published with.
    pub routing_key: Option<String>,
    /// The queue they died in first.
    pub queue: Option<String>,
    /// Why they died first.
    pub reason: Option<String>,
}

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Where to.
    pub target: Target,
    /// Which.
    pub filter: Filter,
}

/// What became of some messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Looked at.
    pub seen: u64,
    /// In their new queue.
    pub moved: u64,
    /// Left, because the filter does not take them or somebody else took them.
    pub kept: u64,
    /// Left, because there is no such queue or it refused.
    pub failed: u64,
    /// The last one that was looked at.
    pub last: Option<MessageId>,
}

/// What a dead letter says of its first death.
struct FirstDeath {
    queue: Option<String>,
    reason: Option<String>,
    exchange: Option<Vec<u8>>,
    routing_key: Option<Vec<u8>>,
}

fn text_of(table: &Table, name: &[u8]) -> Option<String> {
    let text = table.get(name)?.as_long_string()?;
    Some(String::from_utf8_lossy(text).into_owned())
}

impl FirstDeath {
    fn of(headers: &Table) -> Self {
        let queue = text_of(headers, b"x-first-death-queue");
        let reason = text_of(headers, b"x-first-death-reason");
        let entries = match headers.get(b"x-death") {
            Some(Value::Array(entries)) => entries.as_slice(),
            _ => &[],
        };
        let first = entries.iter().find_map(|entry| match entry {
            Value::Table(entry)
                if text_of(entry, b"queue") == queue && text_of(entry, b"reason") == reason =>
            {
                Some(entry)
            }
            _ => None,
        });
        let octets = |name: &[u8]| {
            let value = first.and_then(|entry| entry.get(name));
            value.and_then(Value::as_long_string).map(<[u8]>::to_vec)
        };
        let key = first.and_then(|entry| match entry.get(b"routing-keys") {
            Some(Value::Array(keys)) => keys.first().and_then(Value::as_long_string),
            _ => None,
        });
        Self {
            exchange: octets(b"exchange"),
            routing_key: key.map(<[u8]>::to_vec),
            queue,
            reason,
        }
    }
}

impl Filter {
    fn takes(&self, first: &FirstDeath, routing_key: &[u8]) -> bool {
        let key = first.routing_key.as_deref().unwrap_or(routing_key);
        let fits = |wanted: &Option<String>, found: Option<&[u8]>| match wanted {
            None => true,
            Some(wanted) => found == Some(wanted.as_bytes()),
        };
        fits(&self.routing_key, Some(key))
            && fits(&self.queue, first.queue.as_deref().map(str::as_bytes))
            && fits(&self.reason, first.reason.as_deref().map(str::as_bytes))
    }
}

impl Broker {
    /// Sends on up to `most` messages that stand behind `after`, of which `limit` may leave at most.
    /// Fewer were seen than `most` only at the end of the queue.
    #[expect(
        clippy::too_many_arguments,
        reason = "an order and how far it has come"
    )]
    pub fn redrive_some(
        &self,
        vhost: &Arc<Vhost>,
        queue: &Arc<SharedQueue>,
        order: &Order,
        after: Option<MessageId>,
        most: usize,
        limit: u64,
        now: u64,
    ) -> Result<Progress, StoreError> {
        let from = after.map_or(From::Position(0), From::After);
        let mut progress = Progress::default();
        for found in self.find_ready(queue, from, most, now)? {
            if progress.moved >= limit {
                break;
            }
            progress.seen += 1;
            progress.last = Some(found.id);
            match self.redrive_one(vhost, queue, order, &found, now)? {
                Some(true) => progress.moved += 1,
                Some(false) => progress.failed += 1,
                None => progress.kept += 1,
            }
        }
        Ok(progress)
    }

    /// `None`: it is not for this order. Else whether it left.
    fn redrive_one(
        &self,
        vhost: &Arc<Vhost>,
        queue: &Arc<SharedQueue>,
        order: &Order,
        found: &Found,
        now: u64,
    ) -> Result<Option<bool>, StoreError> {
        let (chunk, offset) = match self.journal.fetch(&found.body, found.meta.size) {
            Ok(record) => record,
            Err(error) if error.is_damage() => return Ok(Some(false)),
            Err(error) => return Err(error),
        };
        let record = chunk.record(offset);
        let properties = Properties::read(record.properties).unwrap_or_default();
        let first = FirstDeath::of(&properties.headers_table());
        let (_, routing_key) = split_route(record.route);
        if !order.filter.takes(&first, routing_key) {
            return Ok(None);
        }
        let name = match &order.target {
            Target::Queue(name) => Some(name.as_str()),
            Target::Origin => first.queue.as_deref(),
        };
        let target = name.and_then(|name| vhost.queue(name.as_bytes()));
        // Within its own queue there is nowhere to go.
        let target = target.filter(|target| target.id != queue.id);
        let Some(target) = target.filter(|target| target.owner.is_none()) else {
            return Ok(Some(false));
        };
        if self.act_on(queue, &[found.id], now, |queue, id, _| queue.hold(id))? == 0 {
            return Ok(None);
        }
        let route = match (&first.exchange, &first.routing_key, &order.target) {
            (Some(exchange), Some(key), Target::Origin) => join_route(exchange, key),
            _ => record.route.to_vec(),
        };
        let record = Record {
            route: &route,
            ..record
        };
        let taken = self.place(&target, &record, &properties, now);
        queue.end_hold(self, found.id, taken, now);
        Ok(Some(taken))
    }

    /// Puts one record into `target`; false when that refuses or is gone.
    fn place(
        &self,
        target: &Arc<SharedQueue>,
        record: &Record<'_>,
        properties: &Properties<'_>,
        now: u64,
    ) -> bool {
        let persistent = properties.delivery_mode == Some(2);
        let ttl = properties.expiration.map(parse_expiration);
        let mut batch = Batch::default();
        let quorum = target.settings.kind == crate::queue::QueueKind::Quorum;
        batch.set_logged(target.durable && (persistent || quorum));
        let offset = batch.append_record(record);
        batch.push(
            target,
            Incoming {
                offset,
                size: u32::try_from(record.body.len()).unwrap_or(u32::MAX),
                priority: properties.priority.unwrap_or(0),
                ttl_ms: ttl.and_then(Result::ok).unwrap_or(u64::MAX),
                publish: 0,
                persistent,
                forced: false,
            },
        );
        let mut refusals = Refusals::default();
        batch.flush(self, now, &mut refusals, None);
        refusals.refused.is_empty() && refusals.gone.is_empty()
    }
}
