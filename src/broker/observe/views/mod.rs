//! Views: every object of the broker as it is at the moment, in plain structs.

pub mod binding;
pub mod channel;
pub mod connection;
pub mod consumer;
pub mod exchange;
pub mod node;
pub mod queue;
pub mod vhost;

pub use binding::BindingView;
pub use channel::ChannelView;
pub use connection::ConnectionView;
pub use consumer::ConsumerView;
pub use exchange::ExchangeView;
pub use node::NodeView;
pub use queue::QueueView;
pub use vhost::VhostView;
