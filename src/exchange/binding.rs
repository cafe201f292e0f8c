//! Bindings and where they lead.

use super::arguments::Arguments;
use crate::amqp::value::Table;
use crate::ids::Name;

/// Where a binding leads. Queues order before exchanges, each by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Destination {
    /// A queue of the same vhost.
    Queue(Name),
    /// An exchange of the same vhost.
    Exchange(Name),
}

impl Destination {
    /// A queue by its name.
    pub fn queue(name: &[u8]) -> Self {
        Self::Queue(Name::new(name))
    }

    /// An exchange by its name.
    pub fn exchange(name: &[u8]) -> Self {
        Self::Exchange(Name::new(name))
    }

    /// The name, whatever it is the name of.
    pub fn name(&self) -> &Name {
        match self {
            Self::Queue(name) | Self::Exchange(name) => name,
        }
    }
}

/// A binding of one exchange. Two bindings are the same when destination, routing key and
/// arguments are, the arguments compared without regard to the order of their keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Where it leads.
    pub destination: Destination,
    /// The binding key.
    pub routing_key: Name,
    /// The arguments as the client sent them.
    pub arguments: Table,
}

/// A stored binding.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BindingRef<'a> {
    /// Where it leads.
    pub destination: &'a Destination,
    /// The binding key.
    pub routing_key: &'a Name,
    /// The arguments of its first bind.
    pub arguments: &'a Table,
}

impl BindingRef<'_> {
    /// An owned copy.
    pub fn to_binding(self) -> Binding {
        Binding {
            destination: self.destination.clone(),
            routing_key: self.routing_key.clone(),
            arguments: self.arguments.clone(),
        }
    }
}

/// A binding as the maps hold it: three shared pointers, ordered by destination first so that all
/// bindings of a destination are neighbours.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BindingKey {
    pub(super) destination: Destination,
    pub(super) routing_key: Name,
    pub(super) arguments: Arguments,
}

impl BindingKey {
    pub(super) fn of(binding: &Binding) -> Self {
        Self {
            destination: binding.destination.clone(),
            routing_key: binding.routing_key.clone(),
            arguments: Arguments::new(&binding.arguments),
        }
    }

    pub(super) fn as_ref(&self) -> BindingRef<'_> {
        BindingRef {
            destination: &self.destination,
            routing_key: &self.routing_key,
            arguments: self.arguments.table(),
        }
    }
}
