//! What survives a stop, a kill and a loss of power: the disk behind a trait, the commit log on it,
//! and what its entries say of messages. The store knows octets, files, positions and ids; it never
//! knows what a queue does or a frame is.

pub mod batch;
pub mod bodies;
pub mod checkpoint;
pub mod error;
pub mod io;
pub mod log;
pub mod pages;
pub mod repair;
pub mod replay;

pub use checkpoint::{AwayRow, CheckpointWriter, MessageRow, Row};
pub use error::StoreError;
pub use log::{Entry, Log, LogOptions, Position, Replayed, Wake};
pub use pages::{Freed, Pages};
