//! The bindings of one exchange and the routes they make.
//!
//! A clone is a snapshot in constant time: the maps share structure, and a change to one copy
//! costs O(log n) of the bindings and leaves the other as it was.

use imbl::{OrdMap, OrdSet};

use super::arguments::Arguments;
use super::binding::{Binding, BindingKey, BindingRef, Destination};
use super::consistent_hash::{ConsistentHash, weight_of};
use super::headers::{self, Headers};
use super::input::RouteInput;
use super::kind::ExchangeType;
use super::random::Random;
use super::refusal::BindRefusal;
use super::small_map::Targets;
use super::topic::Topic;
use crate::amqp::value::Table;
use crate::ids::Name;

/// All bindings of one exchange, indexed as its type needs.
#[derive(Debug, Clone)]
pub struct Bindings {
    all: OrdSet<BindingKey>,
    index: Index,
}

#[derive(Debug, Clone)]
enum Index {
    Direct(OrdMap<Name, Targets>),
    Fanout(Targets),
    Topic(Topic),
    Headers(Headers),
    ConsistentHash(ConsistentHash),
    Random(Random),
}

/// What an exchange of `kind` would refuse of a binding.
pub fn check_binding(
    kind: ExchangeType,
    routing_key: &[u8],
    arguments: &Table,
) -> Result<(), BindRefusal> {
    match kind {
        ExchangeType::Headers => headers::check(arguments).map(drop),
        ExchangeType::ConsistentHash => weight_of(routing_key).map(drop),
        _ => Ok(()),
    }
}

impl Bindings {
    /// No bindings yet, for an exchange of `kind` declared with `arguments`, which
    /// [`super::check_arguments`] accepted.
    pub fn new(kind: ExchangeType, arguments: &Table) -> Self {
        let index = match kind {
            ExchangeType::Direct => Index::Direct(OrdMap::new()),
            ExchangeType::Fanout => Index::Fanout(Targets::default()),
            ExchangeType::Topic => Index::Topic(Topic::default()),
            ExchangeType::Headers => Index::Headers(Headers::default()),
            ExchangeType::ConsistentHash => Index::ConsistentHash(ConsistentHash::new(arguments)),
            ExchangeType::Random => Index::Random(Random::default()),
        };
        Self {
            all: OrdSet::new(),
            index,
        }
    }

    /// The type of the exchange.
    pub fn kind(&self) -> ExchangeType {
        match &self.index {
            Index::Direct(_) => ExchangeType::Direct,
            Index::Fanout(_) => ExchangeType::Fanout,
            Index::Topic(_) => ExchangeType::Topic,
            Index::Headers(_) => ExchangeType::Headers,
            Index::ConsistentHash(_) => ExchangeType::ConsistentHash,
            Index::Random(_) => ExchangeType::Random,
        }
    }

    /// Adds a binding; false where it was there already. Only a bind is checked: RabbitMQ lets an
    /// unbind of arguments that it would refuse pass.
    pub fn bind(&mut self, binding: &Binding) -> Result<bool, BindRefusal> {
        self.check(binding)?;
        let key = BindingKey::of(binding);
        if self.all.contains(&key) {
            return Ok(false);
        }
        let destination = &key.destination;
        match &mut self.index {
            Index::Direct(map) => match map.get_mut(&key.routing_key) {
                Some(targets) => targets.add(destination),
                None => {
                    let mut targets = Targets::default();
                    targets.add(destination);
                    map.insert(key.routing_key.clone(), targets);
                }
            },
            Index::Fanout(targets) => targets.add(destination),
            Index::Topic(topic) => topic.add(key.routing_key.as_bytes(), destination),
            Index::Headers(headers) => headers.add(&key.arguments, destination),
            Index::ConsistentHash(hash) => {
                hash.add(weight_of(key.routing_key.as_bytes())?, destination);
            }
            Index::Random(random) => random.add(&key),
        }
        self.all.insert(key);
        Ok(true)
    }

    /// What [`Bindings::bind`] would refuse, without binding.
    pub fn check(&self, binding: &Binding) -> Result<(), BindRefusal> {
        check_binding(
            self.kind(),
            binding.routing_key.as_bytes(),
            &binding.arguments,
        )
    }

    /// Removes a binding; false where there is none such.
    pub fn unbind(&mut self, binding: &Binding) -> bool {
        self.remove(&BindingKey::of(binding))
    }

