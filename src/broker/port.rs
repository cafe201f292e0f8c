//! The way from a queue to a consumer's connection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use super::inbox::{Event, Inbox};
use super::shared_queue::SharedQueue;
use crate::amqp::Table;
use crate::ids::Name;
use crate::queue::ConsumerKey;
use crate::queue::consumers::{Port, Staged};

/// The prefetch limit that all consumers of a channel share (`basic.qos` with global).
#[derive(Debug, Default)]
pub struct ChannelCredit {
    /// 0 is no limit.
    limit: AtomicU32,
    used: AtomicU32,
}

impl ChannelCredit {
    /// Sets the limit. What is out or on its way is counted already.
    pub fn set(&self, limit: u32) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    /// The limit; 0 is none.
    pub fn limit(&self) -> u32 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Takes one; false when all are used. Counts without a limit as well, so that one set later
    /// knows what is out. A delivery without acknowledgement waits for the limit but counts nothing.
    #[inline]
    fn take(&self, no_ack: bool) -> bool {
        let limit = self.limit();
        if limit == 0 {
            self.charge(u32::from(!no_ack));
            return true;
        }
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                (used < limit).then_some(used + u32::from(!no_ack))
            })
            .is_ok()
    }

    /// Counts `count` deliveries that were not asked for one by one.
    #[inline]
    fn charge(&self, count: u32) {
        if count > 0 {
            self.used.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Gives `count` back.
    pub fn give_back(&self, count: u32) {
        // Never below nothing: a miscount must not block a channel for good.
        let _ = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                Some(used.saturating_sub(count))
            });
    }
}

/// What a client said of a consumer.
#[derive(Debug)]
pub struct ConsumerFacts {
    /// Its tag.
    pub tag: Name,
    /// Its channel.
    pub channel: u16,
    /// As given in `basic.consume`.
    pub arguments: Table,
    /// When it came, in milliseconds since the epoch.
    pub since: u64,
}

/// A consumer's port: its connection's inbox and its place there.
#[derive(Debug)]
pub struct ConsumerPort {
    /// The connection's inbox.
    pub inbox: Arc<Inbox>,
    /// The connection.
    pub connection: u64,
    /// The session's number of the consumer.
    pub slot: u32,
    /// The consumer.
    pub key: ConsumerKey,
    /// The queue it consumes from.
    pub queue: Weak<SharedQueue>,
    /// The channel's shared limit.
    pub credit: Arc<ChannelCredit>,
    /// What the client said of it.
    pub facts: Arc<ConsumerFacts>,
}

impl ConsumerPort {
    /// Tells the connection that the queue is gone.
    pub fn cancel(&self) {
        self.inbox.post(Event::Cancelled {
            slot: self.slot,
            key: self.key,
        });
    }
}

impl Port for ConsumerPort {
    #[inline]
    fn address(&self) -> (u64, u32) {
        (self.connection, self.slot)
    }

    #[inline]
    fn room(&self) -> isize {
        self.inbox.room()
    }

    #[inline]
    fn take_channel_credit(&self, no_ack: bool) -> bool {
        if self.credit.take(no_ack) {
            return true;
        }
        if let Some(queue) = self.queue.upgrade() {
            self.inbox.park_for_credit(&queue, self.key);
        }
        // Credit that came back in between is taken now; the visit then finds nothing to do.
        self.credit.take(no_ack)
    }

    fn return_channel_credit(&self, no_ack: bool) {
        self.credit.give_back(u32::from(!no_ack));
    }

    #[inline]
    fn charge_channel(&self, count: u32) {
        self.credit.charge(count);
    }

    #[inline]
    fn channel_is_unlimited(&self) -> bool {
        self.credit.limit() == 0
    }

    fn park(&self, cost: isize) -> bool {
        match self.queue.upgrade() {
            Some(queue) => self.inbox.park(&queue, self.key, cost),
            None => true,
        }
    }

    fn deliver(&self, staged: &mut Staged) {
        self.inbox.deliver(staged);
    }
}
