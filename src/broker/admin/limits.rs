//! Limits of virtual hosts and of users.

use std::sync::atomic::Ordering;

use serde_json::{Map, Value};

use super::error::AdminError;
use super::parameters::{Parameter, VHOST_LIMITS};
use crate::amqp::AmqpError;
use crate::broker::core::Broker;
use crate::broker::events::note_user_limits;
use crate::broker::vhost::Vhost;
use crate::definitions::policy::{term, validation_failed};
use crate::ids::Name;

/// The limits of a host: `max-connections` and `max-queues`, those that are set; below 0 is none.
#[derive(Debug, Clone, PartialEq)]
pub struct VhostLimits {
    /// The host.
    pub vhost: String,
    /// By name.
    pub value: Map<String, Value>,
}

const OF_VHOSTS: [&str; 2] = ["max-connections", "max-queues"];
const OF_USERS: [&str; 2] = ["max-connections", "max-channels"];

/// Names and numbers, or RabbitMQ's refusal; `whose` as its text has it.
fn check(limits: &Map<String, Value>, names: [&str; 2], whose: &str) -> Result<(), String> {
    let unknown = limits
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    let unknown: Vec<String> = unknown
        .map(|(name, value)| format!("{{<<\"{name}\">>,{}}}", term(value)))
        .collect();
    if !unknown.is_empty() {
        let list = unknown.join(",");
        return Err(format!("Unrecognised terms [{list}] in {whose}"));
    }
    match limits.iter().find(|(_, value)| value.as_i64().is_none()) {
        Some((name, value)) => {
            let found = term(value);
            Err(format!("{name} should be a number, actually was {found}"))
        }
        None => Ok(()),
    }
}

/// Checks the value of a `vhost-limits` parameter.
pub(super) fn check_vhost_limits(value: &Value) -> Result<(), AdminError> {
    let outcome = match value {
        Value::Object(limits) => check(limits, OF_VHOSTS, "limits"),
        other => Err(format!(
            "limits should be an object but was {}",
            term(other)
        )),
    };
    outcome.map_err(|why| AdminError::Invalid(validation_failed(&why)))
}

/// What a limit allows; below 0 and absent are none.
fn most(limits: &Value, name: &str) -> u64 {
    let limit = limits.get(name).and_then(Value::as_i64);
    limit.map_or(u64::MAX, |limit| u64::try_from(limit).unwrap_or(u64::MAX))
}

impl Vhost {
    /// Puts the value of the host's limits into force; null has none. What is open stays open.
    pub(in crate::broker) fn limit(&self, limits: &Value) {
        let [connections, queues] = OF_VHOSTS;
        self.connections_max
            .store(most(limits, connections), Ordering::Release);
        self.queues_max
            .store(most(limits, queues), Ordering::Release);
    }

    /// Most connections to this host.
    pub fn connections_max(&self) -> Option<u64> {
        let max = self.connections_max.load(Ordering::Acquire);
        (max < u64::MAX).then_some(max)
    }

    /// Most queues.
    pub fn queues_max(&self) -> Option<u64> {
        let max = self.queues_max.load(Ordering::Acquire);
        (max < u64::MAX).then_some(max)
    }

    /// How many queues there are.
    pub fn queue_count(&self) -> usize {
        self.queues.read().len()
    }

    /// RabbitMQ's refusal of one queue more.
    pub(in crate::broker) fn check_queue_limit(&self, name: &Name) -> Result<(), AmqpError> {
        if let Some(max) = self.queues_max()
            && self.queue_count() as u64 >= max
        {
            return Err(AmqpError::precondition_failed(format!(
                "cannot declare queue '{name}': queue limit in vhost '{}' ({max}) is reached",
                self.name
            )));
        }
        Ok(())
    }
}

