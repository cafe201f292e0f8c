//! A data folder under a broker, without sockets.

mod damaged;
mod old_store;
mod stage;
