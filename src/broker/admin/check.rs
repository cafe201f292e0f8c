//! Whether definitions can be put in as a whole: found out before anything is changed.

use std::collections::{HashMap, HashSet};

use super::error::AdminError;
use super::import::ImportFailure;
use super::parameters::{Parameter, check_global, check_parameter};
use crate::amqp::AmqpError;
use crate::broker::core::Broker;
use crate::broker::declare_exchange::exchange_type;
use crate::broker::declare_queue::{QuorumAsked, check_quorum};
use crate::broker::shared_queue::queue_subject;
use crate::broker::vhost::{predeclared_type, queue_kind};
use crate::definitions::import::{DestinationKind, ImportedBinding, ImportedDefinitions};
use crate::exchange::{ExchangeType, check_arguments, check_binding};
use crate::ids::Name;
use crate::queue::{QueueArguments, QueueKind};

/// Names by virtual host.
type Names<'a> = HashSet<(&'a str, &'a str)>;

/// What there will be.
struct Plan<'a> {
    broker: &'a Broker,
    definitions: &'a ImportedDefinitions,
    vhosts: HashSet<&'a str>,
    /// The types that hosts are given for queues declared without one.
    default_kinds: HashMap<&'a str, QueueKind>,
    users: HashSet<&'a str>,
    queues: Names<'a>,
    /// With the name of the type; of two exchanges with one name the first is declared.
    exchanges: HashMap<(&'a str, &'a str), &'a str>,
}

impl Broker {
    /// Checks definitions against each other and against what is there. Returns what will be left
    /// out.
    pub(super) fn check_definitions(
        &self,
        definitions: &ImportedDefinitions,
    ) -> Result<Vec<String>, ImportFailure> {
        let queues = definitions.queues.iter();
        let kinds = definitions.vhosts.iter().filter_map(|vhost| {
            let kind = queue_kind(vhost.default_queue_type.as_deref()?)?;
            Some((vhost.name.as_str(), kind))
        });
        let exchanges = definitions.exchanges.iter().rev();
        let plan = Plan {
            broker: self,
            definitions,
            vhosts: definitions.vhosts.iter().map(|v| v.name.as_str()).collect(),
            default_kinds: kinds.collect(),
            users: definitions.users.iter().map(|u| u.name.as_str()).collect(),
            queues: queues
                .map(|q| (q.vhost.as_str(), q.name.as_str()))
                .collect(),
            exchanges: exchanges
                .map(|x| ((x.vhost.as_str(), x.name.as_str()), x.kind.as_str()))
                .collect(),
        };
        plan.check_access()?;
        plan.check_parameters()?;
        plan.check_exchanges()?;
        plan.check_queues()?;
        plan.check_queue_limits()?;
        plan.check_bindings()
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

    /// The type of a queue without one, once the file's hosts are as it says.
    fn default_kind(&self, vhost: &str) -> QueueKind {
        let chosen = self.default_kinds.get(vhost).copied();
        chosen.unwrap_or_else(|| match self.broker.vhost(vhost.as_bytes()) {
            Some(host) => host.default_kind(),
            None => self.broker.options.default_kind,
        })
    }

    fn check_queues(&self) -> Result<(), ImportFailure> {
        for row in &self.definitions.queues {
            let subject = queue_subject(row.name.as_bytes(), &Name::from(row.vhost.as_str()));
            self.check_vhost(&subject, &row.vhost)?;
            let refused = |error: AmqpError| ImportFailure::refused(subject.as_str(), error.text);
            let kind = self.default_kind(&row.vhost);
            let settings =
                QueueArguments::parse(&row.arguments, &subject, kind).map_err(refused)?;
            let host = self.broker.vhost(row.vhost.as_bytes());
            let there = host.is_some_and(|host| host.queue(row.name.as_bytes()).is_some());
            // What is there stays as it is.
            if settings.kind == QueueKind::Quorum && !there {
                let asked = QuorumAsked {
                    durable: row.durable,
                    exclusive: false,
                    auto_delete: row.auto_delete,
                    nameless: false,
                };
                check_quorum(&subject, &asked).map_err(refused)?;
            }
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

    /// The type of an exchange, once the file's are declared: what is there stays as it is.
    fn exchange_type(&self, vhost: &str, name: &str) -> Option<ExchangeType> {
        if let Some(host) = self.broker.vhost(vhost.as_bytes())
            && let Some(exchange) = host.exchange(name.as_bytes())
        {
            return Some(exchange.kind);
        }
        predeclared_type(name).or_else(|| {
            let kind = self.exchanges.get(&(vhost, name))?;
            ExchangeType::from_name(kind.as_bytes())
        })
    }

    fn leads_somewhere(&self, row: &ImportedBinding) -> bool {
        let (vhost, name) = (row.vhost.as_str(), row.destination.as_str());
        match row.destination_kind {
            DestinationKind::Exchange => self.exchange_type(vhost, name).is_some(),
            DestinationKind::Queue => {
                let host = self.broker.vhost(vhost.as_bytes());
                self.queues.contains(&(vhost, name))
                    || host.is_some_and(|host| host.queue(name.as_bytes()).is_some())
            }
        }
    }

    /// What an exchange would refuse, and which bindings are left out: RabbitMQ exports those of
    /// exclusive queues without these queues, and leaves them out when it takes the file back.
    fn check_bindings(&self) -> Result<Vec<String>, ImportFailure> {
        let mut loose = Vec::new();
        for row in &self.definitions.bindings {
            let object = format!(
                "binding from '{}' to '{}' in vhost '{}'",
                row.source, row.destination, row.vhost
            );
            self.check_vhost(&object, &row.vhost)?;
            // Every queue is bound to the default exchange as it is.
            if row.source.is_empty() {
                continue;
            }
            match self.exchange_type(&row.vhost, &row.source) {
                Some(kind) if self.leads_somewhere(row) => {
                    check_binding(kind, row.routing_key.as_bytes(), &row.arguments).map_err(
                        |refusal| ImportFailure::refused(object.as_str(), refusal.to_string()),
                    )?;
                }
                _ => loose.push(format!("{object} left out: not both of its ends exist")),
            }
        }
        Ok(loose)
    }
}
