//! Metrics of channels.

use super::column::{Column, counter, gauge, own_gauge};
use crate::broker::observe::channel_stats::ChannelStats;
use crate::broker::observe::message_counts::MessageCounts;
use crate::broker::observe::views::ChannelView;

/// A channel as it was when the answer began.
#[derive(Debug)]
pub struct ChannelRow {
    /// Its name.
    pub name: String,
    counts: MessageCounts,
    consumers: u64,
    unacked: u64,
    unconfirmed: u64,
    uncommitted: u64,
    acks_uncommitted: u64,
    prefetch: u64,
    global_prefetch: u64,
}

impl ChannelRow {
    /// Looks at a channel.
    pub fn of(view: &ChannelView) -> Self {
        let stats: &ChannelStats = &view.stats;
        Self {
            name: view.title(),
            counts: view.counts,
            consumers: stats.consumers.get(),
            unacked: stats.unacked.get(),
            unconfirmed: stats.unconfirmed.get(),
            uncommitted: stats.uncommitted.get(),
            acks_uncommitted: stats.acks_uncommitted.get(),
            prefetch: stats.prefetch.get(),
            global_prefetch: u64::from(stats.credit.limit()),
        }
    }
}

/// `channel_metrics`.
pub const METRICS: &[Column<ChannelRow>] = &[
    gauge(
        "channel_consumers",
        "Consumers on the channel.",
        |c| c.consumers.into(),
        |all| all.totals.consumers.into(),
    ),
    gauge(
        "channel_messages_unacked",
        "Deliveries that wait for their acknowledgement.",
        |c| c.unacked.into(),
        |all| all.totals.depth.unacked.into(),
    ),
    gauge(
        "channel_messages_unconfirmed",
        "Publishes that wait for their confirm.",
        |c| c.unconfirmed.into(),
        |all| all.totals.unconfirmed.into(),
    ),
    own_gauge(
        "channel_messages_uncommitted",
        "Publishes that wait for tx.commit.",
        |c| c.uncommitted.into(),
    ),
    own_gauge(
        "channel_acks_uncommitted",
        "Acknowledgements that wait for tx.commit.",
        |c| c.acks_uncommitted.into(),
    ),
    own_gauge(
        "consumer_prefetch",
        "Most unacknowledged deliveries of each consumer; 0 is no limit.",
        |c| c.prefetch.into(),
    ),
    own_gauge(
        "channel_prefetch",
        "Most unacknowledged deliveries of the channel; 0 is no limit.",
        |c| c.global_prefetch.into(),
    ),
];

/// `channel_exchange_metrics`, by channel.
pub const PUBLISHING: &[Column<ChannelRow>] = &[
    counter(
        "channel_messages_published_total",
        "Publishes.",
        |c| c.counts.publish.into(),
        |all| all.totals.counts.publish.into(),
    ),
    counter(
        "channel_messages_confirmed_total",
        "Confirms to the publisher.",
        |c| c.counts.confirm.into(),
        |all| all.totals.counts.confirm.into(),
    ),
    counter(
        "channel_messages_unroutable_returned_total",
        "Mandatory publishes that no queue took.",
        |c| c.counts.return_unroutable.into(),
        |all| all.totals.counts.return_unroutable.into(),
    ),
    counter(
        "channel_messages_unroutable_dropped_total",
        "Other publishes that no queue took.",
        |c| c.counts.drop_unroutable.into(),
        |all| all.totals.counts.drop_unroutable.into(),
    ),
];

/// `channel_process_metrics`.
pub const PROCESS: &[Column<ChannelRow>] = &[counter(
    "channel_process_reductions_total",
    "Always 0: there are no Erlang processes.",
    |_| 0.into(),
    |_| 0.into(),
)];

/// `channel_queue_metrics`, by channel.
pub const DELIVERING: &[Column<ChannelRow>] = &[
    counter(
        "channel_get_ack_total",
        "Messages that basic.get fetched, to be acknowledged.",
        |c| c.counts.get.into(),
        |all| all.totals.counts.get.into(),
    ),
    counter(
        "channel_get_total",
        "Messages that basic.get fetched without acknowledgement.",
        |c| c.counts.get_no_ack.into(),
        |all| all.totals.counts.get_no_ack.into(),
    ),
    counter(
        "channel_messages_delivered_ack_total",
        "Deliveries to consumers, to be acknowledged.",
        |c| c.counts.deliver.into(),
        |all| all.totals.counts.deliver.into(),
    ),
    counter(
        "channel_messages_delivered_total",
        "Deliveries to consumers without acknowledgement.",
        |c| c.counts.deliver_no_ack.into(),
        |all| all.totals.counts.deliver_no_ack.into(),
    ),
    counter(
        "channel_messages_redelivered_total",
        "Deliveries that were not the first.",
        |c| c.counts.redeliver.into(),
        |all| all.totals.counts.redeliver.into(),
    ),
    counter(
        "channel_messages_acked_total",
        "Acknowledgements.",
        |c| c.counts.ack.into(),
        |all| all.totals.counts.ack.into(),
    ),
    counter(
        "channel_get_empty_total",
        "Times that basic.get found nothing.",
        |c| c.counts.get_empty.into(),
        |all| all.totals.counts.get_empty.into(),
    ),
];
