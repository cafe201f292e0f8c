//! The scenarios: what each does to a broker and what it measures.

mod backlog;
mod catalogue;
mod connections;
mod held;
mod objects;
mod reply_queues;
mod stream;

pub use catalogue::{Options, Scenario, catalogue};
