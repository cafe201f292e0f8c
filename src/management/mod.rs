//! The management API: HTTP over TCP, TLS and the operator's socket, in RabbitMQ's shapes.
//!
//! It reads and changes the broker through `crate::broker` alone and never touches the sockets of
//! `server` or the store; `node` opens its listeners and stops it. The one folder that names axum.
//!
//! A resource is a file below `api`, with a function `routes` that `router` merges. What holds for
//! all of them (methods, prefix, headers, compression) is done once, in `transport`.

mod answer;
pub mod api;
pub mod auth;
pub mod body;
pub mod cors;
pub mod error;
pub mod facts;
pub mod gate;
pub mod listing;
pub mod metrics;
pub mod operations;
pub mod query;
mod reading;
pub mod router;
pub mod rows;
pub mod segments;
pub mod server;
pub mod shape;
pub mod state;
pub mod streams;
pub mod transport;
pub mod ui;

#[cfg(test)]
mod tests;

pub use auth::Caller;
pub use error::ApiError;
pub use facts::{ListenerFacts, NodeFacts, OpenFlag};
pub use listing::Listing;
pub use server::{Listening, Peer, TlsAccept};
pub use state::{Api, SharedApi};
