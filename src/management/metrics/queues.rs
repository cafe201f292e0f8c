//! Metrics of queues.

use super::column::{Column, counter, gauge, own_gauge};
use crate::broker::SharedQueue;
use crate::queue::Survey;

/// A queue as it was when the answer began.
#[derive(Debug)]
pub struct QueueRow {
    /// Its virtual host.
    pub vhost: String,
    /// Its name.
    pub name: String,
    survey: Survey,
    /// The share of the time in which its consumers could take more.
    capacity: f64,
}

impl QueueRow {
    /// Looks at a queue.
    pub fn of(queue: &SharedQueue) -> Self {
        Self {
            vhost: queue.vhost_name.to_string(),
            name: queue.name.to_string(),
            survey: queue.survey(),
            capacity: queue.utilisation.share().unwrap_or(0.0),
        }
    }
}

/// A gauge of messages, the same for one queue and for all.
macro_rules! depth {
    ($name:literal, $help:literal, |$depth:ident| $of:expr) => {
        gauge(
            $name,
            $help,
            |queue| {
                let $depth = &queue.survey.depth;
                $of.into()
            },
            |all| {
                let $depth = &all.totals.depth;
                $of.into()
            },
        )
    };
}

/// `queue_coarse_metrics`.
pub const COARSE: &[Column<QueueRow>] = &[
    depth!(
        "queue_messages_ready",
        "Messages that wait for a consumer.",
        |d| d.ready
    ),
    depth!(
        "queue_messages_unacked",
        "Messages with consumers, not yet acknowledged.",
        |d| d.unacked
    ),
    depth!(
        "queue_messages",
        "Messages ready and unacknowledged: the depth.",
        |d| d.messages()
    ),
    counter(
        "queue_process_reductions_total",
        "Always 0: there are no Erlang processes.",
        |_| 0.into(),
        |_| 0.into(),
    ),
];

/// `queue_consumer_count`.
pub const CONSUMERS: &[Column<QueueRow>] = &[gauge(
    "queue_consumers",
    "Consumers of the queue.",
    |q| (q.survey.consumers as u64).into(),
    |all| all.totals.consumers.into(),
)];

/// `queue_metrics`.
pub const DETAILS: &[Column<QueueRow>] = &[
    own_gauge(
        "queue_consumer_capacity",
        "Share of the time in which consumers could take more.",
        |q| q.capacity.into(),
    ),
    own_gauge(
        "queue_consumer_utilisation",
        "The same under its older name.",
        |q| q.capacity.into(),
    ),
    depth!(
        "queue_process_memory_bytes",
        "Octets of bodies that the queue holds in memory.",
        |d| d.ram_bytes()
    ),
    depth!(
        "queue_messages_ram",
        "Messages whose index is in memory.",
        |d| d.ram()
    ),
    depth!("queue_messages_ram_bytes", "Octets of their bodies.", |d| d
        .ram_bytes()),
    depth!(
        "queue_messages_ready_ram",
        "Messages that wait and whose index is in memory.",
        |d| d.ready.saturating_sub(d.paged_out)
    ),
    depth!(
        "queue_messages_unacked_ram",
        "Unacknowledged messages; their index is always in memory.",
        |d| d.unacked
    ),
    depth!(
        "queue_messages_persistent",
        "Messages that outlive a restart.",
        |d| d.persistent
    ),
    depth!(
        "queue_messages_persistent_bytes",
        "Octets of their bodies.",
        |d| d.persistent_bytes
    ),
    depth!(
        "queue_messages_bytes",
        "Octets of the bodies of ready and unacknowledged messages.",
        |d| d.bytes()
    ),
    depth!(
        "queue_messages_ready_bytes",
        "Octets of the bodies of ready messages.",
        |d| d.ready_bytes
    ),
    depth!(
        "queue_messages_unacked_bytes",
        "Octets of the bodies of unacknowledged messages.",
        |d| d.unacked_bytes
    ),
    depth!(
        "queue_messages_paged_out",
        "Messages whose index lies in a file.",
        |d| d.paged_out
    ),
    depth!(
        "queue_messages_paged_out_bytes",
        "Octets of their bodies.",
        |d| d.paged_out_bytes
    ),
    own_gauge(
        "queue_head_message_timestamp",
        "The timestamp property of the first message; NaN without one.",
        |q| {
            q.survey
                .head_timestamp
                .map_or(f64::NAN, |at| at as f64)
                .into()
        },
    ),
    counter(
        "queue_disk_reads_total",
        "Messages read from files.",
        |q| q.survey.counters.disk_reads.into(),
        |all| all.totals.counts.disk_reads.into(),
    ),
    counter(
        "queue_disk_writes_total",
        "Messages written to files.",
        |q| q.survey.counters.disk_writes.into(),
        |all| all.totals.counts.disk_writes.into(),
    ),
];

/// `channel_queue_exchange_metrics`, by queue: which channel and exchange a message came by is not
/// counted apart.
pub const PUBLISHED: &[Column<QueueRow>] = &[counter(
    "queue_messages_published_total",
    "Messages that came into the queue.",
    |q| q.survey.counters.published.into(),
    |all| (all.totals.classic.counts.publish + all.totals.quorum.counts.publish).into(),
)];
