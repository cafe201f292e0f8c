//! Exchanges: which destinations a message goes to.
//!
//! The pure routing core: exchange types, bindings and the match rules of RabbitMQ 3.10, with
//! bindings kept as persistent snapshots on structure-sharing maps. It knows no sockets, no queues
//! beyond their names, no clock and no randomness (a random number is an argument), and no result
//! depends on hash-map order. The vhost calls it; alternate exchanges, exchange-to-exchange hops,
//! CC and the one-copy-per-queue rule belong to the caller.

mod arguments;
mod binding;
mod bindings;
mod consistent_hash;
mod declare;
mod headers;
mod input;
mod kind;
mod random;
mod refusal;
mod small_map;
mod term;
mod topic;

#[cfg(test)]
mod model_tests;

pub use binding::{Binding, BindingRef, Destination};
pub use bindings::{Bindings, check_binding};
pub use declare::{ArgumentRefusal, check_arguments};
pub use input::{NoProperties, RouteInput, RouteProperties};
pub use kind::{ExchangeType, unknown_type_text};
pub use refusal::BindRefusal;
