//! Bindings as they are, those of the default exchange among them.

use crate::amqp::Table;
use crate::broker::{Exchange, Vhost};
use crate::exchange::Destination;
use crate::ids::Name;

/// A binding.
#[derive(Debug, Clone, PartialEq)]
pub struct BindingView {
    /// The exchange it leads from; empty for the default one.
    pub source: Name,
    /// Where it leads.
    pub destination: Destination,
    /// Its key.
    pub routing_key: Name,
    /// Its arguments.
    pub arguments: Table,
}

/// The bindings from an exchange.
pub fn from_exchange(exchange: &Exchange) -> Vec<BindingView> {
    exchange
        .bindings()
        .iter()
        .map(|binding| BindingView {
            source: exchange.name.clone(),
            destination: binding.destination.clone(),
            routing_key: binding.routing_key.clone(),
            arguments: binding.arguments.clone(),
        })
        .collect()
}

fn implied(queue: &Name) -> BindingView {
    BindingView {
        source: Name::from(""),
        destination: Destination::Queue(queue.clone()),
        routing_key: queue.clone(),
        arguments: Table::default(),
    }
}

/// The bindings from the default exchange: one to every queue, by its name.
pub fn from_default(vhost: &Vhost) -> Vec<BindingView> {
    let mut names: Vec<Name> = vhost
        .all_queues()
        .iter()
        .map(|queue| queue.name.clone())
        .collect();
    names.sort_unstable();
    names.iter().map(implied).collect()
}

/// Every binding of a virtual host, those of the default exchange first.
pub fn bindings(vhost: &Vhost) -> Vec<BindingView> {
    let mut all = from_default(vhost);
    let mut exchanges = vhost.all_exchanges();
    exchanges.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    for exchange in exchanges {
        all.extend(from_exchange(&exchange));
    }
    all
}

/// The bindings to a queue or an exchange.
pub fn to_destination(vhost: &Vhost, destination: &Destination) -> Vec<BindingView> {
    let mut found = Vec::new();
    if let Destination::Queue(name) = destination
        && vhost.queue(name.as_bytes()).is_some()
    {
        found.push(implied(name));
    }
    for source in vhost.sources_of(destination) {
        let all = from_exchange(&source);
        found.extend(all.into_iter().filter(|b| b.destination == *destination));
    }
    found
}