    /// Removes all bindings to `destination` and returns them in order.
    pub fn remove_destination(&mut self, destination: &Destination) -> Vec<Binding> {
        let keys: Vec<BindingKey> = self.keys_of(destination).cloned().collect();
        for key in &keys {
            self.remove(key);
        }
        keys.iter().map(|key| key.as_ref().to_binding()).collect()
    }

    fn remove(&mut self, key: &BindingKey) -> bool {
        if self.all.remove(key).is_none() {
            return false;
        }
        let destination = &key.destination;
        match &mut self.index {
            Index::Direct(map) => {
                if let Some(targets) = map.get_mut(&key.routing_key) {
                    targets.subtract(destination);
                    if targets.is_empty() {
                        map.remove(&key.routing_key);
                    }
                }
            }
            Index::Fanout(targets) => targets.subtract(destination),
            Index::Topic(topic) => topic.subtract(key.routing_key.as_bytes(), destination),
            Index::Headers(headers) => headers.subtract(&key.arguments, destination),
            Index::ConsistentHash(hash) => {
                // What is bound has a weight.
                if let Ok(weight) = weight_of(key.routing_key.as_bytes()) {
                    hash.subtract(weight, destination);
                }
            }
            Index::Random(random) => random.subtract(key),
        }
        true
    }

    /// True where this very binding is there.
    pub fn contains(&self, binding: &Binding) -> bool {
        self.all.contains(&BindingKey::of(binding))
    }

    /// True where anything leads to `destination`.
    pub fn leads_to(&self, destination: &Destination) -> bool {
        self.keys_of(destination).next().is_some()
    }

    /// The bindings to `destination` in order.
    pub fn of_destination<'a>(
        &'a self,
        destination: &'a Destination,
    ) -> impl Iterator<Item = BindingRef<'a>> {
        self.keys_of(destination).map(BindingKey::as_ref)
    }

    fn keys_of<'a>(&'a self, destination: &'a Destination) -> impl Iterator<Item = &'a BindingKey> {
        // The empty key without arguments is the least of a destination.
        let least = BindingKey {
            destination: destination.clone(),
            routing_key: Name::new(b""),
            arguments: Arguments::default(),
        };
        self.all
            .range(least..)
            .take_while(move |key| key.destination == *destination)
    }

    /// Every binding, ordered by destination, routing key, arguments.
    pub fn iter(&self) -> impl Iterator<Item = BindingRef<'_>> {
        self.all.iter().map(BindingKey::as_ref)
    }

    /// The number of bindings.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True without any binding.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True where [`RouteInput::headers`] is read, so that others need not decode them.
    pub fn reads_headers(&self) -> bool {
        match &self.index {
            Index::Headers(_) => true,
            Index::ConsistentHash(hash) => hash.reads_headers(),
            _ => false,
        }
    }

    /// True where nothing but the routing key decides, so that a route may be cached by it.
    pub fn routes_by_key_alone(&self) -> bool {
        match &self.index {
            Index::Direct(_) | Index::Fanout(_) | Index::Topic(_) => true,
            Index::ConsistentHash(hash) => hash.reads_key_alone(),
            Index::Headers(_) | Index::Random(_) => false,
        }
    }

    /// Appends where `message` goes. The order is fixed for a set of bindings (except `x-random`);
    /// a destination may come several times (topic patterns, header rules), and the caller keeps
    /// one. Direct, fanout and topic allocate nothing up to 16 destinations of one key.
    pub fn route<'a>(&'a self, message: &RouteInput<'_>, out: &mut Vec<&'a Destination>) {
        self.visit_routes(message, |destination| out.push(destination));
    }

    /// As [`Bindings::route`], handing each destination to `visit`.
    pub fn visit_routes<'a>(
        &'a self,
        message: &RouteInput<'_>,
        mut visit: impl FnMut(&'a Destination),
    ) {
        match &self.index {
            Index::Direct(map) => {
                if let Some(targets) = map.get(message.routing_key) {
                    targets.for_each(|destination, _| visit(destination));
                }
            }
            Index::Fanout(targets) => targets.for_each(|destination, _| visit(destination)),
            Index::Topic(topic) => topic.visit(message.routing_key, visit),
            Index::Headers(headers) => headers.visit(message.headers, visit),
            Index::ConsistentHash(hash) => hash.pick(message).into_iter().for_each(visit),
            Index::Random(random) => random.pick(message.random).into_iter().for_each(visit),
        }
    }
}
