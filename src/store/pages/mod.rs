//! Pages of queues' indexes: what lies in the middle of a deep backlog, in one file, read again when
//! its turn comes.
//!
//! A page is written once and never changed. Its place is used again only after a checkpoint that
//! does not name it is safe, so that the pages that the last checkpoint names are always whole. The
//! broker's checkpoints say which pages live; this module knows nothing of what is in one.
//!
//! # The file `index.pages`, version 1
//!
//! Numbers are little-endian. The file consists of units of 4,096 octets; the first one is its
//! header, and a page takes as many as it needs.
//!
//! | offset | type | |
//! |---|---|---|
//! | 0 | 8 octets | `LeveretP` |
//! | 8 | u16 | version, 1 |
//! | 10 | u16 | 0 |
//! | 12 | u32 | CRC-32C of the 12 octets before |
//!
//! A page: its octets, then a u32, the CRC-32C of the page's place (u64), its length (u32) and its
//! octets. What follows up to the next unit means nothing.

mod file;
mod space;
#[cfg(test)]
mod tests;

pub use file::{FILE, Freed, Pages, PagesRead};
