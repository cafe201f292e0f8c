//! Puts definitions in that were checked before, in RabbitMQ's order; limits of hosts last, since they
//! are for what comes later.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::AdminError;
use super::import::{Counter, ImportFailure};
use super::parameters::{Parameter, VHOST_LIMITS};
use super::password::hash_password;
use super::policies::put_command;
use super::vhosts::VhostChange;
use crate::amqp::AmqpError;
use crate::auth::{Permissions, User};
use crate::broker::core::Broker;
use crate::broker::declare_exchange::exchange_type;
use crate::broker::define::{permission_row, topic_row};
use crate::broker::events::note_user;
use crate::broker::exchange::ExchangeSpec;
use crate::broker::shared_queue::{QueueSpec, queue_subject};
use crate::broker::users::UserLimits;
use crate::broker::vhost::queue_kind;
use crate::definitions::Command;
use crate::definitions::import::{
    DestinationKind, ImportedBinding, ImportedDefinitions, ImportedPassword, ImportedPolicy,
};
use crate::definitions::policy::{Author, Policy};
use crate::exchange::{Binding, Destination};
use crate::ids::Name;
use crate::queue::QueueArguments;

fn refused(object: &str) -> impl Fn(AmqpError) -> ImportFailure {
    move |error| ImportFailure::refused(object, error.text)
}

fn not_done(object: &str) -> impl Fn(AdminError) -> ImportFailure {
    move |error| ImportFailure::refused(object, error.to_string())
}

impl Broker {
    pub(super) fn put_definitions(
        &self,
        definitions: ImportedDefinitions,
        by: &str,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        self.apply_vhosts(&definitions, counter)?;
        self.apply_users(&definitions, counter)?;
        self.apply_parameters(&definitions, counter)?;
        self.apply_policies(&definitions.policies, counter)?;
        self.apply_exchanges(&definitions, by, counter)?;
        self.apply_queues(&definitions, by, counter)?;
        for binding in &definitions.bindings {
            self.apply_binding(binding)?;
            counter.add(1);
        }
        let limits = definitions.parameters.into_iter();
        for row in limits.filter(|row| row.component == VHOST_LIMITS.0) {
            let object = format!("limits of vhost '{}'", row.vhost);
            let parameter = Parameter {
                vhost: row.vhost,
                component: row.component,
                name: row.name,
                value: row.value,
            };
            self.admin_put_parameter(parameter)
                .map_err(not_done(&object))?;
            counter.add(1);
        }
        Ok(())
    }

    /// Adds or replaces a user with its permissions in one host.
    pub fn put_user(&self, user: User, vhost: &str, permissions: Permissions) {
        self.users.change(|tables| {
            note_user(
                self.events(),
                tables.user(&user.name).map(Arc::as_ref),
                &user,
            );
            self.define_user(&user, tables.limits(&user.name));
            let row = permission_row(&user.name, vhost, &permissions);
            self.journal.define(Command::SetPermission(row));
            let name = user.name.clone();
            tables.put_user(user);
            tables.put_permissions(&name, vhost, permissions);
        });
    }

    fn apply_vhosts(
        &self,
        definitions: &ImportedDefinitions,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        for vhost in &definitions.vhosts {
            let kind = vhost.default_queue_type.clone();
            let change = VhostChange {
                description: vhost.description.clone(),
                tags: vhost.tags.clone(),
                // A type that is not known here leaves the broker's default.
                default_queue_type: kind.filter(|kind| queue_kind(kind).is_some()),
                tracing: None,
                protected: vhost.protected,
            };
            let object = format!("vhost '{}'", vhost.name);
            self.admin_put_vhost(&vhost.name, change)
                .map_err(not_done(&object))?;
            counter.add(1);
        }
        Ok(())
    }

    fn apply_users(
        &self,
        definitions: &ImportedDefinitions,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        let mut users = Vec::new();
        for user in &definitions.users {
            let password = match &user.password {
                ImportedPassword::None => None,
                ImportedPassword::Hash(hash) => Some(hash.clone()),
                ImportedPassword::Clear(text) => {
                    let hash = hash_password(self.options.hashing, text.as_bytes());
                    let object = format!("user '{}'", user.name);
                    Some(hash.map_err(|reason| ImportFailure::refused(object, reason))?)
                }
            };
            let limits = UserLimits::of(&user.limits);
            let user = User {
                name: user.name.clone(),
                password,
                tags: user.tags.clone(),
            };
            users.push((user, limits));
            // Hashing is what takes the time.
            counter.add(1);
        }
        self.users.change(|tables| {
            for (user, limits) in users {
                note_user(
                    self.events(),
                    tables.user(&user.name).map(Arc::as_ref),
                    &user,
                );
                self.define_user(&user, limits);
                tables.put_limits(&user.name, limits);
                tables.put_user(user);
            }
            for row in &definitions.permissions {
                let command = permission_row(&row.user, &row.vhost, &row.permissions);
                self.journal.define(Command::SetPermission(command));
                tables.put_permissions(&row.user, &row.vhost, row.permissions.clone());
            }
            for row in &definitions.topic_permissions {
                let command = topic_row(&row.user, &row.vhost, &row.permission);
                self.journal.define(Command::SetTopicPermission(command));
                tables.put_topic(&row.user, &row.vhost, row.permission.clone());
            }
        });
        counter.add(definitions.permissions.len() + definitions.topic_permissions.len());
        Ok(())
    }

