//! Checks and repairs a store that no broker uses. The operator's tool calls it; a running broker
//! never does, and the caller holds the lock of the data folder.
//!
//! [`check`] reads everything and changes nothing: definitions, the checkpoint, its pages, every
//! entry of every file of the log, and the record of every message that lives. [`repair`] does the
//! same and then makes the store one that starts again with all that can be read:
//!
//! | damaged | what is kept |
//! |---|---|
//! | entries of the log before the checkpoint | all messages but those whose records lie there |
//! | entries behind it | likewise; what they said is lost: a message may come back that was acknowledged, flagged as redelivered |
//! | pages of the index | the messages that the log still tells of come back |
//! | the checkpoint | the log tells what lives, as far as its files have not been used again |
//! | definitions | the rows of the snapshot or the tables, and every command in the log that can be read |
//!
//! What a repair replaces it moves aside first, to a name that ends in `.damaged-<n>`. In a file of
//! the log what cannot be read becomes one entry of the log's own without a meaning, so that
//! everything else keeps its place and the whole can be read again from its start.

mod definitions;
mod examine;
mod mend;
mod report;
mod rows;
#[cfg(test)]
mod tests;

pub use examine::check;
pub use mend::{Outcome, repair};
pub use report::{Damage, LostIn, Report, Torn};

/// How the log's entries are told apart by kind.
#[derive(Debug, Clone, Copy)]
pub struct Kinds {
    /// Of batches.
    pub batch: u8,
    /// Of definitions.
    pub definition: u8,
}

/// Told what is being read, and how many octets or messages of how many.
pub type Progress<'a> = &'a mut dyn FnMut(&str, u64, u64);
