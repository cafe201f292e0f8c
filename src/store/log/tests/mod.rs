//! The log on the real disk.

mod basic;
