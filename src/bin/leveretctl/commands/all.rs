//! The tables of the commands together.

use super::{
    access, application, checks, connections, definitions, flags, inspect, limits, lists,
    parameters, policies, queues, settings, startup, status, users, vhosts,
};
use crate::spec::Spec;

/// All commands.
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
    application::COMMANDS,
    status::COMMANDS,
    inspect::COMMANDS,
    checks::COMMANDS,
    crate::top::COMMANDS,
];
