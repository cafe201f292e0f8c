//! What a broker had before its restart: definitions first, then the messages of durable queues.

use super::core::Broker;
use super::declare_exchange::exchange_type;
use super::define::binding_of;
use super::exchange::ExchangeSpec;
use super::shared_queue::{QueueSpec, queue_subject};
use crate::auth::{Permissions, TopicPermission, User};
use crate::definitions::State;
use crate::definitions::import::{ImportedGlobalParameter, ImportedParameter, ImportedPolicy};
use crate::definitions::rows::{
    BindingRow, ExchangeRow, GlobalParameterRow, ParameterRow, PermissionRow, PolicyRow, QueueRow,
    TopicPermissionRow, UserRow, VhostRow,
};
use crate::queue::QueueArguments;
use crate::store::StoreError;
use crate::store::replay::{Places, Replay};

/// Counts for the start's summary.
#[derive(Debug, Clone, Copy, Default)]
pub struct Restored {
    /// Durable queues.
    pub queues: usize,
    /// Messages in them.
    pub messages: u64,
}

impl Broker {
    /// Puts in what was found, before anybody connects. What cannot be put in is named in a warning
    /// and left where it is.
    pub fn restore(
        &self,
        state: &State,
        mut found: Replay,
        places: &Places<'_>,
    ) -> Result<Restored, StoreError> {
        self.start_ids_above(state.queue_id_max().max(found.last_queue()));
        for row in state.rows::<VhostRow>() {
            let kind = row.default_queue_type.as_deref();
            self.put_vhost(
                row.name.as_bytes(),
                kind.and_then(super::import::queue_kind),
            );
        }
        self.restore_users(state);
        for row in state.rows::<ExchangeRow>() {
            self.restore_exchange(row);
        }
        let mut restored = Restored::default();
        for row in state.rows::<QueueRow>() {
            self.restore_queue(row, &mut found, places, &mut restored)?;
        }
        for row in state.rows::<BindingRow>() {
            let outcome = match self.vhost(row.vhost.as_bytes()) {
                Some(vhost) => vhost.bind(row.source.as_bytes(), &binding_of(&row)),
                None => continue,
            };
            if let Err(error) = outcome {
                let (source, to) = (&row.source, &row.destination);
                tracing::warn!("binding from '{source}' to '{to}': {}", error.text);
            }
        }
        self.restore_kept(state);
        Ok(restored)
    }

    fn restore_users(&self, state: &State) {
        self.users.change(|tables| {
            for row in state.rows::<UserRow>() {
                tables.put_user(User {
                    name: row.name,
                    password: row.password,
                    tags: row.tags,
                });
            }
            for row in state.rows::<PermissionRow>() {
                match Permissions::new(&row.configure, &row.write, &row.read) {
                    Ok(found) => tables.put_permissions(&row.user, &row.vhost.to_string(), found),
                    Err(error) => tracing::warn!("permissions of user '{}': {error}", row.user),
                }
            }
            for row in state.rows::<TopicPermissionRow>() {
                let (user, vhost) = (&row.user, row.vhost.to_string());
                let exchange = row.exchange.to_string();
                match TopicPermission::new(&exchange, &row.write, &row.read, user, &vhost) {
                    Ok(found) => tables.put_topic(user, &vhost, found),
                    Err(error) => tracing::warn!("topic permissions of user '{user}': {error}"),
                }
            }
        });
    }

    fn restore_exchange(&self, row: ExchangeRow) {
        let Some(vhost) = self.vhost(row.vhost.as_bytes()) else {
            return;
        };
        let name = row.name.clone();
        let outcome = exchange_type(row.kind.as_bytes()).and_then(|kind| {
            vhost.declare_exchange(ExchangeSpec {
                name: row.name,
                kind,
                durable: true,
                auto_delete: row.auto_delete,
                internal: row.internal,
                arguments: row.arguments,
            })
        });
        if let Err(error) = outcome {
            tracing::warn!(
                "exchange '{name}' in vhost '{}': {}",
                vhost.name,
                error.text
            );
        }
    }

    fn restore_queue(
        &self,
        row: QueueRow,
        found: &mut Replay,
        places: &Places<'_>,
        restored: &mut Restored,
    ) -> Result<(), StoreError> {
        let Some(vhost) = self.vhost(row.vhost.as_bytes()) else {
            return Ok(());
        };
        let now = crate::time::unix_ms();
        let subject = queue_subject(row.name.as_bytes(), &vhost.name);
        let kind = super::import::queue_kind(&row.kind).unwrap_or(vhost.default_kind);
        let outcome = QueueArguments::parse(&row.arguments, &subject, kind).and_then(|settings| {
            let spec = QueueSpec {
                name: row.name,
                durable: true,
                owner: None,
                auto_delete: row.auto_delete,
                arguments: row.arguments,
                settings,
            };
            vhost.restore_queue(self, row.id, spec, now)
        });
        match outcome {
            Ok(queue) => {
                restored.queues += 1;
                if let Some(contents) = found.contents_of(row.id, places)? {
                    restored.messages += contents.ready();
                    queue.restore(contents);
                    self.timer.wake_queue(&queue, now);
                }
                self.note_lease(&queue);
            }
            Err(error) => tracing::warn!("{subject}: {}", error.text),
        }
        Ok(())
    }

    fn restore_kept(&self, state: &State) {
        let mut kept = self.kept.lock();
        for row in state.rows::<PolicyRow>() {
            let Ok(definition) = serde_json::from_str(&row.definition) else {
                continue;
            };
            kept.policies.push(ImportedPolicy {
                vhost: row.vhost.to_string(),
                name: row.name,
                pattern: row.pattern,
                apply_to: row.apply_to,
                definition,
                priority: row.priority,
            });
        }
        for row in state.rows::<ParameterRow>() {
            if let Ok(value) = serde_json::from_str(&row.value) {
                kept.parameters.push(ImportedParameter {
                    vhost: row.vhost.to_string(),
                    component: row.component,
                    name: row.name,
                    value,
                });
            }
        }
        for row in state.rows::<GlobalParameterRow>() {
            if let Ok(value) = serde_json::from_str(&row.value) {
                kept.global_parameters.push(ImportedGlobalParameter {
                    name: row.name,
                    value,
                });
            }
        }
        for row in state.rows::<UserRow>() {
            let limits = row.limits.into_iter();
            kept.user_limits
                .extend(limits.map(|(limit, n)| (row.name.clone(), limit, n)));
        }
    }
}
