//! Sizes of the scenarios.

use clap::{Args, ValueEnum};

use crate::client::QueueKind;
use crate::ring::STAMP;

/// Bodies must fit into one frame of any broker.
const BODY_MAX: usize = 100_000;

/// Sizes of the scenarios.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seconds measured, for scenarios that go on for a time.
    pub seconds: f64,
    /// Deliveries in flight at most.
    pub window: u64,
    /// Total rate of the many-queues, many-connections and reply-queues scenarios.
    pub rate: u64,
    /// Messages of the backlog.
    pub backlog: u64,
    /// Messages that pass a held one.
    pub held: u64,
    /// Object counts at which declaring and binding is measured.
    pub objects: Vec<u64>,
    /// Idle connections.
    pub idle: u64,
    /// Connections of the many-connections scenario, publishers and consumers together.
    pub connections: usize,
    /// Queues of the many-queues scenario.
    pub queues: usize,
    /// Sizes of the durable scenarios.
    pub durable: DurableSizes,
}

/// Type of the durable queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QueueType {
    /// What a plain durable declare makes.
    Classic,
    /// `x-queue-type: quorum`.
    Quorum,
}

/// Sizes of the durable scenarios.
#[derive(Debug, Clone, Args)]
pub struct DurableSizes {
    /// Type of the durable queues.
    #[arg(long, value_enum, default_value_t = QueueType::Classic)]
    pub queue_type: QueueType,
    /// Messages of the deep backlogs and of the restart.
    #[arg(long, default_value_t = 1_000_000)]
    pub deep: u64,
    /// Octets of each of them, at least 16.
    #[arg(long, default_value_t = 100)]
    pub deep_size: usize,
    /// Queues of the deep backlog that is split.
    #[arg(long, default_value_t = 1000)]
    pub deep_queues: usize,
    /// GiB that pass the fast queue beside the slow one.
    #[arg(long, default_value_t = 3.0)]
    pub churn_gib: f64,
    /// MiB that a broker may hold on disk beyond twice its live octets; Leveret's budget of
    /// young files.
    #[arg(long, default_value_t = 64.0)]
    pub young_mib: f64,
    /// GiB delivered and not acknowledged.
    #[arg(long, default_value_t = 4.0)]
    pub unacked_gib: f64,
    /// MiB of memory that the broker under measurement was given, as a bar for the unacked.
    #[arg(long)]
    pub memory_budget_mib: Option<f64>,
}

impl DurableSizes {
    /// Sizes that the scenarios can work with.
    pub fn checked(self) -> Self {
        Self {
            deep: self.deep.max(1),
            deep_size: self.deep_size.clamp(STAMP, BODY_MAX),
            deep_queues: self.deep_queues.clamp(2, 99_999),
            ..self
        }
    }
}

impl Options {
    /// How durable queues are declared.
    pub fn durable_kind(&self) -> QueueKind {
        match self.durable.queue_type {
            QueueType::Classic => QueueKind::Durable,
            QueueType::Quorum => QueueKind::Quorum,
        }
    }
}
