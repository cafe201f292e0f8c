//! The memory budget: how much there is, and the watch over what is used.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::broker::alarms::{counted_memory, resident_memory};
use crate::config::{MemoryLimit, ResourceSettings};
use crate::message::chunk::bytes_held;
use crate::message::held::bytes_outside;

/// How often resident memory is read. A publisher at 1 GB/s grows it by 100 MB in between.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The resident memory in octets at which publishers are blocked.
pub fn limit(resources: &ResourceSettings) -> u64 {
    match resources.vm_memory_high_watermark {
        MemoryLimit::Absolute(octets) => octets,
        MemoryLimit::Relative(share) => {
            // A share between 0 and 1 of a number far below 2^53.
            (available(resources) as f64 * share) as u64
        }
    }
}

/// The memory that counts as there, in octets.
pub fn available(resources: &ResourceSettings) -> u64 {
    resources
        .total_memory_available
        .unwrap_or_else(total_memory)
}

/// Memory of this machine, or of the control group that this process is held to.
fn total_memory() -> u64 {
    let host = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
            let kib: u64 = line.split_ascii_whitespace().nth(1)?.parse().ok()?;
            Some(kib * 1024)
        });
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max")
        .ok()
        .and_then(|text| text.trim().parse().ok());
    let known = [host, group].into_iter().flatten().min();
    // Where neither tells, assume a small machine rather than none.
    known.unwrap_or(1 << 30)
}

/// Octets that a connection is counted as.
const CONNECTION_COST: u64 = 16 * 1024;

/// Watches resident memory until the task is dropped.
pub async fn watch(broker: Arc<Broker>) {
    let idle = resident_memory().unwrap_or(0);
    loop {
        if let Some(resident) = resident_memory() {
            let connections = broker.connections.sessions() * CONNECTION_COST;
            let held =
                bytes_held() + bytes_outside() + crate::queue::block::index_bytes() + connections;
            broker.check_memory(counted_memory(resident, idle, held));
        }
        broker.check_disk();
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
