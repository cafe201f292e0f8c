//! Definitions: what a broker is told to have, apart from messages. Pure.

pub mod import;
