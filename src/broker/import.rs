//! Puts imported definitions into a broker. Merges, never deletes, as RabbitMQ does.

use super::core::Broker;
use super::define::{permission_row, topic_row, user_row};
use super::exchange::ExchangeSpec;
use super::shared_queue::{QueueSpec, queue_subject};
use crate::amqp::AmqpError;
use crate::auth::password::SALT_LEN;
use crate::auth::{HashingAlgorithm, PasswordHash, Permissions, User};
use crate::broker::declare_exchange::exchange_type;
use crate::definitions::Command;
use crate::definitions::import::{
    DestinationKind, ImportedDefinitions, ImportedGlobalParameter, ImportedParameter,
    ImportedPassword, ImportedPolicy,
};
use crate::definitions::rows::{GlobalParameterRow, ParameterRow, PolicyRow};
use crate::exchange::{Binding, Destination};
use crate::ids::Name;
use crate::queue::{QueueArguments, QueueKind};

/// An object that could not be put in.
#[derive(Debug, thiserror::Error)]
#[error("{object}: {reason}")]
pub struct ApplyError {
    /// Which, as in `queue 'q' in vhost '/'`.
    pub object: String,
    /// Why.
    pub reason: String,
}

fn refused(object: String) -> impl FnOnce(AmqpError) -> ApplyError {
    move |error| ApplyError {
        object,
        reason: error.text.into_owned(),
    }
}

/// Parts of definitions that have no effect yet. They are kept as they came, so that what will
/// honour or export them finds them.
#[derive(Debug, Default)]
pub struct Kept {
    /// Policies, in the order of their files.
    pub policies: Vec<ImportedPolicy>,
    /// Runtime parameters.
    pub parameters: Vec<ImportedParameter>,
    /// Global parameters.
    pub global_parameters: Vec<ImportedGlobalParameter>,
    /// Limits of users, by user and name; -1 is none.
    pub user_limits: Vec<(String, String, i64)>,
}

impl Kept {
    /// Takes what a definitions file brings; an object of the same name is replaced.
    fn merge(&mut self, definitions: &ImportedDefinitions) {
        for new in &definitions.policies {
            self.policies
                .retain(|old| (&old.vhost, &old.name) != (&new.vhost, &new.name));
            self.policies.push(new.clone());
        }
        for new in &definitions.parameters {
            let key = (&new.vhost, &new.component, &new.name);
            self.parameters
                .retain(|old| (&old.vhost, &old.component, &old.name) != key);
            self.parameters.push(new.clone());
        }
        for new in &definitions.global_parameters {
            self.global_parameters.retain(|old| old.name != new.name);
            self.global_parameters.push(new.clone());
        }
        for user in &definitions.users {
            self.user_limits.retain(|(name, ..)| *name != user.name);
            let limits = user.limits.iter();
            self.user_limits
                .extend(limits.map(|(limit, n)| (user.name.clone(), limit.clone(), *n)));
        }
    }
}

impl Broker {
    /// Puts definitions in; returns what was kept without effect, for the log.
    pub fn apply_definitions(
        &self,
        definitions: ImportedDefinitions,
    ) -> Result<Vec<String>, ApplyError> {
        let warnings = definitions.warnings.clone();
        for vhost in &definitions.vhosts {
            let kind = vhost.default_queue_type.as_deref().and_then(queue_kind);
            self.put_vhost(vhost.name.as_bytes(), kind);
        }
        self.apply_users(&definitions)?;
        self.apply_exchanges(&definitions)?;
        self.apply_queues(&definitions)?;
        self.apply_bindings(&definitions)?;
        self.define_kept(&definitions);
        self.kept.lock().merge(&definitions);
        Ok(warnings)
    }

    /// Adds or replaces a user with its permissions in one host.
    pub fn put_user(&self, user: User, vhost: &str, permissions: Permissions) {
        let row = permission_row(&user.name, vhost, &permissions);
        self.journal.define(Command::PutUser(user_row(&user, &[])));
        self.journal.define(Command::SetPermission(row));
        self.users.change(|tables| {
            let name = user.name.clone();
            tables.put_user(user);
            tables.put_permissions(&name, vhost, permissions);
        });
    }

    fn define_kept(&self, definitions: &ImportedDefinitions) {
        for policy in &definitions.policies {
            self.journal.define(Command::PutPolicy(PolicyRow {
                vhost: Name::from(policy.vhost.as_str()),
                name: policy.name.clone(),
                pattern: policy.pattern.clone(),
                apply_to: policy.apply_to.clone(),
                definition: serde_json::Value::Object(policy.definition.clone()).to_string(),
                priority: policy.priority,
            }));
        }
        for parameter in &definitions.parameters {
            self.journal.define(Command::PutParameter(ParameterRow {
                vhost: Name::from(parameter.vhost.as_str()),
                component: parameter.component.clone(),
                name: parameter.name.clone(),
                value: parameter.value.to_string(),
            }));
        }
        for parameter in &definitions.global_parameters {
            self.journal
                .define(Command::PutGlobalParameter(GlobalParameterRow {
                    name: parameter.name.clone(),
                    value: parameter.value.to_string(),
                }));
        }
    }

