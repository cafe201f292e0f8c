//! The commands. Each file holds a table of them and what they do.

mod access;
mod all;
mod connections;
mod definitions;
mod flags;
mod json;
mod limits;
mod lists;
mod parameters;
mod pids;
mod policies;
mod queues;
mod settings;
mod startup;
mod status;
mod users;
mod vhosts;

pub use all::all;
