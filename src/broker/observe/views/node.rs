//! The node as it is: what the process uses.

use super::super::observer::{RESOURCE_SERIES, Step};
use crate::broker::Broker;
use crate::broker::alarms::resident_memory;

/// What the process uses at the moment. What the system does not tell is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Resources {
    /// Octets of resident memory.
    pub mem_used: u64,
    /// Open files and sockets.
    pub fd_used: u64,
    /// Sockets of connections.
    pub sockets_used: u64,
    /// What would be a process in Erlang: connections, channels and queues.
    pub proc_used: u64,
    /// Free octets of the data folder's disk.
    pub disk_free: u64,
    /// Reads from files of the store.
    pub io_read_count: u64,
    /// Octets of them.
    pub io_read_bytes: u64,
    /// Writes to files of the store.
    pub io_write_count: u64,
    /// Octets of them.
    pub io_write_bytes: u64,
    /// Syncs of files of the store.
    pub io_sync_count: u64,
    /// Times that the system took the processor from a thread or a thread gave it up.
    pub context_switches: u64,
}

impl Resources {
    /// In the order of the fields.
    pub fn series(&self) -> [u64; RESOURCE_SERIES] {
        [
            self.mem_used,
            self.fd_used,
            self.sockets_used,
            self.proc_used,
            self.disk_free,
            self.io_read_count,
            self.io_read_bytes,
            self.io_write_count,
            self.io_write_bytes,
            self.io_sync_count,
            self.context_switches,
        ]
    }

    /// Measures. It counts the entries of a folder of the system, so it is for once a round.
    pub fn measure(broker: &Broker, objects: u64) -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let switches = |key: &str| -> u64 {
            status
                .lines()
                .find_map(|line| line.strip_prefix(key))
                .and_then(|rest| rest.trim().parse().ok())
                .unwrap_or(0)
        };
        let io = broker.observer.io();
        Self {
            mem_used: resident_memory().unwrap_or(0),
            fd_used: std::fs::read_dir("/proc/self/fd").map_or(0, |list| list.count() as u64),
            sockets_used: broker.connections.sessions(),
            proc_used: objects,
            disk_free: broker.journal.log().map_or(0, |log| log.free_bytes()),
            io_read_count: io.reads.count(),
            io_read_bytes: io.reads.bytes(),
            io_write_count: io.writes.count(),
            io_write_bytes: io.writes.bytes(),
            io_sync_count: io.syncs.count(),
            context_switches: switches("voluntary_ctxt_switches:")
                + switches("nonvoluntary_ctxt_switches:"),
        }
    }
}

/// What the node uses, and its last two rounds.
#[derive(Debug, Clone, Copy, Default)]
pub struct NodeView {
    /// What the process used in the last round.
    pub resources: Resources,
    /// The same as series, with the round before.
    pub step: Step<RESOURCE_SERIES>,
    /// Octets of memory at which publishers are blocked.
    pub mem_limit: u64,
    /// Free octets of the disk below which they are.
    pub disk_limit: u64,
    /// Memory has raised the alarm.
    pub mem_alarm: bool,
    /// The disk has.
    pub disk_alarm: bool,
    /// Processors of the machine that this process may use.
    pub processors: usize,
}

impl NodeView {
    /// Looks at the node.
    pub fn of(broker: &Broker) -> Self {
        Self {
            resources: broker.observer.resources(),
            step: broker.observer.resource_step(),
            mem_limit: broker.alarms.memory_limit(),
            disk_limit: broker.alarms.disk_limit(),
            mem_alarm: broker.alarms.memory(),
            disk_alarm: broker.alarms.disk(),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}
