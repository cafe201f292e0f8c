//! An exchange and the snapshot of its bindings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use super::observe::exchange_counts::ExchangeCounts;
use crate::amqp::Table;
use crate::exchange::{Bindings, ExchangeType};
use crate::ids::Name;

/// An exchange of a virtual host. Bindings change under the host's topology lock only; routing
/// reads a snapshot without any lock.
#[derive(Debug)]
pub struct Exchange {
    /// Its name.
    pub name: Name,
    /// Its type.
    pub kind: ExchangeType,
    /// It outlives a restart.
    pub durable: bool,
    /// It goes with the last binding from it.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// As declared.
    pub arguments: Table,
    /// The user who declared it.
    pub declared_by: Name,
    /// What it counts.
    pub counts: Arc<ExchangeCounts>,
    /// The policies it is under, and what they make of it.
    policy: ArcSwapOption<ExchangePolicy>,
    bindings: ArcSwap<Bindings>,
    generation: AtomicU64,
    deleted: AtomicBool,
}

/// The policies an exchange is under.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangePolicy {
    /// The name of the policy.
    pub policy: Option<String>,
    /// The name of the operator policy.
    pub operator_policy: Option<String>,
    /// The keys of both.
    pub definition: serde_json::Map<String, serde_json::Value>,
}

/// Who declared what nobody did: RabbitMQ's name for itself.
pub const INTERNAL_USER: &str = "rmq-internal";

/// `exchange 'x' in vhost '/'`, as error texts call it.
pub fn exchange_subject(name: &[u8], vhost: &Name) -> String {
    format!(
        "exchange '{}' in vhost '{vhost}'",
        String::from_utf8_lossy(name)
    )
}

/// What a declaration says about an exchange.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields of exchange.declare")]
pub struct ExchangeSpec {
    pub name: Name,
    pub kind: ExchangeType,
    pub durable: bool,
    pub auto_delete: bool,
    pub internal: bool,
    pub arguments: Table,
    pub declared_by: Name,
}

impl Exchange {
    pub(super) fn new(spec: ExchangeSpec) -> Arc<Self> {
        Arc::new(Self {
            bindings: ArcSwap::from_pointee(Bindings::new(spec.kind, &spec.arguments)),
            name: spec.name,
            kind: spec.kind,
            durable: spec.durable,
            auto_delete: spec.auto_delete,
            internal: spec.internal,
            arguments: spec.arguments,
            declared_by: spec.declared_by,
            counts: Arc::default(),
            policy: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            deleted: AtomicBool::new(false),
        })
    }

    /// Where messages go that no binding takes: what the declaration says goes before the policy.
    pub fn alternate(&self) -> Option<Name> {
        match self.arguments.get(b"alternate-exchange") {
            Some(declared) => declared.as_long_string().map(Name::new),
            None => {
                let policy = self.policy.load();
                let name = policy.as_ref()?.definition.get("alternate-exchange")?;
                name.as_str().map(Name::from)
            }
        }
    }

    /// The policies it is under; `None` where it is under none.
    pub fn policy(&self) -> Option<Arc<ExchangePolicy>> {
        self.policy.load_full()
    }

    /// The caller holds the topology lock and keeps its book of alternates.
    pub(super) fn set_policy(&self, policy: Option<ExchangePolicy>) {
        self.policy.store(policy.map(Arc::new));
        self.invalidate();
    }

    /// The bindings of this moment.
    pub fn bindings(&self) -> arc_swap::Guard<Arc<Bindings>> {
        self.bindings.load()
    }

    /// Grows with every change that may send a message elsewhere.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Replaces the bindings; the caller holds the topology lock.
    pub(super) fn set_bindings(&self, bindings: Bindings) {
        self.bindings.store(Arc::new(bindings));
        self.invalidate();
    }

    /// Makes every remembered route through this exchange stale.
    pub(super) fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.invalidate();
    }

    /// True once it was deleted.
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }
}