impl Broker {
    /// The limits of the hosts that have some, or of one host.
    pub fn admin_list_vhost_limits(&self, vhost: Option<&str>) -> Vec<VhostLimits> {
        let (component, _) = VHOST_LIMITS;
        let found = self
            .admin_list_parameters(Some(component), vhost)
            .into_iter();
        found
            .filter_map(|parameter| match parameter.value {
                Value::Object(value) if !value.is_empty() => Some(VhostLimits {
                    vhost: parameter.vhost,
                    value,
                }),
                _ => None,
            })
            .collect()
    }

    /// Sets one limit of a host; a number below 0 is none.
    pub fn admin_put_vhost_limit(
        &self,
        vhost: &str,
        name: &str,
        limit: &Value,
    ) -> Result<(), AdminError> {
        let _one_at_a_time = self.vhost_change.lock();
        let mut value = self.limits_of(vhost)?;
        value.insert(name.to_owned(), limit.clone());
        self.put_limits_of(vhost, value)
    }

    /// Replaces the limits of a host. The caller holds the lock of changes, and has held it since it
    /// read what was there.
    fn put_limits_of(&self, vhost: &str, value: Map<String, Value>) -> Result<(), AdminError> {
        let (component, name) = VHOST_LIMITS;
        let parameter = Parameter {
            vhost: vhost.to_owned(),
            component: component.to_owned(),
            name: name.to_owned(),
            value: Value::Object(value),
        };
        self.put_parameter(parameter).map(drop)
    }

    /// Clears one limit of a host, or all; succeeds when there is none.
    pub fn admin_delete_vhost_limit(
        &self,
        vhost: &str,
        limit: Option<&str>,
    ) -> Result<(), AdminError> {
        let _one_at_a_time = self.vhost_change.lock();
        let mut value = self.limits_of(vhost)?;
        match limit {
            Some(limit) => drop(value.remove(limit)),
            None => value.clear(),
        }
        if !value.is_empty() {
            return self.put_limits_of(vhost, value);
        }
        let (component, name) = VHOST_LIMITS;
        match self.delete_parameter(component, vhost, name) {
            Err(AdminError::NotFound) => Ok(()),
            outcome => outcome,
        }
    }

    fn limits_of(&self, vhost: &str) -> Result<Map<String, Value>, AdminError> {
        self.admin_vhost(vhost)?;
        let (component, name) = VHOST_LIMITS;
        let parameters = self.parameters.lock();
        Ok(match parameters.get(vhost, component, name) {
            Some(Value::Object(limits)) => limits.clone(),
            _ => Map::new(),
        })
    }

    /// Sets limits of a user, those that are named; a number below 0 is none.
    pub fn admin_set_user_limits(
        &self,
        user: &str,
        limits: &Map<String, Value>,
    ) -> Result<(), AdminError> {
        check(limits, OF_USERS, "user-limits").map_err(AdminError::Invalid)?;
        self.change_user_limits(user, |name| limits.get(name).map(|limit| limit.as_i64()))
    }

    /// Clears one limit of a user, or all; succeeds when there is none.
    pub fn admin_delete_user_limit(
        &self,
        user: &str,
        limit: Option<&str>,
    ) -> Result<(), AdminError> {
        self.change_user_limits(user, |name| {
            limit.is_none_or(|limit| limit == name).then_some(None)
        })
    }

    /// Asks for each limit what it is to be; `None` leaves it.
    fn change_user_limits(
        &self,
        name: &str,
        new: impl Fn(&str) -> Option<Option<i64>>,
    ) -> Result<(), AdminError> {
        let found = self.users.change(|tables| {
            let user = tables.user(name).cloned()?;
            let mut limits = tables.limits(name);
            for limit in OF_USERS {
                if let (Some(place), Some(value)) = (limits.place(limit), new(limit)) {
                    *place = value;
                }
            }
            note_user_limits(self.events(), name, &limits.named());
            self.define_user(&user, limits);
            tables.put_limits(name, limits);
            Some(())
        });
        found.ok_or_else(|| AdminError::Invalid(format!("no_such_user: {name}")))
    }
}
