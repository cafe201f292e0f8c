//! What is known of the whole cluster: virtual hosts and exchanges. RabbitMQ has these in
//! `/metrics/detailed` only, with a prefix of their own.

use super::exposition::{Exposition, Kind};
use crate::broker::Vhost;
use std::sync::Arc;

/// `vhost_status`: 1 for each host, all of which run.
pub fn vhost_status(hosts: &[Arc<Vhost>], out: &mut Exposition) {
    let name = "rabbitmq_cluster_vhost_status";
    out.family(name, Kind::Gauge, "1 for each virtual host that runs.");
    for host in hosts {
        out.sample(name, &[("vhost", &host.name.to_string())], 1);
    }
}

/// `exchange_names`: 1 for each exchange but the default one.
pub fn names(hosts: &[Arc<Vhost>], out: &mut Exposition) {
    let name = "rabbitmq_cluster_exchange_name";
    out.family(name, Kind::Gauge, "1 for each exchange.");
    each(hosts, |labels, _| out.sample(name, labels, 1));
}

/// `exchange_bindings`: bindings from each exchange but the default one.
pub fn bindings(hosts: &[Arc<Vhost>], out: &mut Exposition) {
    let name = "rabbitmq_cluster_exchange_bindings";
    out.family(name, Kind::Gauge, "Bindings from the exchange.");
    each(hosts, |labels, count| out.sample(name, labels, count));
}

fn each(hosts: &[Arc<Vhost>], mut write: impl FnMut(&[(&str, &str)], u64)) {
    for host in hosts {
        let vhost = host.name.to_string();
        for exchange in host.all_exchanges() {
            let labels = [
                ("vhost", vhost.as_str()),
                ("exchange", &exchange.name.to_string()),
                ("type", exchange.kind.name()),
            ];
            write(&labels, exchange.bindings().len() as u64);
        }
    }
}
