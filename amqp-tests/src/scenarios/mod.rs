//! All scenarios, by area.

use crate::Scenario;

mod conn_header;
mod dead_letter;
mod exchanges;
mod qos;
mod queue_args;
mod queue_args_equivalence;
mod queue_args_quorum;
mod queue_semantics;
mod queue_semantics_consumers;
mod queue_semantics_limits;
mod queue_semantics_priority;
mod queue_semantics_requeue;
mod queue_semantics_ttl;
mod tx_confirm;

const AREAS: &[&[Scenario]] = &[
    conn_header::ALL,
    qos::ALL,
    queue_args::ALL,
    queue_args_equivalence::ALL,
    queue_args_quorum::ALL,
    queue_semantics::ALL,
    queue_semantics_consumers::ALL,
    queue_semantics_limits::ALL,
    queue_semantics_priority::ALL,
    queue_semantics_requeue::ALL,
    queue_semantics_ttl::ALL,
    dead_letter::ALL,
    exchanges::ALL,
    tx_confirm::ALL,
];

/// Every scenario.
pub fn all() -> Vec<Scenario> {
    AREAS.iter().flat_map(|area| area.iter().copied()).collect()
}
