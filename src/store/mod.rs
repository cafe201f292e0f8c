//! What survives a stop, a kill and a loss of power: the disk behind a trait, and the commit log on
//! it. The store knows octets, files and positions; it never knows what a queue or a frame is.

pub mod error;
pub mod io;
pub mod log;

pub use error::StoreError;
pub use log::{Entry, Log, LogOptions, Position, Replayed, Wake};
