//! What a queue counts, and the one call that shows all of it.
//!
//! Plain integers, changed where the queue is changed anyway: under its caller's lock, once a batch
//! or run where that is possible. The names are those of RabbitMQ's `message_stats`.

use super::arguments::QueueArguments;
use super::consumers::{ConsumerKey, Port};
use super::effects::DeadReason;
use super::serving::Queue;
use crate::amqp::properties::Properties;

/// What every message touches. It lies within the first lines of the queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Hot {
    pub published: u64,
    pub delivered: u64,
    pub delivered_no_ack: u64,
    pub acknowledged: u64,
    pub redelivered: u64,
}

/// What happens once a batch, or seldom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Rare {
    pub got: u64,
    pub got_no_ack: u64,
    pub got_empty: u64,
    pub disk_reads: u64,
    pub disk_writes: u64,
    pub dropped: Dropped,
    /// Messages of a durable queue that the log does not know, and the octets of their bodies.
    pub transient: u64,
    pub transient_bytes: u64,
}

/// Messages and octets of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Octets of their bodies.
    pub ready_bytes: u64,
    /// Messages with a consumer.
    pub unacked: u64,
    /// Octets of their bodies.
    pub unacked_bytes: u64,
}

/// Messages that left without a consumer's acknowledgement, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the reasons of x-death")]
pub struct Dropped {
    pub rejected: u64,
    pub expired: u64,
    pub maxlen: u64,
    pub delivery_limit: u64,
}

impl Dropped {
    pub(super) fn note(&mut self, reason: DeadReason) {
        match reason {
            DeadReason::Rejected => self.rejected += 1,
            DeadReason::Expired => self.expired += 1,
            DeadReason::MaxLen => self.maxlen += 1,
            DeadReason::DeliveryLimit => self.delivery_limit += 1,
        }
    }
}

impl std::ops::AddAssign for Dropped {
    fn add_assign(&mut self, other: Self) {
        self.rejected += other.rejected;
        self.expired += other.expired;
        self.maxlen += other.maxlen;
        self.delivery_limit += other.delivery_limit;
    }
}

/// What a queue has done since it was made, in messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the names say it; RabbitMQ's message_stats uses the same"
)]
pub struct Counters {
    pub published: u64,
    /// To consumers that acknowledge.
    pub delivered: u64,
    /// To consumers that do not.
    pub delivered_no_ack: u64,
    pub acknowledged: u64,
    pub redelivered: u64,
    pub got: u64,
    pub got_no_ack: u64,
    /// Gets that found nothing.
    pub got_empty: u64,
    /// Messages read from files.
    pub disk_reads: u64,
    /// Messages written to the log.
    pub disk_writes: u64,
    pub dropped: Dropped,
}

/// The messages of a queue, or of many, and the octets of their bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that wait.
    pub ready: u64,
    /// Octets of their bodies.
    pub ready_bytes: u64,
    /// Messages with consumers.
    pub unacked: u64,
    /// Octets of their bodies.
    pub unacked_bytes: u64,
    /// Messages that are there after a restart.
    pub persistent: u64,
    /// Octets of their bodies.
    pub persistent_bytes: u64,
    /// Messages whose index lies in a file.
    pub paged_out: u64,
    /// Octets of their bodies.
    pub paged_out_bytes: u64,
}

impl Depth {
    /// Messages ready and unacknowledged.
    pub fn messages(&self) -> u64 {
        self.ready + self.unacked
    }

    /// Octets of their bodies.
    pub fn bytes(&self) -> u64 {
        self.ready_bytes + self.unacked_bytes
    }

    /// Messages whose index is in memory.
    pub fn ram(&self) -> u64 {
        self.messages().saturating_sub(self.paged_out)
    }

    /// Octets of their bodies; those of a deep queue may lie in files as well.
    pub fn ram_bytes(&self) -> u64 {
        self.bytes().saturating_sub(self.paged_out_bytes)
    }
}

