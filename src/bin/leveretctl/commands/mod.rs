//! The commands. Each file holds a table of them and what they do.

mod access;
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

use crate::spec::Spec;

/// All of them.
pub fn all() -> Vec<Spec> {
    TABLES.concat()
}

const TABLES: &[&[Spec]] = &[
    crate::help::COMMANDS,
    users::COMMANDS,
    access::COMMANDS,
    vhosts::COMMANDS,
    policies::COMMANDS,
    parameters::COMMANDS,
    limits::COMMANDS,
    lists::COMMANDS,
    queues::COMMANDS,
    connections::COMMANDS,
    definitions::COMMANDS,
    flags::COMMANDS,
    settings::COMMANDS,
    startup::COMMANDS,
    status::COMMANDS,
    crate::top::COMMANDS,
];
