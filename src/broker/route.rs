//! From an exchange and routing keys to queues: bindings between exchanges, alternate exchanges,
//! one copy per queue.

use std::sync::Arc;

use super::exchange::Exchange;
use super::observe::exchange_counts::ExchangeCounts;
use super::shared_queue::SharedQueue;
use super::vhost::Vhost;
use crate::amqp::properties::Properties;
use crate::amqp::{Table, Value};
use crate::exchange::{Destination, RouteInput, RouteProperties};
use crate::ids::Name;
use crate::limits::ROUTE_HOPS;
use crate::queue::QueueKind;

/// What a message is routed by.
#[derive(Debug, Clone, Copy)]
pub struct RoutedMessage<'a> {
    /// The routing key, then the keys of CC and BCC.
    pub keys: &'a [&'a [u8]],
    /// Its headers, if it has some.
    pub headers: Option<&'a Table>,
    /// Its other properties.
    pub properties: &'a Properties<'a>,
    /// A random number for exchanges that draw lots.
    pub random: u64,
}

impl RouteProperties for Properties<'_> {
    fn message_id(&self) -> Option<&[u8]> {
        self.message_id
    }
    fn correlation_id(&self) -> Option<&[u8]> {
        self.correlation_id
    }
    fn timestamp(&self) -> Option<u64> {
        self.timestamp
    }
}

/// Where a message goes, and how long that may be remembered.
#[derive(Debug, Default)]
pub struct Route {
    /// The queues, each once, in the order they were found.
    pub queues: Vec<Arc<SharedQueue>>,
    /// The exchanges it went through, with their generations before they were read.
    through: Vec<(Arc<Exchange>, u64)>,
    /// It depends on more than the routing key.
    volatile: bool,
    /// Some queue is durable.
    durable: bool,
    /// Some queue is durable and keeps transient messages too.
    keeps_all: bool,
    /// What the exchange counts that was published to.
    pub counts: Arc<ExchangeCounts>,
}

impl Route {
    /// True when the next message with the same exchange and key would go the same way.
    pub fn may_be_kept(&self) -> bool {
        // An unroutable key of the default exchange has nothing that tells of its queue's birth.
        !self.volatile && (!self.through.is_empty() || !self.queues.is_empty())
    }

    /// True while nothing has changed since.
    #[inline]
    pub fn is_current(&self) -> bool {
        self.through
            .iter()
            .all(|(exchange, generation)| exchange.generation() == *generation)
            && self.queues.iter().all(|queue| !queue.is_deleted())
    }

    /// True when some queue keeps a message over a restart.
    #[inline]
    pub fn logs(&self, persistent: bool) -> bool {
        self.durable && (persistent || self.keeps_all)
    }

    fn add(&mut self, queue: Arc<SharedQueue>) {
        // Fan-out to many queues: the list is short or the search is once per cached route.
        if !self.queues.iter().any(|known| known.id == queue.id) {
            self.durable |= queue.durable;
            self.keeps_all |= queue.durable && queue.settings.kind == QueueKind::Quorum;
            self.queues.push(queue);
        }
    }
}

impl Vhost {
    /// Routes by the default exchange: every key names a queue.
    pub fn route_default(&self, keys: &[&[u8]]) -> Route {
        let mut route = Route {
            counts: Arc::clone(&self.default_counts),
            ..Route::default()
        };
        for key in keys {
            if let Some(queue) = self.queue(key) {
                route.add(queue);
            }
        }
        route.volatile = keys.len() > 1;
        route
    }

    /// Routes from `exchange` on.
    pub fn route(&self, exchange: &Arc<Exchange>, message: RoutedMessage<'_>) -> Route {
        let mut route = Route {
            counts: Arc::clone(&exchange.counts),
            ..Route::default()
        };
        let mut pending = vec![Arc::clone(exchange)];
        let mut found: Vec<Destination> = Vec::new();
        while let Some(current) = pending.pop() {
            let known = route
                .through
                .iter()
                .any(|(seen, _)| Arc::ptr_eq(seen, &current));
            if known || route.through.len() >= ROUTE_HOPS {
                continue;
            }
            // Before the bindings are read: a change in between makes the route stale, not wrong.
            route
                .through
                .push((Arc::clone(&current), current.generation()));
            found.clear();
            route.volatile |= visit(&current, message, &mut found);
            if found.is_empty() {
                // An alternate that does not exist (yet) takes nothing.
                let alternate = current.alternate().and_then(|name| self.hop(&name));
                pending.extend(alternate);
            }
            for destination in found.drain(..) {
                match destination {
                    Destination::Queue(name) => {
                        if let Some(queue) = self.queue(name.as_bytes()) {
                            route.add(queue);
                        }
                    }
                    Destination::Exchange(name) => pending.extend(self.hop(&name)),
                }
            }
        }
        route.volatile |= message.keys.len() > 1;
        route
    }

    fn hop(&self, name: &Name) -> Option<Arc<Exchange>> {
        self.exchange(name.as_bytes())
    }
}

/// Collects the destinations of one exchange; true when they depend on more than the key.
fn visit(exchange: &Exchange, message: RoutedMessage<'_>, found: &mut Vec<Destination>) -> bool {
    let bindings = exchange.bindings();
    let keys = if exchange.kind.routes_each_key() {
        message.keys
    } else {
        message.keys.get(..1).unwrap_or_default()
    };
    for key in keys {
        let input = RouteInput {
            routing_key: key,
            headers: message.headers,
            properties: message.properties,
            random: message.random,
        };
        bindings.visit_routes(&input, |destination| found.push(destination.clone()));
    }
    !bindings.routes_by_key_alone()
}

/// The keys in the CC and BCC headers, or RabbitMQ's refusal of a header that is no array of
/// strings.
pub fn extra_keys(headers: &Table) -> Result<Vec<Vec<u8>>, String> {
    let mut keys = Vec::new();
    for name in ["CC", "BCC"] {
        match headers.get(name.as_bytes()) {
            None => {}
            Some(Value::Array(values)) => {
                for value in values {
                    match value.as_long_string() {
                        Some(key) => keys.push(key.to_vec()),
                        None => {
                            return Err(format!(
                                "{{unacceptable_type_in_header,\"{name}\",{}}}",
                                value.type_name()
                            ));
                        }
                    }
                }
            }
            Some(other) => {
                return Err(format!(
                    "{{unacceptable_type_in_header,\"{name}\",{}}}",
                    other.type_name()
                ));
            }
        }
    }
    Ok(keys)
}
