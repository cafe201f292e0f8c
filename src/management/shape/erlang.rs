//! Fields that only RabbitMQ's runtime has. Clients read some of them, so they are there; they are
//! constants, and this is all of them. What has a meaning here has its true value elsewhere.

use serde::Serialize;
use serde_json::{Value, json};

/// Reductions measure an Erlang process's work: `reductions` of queues, channels, connections.
pub const REDUCTIONS: u64 = 0;

/// The version of Erlang that RabbitMQ 3.10.8 is mostly run with.
pub const ERLANG_VERSION: &str = "25.2.3";

/// The longer form of it, with what runs instead.
pub const ERLANG_FULL_VERSION: &str = concat!(
    "Erlang/OTP 25 compatible: Leveret ",
    env!("CARGO_PKG_VERSION"),
    " [native]"
);

/// Most Erlang processes.
pub const PROC_TOTAL: u64 = 1_048_576;

/// Seconds after which Erlang nodes believe each other gone.
pub const NET_TICKTIME: u64 = 60;

/// Nobody waits for a scheduler.
pub const RUN_QUEUE: u64 = 0;

/// What an Erlang process's collector would say.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GarbageCollection {
    fullsweep_after: u32,
    max_heap_size: u32,
    min_bin_vheap_size: u32,
    min_heap_size: u32,
    minor_gcs: u32,
}

/// What it would say of every process.
pub const GARBAGE_COLLECTION: GarbageCollection = GarbageCollection {
    fullsweep_after: 65_535,
    max_heap_size: 0,
    min_bin_vheap_size: 46_422,
    min_heap_size: 233,
    minor_gcs: 0,
};

/// Counters of the node that belong to Erlang's memory, to Mnesia or to stores that do not exist
/// here: all 0.
pub const NODE_COUNTERS: [&str; 11] = [
    "gc_num",
    "gc_bytes_reclaimed",
    "io_seek_count",
    "io_seek_avg_time",
    "io_reopen_count",
    "mnesia_ram_tx_count",
    "mnesia_disk_tx_count",
    "msg_store_read_count",
    "msg_store_write_count",
    "queue_index_read_count",
    "queue_index_write_count",
];

/// Rows of statistics that wait to be removed: nothing waits.
pub fn metrics_gc_queue_length() -> Value {
    json!({
        "connection_closed": 0,
        "channel_closed": 0,
        "consumer_deleted": 0,
        "exchange_deleted": 0,
        "queue_deleted": 0,
        "vhost_deleted": 0,
        "node_node_deleted": 0,
        "channel_consumer_deleted": 0,
    })
}

/// Files of RabbitMQ's Raft library.
pub fn ra_open_file_metrics() -> Value {
    json!({ "ra_log_wal": 0, "ra_log_segment_writer": 0 })
}

/// A classic queue's inner queues: `len` has its true value; the sequence numbers, the rates and
/// the paging limit describe an implementation that is not ours.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct BackingQueueStatus {
    avg_ack_egress_rate: f64,
    avg_ack_ingress_rate: f64,
    avg_egress_rate: f64,
    avg_ingress_rate: f64,
    delta: (&'static str, &'static str, u64, u64, &'static str),
    len: u64,
    mode: &'static str,
    next_deliver_seq_id: u64,
    next_seq_id: u64,
    q1: u64,
    q2: u64,
    q3: u64,
    q4: u64,
    target_ram_count: &'static str,
    version: u32,
}

impl BackingQueueStatus {
    /// Of a queue in which `len` messages wait.
    pub fn new(len: u64) -> Self {
        Self {
            avg_ack_egress_rate: 0.0,
            avg_ack_ingress_rate: 0.0,
            avg_egress_rate: 0.0,
            avg_ingress_rate: 0.0,
            delta: ("delta", "undefined", 0, 0, "undefined"),
            len,
            mode: "default",
            next_deliver_seq_id: 0,
            next_seq_id: 0,
            q1: 0,
            q2: 0,
            q3: 0,
            q4: len,
            target_ram_count: "infinity",
            version: 1,
        }
    }
}
