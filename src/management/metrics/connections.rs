//! Metrics of connections. RabbitMQ has their names under the label `channel`.

use super::column::{Column, counter, gauge, own_gauge};
use crate::broker::observe::views::ConnectionView;
use crate::broker::observe::views::connection::ConnectionView as View;

/// A connection as it was when the answer began.
pub type ConnectionRow = ConnectionView;

/// `connection_coarse_metrics`.
pub const COARSE: &[Column<ConnectionRow>] = &[
    counter(
        "connection_incoming_bytes_total",
        "Octets received.",
        |c: &View| c.recv_oct.into(),
        |all| all.totals.recv_oct.into(),
    ),
    counter(
        "connection_outgoing_bytes_total",
        "Octets sent.",
        |c: &View| c.send_oct.into(),
        |all| all.totals.send_oct.into(),
    ),
    counter(
        "connection_process_reductions_total",
        "Always 0: there are no Erlang processes.",
        |_| 0.into(),
        |_| 0.into(),
    ),
];

/// `connection_metrics`.
pub const DETAILS: &[Column<ConnectionRow>] = &[
    Column {
        name: "connection_incoming_packets_total",
        kind: super::exposition::Kind::Counter,
        help: "Reads that brought octets.",
        of: |c: &View| c.recv_cnt.into(),
        total: None,
    },
    Column {
        name: "connection_outgoing_packets_total",
        kind: super::exposition::Kind::Counter,
        help: "Writes that took octets.",
        of: |c: &View| c.send_cnt.into(),
        total: None,
    },
    own_gauge(
        "connection_pending_packets",
        "Octets that wait to be sent.",
        |c: &View| c.send_pend.into(),
    ),
    gauge(
        "connection_channels",
        "Open channels.",
        |c: &View| (c.channels as u64).into(),
        |all| all.totals.channels.into(),
    ),
];
