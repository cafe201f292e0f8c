//! What `/metrics` is made of: sums and the node's numbers. With many queues the sums are those of
//! the sampler's last round, so that a scrape costs no more with a hundred thousand than with a
//! thousand.

use crate::broker::Broker;
use crate::broker::admin::GLOBAL_CLUSTER_ID;
use crate::broker::observe::totals::{Totals, of_node};
use crate::broker::observe::views::node::NodeView;
use crate::limits::METRICS_FRESH_QUEUES;
use crate::management::state::Api;

/// The node at one moment.
#[derive(Debug)]
pub struct Aggregate {
    /// Sums over objects; with many queues at most one round of the sampler old.
    pub totals: Totals,
    /// What the process uses.
    pub node: NodeView,
}

impl Aggregate {
    /// Looks at the node.
    pub fn of(broker: &Broker) -> Self {
        let queues: usize = broker.vhosts().iter().map(|host| host.queue_count()).sum();
        let totals = if queues <= METRICS_FRESH_QUEUES {
            of_node(broker)
        } else {
            broker.observer.totals()
        };
        Self {
            totals,
            node: NodeView::of(broker),
        }
    }
}

/// The labels that dashboards join with.
#[derive(Debug)]
pub struct Identity {
    /// The node's name.
    pub node: String,
    /// The cluster's name.
    pub cluster: String,
    /// The cluster's unique id.
    pub id: String,
    /// RabbitMQ's version that clients see.
    pub version: String,
    /// `aggregated`, `per-object` or `detailed`.
    pub endpoint: &'static str,
}

impl Identity {
    /// The identity of this node.
    pub fn of(api: &Api, endpoint: &'static str) -> Self {
        let id = api.broker.admin_get_global_parameter(GLOBAL_CLUSTER_ID);
        let id = id.as_ref().and_then(|value| value.as_str());
        Self {
            node: api.node.name.clone(),
            cluster: api.cluster_name(),
            id: id.unwrap_or_default().to_owned(),
            version: api.settings.node.product_version.clone(),
            endpoint,
        }
    }
}
