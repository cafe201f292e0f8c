//! The queries, with values for Grafana's variables.

/// The cluster's name.
pub const CLUSTER: &str = "hares";
/// The label that Kubernetes gives its targets.
pub const NAMESPACE: &str = "meadow";

const FILES: [(&str, &str); 4] = [
    (
        "Overview 3.10.8",
        include_str!("queries/overview-3.10.8.txt"),
    ),
    ("Overview 4.x", include_str!("queries/overview-4.x.txt")),
    (
        "Quorum 3.10.8",
        include_str!("queries/quorum-queues-raft-3.10.8.txt"),
    ),
    (
        "Quorum 4.x",
        include_str!("queries/quorum-queues-raft-4.x.txt"),
    ),
];

/// Metrics without data, and why. A query that uses one of them may be empty.
const EMPTY: [(&str, &str); 2] = [
    (
        "rabbitmq_raft_",
        "there are no replicated queues without a cluster",
    ),
    (
        "rabbitmq_message_size_bytes",
        "a metric of RabbitMQ 4.x; sizes are not counted",
    ),
];

/// Metrics that the traffic moves: their queries give more than 0.
const MOVE: [&str; 12] = [
    "rabbitmq_queue_messages_ready",
    "rabbitmq_queue_messages_unacked",
    "rabbitmq_global_messages_received_total",
    "rabbitmq_global_messages_confirmed_total",
    "rabbitmq_global_messages_routed_total",
    "rabbitmq_global_messages_delivered_consume_auto_ack_total",
    "rabbitmq_global_messages_delivered_consume_manual_ack_total",
    "rabbitmq_global_messages_acknowledged_total",
    "rabbitmq_connections",
    "rabbitmq_channels",
    "rabbitmq_queues",
    "rabbitmq_process_resident_memory_bytes",
];

/// A query of a dashboard.
pub struct Query {
    /// Where it is from.
    pub dashboard: &'static str,
    /// The title of its panel.
    pub title: &'static str,
    /// What the dashboard has.
    template: &'static str,
}

/// Every query.
pub fn all() -> Vec<Query> {
    let mut all = Vec::new();
    for (dashboard, text) in FILES {
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some((title, template)) = line.split_once(" :: ") {
                all.push(Query {
                    dashboard,
                    title,
                    template,
                });
            }
        }
    }
    all
}

impl Query {
    /// The query as Grafana would send it.
    pub fn text(&self) -> String {
        [
            ("$rabbitmq_cluster", CLUSTER),
            ("$namespace", NAMESPACE),
            ("$endpoint", "aggregated"),
            ("$__rate_interval", "60s"),
            ("$__range", "60s"),
            ("$DS_PROMETHEUS", ""),
        ]
        .iter()
        .fold(self.template.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }
    /// Why it may have no data.
    pub fn may_be_empty(&self) -> Option<&'static str> {
        let mut all = EMPTY.iter();
        all.find(|(name, _)| self.template.contains(name))
            .map(|(_, reason)| *reason)
    }
    /// True when it must give more than 0: it is about one metric that moves.
    pub fn moves(&self) -> bool {
        let names: Vec<&str> = self
            .template
            .split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("rabbitmq_"))
            .filter(|word| {
                !["rabbitmq_cluster", "rabbitmq_node", "rabbitmq_endpoint"].contains(word)
                    && *word != "rabbitmq_identity_info"
            })
            .collect();
        !names.is_empty() && names.iter().all(|name| MOVE.contains(name)) && !self.compares()
    }
    /// It subtracts, or shows only what is beyond a threshold.
    fn compares(&self) -> bool {
        self.template.contains(") - ")
            || self.template.contains(" - rate")
            || self.template.contains('<')
    }
}