impl std::ops::AddAssign for Depth {
    fn add_assign(&mut self, other: Self) {
        self.ready += other.ready;
        self.ready_bytes += other.ready_bytes;
        self.unacked += other.unacked;
        self.unacked_bytes += other.unacked_bytes;
        self.persistent += other.persistent;
        self.persistent_bytes += other.persistent_bytes;
        self.paged_out += other.paged_out;
        self.paged_out_bytes += other.paged_out_bytes;
    }
}

/// Everything about a queue that changes by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// What it has done.
    pub counters: Counters,
    /// The messages in it.
    pub depth: Depth,
    /// Dead letters that wait for a target; not in the other counts.
    pub held: u64,
    /// Octets of their bodies.
    pub held_bytes: u64,
    /// Consumers.
    pub consumers: usize,
    /// Some consumer could take a message now.
    pub has_taker: bool,
    /// The exclusive consumer.
    pub exclusive: Option<ConsumerKey>,
    /// The consumer that receives, where only one may.
    pub active: Option<ConsumerKey>,
    /// The head's `timestamp` property in seconds since the epoch, if it has one and is in memory.
    pub head_timestamp: Option<u64>,
}

impl<P: Port> Queue<P> {
    /// Totals since it was made.
    pub fn counters(&self) -> Counters {
        let (hot, rare) = (&self.counters, &self.rare);
        Counters {
            published: hot.published,
            delivered: hot.delivered,
            delivered_no_ack: hot.delivered_no_ack,
            acknowledged: hot.acknowledged,
            redelivered: hot.redelivered,
            got: rare.got,
            got_no_ack: rare.got_no_ack,
            got_empty: rare.got_empty,
            disk_reads: rare.disk_reads,
            disk_writes: rare.disk_writes,
            dropped: rare.dropped,
        }
    }

    /// What stays of a queue that is deleted: nothing but its counts.
    pub fn ended(&self) -> Self {
        let mut rest = Self::new(QueueArguments::default(), false, 0);
        rest.counters = self.counters;
        rest.rare = Rare {
            transient: 0,
            transient_bytes: 0,
            ..self.rare
        };
        rest
    }

    /// Shows all counts. It walks the queue's blocks and consumers, not its messages.
    pub fn survey(&mut self) -> Survey {
        let totals = self.contents.totals();
        let status = self.status();
        let (paged_out, paged_out_bytes) = self.contents.away();
        let unacked_bytes = totals.unacked_bytes.saturating_sub(self.held_bytes);
        let (persistent, persistent_bytes) = if self.logs {
            (
                (status.ready + status.unacked).saturating_sub(self.rare.transient),
                (totals.ready_bytes + unacked_bytes).saturating_sub(self.rare.transient_bytes),
            )
        } else {
            (0, 0)
        };
        Survey {
            counters: self.counters(),
            depth: Depth {
                ready: status.ready,
                ready_bytes: totals.ready_bytes,
                unacked: status.unacked,
                unacked_bytes,
                persistent,
                persistent_bytes,
                paged_out,
                paged_out_bytes,
            },
            held: self.held,
            held_bytes: self.held_bytes,
            consumers: status.consumers,
            has_taker: self.consumers.any_in_line(),
            exclusive: self.consumers.exclusive(),
            active: self.consumers.active(),
            head_timestamp: self.head_timestamp(),
        }
    }

    fn head_timestamp(&mut self) -> Option<u64> {
        let id = self.contents.head()?;
        let meta = self.contents.get(id)?;
        let record = self.contents.chunk(id)?.record(meta.offset);
        Properties::read(record.properties).ok()?.timestamp
    }

    /// A message that the log does not know came into, or left, a durable queue.
    #[inline]
    pub(super) fn count_transient(&mut self, size: u32, came: bool) {
        if came {
            self.rare.transient += 1;
            self.rare.transient_bytes += u64::from(size);
        } else {
            self.rare.transient_left(size);
        }
    }
}

impl Rare {
    /// A message that the log does not know left a durable queue.
    #[inline]
    pub fn transient_left(&mut self, size: u32) {
        self.transient = self.transient.saturating_sub(1);
        self.transient_bytes = self.transient_bytes.saturating_sub(u64::from(size));
    }
}
