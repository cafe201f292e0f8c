//! A consumer as it is.

use std::sync::Arc;

use crate::broker::connections::ConnectionHandle;
use crate::broker::port::ConsumerFacts;
use crate::broker::{Broker, SharedQueue};

/// A consumer of a queue.
#[derive(Debug, Clone)]
pub struct ConsumerView {
    /// Its queue.
    pub queue: Arc<SharedQueue>,
    /// Its connection; `None` when that ends in this moment.
    pub connection: Option<Arc<ConnectionHandle>>,
    /// Its tag, channel and arguments.
    pub facts: Arc<ConsumerFacts>,
    /// Its deliveries need no acknowledgement.
    pub no_ack: bool,
    /// Nobody else may consume.
    pub exclusive: bool,
    /// It may receive: it is not waiting to become the single active one.
    pub active: bool,
    /// Most unacknowledged deliveries; 0 is no limit.
    pub prefetch: u32,
    /// Its unacknowledged deliveries.
    pub unacked: u32,
    /// Milliseconds that it has to acknowledge; `None` is for ever.
    pub timeout_ms: Option<u64>,
}

/// The consumers of a queue, oldest first.
pub fn consumers_of(broker: &Broker, queue: &Arc<SharedQueue>) -> Vec<ConsumerView> {
    let timeout_ms = queue
        .in_force(|settings| settings.consumer_timeout_ms)
        .or(broker.options.consumer_timeout_ms);
    let single = queue.settings.single_active_consumer;
    let mut views = queue.look(|machine| {
        let active = machine.consumers().active();
        machine
            .consumers()
            .iter()
            .map(|(key, consumer)| {
                let view = ConsumerView {
                    queue: Arc::clone(queue),
                    connection: None,
                    facts: Arc::clone(&consumer.port.facts),
                    no_ack: consumer.spec.no_ack,
                    exclusive: consumer.spec.exclusive,
                    active: !single || active == Some(key),
                    prefetch: consumer.spec.prefetch,
                    unacked: consumer.unacked,
                    timeout_ms,
                };
                (consumer.port.connection, view)
            })
            .collect::<Vec<_>>()
    });
    // Not under the queue's lock.
    for (connection, view) in &mut views {
        view.connection = broker.connections.get(*connection);
    }
    views.into_iter().map(|(_, view)| view).collect()
}
