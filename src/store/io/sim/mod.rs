//! A disk in memory that loses power, tears writes, fails and lies, all from a seed.
//!
//! What a program sees of a file is what it wrote; what a loss of power leaves is what was synced and
//! any part, in any order, of what was not. A restart without a loss of power leaves everything as
//! the program saw it, whether it reached the device or not.

mod crash;
mod faults;
mod folder;
mod state;
#[cfg(test)]
mod tests;

pub use faults::Fault;
pub use folder::SimDisk;
