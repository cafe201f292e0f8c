//! The connection's own rules: protocol header, negotiation, heartbeats. Pure; the session that owns
//! a connection reads and writes for it.

pub mod header;
pub mod heartbeat;
pub mod tuning;

pub use header::{HeaderOutcome, read_header};
pub use heartbeat::Heartbeat;
pub use tuning::Tuning;
