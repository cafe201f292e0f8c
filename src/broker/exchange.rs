//! An exchange and the snapshot of its bindings.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwap;

use super::observe::exchange_counts::ExchangeCounts;
use crate::amqp::{Table, Value};
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
    /// Where messages go that no binding takes.
    pub alternate: Option<Name>,
    /// What it counts.
    pub counts: Arc<ExchangeCounts>,
    bindings: ArcSwap<Bindings>,
    generation: AtomicU64,
    deleted: AtomicBool,
}

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
}

impl Exchange {
    pub(super) fn new(spec: ExchangeSpec) -> Arc<Self> {
        let alternate = spec
            .arguments
            .get(b"alternate-exchange")
            .and_then(Value::as_long_string)
            .map(Name::new);
        Arc::new(Self {
            bindings: ArcSwap::from_pointee(Bindings::new(spec.kind, &spec.arguments)),
            name: spec.name,
            kind: spec.kind,
            durable: spec.durable,
            auto_delete: spec.auto_delete,
            internal: spec.internal,
            arguments: spec.arguments,
            alternate,
            counts: Arc::default(),
            generation: AtomicU64::new(0),
            deleted: AtomicBool::new(false),
        })
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
