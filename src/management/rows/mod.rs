//! The objects of the broker as rows of the API: which fields they have, under RabbitMQ's names.
//! The fields are the union of those of RabbitMQ 3.10 and 4.x.

pub mod binding;
pub mod channel;
pub mod connection;
pub mod consumer;
pub mod exchange;
pub mod queue;

pub use binding::BindingRow;
pub use channel::ChannelRow;
pub use connection::ConnectionRow;
pub use consumer::ConsumerRow;
pub use exchange::ExchangeRow;
pub use queue::QueueRow;
