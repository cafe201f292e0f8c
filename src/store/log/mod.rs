//! The commit log: everything that must survive, in one sequence of entries, in files of equal size.
//!
//! Callers append entries to memory and go on; one thread takes what has gathered, writes it with
//! one call, syncs once, and tells everyone who waits. There is no timer in between: a batch is what
//! arrived during the sync before. What lies below the durable position is never lost; what lies
//! above it may be, from any entry on. The log knows nothing of what its entries mean.
//!
//! Beside the node's own entries it carries those of replicated groups, each a sequence of its own
//! whose last entries can be taken back: `grouped.rs`.
//!
//! [`mod@format`] describes the files, `open.rs` how they are read back, `files.rs` how they are used
//! again.

mod buffer;
mod commit;
mod files;
pub mod format;
mod grouped;
mod groups;
mod mend;
pub mod meter;
mod open;
mod options;
mod place;
mod refill;
mod replay;
mod survey;
mod thread;
mod window;
mod write;

#[cfg(test)]
mod tests;

pub use commit::Log;
pub use format::{HEADER_LEN, PREFIX_LEN};
pub use grouped::{GroupEntry, GroupState};
pub use options::{Entry, LogOptions, Wake};
pub use place::Position;
pub use refill::Refill;
pub use replay::Replayed;
pub use survey::{Survey, SurveyedFile};