    fn apply_users(&self, definitions: &ImportedDefinitions) -> Result<(), ApplyError> {
        let mut users = Vec::new();
        for user in &definitions.users {
            let password = match &user.password {
                ImportedPassword::None => None,
                ImportedPassword::Hash(hash) => Some(hash.clone()),
                ImportedPassword::Clear(text) => Some(
                    hash_password(self.options.hashing, text.as_bytes()).map_err(|reason| {
                        ApplyError {
                            object: format!("user '{}'", user.name),
                            reason,
                        }
                    })?,
                ),
            };
            users.push(User {
                name: user.name.clone(),
                password,
                tags: user.tags.clone(),
            });
        }
        for user in &users {
            let imported = definitions
                .users
                .iter()
                .find(|known| known.name == user.name);
            let limits = imported.map_or(&[][..], |known| &known.limits);
            self.journal
                .define(Command::PutUser(user_row(user, limits)));
        }
        for row in &definitions.permissions {
            let row = permission_row(&row.user, &row.vhost, &row.permissions);
            self.journal.define(Command::SetPermission(row));
        }
        for row in &definitions.topic_permissions {
            let row = topic_row(&row.user, &row.vhost, &row.permission);
            self.journal.define(Command::SetTopicPermission(row));
        }
        self.users.change(|tables| {
            for user in users {
                tables.put_user(user);
            }
            for row in &definitions.permissions {
                tables.put_permissions(&row.user, &row.vhost, row.permissions.clone());
            }
            for row in &definitions.topic_permissions {
                tables.put_topic(&row.user, &row.vhost, row.permission.clone());
            }
        });
        Ok(())
    }

    fn apply_exchanges(&self, definitions: &ImportedDefinitions) -> Result<(), ApplyError> {
        for exchange in &definitions.exchanges {
            let object = format!("exchange '{}' in vhost '{}'", exchange.name, exchange.vhost);
            let vhost = self.put_vhost(exchange.vhost.as_bytes(), None);
            let kind = exchange_type(exchange.kind.as_bytes()).map_err(refused(object.clone()))?;
            vhost
                .declare_exchange(ExchangeSpec {
                    name: Name::from(exchange.name.as_str()),
                    kind,
                    durable: exchange.durable,
                    auto_delete: exchange.auto_delete,
                    internal: exchange.internal,
                    arguments: exchange.arguments.clone(),
                })
                .map_err(refused(object))?;
        }
        Ok(())
    }

    fn apply_queues(&self, definitions: &ImportedDefinitions) -> Result<(), ApplyError> {
        let now = crate::time::unix_ms();
        for queue in &definitions.queues {
            let vhost = self.put_vhost(queue.vhost.as_bytes(), None);
            let subject = queue_subject(queue.name.as_bytes(), &vhost.name);
            let settings = QueueArguments::parse(&queue.arguments, &subject, vhost.default_kind)
                .map_err(refused(subject.clone()))?;
            let spec = QueueSpec {
                name: Name::from(queue.name.as_str()),
                durable: queue.durable,
                owner: None,
                auto_delete: queue.auto_delete,
                arguments: queue.arguments.clone(),
                settings,
            };
            vhost
                .declare_queue(self, spec, 0, now)
                .map_err(refused(subject))?;
        }
        Ok(())
    }

    fn apply_bindings(&self, definitions: &ImportedDefinitions) -> Result<(), ApplyError> {
        for binding in &definitions.bindings {
            // Every queue is bound to the default exchange as it is.
            if binding.source.is_empty() {
                continue;
            }
            let name = binding.destination.as_bytes();
            let vhost = self.put_vhost(binding.vhost.as_bytes(), None);
            let object = format!(
                "binding from '{}' to '{}' in vhost '{}'",
                binding.source, binding.destination, binding.vhost
            );
            let destination = match binding.destination_kind {
                DestinationKind::Queue => Destination::queue(name),
                DestinationKind::Exchange => Destination::exchange(name),
            };
            let bound = Binding {
                destination,
                routing_key: Name::from(binding.routing_key.as_str()),
                arguments: binding.arguments.clone(),
            };
            vhost
                .bind(binding.source.as_bytes(), &bound)
                .map_err(refused(object))?;
        }
        Ok(())
    }
}

/// Hashes a password with a fresh salt.
pub fn hash_password(algorithm: HashingAlgorithm, password: &[u8]) -> Result<PasswordHash, String> {
    let salt: [u8; SALT_LEN] = rand::random();
    PasswordHash::make(algorithm, salt, password).map_err(|e| e.to_string())
}

pub(super) fn queue_kind(name: &str) -> Option<QueueKind> {
    match name {
        "classic" => Some(QueueKind::Classic),
        "quorum" => Some(QueueKind::Quorum),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::core::Options;
    use super::*;
    use crate::definitions::import::{Target, parse};

    #[test]
    fn what_has_no_effect_yet_is_kept_and_replaced_by_name() {
        let broker = Broker::new(Options {
            max_message_size: 1 << 20,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: HashingAlgorithm::default(),
            default_kind: QueueKind::Classic,
        });
        for length in [1, 2] {
            let text = format!(
                r#"{{"vhosts":[{{"name":"/"}}],"policies":[{{"vhost":"/","name":"p","pattern":"^q",
                "apply-to":"queues","definition":{{"max-length":{length}}},"priority":0}}]}}"#
            );
            let target = Target::Broker { default_vhost: "/" };
            let warnings = broker
                .apply_definitions(parse(&text, target).unwrap())
                .unwrap();
            assert!(
                warnings.iter().any(|warning| warning.contains("polic")),
                "{warnings:?}"
            );
        }
        let kept = broker.kept.lock();
        assert_eq!(kept.policies.len(), 1);
        assert_eq!(kept.policies[0].definition["max-length"], 2);
    }
}
