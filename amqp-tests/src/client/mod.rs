//! A small blocking AMQP 0-9-1 client for tests.
//!
//! [`Conn`] is one socket; it can shake hands in one call or step by step,
//! send any bytes and read single frames. [`Channel`] has a method for each
//! thing a client does and for each thing a broker may answer. Both are cheap
//! handles that may be cloned; they belong to one thread.
//!
//! Nothing here sleeps: a wait for something expected ends when it arrives and
//! fails after [`WAIT`]; that nothing arrives is shown by a round trip
//! ([`Channel::expect_silence`], [`Channel::expect_silence_of`]).

mod build;
mod channel;
mod channel_basic;
mod conn;
mod expect;
mod handshake;
mod url;

pub use build::{Consume, Exchange, Publish, Queue};
pub use channel::{Channel, DeclareOk};
pub use channel_basic::{Confirm, Delivery, Returned};
pub use conn::{Conn, Msg, Recv, WAIT};
pub use expect::{Closed, Text, code_name, reply_text};
pub use handshake::{Options, all_capabilities, has_capability, tune_ok};
pub use url::Url;
