//! The checkpoint: what every queue held at a position of the log, so that a start needs to read the
//! log from there only. The broker writes one now and then and reads it at the start.
//!
//! A checkpoint is written under another name, synced, and then takes the place of the last one: a
//! loss of power leaves the one or the other, whole. There is no second choice when it is damaged, for
//! the log may lack what an older one needs.
//!
//! # The file `checkpoint`, version 1
//!
//! Numbers of fixed width are little-endian.
//!
//! | offset | type | |
//! |---|---|---|
//! | 0 | 8 octets | `LeveretC` |
//! | 8 | u16 | version, 1 |
//! | 10 | u16 | 0 |
//! | 12 | u64 | position in the log: file number << 32, offset |
//! | 20 | u32 | CRC-32C of the 20 octets before |
//!
//! Blocks follow. Each is its length (u32), its CRC-32C (u32) and as many octets: rows behind each
//! other, none of which continues in the next block. The CRC goes on from that of the block before
//! (the first: of the header) over the length and the octets, so that a block in another place, or of
//! another checkpoint, never passes. A block of length 0 is the last one, and the file ends with it.
//!
//! A row is a tag octet and numbers as LEB128, at most ten octets each:
//!
//! | tag | row | numbers |
//! |---|---|---|
//! | 1 | a queue: the rows up to the next are its own | id |
//! | 2 | a priority of it: likewise | priority, next id |
//! | 3 | the same, of which some were delivered before | priority, next id, delivered up to |
//! | 4 | a page of its index | first id, span, live, octets of the live, first live, earliest expiry + 1 (0: never), place, length, count of files, then of each: number (difference), octets of the live |
//! | 128 and up | a message | as the bits of the tag say, below |
//!
//! A difference is to the same number of the last message of the file (of the page for numbers of a
//! page's files; 0 for the first), modulo 2^64, with the sign in the lowest bit. Bits of a message's
//! tag, in the order in which their numbers follow:
//!
//! | bit | set | not set |
//! |---|---|---|
//! | 1 | its number is one more than the last | its number (difference) |
//! | 2 | in the same file as the last | the file (difference) |
//! | (none) | the offset in the file (difference) | |
//! | 4 | as long as the last | its length |
//! | 8 | it was delivered before | it was not |
//! | 16 | how often it came back | never |
//! | 32 | when it expires (difference) | never |

mod format;
mod read;
mod rows;
#[cfg(test)]
mod tests;
mod write;

pub use format::FILE;
pub use read::read;
pub use rows::{AwayRow, MessageRow, Row};
pub use write::CheckpointWriter;
