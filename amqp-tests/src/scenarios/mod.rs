//! All scenarios, by area.

use crate::Scenario;

mod conn_header;
mod dead_letter;
mod exchanges;
mod qos;
mod queue_args;
mod queue_semantics;
mod tx_confirm;

const AREAS: &[&[Scenario]] = &[
    conn_header::ALL,
    qos::ALL,
    queue_args::ALL,
    queue_semantics::ALL,
    dead_letter::ALL,
    exchanges::ALL,
    tx_confirm::ALL,
];

/// Every scenario.
pub fn all() -> Vec<Scenario> {
    AREAS.iter().flat_map(|area| area.iter().copied()).collect()
}
