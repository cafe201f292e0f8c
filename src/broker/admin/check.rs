//! Whether definitions can be put in as a whole: found out before anything is changed.

use std::collections::{HashMap, HashSet};

use super::error::AdminError;
use super::import::ImportFailure;
use super::parameters::{Parameter, check_global, check_parameter};
use crate::broker::core::Broker;
use crate::broker::declare_exchange::exchange_type;
use crate::broker::shared_queue::queue_subject;
use crate::definitions::import::{DestinationKind, ImportedDefinitions};
use crate::exchange::check_arguments;
use crate::ids::Name;
use crate::queue::QueueArguments;

/// Names by virtual host.
type Names<'a> = HashSet<(&'a str, &'a str)>;

/// What there will be.
struct Plan<'a> {
    broker: &'a Broker,
    definitions: &'a ImportedDefinitions,
    vhosts: HashSet<&'a str>,
    users: HashSet<&'a str>,
    queues: Names<'a>,
    exchanges: Names<'a>,
}

impl Broker {
    /// Checks definitions against each other and against what is there. Returns what will be left
    /// out.
    pub(super) fn check_definitions(
        &self,
        definitions: &ImportedDefinitions,
    ) -> Result<Vec<String>, ImportFailure> {
        let queues = definitions.queues.iter();
        let exchanges = definitions.exchanges.iter();
        let plan = Plan {
            broker: self,
            definitions,
            vhosts: definitions.vhosts.iter().map(|v| v.name.as_str()).collect(),
            users: definitions.users.iter().map(|u| u.name.as_str()).collect(),
            queues: queues
                .map(|q| (q.vhost.as_str(), q.name.as_str()))
                .collect(),
            exchanges: exchanges
                .map(|x| (x.vhost.as_str(), x.name.as_str()))
                .collect(),
        };
        plan.check_access()?;
        plan.check_parameters()?;
        plan.check_exchanges()?;
        plan.check_queues()?;
        plan.check_queue_limits()?;
        plan.find_loose_bindings()
    }
}

fn refused(object: &str) -> impl Fn(AdminError) -> ImportFailure {
    move |error| ImportFailure::refused(object, error.to_string())
}

