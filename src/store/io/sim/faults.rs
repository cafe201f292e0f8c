//! What a simulated disk can be told to do wrong.

use std::collections::BTreeMap;
use std::io;

/// What happens at one planned operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The power goes: the operation may or may not have had its effect, and every later one fails.
    Crash,
    /// The device reports an error. Of a write, any part may be done. After a failed sync the
    /// system holds octets that it will never send again.
    Io,
    /// The device is full.
    NoSpace,
    /// A write ends early and says so.
    Short,
    /// A read gives one bit that is not what was written.
    Flip,
}

/// Faults by the number of the operation, and how often each was met.
#[derive(Debug, Default)]
pub struct Plan {
    pub faults: BTreeMap<u64, Fault>,
    pub met: BTreeMap<String, u64>,
}

impl Plan {
    /// The fault of operation `number` named `what`. One that such an operation cannot have waits
    /// for the next that can.
    pub fn take(&mut self, number: u64, what: &str) -> Option<Fault> {
        let (at, fault) = self
            .faults
            .first_key_value()
            .map(|(at, fault)| (*at, *fault))?;
        let fits = match fault {
            Fault::Crash => true,
            Fault::Io => what != "free",
            Fault::NoSpace => matches!(what, "write" | "allocate" | "create"),
            Fault::Short => what == "write",
            Fault::Flip => what == "read",
        };
        if at > number || !fits {
            return None;
        }
        self.faults.remove(&at);
        *self.met.entry(format!("{fault:?} at {what}")).or_default() += 1;
        Some(fault)
    }
}

pub fn no_power() -> io::Error {
    io::Error::other("the power is gone")
}

pub fn bad_device() -> io::Error {
    io::Error::other("input/output error")
}

pub fn full() -> io::Error {
    io::ErrorKind::StorageFull.into()
}
