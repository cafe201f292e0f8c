//! The definitions of a running broker: recovered from snapshot, log and tables, then kept in them.
//!
//! ```text
//! start   Recovery::open -> replay the log's records from Recovery::from on -> finish
//! live    Definitions::propose -> a record in the log -> durable_to -> state -> tables
//!                                                                       state -> save_snapshot
//! ```
//!
//! The truth is the snapshot and the log's records after it. The tables are checked against it at
//! every start and follow it in the background; where the snapshot is damaged they stand in for
//! it. This folder never decides what a command may do, and never reads the log: its caller does.

mod applier;
mod live;
mod recovery;
#[cfg(test)]
mod tests;

pub use live::Definitions;
pub use recovery::{Recovery, RecoveryError};