impl Plan<'_> {
    fn check_vhost(&self, object: &str, name: &str) -> Result<(), ImportFailure> {
        if self.vhosts.contains(name) || self.broker.vhost(name.as_bytes()).is_some() {
            return Ok(());
        }
        let reason = format!("there is no virtual host '{name}' (no_such_vhost)");
        Err(ImportFailure::refused(object, reason))
    }

    fn check_user(&self, object: &str, name: &str) -> Result<(), ImportFailure> {
        if self.users.contains(name) || self.broker.users.tables().user(name).is_some() {
            return Ok(());
        }
        let reason = format!("there is no user '{name}' (no_such_user)");
        Err(ImportFailure::refused(object, reason))
    }

    fn check_access(&self) -> Result<(), ImportFailure> {
        for row in &self.definitions.permissions {
            let object = format!("permissions of '{}' in vhost '{}'", row.user, row.vhost);
            self.check_user(&object, &row.user)?;
            self.check_vhost(&object, &row.vhost)?;
        }
        for row in &self.definitions.topic_permissions {
            let object = format!(
                "topic permissions of '{}' in vhost '{}'",
                row.user, row.vhost
            );
            self.check_user(&object, &row.user)?;
            self.check_vhost(&object, &row.vhost)?;
        }
        Ok(())
    }

    fn check_parameters(&self) -> Result<(), ImportFailure> {
        for row in &self.definitions.parameters {
            let (component, name, vhost) = (&row.component, &row.name, &row.vhost);
            let object = format!("parameter '{component}/{name}' in vhost '{vhost}'");
            self.check_vhost(&object, vhost)?;
            let parameter = Parameter {
                vhost: vhost.clone(),
                component: component.clone(),
                name: name.clone(),
                value: row.value.clone(),
            };
            check_parameter(&parameter).map_err(refused(&object))?;
        }
        for row in &self.definitions.global_parameters {
            let object = format!("global parameter '{}'", row.name);
            check_global(&row.name, &row.value).map_err(refused(&object))?;
        }
        for row in &self.definitions.policies {
            let object = format!("policy '{}' in vhost '{}'", row.name, row.vhost);
            self.check_vhost(&object, &row.vhost)?;
        }
        Ok(())
    }

    fn check_exchanges(&self) -> Result<(), ImportFailure> {
        for row in &self.definitions.exchanges {
            let object = format!("exchange '{}' in vhost '{}'", row.name, row.vhost);
            self.check_vhost(&object, &row.vhost)?;
            let kind = exchange_type(row.kind.as_bytes())
                .map_err(|error| ImportFailure::refused(&*object, error.text))?;
            check_arguments(kind, &row.arguments).map_err(|refusal| {
                let text = refusal.text(row.name.as_bytes(), row.vhost.as_bytes());
                ImportFailure::refused(&*object, text)
            })?;
        }
        Ok(())
    }

    fn check_queues(&self) -> Result<(), ImportFailure> {
        for row in &self.definitions.queues {
            let subject = queue_subject(row.name.as_bytes(), &Name::from(row.vhost.as_str()));
            self.check_vhost(&subject, &row.vhost)?;
            let host = self.broker.vhost(row.vhost.as_bytes());
            let kind = match host {
                Some(host) => host.default_kind(),
                None => self.broker.options.default_kind,
            };
            QueueArguments::parse(&row.arguments, &subject, kind)
                .map_err(|error| ImportFailure::refused(&*subject, error.text))?;
        }
        Ok(())
    }

    /// RabbitMQ's refusal of a file with more queues than a host may have.
    fn check_queue_limits(&self) -> Result<(), ImportFailure> {
        let mut new: HashMap<&str, usize> = HashMap::new();
        for (vhost, name) in &self.queues {
            let host = self.broker.vhost(vhost.as_bytes());
            if host.is_none_or(|host| host.queue(name.as_bytes()).is_none()) {
                *new.entry(vhost).or_default() += 1;
            }
        }
        for (vhost, count) in new {
            let Some(host) = self.broker.vhost(vhost.as_bytes()) else {
                continue;
            };
            let there = host.queue_count();
            if let Some(max) = host.queues_max()
                && (there + count) as u64 > max
            {
                let reason = format!(
                    "Adding {count} queue(s) to virtual host \"{vhost}\" would exceed the limit of \
                     {max} queue(s).\n\nThis virtual host currently has {there} queue(s) \
                     defined.\n\nImport aborted!"
                );
                return Err(ImportFailure::refused(format!("vhost '{vhost}'"), reason));
            }
        }
        Ok(())
    }

    /// RabbitMQ exports bindings of exclusive queues without these queues, and leaves such bindings out
    /// when it takes the file back.
    fn find_loose_bindings(&self) -> Result<Vec<String>, ImportFailure> {
        let mut loose = Vec::new();
        for row in &self.definitions.bindings {
            let object = format!(
                "binding from '{}' to '{}' in vhost '{}'",
                row.source, row.destination, row.vhost
            );
            self.check_vhost(&object, &row.vhost)?;
            let host = self.broker.vhost(row.vhost.as_bytes());
            let exchange = |name: &str| {
                let known = |host: &std::sync::Arc<crate::broker::Vhost>| {
                    host.exchange(name.as_bytes()).is_some()
                };
                self.exchanges.contains(&(row.vhost.as_str(), name))
                    || name.starts_with("amq.")
                    || host.as_ref().is_some_and(known)
            };
            let there = match row.destination_kind {
                DestinationKind::Exchange => exchange(&row.destination),
                DestinationKind::Queue => {
                    let key = (row.vhost.as_str(), row.destination.as_str());
                    let name = row.destination.as_bytes();
                    self.queues.contains(&key)
                        || host.as_ref().is_some_and(|host| host.queue(name).is_some())
                }
            };
            if !row.source.is_empty() && (!there || !exchange(&row.source)) {
                loose.push(format!("{object} left out: not both of its ends exist"));
            }
        }
        Ok(loose)
    }
}
