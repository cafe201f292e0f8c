//! Large bodies: each in a file of its own beside the log's, written in pieces while it arrives.
//!
//! One thread writes the pieces of all that arrive, in turn, so that no large body holds up another,
//! and none of them the log, whose thread has other files to write. Once a body's file is complete,
//! and synced where its message is to be kept, the message is put into its queues, and an entry of the
//! log says where its record lies ([`crate::store::batch`]). A file that no entry of the log names is
//! what a crash left, or a publisher that went away, and means nothing.
//!
//! A file is never written again, and is removed when nothing names it any more: one that the log
//! never named at once, the others after the next checkpoint. So there is nothing to empty or to use
//! again. [`mod@format`] describes the files.

mod files;
pub mod format;
mod spool;
#[cfg(test)]
mod tests;
mod thread;

pub use files::{Bodies, Step, is_there, verify};
pub use spool::{Progress, Spool};
