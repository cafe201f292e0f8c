//! Who calls, and what they may do: RabbitMQ's tags, virtual host access and permissions.

mod basic;
mod caller;
mod damping;
mod sessions;

pub use basic::{BasicCredentials, parse_basic};
pub use caller::{Administrator, Caller};
pub use damping::Damping;
pub use sessions::{OWN_PAGE, Sessions, session_token};
