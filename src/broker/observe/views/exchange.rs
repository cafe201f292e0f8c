//! An exchange as it is.

use std::sync::Arc;

use super::super::exchange_counts::{EXCHANGE_SERIES, ExchangeCounts};
use super::super::observer::Step;
use crate::amqp::Table;
use crate::broker::exchange::INTERNAL_USER;
use crate::broker::{Broker, Exchange, Vhost};
use crate::exchange::ExchangeType;
use crate::ids::Name;

/// An exchange and its counts.
#[derive(Debug, Clone)]
pub struct ExchangeView {
    /// Its virtual host.
    pub vhost: Name,
    /// Its name; empty for the default one.
    pub name: Name,
    /// The exchange; `None` for the default one.
    pub exchange: Option<Arc<Exchange>>,
    /// Messages published to it.
    pub publish_in: u64,
    /// Copies that went to queues by it.
    pub publish_out: u64,
    /// Both in the last two rounds of the sampler.
    pub step: Step<EXCHANGE_SERIES>,
    /// What it counts.
    pub counts: Arc<ExchangeCounts>,
}

impl ExchangeView {
    /// Looks at an exchange; `None` is the default one.
    pub fn of(broker: &Broker, vhost: &Vhost, exchange: Option<Arc<Exchange>>) -> Self {
        let counts = exchange
            .as_ref()
            .map_or(&vhost.default_counts, |exchange| &exchange.counts);
        Self {
            vhost: vhost.name.clone(),
            name: exchange
                .as_ref()
                .map_or_else(|| Name::from(""), |exchange| exchange.name.clone()),
            publish_in: counts.publish_in.get(),
            publish_out: counts.publish_out.get(),
            step: broker.observer.step(&counts.history),
            counts: Arc::clone(counts),
            exchange,
        }
    }

    /// Its type.
    pub fn kind(&self) -> ExchangeType {
        self.exchange
            .as_ref()
            .map_or(ExchangeType::Direct, |exchange| exchange.kind)
    }

    /// The user who declared it.
    pub fn declared_by(&self) -> String {
        match &self.exchange {
            Some(exchange) => exchange.declared_by.to_string(),
            None => INTERNAL_USER.to_owned(),
        }
    }

    /// It outlives a restart.
    pub fn durable(&self) -> bool {
        self.exchange
            .as_ref()
            .is_none_or(|exchange| exchange.durable)
    }

    /// It goes with the last binding from it.
    pub fn auto_delete(&self) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| exchange.auto_delete)
    }

    /// Clients may not publish to it.
    pub fn internal(&self) -> bool {
        self.exchange
            .as_ref()
            .is_some_and(|exchange| exchange.internal)
    }

    /// As declared.
    pub fn arguments(&self) -> Option<&Table> {
        self.exchange.as_ref().map(|exchange| &exchange.arguments)
    }
}

/// The exchanges of a virtual host by name, the default one first.
pub fn exchanges(broker: &Broker, vhost: &Vhost) -> Vec<ExchangeView> {
    let mut views = vec![ExchangeView::of(broker, vhost, None)];
    let mut all = vhost.all_exchanges();
    all.sort_unstable_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    views.extend(
        all.into_iter()
            .map(|exchange| ExchangeView::of(broker, vhost, Some(exchange))),
    );
    views
}
