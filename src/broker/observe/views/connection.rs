//! A connection as it is.

use std::sync::Arc;

use super::super::observer::Step;
use super::super::traffic::{ConnectionState, TRAFFIC_SERIES};
use crate::broker::Broker;
use crate::broker::connections::ConnectionHandle;

/// A connection, its numbers of this moment, and its last two rounds.
#[derive(Debug, Clone)]
pub struct ConnectionView {
    /// The connection: who, whence, what was agreed.
    pub handle: Arc<ConnectionHandle>,
    /// `peer:port -> host:port`.
    pub title: String,
    /// How it is.
    pub state: ConnectionState,
    /// Open channels.
    pub channels: usize,
    /// Octets received.
    pub recv_oct: u64,
    /// Reads that brought some.
    pub recv_cnt: u64,
    /// Octets sent.
    pub send_oct: u64,
    /// Writes that took some.
    pub send_cnt: u64,
    /// Octets that wait to be sent.
    pub send_pend: u64,
    /// Octets received and sent in the last two rounds of the sampler.
    pub step: Step<TRAFFIC_SERIES>,
}

impl ConnectionView {
    /// Looks at a connection at `now`.
    pub fn of(broker: &Broker, handle: &Arc<ConnectionHandle>, now: u64) -> Self {
        let traffic = &handle.traffic;
        Self {
            title: handle.title(),
            state: traffic.state(broker.alarms.reason().is_some(), now),
            channels: traffic.channel_count(),
            recv_oct: traffic.recv_oct.get(),
            recv_cnt: traffic.recv_cnt.get(),
            send_oct: traffic.send_oct.get(),
            send_cnt: traffic.send_cnt.get(),
            send_pend: traffic.send_pend.get(),
            step: broker.observer.step(&traffic.history),
            handle: Arc::clone(handle),
        }
    }
}

/// The open connections, oldest first.
pub fn connections(broker: &Broker, now: u64) -> Vec<ConnectionView> {
    broker
        .connections
        .all()
        .iter()
        .map(|handle| ConnectionView::of(broker, handle, now))
        .collect()
}

/// The connection of that name (`peer:port -> host:port`).
pub fn connection(broker: &Broker, title: &str) -> Option<Arc<ConnectionHandle>> {
    broker
        .connections
        .all()
        .into_iter()
        .find(|handle| handle.title() == title)
}
