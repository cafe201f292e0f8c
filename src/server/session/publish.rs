//! `basic.publish`: from frames in a buffer to places in queues.

use std::sync::Arc;

use super::Session;
use super::channel::{Channel, Mode};
use super::properties::Asked;
use super::tx::Transaction;
use crate::amqp::frame::{self, FrameType};
use crate::amqp::hot::{self, Publish};
use crate::amqp::properties::Properties;
use crate::amqp::table::write_short_string;
use crate::amqp::{AmqpError, Table, Value};
use crate::broker::batch::Batch;
use crate::broker::reply_to::REPLY_TO;
use crate::broker::route::Route;
use crate::channel::Content;
use crate::limits::READ_BATCH;
use crate::message::{Chunk, Record};
use crate::queue::Incoming;

/// Bodies from here on keep the buffer they were gathered in; shorter ones join the batch.
const ADOPTED_FROM: usize = 64 * 1024;

/// One complete publish.
#[derive(Clone, Copy)]
pub(super) struct Message<'a> {
    pub route: &'a [u8],
    pub mandatory: bool,
    pub properties: &'a [u8],
    /// BCC keys, as in [`Record::hidden`].
    pub hidden: &'a [u8],
    pub body: &'a [u8],
}

impl Session {
    /// A publish method. When its content lies complete behind it, takes that in as well and
    /// returns its octets; else the content is gathered frame by frame.
    pub(super) fn on_publish(
        &mut self,
        channel: u16,
        publish: Publish<'_>,
        behind: &[u8],
    ) -> Result<usize, AmqpError> {
        if publish.immediate {
            return Err(AmqpError::not_implemented("immediate=true"));
        }
        self.note_publisher();
        let payload_max = self.tuning.payload_max();
        if let Some((header, body, taken)) = whole_content(channel, behind, payload_max) {
            self.check_size(header.body_size)?;
            let message = Message {
                route: publish.route,
                mandatory: publish.mandatory,
                properties: header.properties,
                hidden: &[],
                body,
            };
            self.publish(channel, message, behind.len())?;
            return Ok(taken);
        }
        if let Some(state) = self.channels.get_mut(&channel) {
            state.content = Some(Content::new(publish.route, publish.mandatory));
        }
        Ok(0)
    }

    /// Refuses a body beyond `max_message_size` as soon as its header announces it.
    pub(super) fn check_size(&self, size: u64) -> Result<(), AmqpError> {
        let max = self.broker.options.max_message_size;
        if size > max {
            return Err(AmqpError::precondition_failed(format!(
                "message size {size} is larger than configured max size {max}"
            )));
        }
        Ok(())
    }

