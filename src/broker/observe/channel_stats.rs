//! What is seen of a channel from outside its connection's task.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::counter::Counter;
use super::history::History;
use super::message_counts::MessageCounts;
use crate::broker::port::ChannelCredit;

/// What publishes on a channel lead to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ChannelMode {
    /// Nothing.
    #[default]
    Plain,
    /// Confirms.
    Confirm,
    /// A transaction.
    Transaction,
}

/// Series that a channel's history keeps: those of [`MessageCounts`] up to `ack`.
pub const CHANNEL_SERIES: usize = 11;

/// A channel's numbers. Its connection's task writes them, anyone reads them.
#[derive(Debug, Default)]
#[expect(missing_docs, reason = "the names are those of the management API")]
pub struct ChannelStats {
    /// Its number in the connection.
    pub number: u16,
    pub publish: Counter,
    pub confirm: Counter,
    pub return_unroutable: Counter,
    pub drop_unroutable: Counter,
    pub deliver: Counter,
    pub deliver_no_ack: Counter,
    pub get: Counter,
    pub get_no_ack: Counter,
    pub get_empty: Counter,
    pub redeliver: Counter,
    pub ack: Counter,
    /// Deliveries that wait for their acknowledgement.
    pub unacked: Counter,
    /// Publishes that wait for their confirm.
    pub unconfirmed: Counter,
    /// Publishes that wait for `tx.commit`.
    pub uncommitted: Counter,
    /// Acknowledgements that wait for it.
    pub acks_uncommitted: Counter,
    /// `basic.qos` without global.
    pub prefetch: Counter,
    pub consumers: Counter,
    /// `basic.qos` with global.
    pub credit: Arc<ChannelCredit>,
    mode: AtomicU8,
    /// The last minute.
    pub history: History<CHANNEL_SERIES, 0, 0>,
}

impl ChannelStats {
    /// The numbers of a new channel.
    pub fn new(number: u16, credit: Arc<ChannelCredit>) -> Arc<Self> {
        Arc::new(Self {
            number,
            credit,
            ..Self::default()
        })
    }

    /// What publishes lead to.
    pub fn mode(&self) -> ChannelMode {
        match self.mode.load(Ordering::Relaxed) {
            1 => ChannelMode::Confirm,
            2 => ChannelMode::Transaction,
            _ => ChannelMode::Plain,
        }
    }

    /// The client has selected a mode.
    pub fn set_mode(&self, mode: ChannelMode) {
        self.mode.store(mode as u8, Ordering::Relaxed);
    }

    /// What has happened on it.
    pub fn counts(&self) -> MessageCounts {
        MessageCounts {
            publish: self.publish.get(),
            confirm: self.confirm.get(),
            return_unroutable: self.return_unroutable.get(),
            drop_unroutable: self.drop_unroutable.get(),
            deliver: self.deliver.get(),
            deliver_no_ack: self.deliver_no_ack.get(),
            get: self.get.get(),
            get_no_ack: self.get_no_ack.get(),
            get_empty: self.get_empty.get(),
            redeliver: self.redeliver.get(),
            ack: self.ack.get(),
            disk_reads: 0,
            disk_writes: 0,
        }
    }
}
