//! Definitions: what a broker is told to have, apart from messages. Pure, but for the files that
//! keep them ([`snapshot`], [`tables`], [`durable`]).
//!
//! A change is a [`Command`]; applied to a [`State`], it changes rows. How rows and commands are
//! written down is [`codec`]'s. [`Definitions`] keeps them across restarts.

pub mod codec;
pub mod command;
pub mod durable;
pub mod import;
mod imported;
pub mod policy;
pub mod rows;
pub mod salvage;
pub mod snapshot;
pub mod state;
pub mod tables;
#[cfg(test)]
mod tests;

pub use command::Command;
pub use durable::{Definitions, Recovery};
pub use state::State;