    /// Publishes the content of `channel` if it is complete.
    pub(super) fn finish_content(&mut self, channel: u16) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        if !state.content.as_ref().is_some_and(Content::is_complete) {
            return Ok(());
        }
        let Some(content) = state.content.take() else {
            return Ok(());
        };
        if let Some(spool) = state.spool.take() {
            self.end_spool(channel, content, spool);
            return Ok(());
        }
        let mandatory = content.mandatory;
        let record = content.into_record();
        if record.len() < ADOPTED_FROM {
            let view = Record::read(&record).unwrap_or_default();
            let message = Message {
                route: view.route,
                mandatory,
                properties: view.properties,
                hidden: &[],
                body: view.body,
            };
            return self.publish(channel, message, record.len());
        }
        self.publish_large(channel, mandatory, record)
    }

    #[inline]
    fn publish(
        &mut self,
        channel: u16,
        message: Message<'_>,
        expected: usize,
    ) -> Result<(), AmqpError> {
        let users = self.broker.users.generation();
        // The common case: a route and properties that were seen before, and nothing special.
        if let Some(asked) = self.memo.get(message.properties)
            && !asked.special
            && let Some(known) = self.routes.get(message.route, users)
            && let Some(state) = self.channels.get_mut(&channel)
            && !matches!(state.mode, Mode::Tx(_))
        {
            let logged = known.route.logs(asked.persistent);
            if !self.batch.takes(logged) {
                self.flush_batch();
                return self.publish(channel, message, expected);
            }
            self.batch.set_logged(logged);
            state.stats.publish.add(1);
            self.tally
                .count(&known.route.counts, known.route.queues.len());
            let publish = confirm_publish(
                state,
                channel,
                &mut self.batch_publishes,
                &mut self.confirming,
            );
            if !known.route.queues.is_empty() {
                let Message {
                    route,
                    properties,
                    body,
                    ..
                } = message;
                let expected = expected.min(READ_BATCH);
                let offset = self.batch.append(route, properties, body, expected);
                let message = Incoming {
                    offset,
                    ..incoming(asked, body, publish)
                };
                for (queue, place) in known.route.queues.iter().zip(&mut known.places) {
                    self.batch.push_at(queue, Some(place), message);
                }
                return Ok(());
            }
            if message.mandatory {
                self.return_unroutable(channel, message.route, message.properties, message.body);
            } else {
                state.stats.drop_unroutable.add(1);
            }
            return Ok(());
        }
        self.publish_slowly(channel, message, expected)
    }

    pub(super) fn publish_slowly(
        &mut self,
        channel: u16,
        message: Message<'_>,
        expected: usize,
    ) -> Result<(), AmqpError> {
        let (route, asked) = self.examine(channel, message)?;
        let rewritten = asked
            .special
            .then(|| self.rewrite(channel, message.properties))
            .flatten();
        let message = match &rewritten {
            Some((properties, hidden)) => Message {
                properties,
                hidden,
                ..message
            },
            None => message,
        };
        let record = Record {
            route: message.route,
            properties: message.properties,
            hidden: message.hidden,
            body: message.body,
        };
        self.tell_publish(channel, &record, &route.queues);
        let logged = route.logs(asked.persistent);
        if !self.batch.takes(logged) {
            self.flush_batch();
        }
        let Some(state) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        let unroutable = message.mandatory && route.queues.is_empty();
        if let Mode::Tx(tx) = &mut state.mode {
            let Message {
                route: key,
                properties,
                hidden,
                body,
                ..
            } = message;
            let octets = key.len() + properties.len() + hidden.len() + body.len();
            tx.reserve(octets, route.queues.len())?;
            if route.queues.is_empty() {
                tx.dropped += u64::from(!message.mandatory);
                tx.note_unroutable(
                    message.mandatory,
                    message.route,
                    message.properties,
                    message.body,
                );
            }
            let incoming = incoming(asked, message.body, 0);
            tx.tally.count(&route.counts, route.queues.len());
            tx.published += 1;
            state.stats.uncommitted.set(tx.published);
            // All of a transaction is one entry of the log, or none of it.
            tx.logged |= logged;
            // It ends as one chunk, whatever is in it.
            tx.batch.set_logged(true);
            place(&mut tx.batch, &route.queues, message, incoming, 0);
            return Ok(());
        }
        state.stats.publish.add(1);
        self.tally.count(&route.counts, route.queues.len());
        if route.queues.is_empty() && !message.mandatory && !is_reply(message) {
            state.stats.drop_unroutable.add(1);
        }
        let publish = confirm_publish(
            state,
            channel,
            &mut self.batch_publishes,
            &mut self.confirming,
        );
        if !route.queues.is_empty() {
            let incoming = incoming(asked, message.body, publish);
            self.batch.set_logged(logged);
            place(
                &mut self.batch,
                &route.queues,
                message,
                incoming,
                expected.min(READ_BATCH),
            );
        }
        self.reply_directly(message);
        if unroutable {
            self.return_unroutable(channel, message.route, message.properties, message.body);
        }
        Ok(())
    }

    /// A large body keeps its buffer: the batch ends before it and it is one of its own.
    fn publish_large(
        &mut self,
        channel: u16,
        mandatory: bool,
        record: Vec<u8>,
    ) -> Result<(), AmqpError> {
        let view = Record::read(&record).unwrap_or_default();
        let message = Message {
            route: view.route,
            mandatory,
            properties: view.properties,
            hidden: &[],
            body: view.body,
        };
        let in_tx = self
            .channels
            .get(&channel)
            .is_some_and(|s| matches!(s.mode, Mode::Tx(_)));
        let (route, asked) = self.examine(channel, message)?;
        if in_tx || asked.special || route.queues.is_empty() {
            return self.publish_slowly(channel, message, record.len());
        }
        self.flush();
        self.tell_publish(channel, &view, &route.queues);
        self.tally.count(&route.counts, route.queues.len());
        let publish = self.channels.get_mut(&channel).map_or(u32::MAX, |state| {
            state.stats.publish.add(1);
            confirm_publish(
                state,
                channel,
                &mut self.batch_publishes,
                &mut self.confirming,
            )
        });
        let incoming = incoming(asked, message.body, publish);
        self.batch.set_logged(route.logs(asked.persistent));
        let offset = self.batch.adopt(record);
        for queue in &route.queues {
            self.batch.push(queue, Incoming { offset, ..incoming });
        }
        self.flush();
        Ok(())
    }

    /// Checks the publish and finds its route, in RabbitMQ's order of refusals.
    pub(super) fn examine(
        &mut self,
        channel: u16,
        message: Message<'_>,
    ) -> Result<(Arc<Route>, Asked), AmqpError> {
        // Headers decide for some exchanges; malformed ones are refused after the exchange.
        let properties = Properties::read(message.properties).unwrap_or_default();
        let special = self
            .memo
            .get(message.properties)
            .is_none_or(|asked| asked.special);
        let route = self.find_route(message.route, &properties, special)?;
        let asked = match self.memo.get(message.properties) {
            Some(asked) if !asked.special => asked,
            _ => self.read_properties(channel, message.properties)?,
        };
        Ok((route, asked))
    }

    /// Properties without BCC, and with this channel's address for direct replies; and BCC's keys.
    fn rewrite(&self, channel: u16, raw: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut properties = Properties::read(raw).ok()?;
        let mut headers = properties.headers.map(|_| properties.headers_table());
        let removed = headers
            .as_mut()
            .and_then(|headers: &mut Table| headers.remove(b"BCC"));
        let direct = properties.reply_to == Some(REPLY_TO);
        if removed.is_none() && !direct {
            return None;
        }
        if direct {
            properties.reply_to = self.channels.get(&channel)?.reply_address.as_deref();
        }
        let mut rewritten = Vec::with_capacity(raw.len() + 64);
        properties.write(&mut rewritten, headers.as_ref());
        let mut hidden = Vec::new();
        if let Some(Value::Array(keys)) = removed {
            for key in keys.iter().filter_map(Value::as_long_string) {
                write_short_string(&mut hidden, key);
            }
        }
        Some((rewritten, hidden))
    }

    /// A message to the address of a waiting requester goes straight there.
    fn reply_directly(&mut self, message: Message<'_>) {
        if !is_reply(message) {
            return;
        }
        let (_, key) = hot::split_route(message.route);
        let mut data = Vec::new();
        Record {
            route: message.route,
            properties: message.properties,
            hidden: &[],
            body: message.body,
        }
        .write(&mut data);
        let chunk = Chunk::new(data);
        self.broker.replies.deliver(key, &chunk, 0);
    }
}

