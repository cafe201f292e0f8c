//! What a channel remembers: deliveries without acknowledgement, publishes without confirm, content
//! that is still arriving. Pure; the session that owns a channel talks to queues and sockets.

pub mod confirms;
pub mod content;
pub mod unacked;

pub use confirms::Confirms;
pub use content::Content;
pub use unacked::{Unacked, UnackedRun};
