//! Files behind a trait, so that the store can be tested on a disk that fails on purpose.

pub mod disk;
pub mod real;

pub use disk::{Disk, DiskFile};
pub use real::RealDisk;
