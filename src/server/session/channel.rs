//! A channel of a session.

use std::sync::Arc;

use super::tx::Transaction;
use crate::broker::connections::CountedChannel;
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
}
