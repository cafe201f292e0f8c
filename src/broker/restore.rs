//! What a broker had before its restart: definitions first, then the messages of durable queues.

use std::collections::BTreeMap;

use super::admin::Parameter;
use super::admin::parameters::OPERATOR_POLICY;
use super::admin::policies::policy_of_json;
use super::core::Broker;
use super::declare_exchange::exchange_type;
use super::define::binding_of;
use super::exchange::{ExchangeSpec, INTERNAL_USER};
use super::shared_queue::{QueueSpec, queue_subject};
use super::users::UserLimits;
use super::vhost::{Description, queue_kind};
use crate::auth::{Permissions, TopicPermission, User};
use crate::definitions::State;
use crate::definitions::policy::{Author, Policy, PolicySet};
use crate::definitions::rows::{
    BindingRow, ExchangeRow, GlobalParameterRow, ParameterRow, PermissionRow, PolicyRow, QueueRow,
    TopicPermissionRow, UserRow, VhostRow,
};
use crate::ids::Name;
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
            let chosen = row.default_queue_type;
            let kind = chosen.as_deref().and_then(queue_kind);
            let description = Description {
                text: row.description,
                tags: row.tags,
                default_kind: kind.unwrap_or(self.options.default_kind),
                default_queue_type: chosen,
                protected: row.protected,
            };
            self.insert_vhost(&row.name, description, None);
        }
        self.restore_users(state);
        self.restore_rules(state);
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
        self.restore_limits();
        Ok(restored)
    }

    fn restore_users(&self, state: &State) {
        self.users.change(|tables| {
            for row in state.rows::<UserRow>() {
                tables.put_limits(&row.name, UserLimits::of(&row.limits));
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
                    Ok(found) => drop(tables.put_topic(user, &vhost, found)),
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
                declared_by: match row.declared_by.is_empty() {
                    true => Name::from(INTERNAL_USER),
                    false => row.declared_by,
                },
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
        let kind = queue_kind(&row.kind).unwrap_or(vhost.default_kind());
        let outcome = QueueArguments::parse(&row.arguments, &subject, kind).and_then(|settings| {
            let spec = QueueSpec {
                name: row.name,
                durable: true,
                owner: None,
                auto_delete: row.auto_delete,
                arguments: row.arguments,
                settings,
                declared_by: row.declared_by,
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

    /// Before exchanges and queues, so that these come under their policies.
    fn restore_rules(&self, state: &State) {
        let mut sets: BTreeMap<Name, PolicySet> = BTreeMap::new();
        for row in state.rows::<PolicyRow>() {
            let definition = serde_json::from_str(&row.definition).unwrap_or_default();
            let (pattern, kind) = (&row.pattern, &row.apply_to);
            match Policy::new(
                Author::User,
                &row.name,
                pattern,
                kind,
                &definition,
                row.priority,
            ) {
                Ok(policy) => drop(sets.entry(row.vhost).or_default().put(false, policy)),
                Err(reason) => tracing::warn!("policy '{}': {reason}", row.name),
            }
        }
        let mut parameters = self.parameters.lock();
        for row in state.rows::<ParameterRow>() {
            let value = serde_json::from_str(&row.value).unwrap_or_default();
            if row.component == OPERATOR_POLICY {
                match policy_of_json(&row.name, &value) {
                    Ok(policy) => drop(sets.entry(row.vhost).or_default().put(true, policy)),
                    Err(error) => tracing::warn!("operator policy '{}': {error}", row.name),
                }
                continue;
            }
            parameters.put(Parameter {
                vhost: row.vhost.to_string(),
                component: row.component,
                name: row.name,
                value,
            });
        }
        for row in state.rows::<GlobalParameterRow>() {
            let value = serde_json::from_str(&row.value).unwrap_or_default();
            parameters.put_global(&row.name, value);
        }
        for (name, set) in sets {
            if let Some(vhost) = self.vhost(name.as_bytes()) {
                vhost.start_with(set);
            }
        }
    }

    /// After the queues, since what is there stays whatever the limit.
    fn restore_limits(&self) {
        for limits in self.admin_list_vhost_limits(None) {
            if let Some(vhost) = self.vhost(limits.vhost.as_bytes()) {
                vhost.limit(&limits.value.into());
            }
        }
    }
}
