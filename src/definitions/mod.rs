//! Definitions: what a broker is told to have, apart from messages. Pure, but for the files that
//! keep them.
//!
//! A change is a [`Command`]; applied to a [`State`], it changes rows. How rows and commands are
//! written down is [`codec`]'s.

pub mod codec;
pub mod command;
pub mod import;
pub mod rows;
pub mod state;

pub use command::Command;
pub use state::State;
