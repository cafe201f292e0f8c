//! AMQP on sockets: listeners, TLS, the PROXY protocol, and the session that turns frames into
//! calls on the broker and its answers into frames.
//!
//! One task per connection drives a synchronous [`session::Session`]; the session never awaits.

pub mod certificates;
pub mod driver;
pub mod listener;
pub mod output;
pub mod proxy_protocol;
pub mod session;
pub mod stream;
pub mod tls_facts;
