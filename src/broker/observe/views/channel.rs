//! A channel as it is.

use std::sync::Arc;

use super::super::channel_stats::{CHANNEL_SERIES, ChannelStats};
use super::super::message_counts::MessageCounts;
use super::super::observer::Step;
use crate::broker::Broker;
use crate::broker::connections::ConnectionHandle;

/// A channel, its counts of this moment, and its last two rounds.
#[derive(Debug, Clone)]
pub struct ChannelView {
    /// Its numbers.
    pub stats: Arc<ChannelStats>,
    /// Its connection.
    pub connection: Arc<ConnectionHandle>,
    /// That one's name.
    pub connection_title: Arc<str>,
    /// What has happened on it.
    pub counts: MessageCounts,
    /// Its series in the last two rounds of the sampler.
    pub step: Step<CHANNEL_SERIES>,
    /// When its counts last changed, in milliseconds since the epoch; 0 when they never have.
    pub changed_at: u64,
}

/// The series of a channel's history.
pub fn series(counts: &MessageCounts) -> [u64; CHANNEL_SERIES] {
    let mut series = [0; CHANNEL_SERIES];
    for (place, value) in series.iter_mut().zip(counts.series()) {
        *place = value;
    }
    series
}

/// The counts in a channel's series.
pub fn counts_of(series: &[u64; CHANNEL_SERIES]) -> MessageCounts {
    let mut all = [0; super::super::message_counts::SERIES];
    for (place, value) in all.iter_mut().zip(series) {
        *place = *value;
    }
    MessageCounts::from_series(all)
}

impl ChannelView {
    fn of(
        broker: &Broker,
        connection: &Arc<ConnectionHandle>,
        title: &Arc<str>,
        stats: Arc<ChannelStats>,
    ) -> Self {
        Self {
            counts: stats.counts(),
            step: broker.observer.step(&stats.history),
            changed_at: stats.history.changed_at(),
            connection: Arc::clone(connection),
            connection_title: Arc::clone(title),
            stats,
        }
    }

    /// `peer:port -> host:port (number)`.
    pub fn title(&self) -> String {
        format!("{} ({})", self.connection_title, self.stats.number)
    }
}

/// The channels of a connection, by number.
pub fn channels_of(broker: &Broker, connection: &Arc<ConnectionHandle>) -> Vec<ChannelView> {
    let title: Arc<str> = connection.title().into();
    connection
        .traffic
        .channels()
        .into_iter()
        .map(|stats| ChannelView::of(broker, connection, &title, stats))
        .collect()
}

/// The open channels, by the age of their connections.
pub fn channels(broker: &Broker) -> Vec<ChannelView> {
    broker
        .connections
        .all()
        .iter()
        .flat_map(|connection| channels_of(broker, connection))
        .collect()
}

/// The channel of that name (`peer:port -> host:port (number)`).
pub fn channel(broker: &Broker, title: &str) -> Option<ChannelView> {
    let (connection, number) = title.strip_suffix(')')?.rsplit_once(" (")?;
    let number = number.parse().ok()?;
    let handle = super::connection::connection(broker, connection)?;
    let stats = handle.traffic.channel(number)?;
    Some(ChannelView::of(broker, &handle, &connection.into(), stats))
}
