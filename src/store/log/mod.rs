//! The commit log: everything that must survive, in one sequence of entries, in files of equal size.
//!
//! Callers append entries to memory and go on; one thread takes what has gathered, writes it with
//! one call, syncs once, and tells everyone who waits. There is no timer in between: a batch is what
//! arrived during the sync before. What lies below the durable position is never lost; what lies
//! above it may be, from any entry on. The log knows nothing of what its entries mean.
//!
//! [`format`] describes the files, [`open`] how they are read back, [`files`] how they are used again.

mod buffer;
mod commit;
mod files;
mod format;
mod mend;
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
pub use options::{Entry, LogOptions, Wake};
pub use place::Position;
pub use refill::Refill;
pub use replay::Replayed;
pub use survey::{Survey, SurveyedFile};
