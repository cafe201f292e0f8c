//! Checkpoints on the simulated disk.

mod basic;
mod crash;
mod harness;
mod rows;

use harness::{read_all, write};
