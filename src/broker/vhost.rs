//! A virtual host: its exchanges and queues by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use super::exchange::{Exchange, ExchangeSpec};
use super::journal::Journal;
use super::observe::churn::QueueChurn;
use super::observe::exchange_counts::ExchangeCounts;
use super::observe::gone::GoneSums;
use super::shared_queue::SharedQueue;
use crate::amqp::{AmqpError, Table};
use crate::exchange::{Destination, ExchangeType};
use crate::ids::Name;

type Map<V> = RwLock<HashMap<Name, V, foldhash::fast::RandomState>>;

/// A virtual host. Look-ups take a short read lock; every change of exchanges, queues and bindings
/// is made under the topology lock, so that they agree with each other.
#[derive(Debug)]
pub struct Vhost {
    /// Its name.
    pub name: Name,
    /// What `x-queue-type` stands at where a declaration has none.
    pub default_kind: crate::queue::QueueKind,
    pub(super) exchanges: Map<Arc<Exchange>>,
    pub(super) queues: Map<Arc<SharedQueue>>,
    pub(super) topology: Mutex<Topology>,
    /// Where durable changes are recorded.
    pub(super) journal: Arc<Journal>,
    /// What the default exchange counts.
    pub default_counts: Arc<ExchangeCounts>,
    /// How often queues come and go.
    pub churn: QueueChurn,
    /// What ended here had counted.
    pub gone: GoneSums,
}

/// Who leads to whom: for each destination the exchanges that have bindings to it, for each
/// exchange the ones that name it as their alternate.
#[derive(Debug, Default)]
pub(super) struct Topology {
    pub(super) sources: HashMap<Destination, BTreeMap<Name, usize>, foldhash::fast::RandomState>,
    pub(super) alternates: HashMap<Name, Vec<Arc<Exchange>>, foldhash::fast::RandomState>,
    /// Exclusive queues by the connection that owns them.
    pub(super) owned: HashMap<u64, Vec<Arc<SharedQueue>>, foldhash::fast::RandomState>,
}

/// The exchanges that every virtual host has.
const PREDECLARED: &[(&str, ExchangeType, bool)] = &[
    ("amq.direct", ExchangeType::Direct, false),
    ("amq.fanout", ExchangeType::Fanout, false),
    ("amq.topic", ExchangeType::Topic, false),
    ("amq.headers", ExchangeType::Headers, false),
    ("amq.match", ExchangeType::Headers, false),
    ("amq.rabbitmq.trace", ExchangeType::Topic, true),
];

impl Vhost {
    /// A host with the predeclared exchanges and nothing else.
    pub(super) fn new(
        name: Name,
        default_kind: crate::queue::QueueKind,
        journal: Arc<Journal>,
    ) -> Arc<Self> {
        let vhost = Self {
            name,
            default_kind,
            exchanges: RwLock::default(),
            queues: RwLock::default(),
            topology: Mutex::default(),
            journal,
            default_counts: Arc::default(),
            churn: QueueChurn::default(),
            gone: GoneSums::default(),
        };
        for (name, kind, internal) in PREDECLARED {
            let exchange = Exchange::new(ExchangeSpec {
                name: Name::from(*name),
                kind: *kind,
                durable: true,
                auto_delete: false,
                internal: *internal,
                arguments: Table::default(),
            });
            vhost
                .exchanges
                .write()
                .insert(exchange.name.clone(), exchange);
        }
        Arc::new(vhost)
    }

    /// The queue called `name`.
    pub fn queue(&self, name: &[u8]) -> Option<Arc<SharedQueue>> {
        self.queues.read().get(name).cloned()
    }

    /// The exchange called `name`; the default exchange has no entry.
    pub fn exchange(&self, name: &[u8]) -> Option<Arc<Exchange>> {
        self.exchanges.read().get(name).cloned()
    }

    /// The queue, or RabbitMQ's 404.
    pub fn existing_queue(&self, name: &[u8]) -> Result<Arc<SharedQueue>, AmqpError> {
        self.queue(name).ok_or_else(|| self.no_queue(name))
    }

    /// The exchange, or RabbitMQ's 404.
    pub fn existing_exchange(&self, name: &[u8]) -> Result<Arc<Exchange>, AmqpError> {
        self.exchange(name).ok_or_else(|| self.no_exchange(name))
    }

    /// 404 for a queue.
    pub fn no_queue(&self, name: &[u8]) -> AmqpError {
        let name = String::from_utf8_lossy(name);
        AmqpError::not_found(format!("no queue '{name}' in vhost '{}'", self.name))
    }

    /// 404 for an exchange.
    pub fn no_exchange(&self, name: &[u8]) -> AmqpError {
        let name = String::from_utf8_lossy(name);
        AmqpError::not_found(format!("no exchange '{name}' in vhost '{}'", self.name))
    }

    /// Every queue, in no order.
    pub fn all_queues(&self) -> Vec<Arc<SharedQueue>> {
        self.queues.read().values().cloned().collect()
    }

    /// Every exchange but the default one, in no order.
    pub fn all_exchanges(&self) -> Vec<Arc<Exchange>> {
        self.exchanges.read().values().cloned().collect()
    }

    /// How many exchanges there are besides the default one.
    pub fn exchange_count(&self) -> usize {
        self.exchanges.read().len()
    }

    /// What every exchange counts, the default one included.
    pub fn exchange_counts(&self) -> Vec<Arc<ExchangeCounts>> {
        let exchanges = self.exchanges.read();
        let all = exchanges.values().map(|exchange| &exchange.counts);
        all.chain([&self.default_counts]).cloned().collect()
    }

    /// The exchanges that have bindings to `destination`, by name.
    pub fn sources_of(&self, destination: &Destination) -> Vec<Arc<Exchange>> {
        let topology = self.topology.lock();
        let names = topology.sources.get(destination).into_iter().flatten();
        names
            .filter_map(|(name, _)| self.exchange(name.as_bytes()))
            .collect()
    }
}
