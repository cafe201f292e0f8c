//! Alarms: publishers are blocked while the process holds more than its budget, or the disk has
//! less free space than its own.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Alarms of this node.
#[derive(Debug)]
pub struct Alarms {
    memory: AtomicBool,
    disk: AtomicBool,
    /// Octets of resident memory at which publishers stop; 0 stops them at once.
    memory_limit: AtomicU64,
    /// Free octets of the disk below which publishers stop.
    disk_limit: AtomicU64,
}

impl Alarms {
    /// No alarm yet.
    pub fn new(memory_limit: u64) -> Self {
        Self {
            memory: AtomicBool::new(false),
            disk: AtomicBool::new(false),
            memory_limit: AtomicU64::new(memory_limit),
            disk_limit: AtomicU64::new(0),
        }
    }

    /// The reason to block publishers, as RabbitMQ words it.
    #[inline]
    pub fn reason(&self) -> Option<&'static str> {
        match (
            self.memory.load(Ordering::Relaxed),
            self.disk.load(Ordering::Relaxed),
        ) {
            (false, false) => None,
            (true, false) => Some("low on memory"),
            (false, true) => Some("low on disk"),
            (true, true) => Some("low on memory & disk"),
        }
    }

    /// Memory has raised the alarm.
    pub fn memory(&self) -> bool {
        self.memory.load(Ordering::Relaxed)
    }

    /// The disk has.
    pub fn disk(&self) -> bool {
        self.disk.load(Ordering::Relaxed)
    }

    /// Takes a measurement of the disk; true when the alarm was raised or cleared by it.
    pub fn measure_disk(&self, low: bool) -> bool {
        self.disk.swap(low, Ordering::Relaxed) != low
    }

    /// The limit in octets.
    pub fn memory_limit(&self) -> u64 {
        self.memory_limit.load(Ordering::Relaxed)
    }

    /// Sets the limit in octets; the next measurement is held against it.
    pub fn set_memory_limit(&self, octets: u64) {
        self.memory_limit.store(octets, Ordering::Relaxed);
    }

    /// Free octets of the disk below which publishers are blocked. The store measures: it keeps this
    /// and a little more for itself.
    pub fn disk_limit(&self) -> u64 {
        self.disk_limit.load(Ordering::Relaxed)
    }

    /// Notes the limit that the store was given.
    pub fn set_disk_limit(&self, octets: u64) {
        self.disk_limit.store(octets, Ordering::Relaxed);
    }

    /// Takes a measurement; true when the alarm was raised or cleared by it. It clears a little
    /// below the limit, so that it does not flap.
    pub fn measure_memory(&self, used: u64) -> bool {
        let limit = self.memory_limit();
        let was = self.memory.load(Ordering::Relaxed);
        let is = if was {
            used > limit - limit / 20
        } else {
            used > limit
        };
        self.memory.store(is, Ordering::Relaxed);
        was != is
    }
}

/// What the budget counts, from resident memory and what is known to be held. An allocator keeps
/// freed pages for reuse, so resident memory counts up to twice what is held and not beyond:
/// otherwise an alarm would outlive the backlog that raised it.
pub fn counted_memory(resident: u64, idle: u64, held: u64) -> u64 {
    resident.min(idle + held * 2).max(idle.min(resident) + held)
}

/// Resident memory of this process in octets; `None` where the system does not tell.
pub fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = status.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_has_hysteresis() {
        let alarms = Alarms::new(1000);
        assert!(!alarms.measure_memory(1000));
        assert!(alarms.measure_memory(1001));
        assert_eq!(alarms.reason(), Some("low on memory"));
        assert!(!alarms.measure_memory(980));
        assert!(alarms.measure_memory(950));
        assert_eq!(alarms.reason(), None);
    }
}
