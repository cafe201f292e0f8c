//! The queue: one state machine for transient, durable and, later, mirrored queues.
//!
//! Pure: no sockets, files, clocks or tasks. Time comes in as an argument, deliveries go out through
//! the consumer's [`Port`], everything else (dead letters, refusals) through [`Effects`].
//! [`Contents`] is the half that a log can replay: it executes enqueue, settle, return and drop, and
//! never decides. [`Queue`] is the serving half: it decides who gets what, what overflows and what
//! has expired, and applies the decision to the contents.

pub mod arguments;
pub mod block;
pub mod browse;
pub mod consumers;
pub mod contents;
pub mod counters;
pub mod dispatch;
pub mod effects;
pub mod enqueue;
pub mod equivalence;
pub mod level;
pub mod page;
mod policy;
mod roster;
pub mod runs;
pub mod serving;
pub mod settle;

#[cfg(test)]
mod tests;

pub use arguments::{Overflow, QueueArguments, QueueKind};
pub use block::Arriving;
pub use consumers::{ConsumerKey, ConsumerSpec, Delivery, Port, Staged};
pub use contents::{Contents, MessageId};
pub use counters::{Counters, Depth, Survey};
pub use effects::{DeadLetter, DeadReason, Effects, Op, Placed, Read, Wanted};
pub use enqueue::Incoming;
pub use serving::{Queue, Status};
