//! Policies and operator policies, and their coming into force.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::error::{AdminError, Created};
use super::parameters::OPERATOR_POLICY;
use crate::broker::core::Broker;
use crate::broker::declare_exchange::follow_policies;
use crate::broker::vhost::Vhost;
use crate::definitions::Command;
use crate::definitions::policy::{Author, Policy, PolicySet, term, validation_failed};
use crate::definitions::rows::{ParameterRow, PolicyRow};

/// A policy as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyView {
    /// Its virtual host.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// Which names it is for.
    pub pattern: String,
    /// Which kind of object, by its word in definitions.
    pub apply_to: &'static str,
    /// Its keys.
    pub definition: Map<String, Value>,
    /// The highest of those that match wins.
    pub priority: i64,
}

fn view(vhost: &Vhost, policy: &Policy) -> PolicyView {
    PolicyView {
        vhost: vhost.name.to_string(),
        name: policy.name.clone(),
        pattern: policy.pattern.as_str().to_owned(),
        apply_to: policy.apply_to.name(),
        definition: policy.definition.clone(),
        priority: policy.priority,
    }
}

/// A policy as the value of an `operator_policy` parameter.
pub(super) fn policy_json(policy: &PolicyView) -> Value {
    json!({
        "pattern": policy.pattern,
        "definition": policy.definition,
        "priority": policy.priority,
        "apply-to": policy.apply_to,
    })
}

/// The operator policy that such a value makes.
pub(in crate::broker) fn policy_of_json(name: &str, value: &Value) -> Result<Policy, AdminError> {
    let refused = |why: String| AdminError::Invalid(validation_failed(&why));
    let text = |key: &str| match value.get(key) {
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(other) => {
            let found = term(other);
            Err(refused(format!("{key} should be a binary but was {found}")))
        }
        None => Err(refused(format!("Key \"{key}\" not found in {name}"))),
    };
    let pattern = text("pattern")?;
    let apply_to = match value.get("apply-to") {
        Some(_) => text("apply-to")?,
        None => "all",
    };
    let priority = match value.get("priority") {
        None => 0,
        Some(number) => number.as_i64().ok_or_else(|| {
            let found = term(number);
            refused(format!("priority should be a number, actually was {found}"))
        })?,
    };
    let none = Map::new();
    let definition = match value.get("definition") {
        Some(Value::Object(keys)) => keys,
        Some(other) => {
            let found = term(other);
            return Err(refused(format!(
                "definition should be an object but was {found}"
            )));
        }
        None => &none,
    };
    Policy::new(
        Author::Operator,
        name,
        pattern,
        apply_to,
        definition,
        priority,
    )
    .map_err(AdminError::Invalid)
}

/// The change of the definitions that a new policy is.
pub(super) fn put_command(operator: bool, vhost: &Vhost, policy: &Policy) -> Command {
    let view = view(vhost, policy);
    if operator {
        return Command::PutParameter(ParameterRow {
            vhost: vhost.name.clone(),
            component: OPERATOR_POLICY.to_owned(),
            value: policy_json(&view).to_string(),
            name: view.name,
        });
    }
    Command::PutPolicy(PolicyRow {
        vhost: vhost.name.clone(),
        name: view.name,
        pattern: view.pattern,
        apply_to: view.apply_to.to_owned(),
        definition: Value::Object(view.definition).to_string(),
        priority: view.priority,
    })
}

impl Broker {
    /// The policies or operator policies of a host, or of all, by host and in the order in which they
    /// are tried.
    pub fn admin_list_policies(&self, operator: bool, vhost: Option<&str>) -> Vec<PolicyView> {
        let hosts = self.vhosts().into_iter();
        let hosts =
            hosts.filter(|host| vhost.is_none_or(|name| host.name.as_bytes() == name.as_bytes()));
        hosts
            .flat_map(|host| {
                let set = host.policies();
                let policies = set.list(operator).iter();
                policies
                    .map(|policy| view(&host, policy))
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// One policy or operator policy.
    pub fn admin_get_policy(&self, operator: bool, vhost: &str, name: &str) -> Option<PolicyView> {
        let host = self.vhost(vhost.as_bytes())?;
        let set = host.policies();
        set.get(operator, name).map(|policy| view(&host, policy))
    }

    /// Adds or replaces a policy or operator policy and puts it into force on what is there. That may
    /// take a while where there is much: not to be called where nothing may wait.
    #[expect(
        clippy::too_many_arguments,
        reason = "the fields of the management API"
    )]
    pub fn admin_put_policy(
        &self,
        operator: bool,
        vhost: &str,
        name: &str,
        pattern: &str,
        apply_to: &str,
        definition: &Map<String, Value>,
        priority: i64,
    ) -> Result<Created, AdminError> {
        self.admin_vhost(vhost)?;
        let author = if operator {
            Author::Operator
        } else {
            Author::User
        };
        let policy = Policy::new(author, name, pattern, apply_to, definition, priority)
            .map_err(AdminError::Invalid)?;
        self.put_policy(operator, vhost, policy)
    }

    pub(super) fn put_policy(
        &self,
        operator: bool,
        vhost: &str,
        policy: Policy,
    ) -> Result<Created, AdminError> {
        let host = self.admin_vhost(vhost)?;
        let (name, kind) = (policy.name.clone(), policy.apply_to.name());
        let pattern = policy.pattern.as_str().to_owned();
        let created = self.change_policies(&host, |set| {
            self.journal.define(put_command(operator, &host, &policy));
            set.put(operator, policy)
        })?;
        let what = if operator {
            "operator policy"
        } else {
            "policy"
        };
        tracing::info!(
            "Successfully set {what} '{name}' matching {kind} names in virtual host '{vhost}' using \
             pattern '{pattern}'"
        );
        Ok(Created(created))
    }

    /// Deletes a policy or operator policy; what was under it changes at once.
    pub fn admin_delete_policy(
        &self,
        operator: bool,
        vhost: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        let host = self.vhost(vhost.as_bytes()).ok_or(AdminError::NotFound)?;
        if host.policies().get(operator, name).is_none() {
            return Err(AdminError::NotFound);
        }
        let found = self.change_policies(&host, |set| {
            let found = set.remove(operator, name);
            if found {
                let (vhost, name) = (host.name.clone(), name.to_owned());
                self.journal.define(if operator {
                    Command::DeleteParameter {
                        vhost,
                        component: OPERATOR_POLICY.to_owned(),
                        name,
                    }
                } else {
                    Command::DeletePolicy { vhost, name }
                });
            }
            found
        })?;
        if found {
            Ok(())
        } else {
            Err(AdminError::NotFound)
        }
    }

    /// Changes the policies of a host and puts them into force: on exchanges at once, on queues one
    /// after the other. A queue that is declared meanwhile is under the new ones.
    pub(super) fn change_policies<R>(
        &self,
        vhost: &Arc<Vhost>,
        change: impl FnOnce(&mut PolicySet) -> R,
    ) -> Result<R, AdminError> {
        let _one_at_a_time = vhost.policy_change.lock();
        let mut set = PolicySet::clone(&vhost.policies.load());
        let outcome = {
            let mut topology = vhost.topology.lock();
            if topology.deleted {
                return Err(AdminError::NoVhost);
            }
            let outcome = change(&mut set);
            vhost.policies.store(Arc::new(set.clone()));
            for exchange in vhost.all_exchanges() {
                follow_policies(&mut topology, &set, &exchange);
            }
            outcome
        };
        let now = crate::time::unix_ms();
        for queue in vhost.all_queues() {
            queue.follow_policies(self, &set, now);
        }
        Ok(outcome)
    }
}
