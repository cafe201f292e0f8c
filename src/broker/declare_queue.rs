//! Declaring and deleting queues.

use std::sync::Arc;

use super::core::Broker;
use super::shared_queue::{QueueSpec, SharedQueue};
use super::vhost::Vhost;
use crate::amqp::AmqpError;
use crate::exchange::Destination;
use crate::queue::arguments::compared_arguments;
use crate::queue::equivalence;

impl Vhost {
    /// Declares a queue, or checks that the one there is the same. Returns it, and whether it is
    /// new.
    pub fn declare_queue(
        self: &Arc<Self>,
        broker: &Broker,
        spec: QueueSpec,
        connection: u64,
        now: u64,
    ) -> Result<(Arc<SharedQueue>, bool), AmqpError> {
        let mut topology = self.topology.lock();
        if let Some(current) = self.queue(spec.name.as_bytes()) {
            drop(topology);
            self.same_queue(&current, &spec, connection)?;
            current.touch(now);
            return Ok((current, false));
        }
        let queue = SharedQueue::new(broker.next_id(), self, spec, now);
        self.queues
            .write()
            .insert(queue.name.clone(), Arc::clone(&queue));
        if let Some(owner) = queue.owner {
            topology
                .owned
                .entry(owner)
                .or_default()
                .push(Arc::clone(&queue));
        }
        drop(topology);
        broker.note_lease(&queue);
        Ok((queue, true))
    }

    fn same_queue(
        &self,
        current: &SharedQueue,
        spec: &QueueSpec,
        connection: u64,
    ) -> Result<(), AmqpError> {
        current.check_access(connection)?;
        if current.owner != spec.owner {
            return Err(current.locked());
        }
        let subject = current.subject();
        // An exclusive queue is never durable, whatever its declaration says.
        let durable = spec.durable && spec.owner.is_none();
        equivalence::flag("durable", &subject, durable, current.durable)?;
        equivalence::flag(
            "auto_delete",
            &subject,
            spec.auto_delete,
            current.auto_delete,
        )?;
        if current.settings.kind != spec.settings.kind {
            let names = ["x-queue-type"].into_iter();
            equivalence::arguments(names, &subject, &spec.arguments, &current.arguments)?;
        }
        let names = compared_arguments(current.settings.kind).filter(|n| *n != "x-queue-type");
        equivalence::arguments(names, &subject, &spec.arguments, &current.arguments)
    }

    /// Deletes a queue; returns how many messages waited, 0 when there was none.
    pub fn delete_queue(
        &self,
        queue: &Arc<SharedQueue>,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u64, AmqpError> {
        let mut topology = self.topology.lock();
        let outcome = queue.delete_if(|status| {
            if if_empty && status.ready > 0 {
                let text = format!("{} not empty", queue.subject());
                return Err(AmqpError::precondition_failed(text));
            }
            if if_unused && status.consumers > 0 {
                let text = format!("{} in use", queue.subject());
                return Err(AmqpError::precondition_failed(text));
            }
            Ok(())
        });
        let (count, consumers) = match outcome {
            None => return Ok(0),
            Some(outcome) => outcome?,
        };
        self.queues.write().remove(&queue.name);
        if let Some(owner) = queue.owner
            && let Some(owned) = topology.owned.get_mut(&owner)
        {
            owned.retain(|other| other.id != queue.id);
            if owned.is_empty() {
                topology.owned.remove(&owner);
            }
        }
        let destination = Destination::Queue(queue.name.clone());
        for exchange in self.drop_bindings_to(&mut topology, &destination) {
            self.remove_exchange(&mut topology, &exchange);
        }
        drop(topology);
        for consumer in consumers {
            consumer.cancel();
        }
        Ok(count)
    }

    /// Deletes the exclusive queues of a connection that ends.
    pub fn delete_queues_of(&self, connection: u64) {
        let owned = self
            .topology
            .lock()
            .owned
            .remove(&connection)
            .unwrap_or_default();
        for queue in owned {
            // Without conditions it cannot be refused.
            let _ = self.delete_queue(&queue, false, false);
        }
    }
}
