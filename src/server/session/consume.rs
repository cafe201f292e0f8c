//! `basic.consume` and `basic.cancel`.

use std::sync::Arc;

use amq_protocol::protocol::basic;

use super::Session;
use crate::amqp::encode::{self, DeliverPrefix};
use crate::amqp::{AmqpError, Table, Value};
use crate::auth::Access;
use crate::broker::SharedQueue;
use crate::broker::port::{ChannelCredit, ConsumerFacts, ConsumerPort};
use crate::broker::reply_to::{REPLY_TO, ReplyLink};
use crate::ids::Name;
use crate::limits::CONSUMERS_PER_CHANNEL;
use crate::queue::{ConsumerKey, ConsumerSpec, QueueKind};

/// Where unacknowledged deliveries came from; outlives its consumer until they are settled.
#[derive(Debug)]
pub(super) struct Source {
    pub queue: Arc<SharedQueue>,
    /// `None` for `basic.get`.
    pub consumer: Option<ConsumerKey>,
    pub credit: Arc<ChannelCredit>,
    /// Deliveries without acknowledgement.
    pub outstanding: u64,
    /// More may come.
    pub alive: bool,
    pub timeout_ms: Option<u64>,
}

/// A consumer of this connection.
#[derive(Debug)]
pub(super) struct Consumer {
    pub key: ConsumerKey,
    pub channel: u16,
    pub tag: Name,
    /// `None` for the direct reply-to consumer.
    pub queue: Option<Arc<SharedQueue>>,
    pub no_ack: bool,
    /// Deliveries carry `x-delivery-count`.
    pub counted: bool,
    /// Its prefetch limit is the channel's, so `basic.qos` changes it.
    pub follows_channel: bool,
    pub prefix: DeliverPrefix,
    /// Where its deliveries are noted; unused without acknowledgements.
    pub source: u32,
}

/// The consumers of this connection, and the sources of what it has not acknowledged, both by
/// number.
#[derive(Debug, Default)]
pub(super) struct Consumers {
    pub slots: Vec<Option<Consumer>>,
    free_slots: Vec<u32>,
    pub sources: Vec<Option<Source>>,
    free_sources: Vec<u32>,
}

impl Consumers {
    pub fn get(&self, slot: u32, key: ConsumerKey) -> Option<&Consumer> {
        self.slots
            .get(slot as usize)?
            .as_ref()
            .filter(|consumer| consumer.key == key)
    }

    /// The tag of the consumer that this source's deliveries went to; empty when it is gone.
    pub fn tag_of(&self, source: u32) -> String {
        let mut all = self.slots.iter().flatten();
        all.find(|consumer| !consumer.no_ack && consumer.source == source)
            .map(|consumer| consumer.tag.to_string())
            .unwrap_or_default()
    }

    fn reserve(&mut self) -> u32 {
        self.free_slots.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as u32
        })
    }

    fn put(&mut self, slot: u32, consumer: Consumer) {
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(consumer);
        }
    }

    fn remove(&mut self, slot: u32) -> Option<Consumer> {
        let consumer = self.slots.get_mut(slot as usize)?.take()?;
        self.free_slots.push(slot);
        if !consumer.no_ack {
            self.end_source(consumer.source);
        }
        Some(consumer)
    }

    pub fn add_source(&mut self, source: Source) -> u32 {
        match self.free_sources.pop() {
            Some(number) => {
                if let Some(place) = self.sources.get_mut(number as usize) {
                    *place = Some(source);
                }
                number
            }
            None => {
                self.sources.push(Some(source));
                (self.sources.len() - 1) as u32
            }
        }
    }

    /// No more deliveries will come from it.
    pub fn end_source(&mut self, number: u32) {
        if let Some(Some(source)) = self.sources.get_mut(number as usize) {
            source.alive = false;
        }
        self.free_if_spent(number);
    }

    /// `count` of its deliveries were settled.
    pub fn settled(&mut self, number: u32, count: u32) {
        if let Some(Some(source)) = self.sources.get_mut(number as usize) {
            source.outstanding = source.outstanding.saturating_sub(count.into());
            if source.alive {
                return;
            }
        }
        self.free_if_spent(number);
    }

    fn free_if_spent(&mut self, number: u32) {
        if let Some(place) = self.sources.get_mut(number as usize)
            && place
                .as_ref()
                .is_some_and(|s| !s.alive && s.outstanding == 0)
        {
            *place = None;
            self.free_sources.push(number);
        }
    }
}

