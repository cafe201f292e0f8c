//! The suite's own AMQP 0-9-1 codec: values, methods, properties, frames.
//!
//! It encodes anything, also what is wrong, and decodes what a broker sends.
//! It never talks to a socket and shares no code with the broker under test.

mod bytes;
mod frame;
mod method;
mod properties;
mod spec;
mod value;

pub use bytes::{Reader, Writer};
pub use frame::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD, Frame};
pub use method::{Field, Method, method};
pub use properties::{Content, Props};
pub use spec::{Kind, MethodSpec, all_methods};
pub use value::{Table, Value};
