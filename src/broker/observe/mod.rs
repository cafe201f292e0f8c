//! What is seen of the running broker: counters, views of every object, and the sampler that
//! remembers how they were.
//!
//! Counting costs a message a plain addition where its path passes anyway; everything shared is
//! touched once a batch. Views take one lock at a time, shortly, and nothing here changes what the
//! broker does. The management API, the metrics and the operator's tool read it.

pub mod channel_stats;
pub mod churn;
pub mod counter;
pub mod exchange_counts;
pub mod gone;
pub mod history;
pub mod message_counts;
pub mod observer;
pub mod points;
pub mod sampler;
pub mod sources;
pub mod tiers;
pub mod totals;
pub mod traffic;
pub mod utilisation;
pub mod views;
