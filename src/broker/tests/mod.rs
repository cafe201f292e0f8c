//! The broker without sockets: routing, remembered routes, and what becomes of dead letters.

mod admin;
mod amend;
mod at_least_once;
mod browse;
mod checkpoints;
mod dead_letter_routes;
mod death_records;
mod definitions_files;
mod firehose;
mod inject;
mod log_exchange;
mod policies;
mod retries;
mod routing;
mod seeds;
pub mod stage;
mod stale_routes;
