//! Declaring and deleting queues.

use std::sync::Arc;

use super::core::Broker;
use super::define::queue_row;
use super::events::shown;
use super::shared_queue::{QueueSpec, SharedQueue};
use super::vhost::Vhost;
use crate::amqp::{AmqpError, Table, Value};
use crate::definitions::Command;
use crate::exchange::Destination;
use crate::queue::QueueKind;
use crate::queue::arguments::compared_arguments;
use crate::queue::equivalence;

/// What a declaration says of a queue that is there already.
#[derive(Debug)]
#[expect(missing_docs, reason = "the fields of queue.declare")]
pub struct Declared<'a> {
    pub durable: bool,
    pub owner: Option<u64>,
    pub auto_delete: bool,
    pub arguments: &'a Table,
}

/// What a declaration of a quorum queue asks for.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the fields of queue.declare")]
pub struct QuorumAsked {
    pub durable: bool,
    pub exclusive: bool,
    pub auto_delete: bool,
    /// The server is to find a name.
    pub nameless: bool,
}

/// Refuses what quorum queues cannot be, with RabbitMQ's texts.
pub fn check_quorum(subject: &str, asked: &QuorumAsked) -> Result<(), AmqpError> {
    if asked.nameless {
        let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
        return Err(AmqpError::precondition_failed(text));
    }
    let property = match asked {
        asked if asked.auto_delete => "auto-delete",
        asked if asked.exclusive => "exclusive-owner",
        asked if !asked.durable => "non-durable",
        _ => return Ok(()),
    };
    let text = format!("invalid property '{property}' for {subject}");
    Err(AmqpError::precondition_failed(text))
}

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
            let declared = Declared {
                durable: spec.durable,
                owner: spec.owner,
                auto_delete: spec.auto_delete,
                arguments: &spec.arguments,
            };
            self.same_queue(&current, &declared, connection)?;
            current.touch(now);
            return Ok((current, false));
        }
        if topology.deleted {
            return Err(self.gone());
        }
        self.check_queue_limit(&spec.name)?;
        let queue = SharedQueue::new(broker.next_id(), self, spec, now);
        self.churn.created.add(1);
        self.journal.events.emit(
            "queue.created",
            [
                ("name", shown(&queue.name)),
                ("vhost", shown(&self.name)),
                ("durable", queue.durable.into()),
                ("auto_delete", queue.auto_delete.into()),
                ("exclusive", queue.owner.is_some().into()),
                ("type", queue.settings.kind.name().into()),
            ],
        );
        self.queues
            .write()
            .insert(queue.name.clone(), Arc::clone(&queue));
        if queue.durable {
            self.journal
                .define(Command::DeclareQueue(queue_row(&queue)));
        }
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

    /// Puts in a durable queue that was there before the restart.
    pub(super) fn restore_queue(
        self: &Arc<Self>,
        broker: &Broker,
        id: u64,
        spec: QueueSpec,
        now: u64,
    ) -> Result<Arc<SharedQueue>, AmqpError> {
        let _topology = self.topology.lock();
        if let Some(current) = self.queue(spec.name.as_bytes()) {
            let text = format!("there are two of {}", current.subject());
            return Err(AmqpError::precondition_failed(text));
        }
        let queue = SharedQueue::new(id, self, spec, now);
        self.queues
            .write()
            .insert(queue.name.clone(), Arc::clone(&queue));
        broker.start_ids_above(id);
        Ok(queue)
    }

    /// Compares a declaration with the queue that is there, before its values are checked, in
    /// RabbitMQ's order.
    pub fn same_queue(
        &self,
        current: &SharedQueue,
        declared: &Declared<'_>,
        connection: u64,
    ) -> Result<(), AmqpError> {
        current.check_access(connection)?;
        if current.owner != declared.owner {
            return Err(current.locked());
        }
        let subject = current.subject();
        // An exclusive queue is never durable, whatever its declaration says.
        let durable = declared.durable && declared.owner.is_none();
        equivalence::flag("durable", &subject, durable, current.durable)?;
        equivalence::flag(
            "auto_delete",
            &subject,
            declared.auto_delete,
            current.auto_delete,
        )?;
        let (mut received, mut known) = (declared.arguments.clone(), current.arguments.clone());
        // A declaration without a type means the default one.
        let kind = received.get(b"x-queue-type");
        let kind = match kind.and_then(Value::as_long_string) {
            Some(b"classic") => Some(QueueKind::Classic),
            Some(b"quorum") => Some(QueueKind::Quorum),
            Some(_) => None,
            None => Some(self.default_kind()),
        };
        if kind == Some(current.settings.kind) {
            received.remove(b"x-queue-type");
            known.remove(b"x-queue-type");
        }

        let names = compared_arguments(current.settings.kind);
        equivalence::arguments(names, &subject, &received, &known)
    }

    /// Deletes a queue; returns how many messages waited, 0 when there was none.
    pub fn delete_queue(
        &self,
        queue: &Arc<SharedQueue>,
        if_unused: bool,
        if_empty: bool,
    ) -> Result<u64, AmqpError> {
        let mut topology = self.topology.lock();
        // What it has counted is seen with it or with what is gone, and never with both.
        let mut gone = self.gone.lock();
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
        let ended = match outcome {
            None => return Ok(0),
            Some(outcome) => outcome?,
        };
        gone.kind(queue.settings.kind)
            .add(ended.counters, &queue.settings);
        self.queues.write().remove(&queue.name);
        drop(gone);
        self.churn.deleted.add(1);
        self.journal.events.emit(
            "queue.deleted",
            [("name", shown(&queue.name)), ("vhost", shown(&self.name))],
        );
        if queue.durable {
            // Its bindings go with it.
            self.journal.define(Command::DeleteQueue { id: queue.id });
        }
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
        for consumer in ended.consumers {
            consumer.cancel();
        }
        Ok(ended.ready)
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
