//! A virtual host as it is.

use std::sync::Arc;

use super::super::observer::{Step, TOTAL_SERIES};
use super::super::totals::{Totals, by_vhost, of_vhost};
use crate::broker::{Broker, Vhost};

/// A virtual host, its sums of this moment, and its last two rounds.
#[derive(Debug, Clone)]
pub struct VhostView {
    /// The host.
    pub vhost: Arc<Vhost>,
    /// Its sums.
    pub totals: Totals,
    /// Its series in the last two rounds of the sampler.
    pub step: Step<TOTAL_SERIES>,
}

impl VhostView {
    /// Looks at a virtual host.
    pub fn of(broker: &Broker, vhost: &Arc<Vhost>) -> Self {
        Self {
            totals: of_vhost(vhost, &broker.connections.all()),
            step: broker.observer.vhost_step(&vhost.name),
            vhost: Arc::clone(vhost),
        }
    }
}

/// Every virtual host, by name.
pub fn vhosts(broker: &Broker) -> Vec<VhostView> {
    let groups = by_vhost(broker);
    broker
        .vhosts()
        .iter()
        .map(|vhost| {
            let name = String::from_utf8_lossy(vhost.name.as_bytes());
            let own = groups.get(name.as_ref()).map_or(&[][..], Vec::as_slice);
            VhostView {
                totals: of_vhost(vhost, own),
                step: broker.observer.vhost_step(&vhost.name),
                vhost: Arc::clone(vhost),
            }
        })
        .collect()
}
