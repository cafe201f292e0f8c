//! The durable scenarios that are more than a stream of messages: deep backlogs, the slow queue,
//! unacknowledged deliveries, restarts.

mod backlog;
mod deep;
mod restart;
mod slow_queue;
mod unacked;

pub use deep::run as deep;
pub use restart::run as restart;
pub use slow_queue::run as slow_queue;
pub use unacked::run as unacked;