    fn apply_parameters(
        &self,
        definitions: &ImportedDefinitions,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        let parameters = definitions.parameters.iter();
        for row in parameters.filter(|row| row.component != VHOST_LIMITS.0) {
            let object = format!("parameter '{}' in vhost '{}'", row.name, row.vhost);
            let parameter = Parameter {
                vhost: row.vhost.clone(),
                component: row.component.clone(),
                name: row.name.clone(),
                value: row.value.clone(),
            };
            self.admin_put_parameter(parameter)
                .map_err(not_done(&object))?;
            counter.add(1);
        }
        for row in &definitions.global_parameters {
            let object = format!("global parameter '{}'", row.name);
            self.admin_put_global_parameter(&row.name, row.value.clone())
                .map_err(not_done(&object))?;
            counter.add(1);
        }
        Ok(())
    }

    /// The policies of each host come into force together.
    fn apply_policies(
        &self,
        policies: &[ImportedPolicy],
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        let mut by_vhost: BTreeMap<&str, Vec<Policy>> = BTreeMap::new();
        for row in policies {
            let policy = Policy::new(
                Author::User,
                &row.name,
                &row.pattern,
                &row.apply_to,
                &row.definition,
                row.priority,
            );
            let object = format!("policy '{}' in vhost '{}'", row.name, row.vhost);
            let policy = policy.map_err(|reason| ImportFailure::refused(object, reason))?;
            by_vhost.entry(&row.vhost).or_default().push(policy);
        }
        for (name, policies) in by_vhost {
            let object = format!("policies of vhost '{name}'");
            let host = self.admin_vhost(name).map_err(not_done(&object))?;
            let count = policies.len();
            self.change_policies(&host, |set| {
                for policy in policies {
                    self.journal.define(put_command(false, &host, &policy));
                    set.put(false, policy);
                }
            })
            .map_err(not_done(&object))?;
            counter.add(count);
        }
        Ok(())
    }

    fn apply_exchanges(
        &self,
        definitions: &ImportedDefinitions,
        by: &str,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        for row in &definitions.exchanges {
            counter.add(1);
            let object = format!("exchange '{}' in vhost '{}'", row.name, row.vhost);
            let host = self.admin_vhost(&row.vhost).map_err(not_done(&object))?;
            if host.exchange(row.name.as_bytes()).is_some() {
                continue;
            }
            let kind = exchange_type(row.kind.as_bytes()).map_err(refused(&object))?;
            host.declare_exchange(ExchangeSpec {
                name: Name::from(row.name.as_str()),
                kind,
                durable: row.durable,
                auto_delete: row.auto_delete,
                internal: row.internal,
                arguments: row.arguments.clone(),
                declared_by: Name::from(by),
            })
            .map_err(refused(&object))?;
        }
        Ok(())
    }

    fn apply_queues(
        &self,
        definitions: &ImportedDefinitions,
        by: &str,
        counter: &mut Counter<'_>,
    ) -> Result<(), ImportFailure> {
        let now = crate::time::unix_ms();
        for row in &definitions.queues {
            counter.add(1);
            let subject = queue_subject(row.name.as_bytes(), &Name::from(row.vhost.as_str()));
            let host = self.admin_vhost(&row.vhost).map_err(not_done(&subject))?;
            if host.queue(row.name.as_bytes()).is_some() {
                continue;
            }
            let settings = QueueArguments::parse(&row.arguments, &subject, host.default_kind())
                .map_err(refused(&subject))?;
            let spec = QueueSpec {
                name: Name::from(row.name.as_str()),
                durable: row.durable,
                owner: None,
                auto_delete: row.auto_delete,
                arguments: row.arguments.clone(),
                settings,
                declared_by: Name::from(by),
            };
            host.declare_queue(self, spec, 0, now)
                .map_err(refused(&subject))?;
        }
        Ok(())
    }

    fn apply_binding(&self, row: &ImportedBinding) -> Result<(), ImportFailure> {
        // Every queue is bound to the default exchange as it is.
        if row.source.is_empty() {
            return Ok(());
        }
        let name = row.destination.as_bytes();
        let object = format!(
            "binding from '{}' to '{}' in vhost '{}'",
            row.source, row.destination, row.vhost
        );
        let host = self.admin_vhost(&row.vhost).map_err(not_done(&object))?;
        let (destination, there) = match row.destination_kind {
            DestinationKind::Queue => (Destination::queue(name), host.queue(name).is_some()),
            DestinationKind::Exchange => {
                (Destination::exchange(name), host.exchange(name).is_some())
            }
        };
        if !there || host.exchange(row.source.as_bytes()).is_none() {
            return Ok(());
        }
        let binding = Binding {
            destination,
            routing_key: Name::from(row.routing_key.as_str()),
            arguments: row.arguments.clone(),
        };
        host.bind(row.source.as_bytes(), &binding)
            .map_err(refused(&object))
    }
}
