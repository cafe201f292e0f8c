//! What the operator asks of the node itself rather than of the broker. The node gives it to the
//! API, which knows neither signals nor log files.

use std::fmt::Debug;
use std::io;

/// A node as its operator handles it. Nothing here waits.
pub trait Operations: Debug + Send + Sync {
    /// Begins an orderly stop, as SIGTERM does.
    fn stop(&self);

    /// Puts the log files aside that have a rotation, and opens the others anew, for who has moved
    /// them.
    fn rotate_logs(&self) -> io::Result<()>;

    /// Gives a category of the log, or all, a level by RabbitMQ's names. The error is the reason.
    fn set_log_level(&self, category: Option<&str>, level: &str) -> Result<(), String>;

    /// Sets the memory at which publishers are blocked; the octets that came of it.
    fn set_memory_limit(&self, limit: Amount) -> u64;

    /// Sets the free disk space below which publishers are blocked; the octets that came of it.
    fn set_disk_limit(&self, limit: Amount) -> u64;

    /// Every setting in effect, by key; secrets as asterisks.
    fn settings(&self) -> Vec<(String, String)>;

    /// What the store holds on disk and in memory, by name.
    fn store_facts(&self) -> Vec<(&'static str, u64)>;
}

/// A limit: a share of the memory, or octets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amount {
    /// Times the memory available.
    Relative(f64),
    /// Octets.
    Absolute(u64),
}
