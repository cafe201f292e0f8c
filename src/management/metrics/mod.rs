//! The metrics for Prometheus, in its text format, on a listener of their own: RabbitMQ's names, so
//! that its dashboards and alerts work, and `leveret_*` for what only this broker has.
//!
//! `/metrics` is made of sums, which the sampler has made already where there are many objects;
//! `/metrics/per-object` and `/metrics/detailed` look at each object once and are sent in pieces.
//! Nothing here changes the broker.

mod aggregate;
mod channels;
mod column;
mod connections;
mod exchanges;
mod exposition;
mod families;
mod global;
mod node;
mod own;
mod pieces;
mod queues;
mod routes;
#[cfg(test)]
mod tests;

pub use routes::router;
