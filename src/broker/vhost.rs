//! A virtual host: its exchanges and queues by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};

use super::declare_exchange::follow_policies;
use super::events::shown;
use super::exchange::{Exchange, ExchangeSpec, INTERNAL_USER};
use super::journal::Journal;
use super::observe::churn::QueueChurn;
use super::observe::exchange_counts::ExchangeCounts;
use super::observe::gone::GoneSums;
use super::shared_queue::SharedQueue;
use crate::amqp::{AmqpError, Table};
use crate::definitions::policy::PolicySet;
use crate::exchange::{Destination, ExchangeType};
use crate::ids::Name;
use crate::queue::QueueKind;

type Map<V> = RwLock<HashMap<Name, V, foldhash::fast::RandomState>>;

/// A virtual host. Look-ups take a short read lock; every change of exchanges, queues and bindings
/// is made under the topology lock, so that they agree with each other.
#[derive(Debug)]
pub struct Vhost {
    /// Its name.
    pub name: Name,
    /// What is said of it besides its name.
    description: ArcSwap<Description>,
    /// Where each publish and delivery is told of.
    tracing: AtomicBool,
    /// Its policies; changed under [`Self::policy_change`].
    pub(super) policies: ArcSwap<PolicySet>,
    /// One change of policies at a time.
    pub(super) policy_change: Mutex<()>,
    /// Most queues; `u64::MAX` without a limit.
    pub(super) queues_max: AtomicU64,
    /// Most connections; likewise.
    pub(super) connections_max: AtomicU64,
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
    /// The host was deleted: nothing comes into it any more.
    pub(super) deleted: bool,
}

/// What is said of a virtual host besides its name.
#[derive(Debug, Clone, Default)]
pub struct Description {
    /// For people.
    pub text: String,
    /// For people.
    pub tags: Vec<String>,
    /// The type of queues declared without one, as it was chosen; `None` is the broker's default.
    pub default_queue_type: Option<String>,
    /// The same, in force.
    pub default_kind: QueueKind,
    /// It is not to be deleted.
    pub protected: bool,
}

/// The queue type that declarations and definitions call `name`.
pub(super) fn queue_kind(name: &str) -> Option<QueueKind> {
    match name {
        "classic" => Some(QueueKind::Classic),
        "quorum" => Some(QueueKind::Quorum),
        _ => None,
    }
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

/// The type of an exchange that every virtual host has.
pub(super) fn predeclared_type(name: &str) -> Option<ExchangeType> {
    let found = PREDECLARED.iter().find(|(known, ..)| *known == name);
    found.map(|(_, kind, _)| *kind)
}

impl Vhost {
    /// A host with the predeclared exchanges and nothing else.
    pub(super) fn new(name: Name, description: Description, journal: Arc<Journal>) -> Arc<Self> {
        let vhost = Self {
            name,
            description: ArcSwap::from_pointee(description),
            tracing: AtomicBool::new(false),
            policies: ArcSwap::default(),
            policy_change: Mutex::default(),
            queues_max: AtomicU64::new(u64::MAX),
            connections_max: AtomicU64::new(u64::MAX),
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
                declared_by: Name::from(INTERNAL_USER),
            });
            vhost
                .exchanges
                .write()
                .insert(exchange.name.clone(), exchange);
        }
        Arc::new(vhost)
    }

    /// What is said of it.
    pub fn description(&self) -> Arc<Description> {
        self.description.load_full()
    }

    pub(super) fn describe(&self, description: Description) {
        self.description.store(Arc::new(description));
    }

    /// The type of queues that are declared without one.
    pub fn default_kind(&self) -> QueueKind {
        self.description.load().default_kind
    }

    /// True while publishes and deliveries are told of.
    pub fn is_traced(&self) -> bool {
        self.tracing.load(Ordering::Acquire)
    }

    pub(super) fn set_traced(&self, on: bool) {
        self.tracing.store(on, Ordering::Release);
    }

    /// The policies of this moment.
    pub fn policies(&self) -> Arc<PolicySet> {
        self.policies.load_full()
    }

    /// Gives an empty host its policies; the exchanges that are always there come under them.
    pub(super) fn start_with(&self, policies: PolicySet) {
        let mut topology = self.topology.lock();
        for exchange in self.all_exchanges() {
            follow_policies(&mut topology, &policies, &exchange);
        }
        self.policies.store(Arc::new(policies));
    }

    /// Nothing comes into it from now on.
    pub(super) fn close(&self) {
        self.topology.lock().deleted = true;
    }

    /// Empties a closed host: its queues end and tell their consumers, its exchanges end.
    pub(super) fn clear(&self) {
        let mut topology = self.topology.lock();
        let queues = std::mem::take(&mut *self.queues.write());
        let exchanges = std::mem::take(&mut *self.exchanges.write());
        topology.sources.clear();
        topology.alternates.clear();
        topology.owned.clear();
        drop(topology);
        for exchange in exchanges.into_values() {
            exchange.mark_deleted();
        }
        for queue in queues.into_values() {
            let outcome = queue.delete_if(|_| Ok::<(), std::convert::Infallible>(()));
            let Some(Ok(ended)) = outcome else {
                continue;
            };
            self.churn.deleted.add(1);
            self.journal.events.emit(
                "queue.deleted",
                [("name", shown(&queue.name)), ("vhost", shown(&self.name))],
            );
            for consumer in ended.consumers {
                consumer.cancel();
            }
        }
    }

    /// 404 for a host that is deleted.
    pub(super) fn gone(&self) -> AmqpError {
        AmqpError::not_found(format!("no vhost '{}'", self.name))
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
