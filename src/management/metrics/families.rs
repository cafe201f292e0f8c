//! The families of `/metrics/detailed`, by RabbitMQ's names.

/// A family that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// What comes and goes.
    ConnectionChurn,
    /// What the process uses.
    NodeCoarse,
    /// What it may use.
    Node,
    /// The store.
    NodePersister,
    /// Replication.
    Raft,
    /// Logins.
    AuthAttempts,
    /// Lengths of queues.
    QueueCoarse,
    /// Consumers of queues.
    QueueConsumers,
    /// Everything else of queues.
    Queue,
    /// What waits on channels.
    Channel,
    /// Their processes.
    ChannelProcess,
    /// Publishes on channels.
    ChannelExchange,
    /// Deliveries on channels.
    ChannelQueue,
    /// What came into queues.
    ChannelQueueExchange,
    /// Octets of connections.
    ConnectionCoarse,
    /// Everything else of connections.
    Connection,
    /// Virtual hosts.
    VhostStatus,
    /// Exchanges.
    ExchangeNames,
    /// Their bindings.
    ExchangeBindings,
}

/// The families in the order in which they are written.
const NAMES: [(&str, Family); 19] = [
    ("connection_churn_metrics", Family::ConnectionChurn),
    ("node_coarse_metrics", Family::NodeCoarse),
    ("node_metrics", Family::Node),
    ("node_persister_metrics", Family::NodePersister),
    ("ra_metrics", Family::Raft),
    ("auth_attempt_metrics", Family::AuthAttempts),
    ("queue_coarse_metrics", Family::QueueCoarse),
    ("queue_consumer_count", Family::QueueConsumers),
    ("queue_metrics", Family::Queue),
    ("channel_metrics", Family::Channel),
    ("channel_process_metrics", Family::ChannelProcess),
    ("channel_exchange_metrics", Family::ChannelExchange),
    ("channel_queue_metrics", Family::ChannelQueue),
    (
        "channel_queue_exchange_metrics",
        Family::ChannelQueueExchange,
    ),
    ("connection_coarse_metrics", Family::ConnectionCoarse),
    ("connection_metrics", Family::Connection),
    ("vhost_status", Family::VhostStatus),
    ("exchange_names", Family::ExchangeNames),
    ("exchange_bindings", Family::ExchangeBindings),
];

/// Families of `/metrics/per-object`: all but those of the whole cluster.
pub fn per_object() -> Vec<Family> {
    let cluster = [
        Family::VhostStatus,
        Family::ExchangeNames,
        Family::ExchangeBindings,
    ];
    let all = NAMES.iter().map(|(_, family)| *family);
    all.filter(|family| !cluster.contains(family)).collect()
}

/// What `/metrics/detailed` was asked for: `family=` and `vhost=`, each any number of times.
/// Families that nobody knows are passed over, as RabbitMQ does.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// In the order in which they are written, each once.
    pub families: Vec<Family>,
    /// Virtual hosts; empty for all of them.
    pub vhosts: Vec<String>,
}

impl Wanted {
    /// Reads the pairs of a query.
    pub fn from_query(pairs: &[(String, String)]) -> Self {
        let asked = |name: &str| {
            let mut all = pairs.iter();
            all.any(|(key, value)| key == "family" && value == name)
        };
        let vhosts = pairs.iter().filter(|(key, _)| key == "vhost");
        Self {
            families: NAMES
                .iter()
                .filter(|(name, _)| asked(name))
                .map(|(_, family)| *family)
                .collect(),
            vhosts: vhosts.map(|(_, value)| value.clone()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_name_families_and_hosts() {
        let pairs = [
            ("family", "queue_metrics"),
            ("vhost", "/"),
            ("family", "queue_coarse_metrics"),
            ("family", "nosuch"),
            ("family", "queue_metrics"),
        ];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let wanted = Wanted::from_query(&pairs);
        assert_eq!(wanted.families, [Family::QueueCoarse, Family::Queue]);
        assert_eq!(wanted.vhosts, ["/"]);
        assert_eq!(Wanted::from_query(&[]), Wanted::default());
        assert_eq!(per_object().len(), NAMES.len() - 3);
    }
}
