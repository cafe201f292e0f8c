//! Files behind a trait, so that the store can be tested on a disk that fails on purpose.

pub mod counted;
pub mod disk;
pub mod real;
#[cfg(test)]
pub mod sim;

pub use counted::{CountedDisk, IoCounts};
pub use disk::{Disk, DiskFile};
pub use real::RealDisk;
#[cfg(test)]
pub use sim::{Fault, SimDisk};
