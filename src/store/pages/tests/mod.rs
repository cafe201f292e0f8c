//! Pages on the simulated disk.

mod basic;
mod crash;
