//! The running broker: virtual hosts, queues under their locks, routing, dead letters, timers,
//! users, alarms. It knows no sockets: connections reach it by calls and hear from it through
//! their [`inbox::Inbox`].

pub mod admin;
pub mod alarms;
pub mod batch;
pub mod bind;
pub mod browse;
mod checkpoint;
pub mod cleaner;
pub mod connections;
pub mod core;
pub mod dead_letter;
pub mod declare_exchange;
pub mod declare_queue;
pub mod define;
mod events;
pub mod exchange;
pub mod inbox;
pub mod inject;
pub mod journal;
pub mod keeper;
pub mod log_exchange;
pub mod observe;
pub mod port;
pub mod pressure;
pub mod probe;
pub mod reader;
pub mod recovery;
pub mod redrive;
pub mod reply_to;
pub mod restore;
pub mod route;
pub mod shared_queue;
#[cfg(test)]
mod tests;
pub mod timer;
pub mod unacked;
pub mod users;
pub mod vhost;

pub use core::{Broker, Options};
pub use exchange::Exchange;
pub use inbox::{Event, Inbox};
pub use shared_queue::SharedQueue;
pub use vhost::Vhost;