/// True for a message to the address of a waiting requester.
pub(super) fn is_reply(message: Message<'_>) -> bool {
    let (exchange, key) = hot::split_route(message.route);
    exchange.is_empty() && crate::broker::reply_to::is_reply_name(key)
}

/// The header and body frames of one publish, when they lie complete in `behind` and the body
/// fits one frame. Anything else, errors included, is left to the frame-by-frame path.
#[inline]
fn whole_content(
    channel: u16,
    behind: &[u8],
    payload_max: usize,
) -> Option<(hot::ContentHeader<'_>, &[u8], usize)> {
    let prefix = frame::read_prefix(behind, payload_max).ok()??;
    if prefix.kind != FrameType::Header || prefix.channel != channel {
        return None;
    }
    let (payload, header_len) = frame::read_payload(behind, prefix).ok()??;
    let header = hot::content_header(payload).filter(|header| header.class == 60)?;
    if header.body_size == 0 {
        return Some((header, &[], header_len));
    }
    let rest = behind.get(header_len..)?;
    let prefix = frame::read_prefix(rest, payload_max).ok()??;
    let whole = prefix.kind == FrameType::Body
        && prefix.channel == channel
        && prefix.size as u64 == header.body_size;
    if !whole {
        return None;
    }
    let (body, body_len) = frame::read_payload(rest, prefix).ok()??;
    Some((header, body, header_len + body_len))
}

#[inline]
pub(super) fn incoming(asked: Asked, body: &[u8], publish: u32) -> Incoming {
    Incoming {
        offset: 0,
        size: u32::try_from(body.len()).unwrap_or(u32::MAX),
        priority: asked.priority,
        ttl_ms: asked.ttl_ms,
        publish,
        persistent: asked.persistent,
        forced: false,
    }
}

#[inline]
fn place(
    batch: &mut Batch,
    queues: &[Arc<crate::broker::SharedQueue>],
    message: Message<'_>,
    incoming: Incoming,
    expected: usize,
) {
    if queues.is_empty() {
        return;
    }
    let Message {
        route,
        properties,
        hidden,
        body,
        ..
    } = message;
    let offset = if hidden.is_empty() {
        batch.append(route, properties, body, expected)
    } else {
        batch.append_record(&Record {
            route,
            properties,
            hidden,
            body,
        })
    };
    for queue in queues {
        batch.push(queue, Incoming { offset, ..incoming });
    }
}

/// Gives the publish its confirm number, where the channel has confirms. Returns its place among the
/// publishes of the batch, by which a refusal names it; `u32::MAX` where nobody wants to know.
#[inline]
pub(super) fn confirm_publish(
    state: &mut Channel,
    channel: u16,
    publishes: &mut Vec<(u16, u64)>,
    confirming: &mut Vec<u16>,
) -> u32 {
    let Mode::Confirm(confirms) = &mut state.mode else {
        return u32::MAX;
    };
    if confirming.last() != Some(&channel) && !confirming.contains(&channel) {
        confirming.push(channel);
    }
    publishes.push((channel, confirms.issue()));
    // A batch ends with the read that began it: far fewer than 2^32 publishes.
    (publishes.len() - 1) as u32
}

impl Transaction {
    /// Keeps a message that no queue takes, if it is to be returned at commit.
    fn note_unroutable(&mut self, mandatory: bool, route: &[u8], properties: &[u8], body: &[u8]) {
        if mandatory {
            let mut data = Vec::new();
            Record {
                route,
                properties,
                hidden: &[],
                body,
            }
            .write(&mut data);
            self.returns.push(data);
        }
    }
}