impl Session {
    pub(super) fn on_consume(
        &mut self,
        channel: u16,
        method: &basic::Consume,
        arguments: &Table,
    ) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        if name == REPLY_TO {
            return self.consume_replies(channel, method);
        }
        let vhost = self.host()?;
        let queue_or_none = vhost.queue(&name);
        let tag = self.new_tag(channel, method.consumer_tag.as_str())?;
        self.permit_queue(Access::Read, &name)?;
        let queue = queue_or_none.ok_or_else(|| vhost.no_queue(&name))?;
        queue.check_access(self.id)?;
        let Some(state) = self.channels.get(&channel) else {
            return Ok(());
        };
        if queue.settings.kind == QueueKind::Quorum && state.credit.limit() > 0 {
            return Err(AmqpError::not_implemented(format!(
                "{} does not support global qos",
                queue.subject()
            )));
        }
        let spec = ConsumerSpec {
            no_ack: method.no_ack,
            exclusive: method.exclusive,
            priority: consumer_priority(arguments, &queue.subject())?,
            prefetch: if method.no_ack { 0 } else { state.prefetch },
        };
        let credit = Arc::clone(&state.credit);
        let key = ConsumerKey(self.broker.next_id());
        let slot = self.consumers.reserve();
        let timeout_ms = queue
            .in_force(|settings| settings.consumer_timeout_ms)
            .or(self.broker.options.consumer_timeout_ms);
        let source = if spec.no_ack {
            u32::MAX
        } else {
            self.consumers.add_source(Source {
                queue: Arc::clone(&queue),
                consumer: Some(key),
                credit: Arc::clone(&credit),
                outstanding: 0,
                alive: true,
                timeout_ms,
            })
        };
        self.consumers.put(
            slot,
            Consumer {
                key,
                channel,
                tag: tag.clone(),
                queue: Some(Arc::clone(&queue)),
                no_ack: spec.no_ack,
                counted: queue.counts_deliveries(),
                follows_channel: true,
                prefix: DeliverPrefix::new(channel, tag.as_bytes()),
                source,
            },
        );
        let port = ConsumerPort {
            inbox: Arc::clone(&self.inbox),
            connection: self.id,
            slot,
            key,
            queue: Arc::downgrade(&queue),
            credit,
            facts: Arc::new(ConsumerFacts {
                tag: tag.clone(),
                channel,
                arguments: arguments.clone(),
                since: self.now,
            }),
        };
        let outcome = queue
            .consume(&self.broker, spec, port, self.now)
            .unwrap_or_else(|| Err(vhost.no_queue(&name)));
        if let Err(error) = outcome {
            self.consumers.remove(slot);
            return Err(error);
        }
        self.note_timeout(channel, timeout_ms);
        if let Some(state) = self.channels.get_mut(&channel) {
            state.consumers.insert(tag.clone(), slot);
            state.note_consumers();
        }
        if !method.nowait {
            encode::consumer_tag_ok(self.out.buffer(), channel, 21, tag.as_bytes());
        }
        Ok(())
    }

    fn new_tag(&self, channel: u16, asked: &str) -> Result<Name, AmqpError> {
        let Some(state) = self.channels.get(&channel) else {
            return Ok(Name::from(""));
        };
        if state.consumers.len() >= CONSUMERS_PER_CHANNEL {
            return Err(AmqpError::not_allowed("too many consumers on the channel"));
        }
        if asked.is_empty() {
            use base64::Engine;
            let random: [u8; 16] = rand::random();
            let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
            return Ok(Name::from(format!("amq.ctag-{text}").as_str()));
        }
        if state.consumers.contains_key(asked.as_bytes()) {
            let text = format!("attempt to reuse consumer tag '{asked}'");
            return Err(AmqpError::not_allowed(text));
        }
        Ok(Name::from(asked))
    }

    fn consume_replies(&mut self, channel: u16, method: &basic::Consume) -> Result<(), AmqpError> {
        let tag = self.new_tag(channel, method.consumer_tag.as_str())?;
        let Some(state) = self.channels.get(&channel) else {
            return Ok(());
        };
        if state.reply_address.is_some() {
            return Err(AmqpError::precondition_failed("reply consumer already set"));
        }
        if !method.no_ack {
            return Err(AmqpError::precondition_failed(
                "reply consumer cannot acknowledge",
            ));
        }
        let key = ConsumerKey(self.broker.next_id());
        let slot = self.consumers.reserve();
        self.consumers.put(
            slot,
            Consumer {
                key,
                channel,
                tag: tag.clone(),
                queue: None,
                no_ack: true,
                counted: false,
                follows_channel: false,
                prefix: DeliverPrefix::new(channel, tag.as_bytes()),
                source: u32::MAX,
            },
        );
        let link = ReplyLink {
            inbox: Arc::clone(&self.inbox),
            slot,
            key,
        };
        let address = self.broker.replies.open(link);
        if let Some(state) = self.channels.get_mut(&channel) {
            state.consumers.insert(tag.clone(), slot);
            state.note_consumers();
            state.reply_address = Some(address);
        }
        if !method.nowait {
            encode::consumer_tag_ok(self.out.buffer(), channel, 21, tag.as_bytes());
        }
        Ok(())
    }

    pub(super) fn on_cancel(
        &mut self,
        channel: u16,
        method: &basic::Cancel,
    ) -> Result<(), AmqpError> {
        let tag = method.consumer_tag.as_str().as_bytes();
        let slot = self.channels.get_mut(&channel).and_then(|state| {
            let slot = state.consumers.remove(tag);
            state.note_consumers();
            slot
        });
        if let Some(slot) = slot {
            self.end_slots(&[slot]);
        }
        if !method.nowait {
            encode::consumer_tag_ok(self.out.buffer(), channel, 31, tag);
        }
        Ok(())
    }

    /// Takes consumers off their queues, writes what they were given before that, and forgets them.
    fn end_slots(&mut self, slots: &[u32]) {
        // All leave first: what one gives back must not come to another of them, for ever.
        let mut unused = Vec::new();
        for slot in slots {
            if let Some(Some(consumer)) = self.consumers.slots.get(*slot as usize)
                && let Some(queue) = &consumer.queue
                && queue.cancel(&self.broker, consumer.key, self.now)
            {
                unused.push(Arc::clone(queue));
            }
        }
        self.write_mail(true);
        for slot in slots {
            let Some(consumer) = self.consumers.remove(*slot) else {
                continue;
            };
            if let Some(queue) = &consumer.queue {
                queue.tell_of_end(&self.broker, &consumer.tag);
            } else if let Some(state) = self.channels.get_mut(&consumer.channel)
                && let Some(address) = state.reply_address.take()
            {
                self.broker.replies.close(&address);
            }
        }
        if let Some(vhost) = &self.vhost {
            for queue in unused {
                // Refused only if somebody has begun to consume in between, who then ends it.
                let _ = vhost.delete_queue(&queue, true, false);
            }
        }
    }

    /// Ends every consumer of these channels.
    pub(super) fn end_consumers(&mut self, channels: &[u16]) {
        let mut slots = Vec::new();
        for channel in channels {
            if let Some(state) = self.channels.get_mut(channel) {
                slots.extend(std::mem::take(&mut state.consumers).into_values());
                state.note_consumers();
            }
        }
        if !slots.is_empty() {
            self.end_slots(&slots);
        }
    }

    /// A queue was deleted under a consumer.
    pub(super) fn on_queue_deleted(&mut self, slot: u32, key: ConsumerKey) {
        if self.consumers.get(slot, key).is_none() {
            return;
        }
        let Some(consumer) = self.consumers.remove(slot) else {
            return;
        };
        if let Some(queue) = &consumer.queue {
            queue.tell_of_end(&self.broker, &consumer.tag);
        }
        let Some(state) = self.channels.get_mut(&consumer.channel) else {
            return;
        };
        state.consumers.remove(consumer.tag.as_bytes());
        state.note_consumers();
        if self.client.cancel_notify && !state.closing {
            encode::basic_cancel(self.out.buffer(), consumer.channel, consumer.tag.as_bytes());
        }
    }
}

/// Checks the arguments of `basic.consume` with RabbitMQ's texts; returns the priority.
fn consumer_priority(arguments: &Table, subject: &str) -> Result<i32, AmqpError> {
    let refused = |name: &str, why: String| {
        Err(AmqpError::precondition_failed(format!(
            "invalid arg '{name}' for {subject}: {why}"
        )))
    };
    if arguments.get(b"x-stream-offset").is_some() {
        return Err(AmqpError::precondition_failed(format!(
            "invalid arg 'x-stream-offset' for {subject} of queue type rabbit_classic_queue"
        )));
    }
    if let Some(value) = arguments.get(b"x-cancel-on-ha-failover")
        && !matches!(value, Value::Bool(_))
    {
        let why = format!("{{unacceptable_type,{}}}", value.type_name());
        return refused("x-cancel-on-ha-failover", why);
    }
    match arguments.get(b"x-priority") {
        None => Ok(0),
        Some(value) => match value.as_int() {
            // Beyond 32 bits the order is the same.
            Some(n) => Ok(i32::try_from(n).unwrap_or(if n < 0 { i32::MIN } else { i32::MAX })),
            None => refused(
                "x-priority",
                format!("\"expected integer, got {}\"", value.type_name()),
            ),
        },
    }
}
