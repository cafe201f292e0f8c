//! The commands. Each file holds a table of them and what they do.

mod access;
mod all;
mod application;
mod checks;
mod connections;
mod definitions;
mod facts;
mod flags;
mod inspect;
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
