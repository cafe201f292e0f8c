//! The scenarios: what each does to a broker and what it measures.

mod backlog;
mod catalogue;
mod connections;
mod durable;
mod halves;
mod held;
mod objects;
mod options;
mod persistence;
mod reply_queues;
mod stream;

pub use catalogue::{Scenario, catalogue};
pub use options::{DurableSizes, Options};
