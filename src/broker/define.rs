//! Definitions that outlive a restart: each change is proposed to the log in the order in which it
//! took effect, under the lock under which it did.

use std::sync::{Arc, Weak};

use super::events;
use super::exchange::{Exchange, ExchangeSpec};
use super::journal::{DEFINITION, Journal};
use super::shared_queue::SharedQueue;
use crate::auth::{Permissions, TopicPermission, User};
use crate::definitions::import::DestinationKind;
use crate::definitions::rows::{
    BindingRow, ExchangeRow, PermissionRow, QueueRow, TopicPermissionRow, UserRow,
};
use crate::definitions::{Command, Definitions};
use crate::exchange::{Binding, Destination};
use crate::ids::Name;
use crate::store::log::{Entry, Log, Wake};

/// Tells the definitions how far the log has come.
#[derive(Debug)]
pub(super) struct Follower {
    log: Weak<Log>,
    definitions: Arc<Definitions>,
}

impl Follower {
    pub fn new(log: &Arc<Log>, definitions: Arc<Definitions>) -> Arc<Self> {
        Arc::new(Self {
            log: Arc::downgrade(log),
            definitions,
        })
    }

    pub fn definitions(&self) -> &Arc<Definitions> {
        &self.definitions
    }
}

impl Wake for Follower {
    fn wake(&self) {
        if let Some(log) = self.log.upgrade() {
            self.definitions.durable_to(log.durable());
        }
    }
}

impl Journal {
    /// Records a change. It is durable with the ticket [`Self::last_definition`].
    pub fn define(&self, command: Command) {
        events::note(&self.events, &command);
        let (Some(log), Some(follower)) = (self.log(), self.follower()) else {
            return;
        };
        let ticket = follower.definitions().propose(command, |index, payload| {
            let entry = Entry {
                index,
                ..Entry::local(DEFINITION, payload, None)
            };
            log.append_and_wake(entry, Arc::clone(follower) as _)
        });
        self.note_definition(ticket);
    }
}

/// The row of a durable exchange.
pub(super) fn exchange_row(vhost: &Name, spec: &ExchangeSpec) -> ExchangeRow {
    ExchangeRow {
        vhost: vhost.clone(),
        name: spec.name.clone(),
        kind: spec.kind.name().to_owned(),
        auto_delete: spec.auto_delete,
        internal: spec.internal,
        arguments: spec.arguments.clone(),
        declared_by: spec.declared_by.clone(),
    }
}

/// The row of a durable queue.
pub(super) fn queue_row(queue: &SharedQueue) -> QueueRow {
    QueueRow {
        id: queue.id,
        vhost: queue.vhost_name.clone(),
        name: queue.name.clone(),
        kind: queue.settings.kind.name().to_owned(),
        auto_delete: queue.auto_delete,
        arguments: queue.arguments.clone(),
        declared_by: queue.declared_by.clone(),
    }
}

/// The row of a binding from `source`.
pub(super) fn binding_row(vhost: &Name, source: &Exchange, binding: &Binding) -> BindingRow {
    let (destination_kind, destination) = match &binding.destination {
        Destination::Queue(name) => (DestinationKind::Queue, name),
        Destination::Exchange(name) => (DestinationKind::Exchange, name),
    };
    BindingRow {
        vhost: vhost.clone(),
        source: source.name.clone(),
        destination_kind,
        destination: destination.clone(),
        routing_key: binding.routing_key.clone(),
        arguments: binding.arguments.clone(),
    }
}

/// The binding of a row.
pub(super) fn binding_of(row: &BindingRow) -> Binding {
    let name = row.destination.as_bytes();
    Binding {
        destination: match row.destination_kind {
            DestinationKind::Queue => Destination::queue(name),
            DestinationKind::Exchange => Destination::exchange(name),
        },
        routing_key: row.routing_key.clone(),
        arguments: row.arguments.clone(),
    }
}

/// The row of a user.
pub(super) fn user_row(user: &User, limits: &[(String, i64)]) -> UserRow {
    UserRow {
        name: user.name.clone(),
        password: user.password.clone(),
        tags: user.tags.clone(),
        limits: limits.to_vec(),
    }
}

/// The row of a user's permissions.
pub(super) fn permission_row(user: &str, vhost: &str, permissions: &Permissions) -> PermissionRow {
    PermissionRow {
        vhost: Name::from(vhost),
        user: user.to_owned(),
        configure: permissions.configure.as_str().to_owned(),
        write: permissions.write.as_str().to_owned(),
        read: permissions.read.as_str().to_owned(),
    }
}

/// The row of a user's permission for a topic exchange.
pub(super) fn topic_row(user: &str, vhost: &str, row: &TopicPermission) -> TopicPermissionRow {
    TopicPermissionRow {
        vhost: Name::from(vhost),
        user: user.to_owned(),
        exchange: Name::from(row.exchange.as_str()),
        write: row.write.as_str().to_owned(),
        read: row.read.as_str().to_owned(),
    }
}
