//! The wire formats of AMQP 0-9-1: frames, methods, tables, properties, and the errors of the
//! protocol. Pure: bytes in, values out; it never touches a socket and never allocates more than
//! the bytes it was given justify.

pub mod constants;
pub mod encode;
pub mod error;
pub mod frame;
pub mod hot;
pub mod method;
mod method_name;
pub mod properties;
pub mod table;
pub mod value;

pub use error::{AmqpError, Level, ReplyCode};
pub use method_name::method_name;
pub use value::{Table, Value};
