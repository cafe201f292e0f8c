//! The log: what a line is, how it is written and where it goes.
//!
//! Everything speaks to it through `tracing`: an event's target is its category (`connection`,
//! `channel`, `queue`; anything else is `default`), its field `pid` the number of the connection it
//! is about, its message RabbitMQ's wording where there is one. [`Logs`] is the one subscriber: it
//! decides by category and output, and keeps the last lines in a ring for who looks on. Beside it
//! stands the [`events::EventLog`]: what happened, for programs.
//!
//! Never waits for anybody but the disk and the console. Built by the node; levels are changed and
//! lines are read by the management API and the operator's tool.

mod calendar;
mod event_file;
pub mod events;
mod feed;
mod filter;
mod form;
mod journald;
mod layer;
mod outlet;
mod record;
pub mod ring;
mod rotating_file;
mod syslog;
#[cfg(test)]
mod tests;

pub use event_file::EventFile;
pub use feed::Feed;
pub use filter::{CATEGORIES, UnknownCategory};
pub use layer::{LogLayer, Logs, Tail};
pub use record::{Category, Record};
