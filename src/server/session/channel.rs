//! A channel of a session.

use std::sync::Arc;

use super::spool::Spooling;
use super::tx::Transaction;
use crate::broker::connections::CountedChannel;
use crate::broker::observe::channel_stats::ChannelStats;
use crate::broker::port::ChannelCredit;
use crate::channel::{Confirms, Content, Unacked};
use crate::ids::Name;

/// What publishes on a channel lead to.
#[derive(Debug, Default)]
pub(super) enum Mode {
    /// Nothing.
    #[default]
    Plain,
    /// Confirms.
    Confirm(Confirms),
    /// A transaction.
    Tx(Box<Transaction>),
}

/// A channel's state.
#[derive(Debug, Default)]
pub(super) struct Channel {
    /// We sent close; only close-ok and close count.
    pub closing: bool,
    pub mode: Mode,
    pub content: Option<Content>,
    /// Where its content goes as it arrives, if that is large.
    pub spool: Option<Spooling>,
    pub unacked: Unacked,
    /// The limit for consumers to come (`basic.qos` without global).
    pub prefetch: u32,
    pub credit: Arc<ChannelCredit>,
    /// The queue that an empty name stands for.
    pub last_queue: Option<Name>,
    /// Consumer slots by tag.
    pub consumers: std::collections::BTreeMap<Name, u32>,
    /// Where a reply to `amq.rabbitmq.reply-to` goes, once somebody consumes there.
    pub reply_address: Option<Vec<u8>>,
    /// The source of the last `basic.get`.
    pub get_source: Option<(u64, u32)>,
    /// Its place among its user's channels, given back when it goes.
    pub _counted: Option<CountedChannel>,
    /// Deliveries time out on this channel.
    pub timed: bool,
    /// What is seen of it from outside.
    pub stats: Arc<ChannelStats>,
}

impl Channel {
    /// A channel that has just been opened.
    pub fn new(number: u16) -> Self {
        let credit: Arc<ChannelCredit> = Arc::default();
        Self {
            stats: ChannelStats::new(number, Arc::clone(&credit)),
            credit,
            ..Self::default()
        }
    }

    /// Consumers came or went.
    pub fn note_consumers(&self) {
        self.stats.consumers.set(self.consumers.len() as u64);
    }

    /// A run of deliveries was written.
    #[inline]
    pub fn note_delivered(&self, no_ack: bool, count: u64, redelivered: u64) {
        if no_ack {
            self.stats.deliver_no_ack.add(count);
        } else {
            self.stats.deliver.add(count);
            self.note_unacked();
        }
        self.stats.redeliver.add(redelivered);
    }

    /// Deliveries came or were settled.
    #[inline]
    pub fn note_unacked(&self) {
        self.stats.unacked.set(self.unacked.len());
    }
}
