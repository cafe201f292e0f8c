//! Who calls, and what they may do: RabbitMQ's tags, virtual host access and permissions.

mod basic;
mod caller;

pub use basic::{BasicCredentials, parse_basic};
pub use caller::Caller;
