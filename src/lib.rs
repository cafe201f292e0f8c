//! Leveret: an AMQP 0-9-1 message broker that RabbitMQ's clients can use unchanged.
//!
//! `src/ARCHITECTURE.md` is the map. Layers, top to bottom: `node`, `server` and `management`, `broker`,
//! `store` and `logs`, the pure core
//! (`connection`, `channel`, `queue`, `exchange`, `message`, `auth`, `definitions`), formats (`amqp`,
//! `config`), base (`limits`, `ids`, `time`). A test keeps imports pointing down.

pub mod amqp;
pub mod auth;
pub mod broker;
pub mod channel;
pub mod config;
pub mod connection;
pub mod definitions;
pub mod exchange;
pub mod ids;
pub mod limits;
pub mod logs;
pub mod management;
pub mod message;
pub mod node;
pub mod queue;
pub mod server;
pub mod store;
#[cfg(test)]
mod tidy;
pub mod time;
