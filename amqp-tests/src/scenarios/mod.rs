//! All scenarios, by area.

use crate::Scenario;

mod basic_consume;
mod basic_methods;
mod channels;
mod cli;
mod conn_close;
mod conn_header;
mod conn_start;
mod conn_tune;
mod content;
mod dead_letter;
mod dead_letter_causes;
mod dead_letter_repeat;
mod exchange_methods;
mod exchanges;
mod exchanges_alternate;
mod exchanges_bindings;
mod exchanges_cc;
mod exchanges_hash;
mod exchanges_headers;
mod exchanges_topic;
mod frames;
mod hostile;
mod http;
mod http_access;
mod http_beyond;
mod http_bindings;
mod http_definitions;
mod http_errors;
mod http_firehose;
mod http_health;
mod http_limits;
mod http_lists;
mod http_messages;
mod http_operators;
mod http_policies;
mod http_replay;
mod http_settings;
mod http_transport;
mod logs;
mod malformed;
mod permissions;
mod qos;
mod queue_args;
mod queue_args_equivalence;
mod queue_args_quorum;
mod queue_args_types;
mod queue_bindings;
mod queue_methods;
mod queue_semantics;
mod queue_semantics_consumers;
mod queue_semantics_delete;
mod queue_semantics_limits;
mod queue_semantics_priority;
mod queue_semantics_requeue;
mod queue_semantics_ttl;
mod restart;
mod restart_access;
mod restart_causes;
mod restart_damage;
mod restart_messages;
mod restart_policies;
mod restart_settled;
mod restart_topology;
mod settings;
mod tx_confirm;
mod tx_confirm_reply_to;
mod tx_confirm_tx;

const AREAS: &[&[Scenario]] = &[
    cli::ALL,
    conn_header::ALL,
    conn_start::ALL,
    conn_tune::ALL,
    conn_close::ALL,
    frames::ALL,
    malformed::ALL,
    channels::ALL,
    exchange_methods::ALL,
    queue_methods::ALL,
    queue_bindings::ALL,
    basic_methods::ALL,
    basic_consume::ALL,
    content::ALL,
    permissions::ALL,
    settings::ALL,
    logs::ALL,
    hostile::ALL,
    qos::ALL,
    queue_args::ALL,
    queue_args_types::ALL,
    queue_args_equivalence::ALL,
    queue_args_quorum::ALL,
    queue_semantics::ALL,
    queue_semantics_delete::ALL,
    queue_semantics_consumers::ALL,
    queue_semantics_limits::ALL,
    queue_semantics_priority::ALL,
    queue_semantics_requeue::ALL,
    queue_semantics_ttl::ALL,
    dead_letter::ALL,
    dead_letter_causes::ALL,
    dead_letter_repeat::ALL,
    exchanges::ALL,
    exchanges_alternate::ALL,
    exchanges_bindings::ALL,
    exchanges_cc::ALL,
    exchanges_hash::ALL,
    exchanges_headers::ALL,
    exchanges_topic::ALL,
    tx_confirm::ALL,
    tx_confirm_reply_to::ALL,
    tx_confirm_tx::ALL,
    restart_topology::ALL,
    restart_messages::ALL,
    restart_settled::ALL,
    restart_causes::ALL,
    restart_damage::ALL,
    restart_access::ALL,
    http_beyond::ALL,
    restart_policies::ALL,
    http_operators::ALL,
    http_settings::ALL,
    http_transport::ALL,
    http_errors::ALL,
    http_firehose::ALL,
    http_lists::ALL,
    http_access::ALL,
    http_policies::ALL,
    http_bindings::ALL,
    http_limits::ALL,
    http_messages::ALL,
    http_definitions::ALL,
    http_health::ALL,
    http_replay::ALL,
];

/// Every scenario.
pub fn all() -> Vec<Scenario> {
    AREAS.iter().flat_map(|area| area.iter().copied()).collect()
}
