//! Queues, exchanges and bindings of the floor, and the routes that follow from them.

use std::collections::HashMap;
use std::rc::Rc;

use crate::wire::{Method, id};

/// One consumer that a route leads to, with its delivery encoded but for the tag.
#[derive(Debug)]
pub struct Target {
    /// Connection number.
    pub peer: usize,
    /// Channel of the consumer.
    pub channel: u16,
    /// Which counter numbers that channel's deliveries.
    pub counter: usize,
    /// The `basic.deliver` frame.
    pub frame: Vec<u8>,
    /// Where the delivery tag stands in it.
    pub tag_at: usize,
}

/// All consumers of one exchange and routing key.
pub type Route = Rc<[Target]>;

#[derive(Debug, Clone)]
struct Consumer {
    peer: usize,
    channel: u16,
    counter: usize,
    tag: Vec<u8>,
}

#[derive(Debug, Default)]
struct Exchange {
    fanout: bool,
    bindings: Vec<(Vec<u8>, Vec<u8>)>,
}

type FastMap<V> = HashMap<Vec<u8>, V, foldhash::fast::RandomState>;

/// Everything declared.
#[derive(Debug, Default)]
pub struct Topology {
    queues: FastMap<Vec<Consumer>>,
    exchanges: FastMap<Exchange>,
    routes: FastMap<Route>,
    counters: HashMap<(usize, u16), usize>,
    /// Deliveries so far on each consuming channel.
    pub delivered: Vec<u64>,
    /// Grows with every change, so that remembered routes can tell they are old.
    pub generation: u64,
}

impl Topology {
    fn changed(&mut self) {
        self.generation += 1;
        self.routes.clear();
    }

    /// Declares a queue.
    pub fn add_queue(&mut self, name: &[u8]) {
        self.queues.entry(name.to_vec()).or_default();
    }

    /// Deletes a queue.
    pub fn remove_queue(&mut self, name: &[u8]) {
        self.queues.remove(name);
        self.changed();
    }

    /// Declares an exchange; every type but fanout routes as direct.
    pub fn add_exchange(&mut self, name: &[u8], kind: &[u8]) {
        let exchange = self.exchanges.entry(name.to_vec()).or_default();
        exchange.fanout = kind == b"fanout";
    }

    /// Deletes an exchange.
    pub fn remove_exchange(&mut self, name: &[u8]) {
        self.exchanges.remove(name);
        self.changed();
    }

    /// Binds a queue.
    pub fn bind(&mut self, queue: &[u8], exchange: &[u8], key: &[u8]) {
        if let Some(exchange) = self.exchanges.get_mut(exchange) {
            exchange.bindings.push((key.to_vec(), queue.to_vec()));
        }
        self.changed();
    }

    /// Adds a consumer.
    pub fn subscribe(&mut self, queue: &[u8], peer: usize, channel: u16, tag: &[u8]) {
        let next = self.delivered.len();
        let counter = *self.counters.entry((peer, channel)).or_insert(next);
        if counter == next {
            self.delivered.push(0);
        }
        let consumers = self.queues.entry(queue.to_vec()).or_default();
        consumers.push(Consumer {
            peer,
            channel,
            counter,
            tag: tag.to_vec(),
        });
        self.changed();
    }

    /// Forgets a connection.
    pub fn remove_peer(&mut self, peer: usize) {
        if !self.counters.keys().any(|(owner, _)| *owner == peer) {
            return;
        }
        self.counters.retain(|(owner, _), _| *owner != peer);
        for consumers in self.queues.values_mut() {
            consumers.retain(|consumer| consumer.peer != peer);
        }
        self.changed();
    }

    /// The route of an exchange and a routing key, given as they stand in the publish: two
    /// short strings.
    pub fn route(&mut self, address: &[u8]) -> Option<Route> {
        if let Some(route) = self.routes.get(address) {
            return Some(Rc::clone(route));
        }
        let mut fields = crate::wire::Arguments(address);
        let exchange = fields.short_str()?;
        let key = fields.short_str()?;
        let mut targets = Vec::new();
        if exchange.is_empty() {
            self.add_target(&mut targets, key, address);
        } else if let Some(found) = self.exchanges.get(exchange) {
            for (bound, queue) in &found.bindings {
                if found.fanout || bound == key {
                    self.add_target(&mut targets, queue, address);
                }
            }
        }
        let route: Route = targets.into();
        self.routes.insert(address.to_vec(), Rc::clone(&route));
        Some(route)
    }

    fn add_target(&self, targets: &mut Vec<Target>, queue: &[u8], address: &[u8]) {
        let Some(consumer) = self.queues.get(queue).and_then(|all| all.first()) else {
            return;
        };
        let mut fields = crate::wire::Arguments(address);
        let mut name = || fields.short_str().unwrap_or_default();
        let frame = Method::new(id::BASIC_DELIVER)
            .short_str(&consumer.tag)
            .long_long(0)
            .octet(0)
            .short_str(name())
            .short_str(name())
            .frame(consumer.channel);
        targets.push(Target {
            peer: consumer.peer,
            channel: consumer.channel,
            counter: consumer.counter,
            frame,
            // Frame header, method number and the tag's own length stand before it.
            tag_at: 7 + 4 + 1 + consumer.tag.len(),
        });
    }
}
