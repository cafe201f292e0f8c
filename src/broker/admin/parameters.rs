//! Parameters of virtual hosts and of the broker.

use std::collections::BTreeMap;

use base64::Engine as _;
use serde_json::Value;

use super::error::{AdminError, Created};
use super::policies::{policy_json, policy_of_json};
use crate::broker::core::Broker;
use crate::definitions::Command;
use crate::definitions::policy::validation_failed;
use crate::definitions::rows::{GlobalParameterRow, ParameterRow};
use crate::ids::Name;

/// The component of operator policies.
pub(in crate::broker) const OPERATOR_POLICY: &str = "operator_policy";
/// The component of the limits of hosts, and the one name it has.
pub(in crate::broker) const VHOST_LIMITS: (&str, &str) = ("vhost-limits", "limits");

/// The parameter of the broker that names it to clients.
pub const GLOBAL_CLUSTER_NAME: &str = "cluster_name";
/// The parameter of the broker that tells it from all others.
pub const GLOBAL_CLUSTER_ID: &str = "internal_cluster_id";

/// The components of hosts' parameters that are an administrator's: they bound what policymakers do.
/// RabbitMQ keeps them to administrators at their own endpoints only.
pub const COMPONENTS_OF_ADMINISTRATORS: [&str; 2] = [OPERATOR_POLICY, VHOST_LIMITS.0];
/// The parameters of the broker that are an administrator's: whom clients believe to talk to.
pub const GLOBALS_OF_ADMINISTRATORS: [&str; 2] = [GLOBAL_CLUSTER_NAME, GLOBAL_CLUSTER_ID];

/// Components of what does not run here. Their parameters are kept for those who do run it.
const KEPT: [&str; 3] = ["shovel", "federation-upstream", "federation-upstream-set"];

/// A parameter of a virtual host.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields of the management API")]
pub struct Parameter {
    pub vhost: String,
    pub component: String,
    pub name: String,
    pub value: Value,
}

/// Every parameter but the operator policies, which their hosts have.
#[derive(Debug, Default)]
pub struct Parameters {
    /// By host, component and name.
    of_vhosts: BTreeMap<(String, String, String), Value>,
    /// By name.
    of_broker: BTreeMap<String, Value>,
}

impl Parameters {
    /// Removes those of a host.
    pub(super) fn remove_vhost(&mut self, vhost: &str) {
        self.of_vhosts.retain(|(host, ..), _| host != vhost);
    }

    /// One of a host.
    pub(super) fn get(&self, vhost: &str, component: &str, name: &str) -> Option<&Value> {
        let key = (vhost.to_owned(), component.to_owned(), name.to_owned());
        self.of_vhosts.get(&key)
    }

    /// Sets one of a host; true when it is new.
    pub(in crate::broker) fn put(&mut self, parameter: Parameter) -> bool {
        let key = (parameter.vhost, parameter.component, parameter.name);
        self.of_vhosts.insert(key, parameter.value).is_none()
    }

    /// Sets one of the broker; true when it is new.
    pub(in crate::broker) fn put_global(&mut self, name: &str, value: Value) -> bool {
        self.of_broker.insert(name.to_owned(), value).is_none()
    }
}

/// What a component takes, or RabbitMQ's refusal.
pub(super) fn check_parameter(parameter: &Parameter) -> Result<(), AdminError> {
    let Parameter {
        component, value, ..
    } = parameter;
    let refused = |why: &str| Err(AdminError::Invalid(validation_failed(why)));
    match component.as_str() {
        "policy" => {
            let text = "policies may not be set using this method";
            Err(AdminError::Invalid(text.to_owned()))
        }
        OPERATOR_POLICY => policy_of_json(&parameter.name, value).map(drop),
        "vhost-limits" => super::limits::check_vhost_limits(value),
        "federation-upstream-set" if !value.is_array() => refused("the value should be a list"),
        "shovel" | "federation-upstream" if !value.is_object() => {
            refused("the value should be an object")
        }
        known if KEPT.contains(&known) => Ok(()),
        unknown => refused(&format!("component {unknown} not found")),
    }
}

/// Says that what a parameter is for does not run here.
pub(super) fn warn_idle(parameter: &Parameter) {
    if KEPT.contains(&parameter.component.as_str()) {
        tracing::warn!(
            "parameter '{}' of component '{}' in virtual host '{}' is kept, but shovels and \
             federation do not run in this broker",
            parameter.name,
            parameter.component,
            parameter.vhost
        );
    }
}

impl Broker {
    /// Every parameter of hosts, operator policies among them, by component, host and name; of one
    /// component and one host, where given.
    pub fn admin_list_parameters(
        &self,
        component: Option<&str>,
        vhost: Option<&str>,
    ) -> Vec<Parameter> {
        let mut found: Vec<Parameter> = {
            let parameters = self.parameters.lock();
            let all = parameters.of_vhosts.iter();
            all.map(|((vhost, component, name), value)| Parameter {
                vhost: vhost.clone(),
                component: component.clone(),
                name: name.clone(),
                value: value.clone(),
            })
            .collect()
        };
        let policies = self.admin_list_policies(true, vhost).into_iter();
        found.extend(policies.map(|policy| Parameter {
            component: OPERATOR_POLICY.to_owned(),
            name: policy.name.clone(),
            value: policy_json(&policy),
            vhost: policy.vhost,
        }));
        found.retain(|parameter| {
            component.is_none_or(|component| parameter.component == component)
                && vhost.is_none_or(|vhost| parameter.vhost == vhost)
        });
        found.sort_by(|a, b| {
            (&a.component, &a.vhost, &a.name).cmp(&(&b.component, &b.vhost, &b.name))
        });
        found
    }

    /// One parameter of a host.
    pub fn admin_get_parameter(
        &self,
        component: &str,
        vhost: &str,
        name: &str,
    ) -> Option<Parameter> {
        let mut all = self
            .admin_list_parameters(Some(component), Some(vhost))
            .into_iter();
        all.find(|parameter| parameter.name == name)
    }

    /// Sets a parameter of a host.
    pub fn admin_put_parameter(&self, parameter: Parameter) -> Result<Created, AdminError> {
        if parameter.component == OPERATOR_POLICY {
            self.admin_vhost(&parameter.vhost)?;
            let policy = policy_of_json(&parameter.name, &parameter.value)?;
            return self.put_policy(true, &parameter.vhost, policy);
        }
        let _hosts_stay = self.vhost_change.lock();
        self.put_parameter(parameter)
    }

    /// Sets a parameter that is no operator policy; the caller holds the lock of changes.
    pub(super) fn put_parameter(&self, parameter: Parameter) -> Result<Created, AdminError> {
        let vhost = self.admin_vhost(&parameter.vhost)?;
        check_parameter(&parameter)?;
        warn_idle(&parameter);
        let mut parameters = self.parameters.lock();
        self.journal.define(Command::PutParameter(ParameterRow {
            vhost: vhost.name.clone(),
            component: parameter.component.clone(),
            name: parameter.name.clone(),
            value: parameter.value.to_string(),
        }));
        if parameter.component == VHOST_LIMITS.0 {
            vhost.limit(&parameter.value);
        }
        Ok(Created(parameters.put(parameter)))
    }

    /// Clears a parameter of a host.
    pub fn admin_delete_parameter(
        &self,
        component: &str,
        vhost: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        if component == OPERATOR_POLICY {
            return self.admin_delete_policy(true, vhost, name);
        }
        let _hosts_stay = self.vhost_change.lock();
        self.delete_parameter(component, vhost, name)
    }

    /// Clears one that is no operator policy; the caller holds the lock of changes.
    pub(super) fn delete_parameter(
        &self,
        component: &str,
        vhost: &str,
        name: &str,
    ) -> Result<(), AdminError> {
        let mut parameters = self.parameters.lock();
        let key = (vhost.to_owned(), component.to_owned(), name.to_owned());
        if parameters.of_vhosts.remove(&key).is_none() {
            return Err(AdminError::NotFound);
        }
        self.journal.define(Command::DeleteParameter {
            vhost: Name::from(vhost),
            component: component.to_owned(),
            name: name.to_owned(),
        });
        if component == VHOST_LIMITS.0
            && let Some(vhost) = self.vhost(vhost.as_bytes())
        {
            vhost.limit(&Value::Null);
        }
        Ok(())
    }

    /// Every parameter of the broker, by name.
    pub fn admin_list_global_parameters(&self) -> Vec<(String, Value)> {
        let parameters = self.parameters.lock();
        let all = parameters.of_broker.iter();
        all.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// One parameter of the broker.
    pub fn admin_get_global_parameter(&self, name: &str) -> Option<Value> {
        self.parameters.lock().of_broker.get(name).cloned()
    }

    /// Sets a parameter of the broker.
    pub fn admin_put_global_parameter(
        &self,
        name: &str,
        value: Value,
    ) -> Result<Created, AdminError> {
        check_global(name, &value)?;
        let mut parameters = self.parameters.lock();
        self.journal
            .define(Command::PutGlobalParameter(GlobalParameterRow {
                name: name.to_owned(),
                value: value.to_string(),
            }));
        Ok(Created(parameters.put_global(name, value)))
    }

    /// Clears a parameter of the broker.
    pub fn admin_delete_global_parameter(&self, name: &str) -> Result<(), AdminError> {
        let mut parameters = self.parameters.lock();
        if parameters.of_broker.remove(name).is_none() {
            return Err(AdminError::NotFound);
        }
        let name = name.to_owned();
        self.journal.define(Command::DeleteGlobalParameter { name });
        Ok(())
    }

    /// The name that clients are told, where one was set.
    pub fn cluster_name(&self) -> Option<String> {
        let value = self.admin_get_global_parameter(GLOBAL_CLUSTER_NAME)?;
        value.as_str().map(str::to_owned)
    }

    /// Gives the broker the number that tells it from all others, unless it has one.
    pub fn ensure_cluster_id(&self) {
        if self.admin_get_global_parameter(GLOBAL_CLUSTER_ID).is_none() {
            let random: [u8; 16] = rand::random();
            let id = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
            let value = Value::from(format!("rabbitmq-cluster-id-{id}"));
            // A text is what is asked for here.
            let _ = self.admin_put_global_parameter(GLOBAL_CLUSTER_ID, value);
        }
    }
}

/// The two that the broker itself reads are texts.
pub(super) fn check_global(name: &str, value: &Value) -> Result<(), AdminError> {
    if [GLOBAL_CLUSTER_NAME, GLOBAL_CLUSTER_ID].contains(&name) && !value.is_string() {
        let text = validation_failed(&format!("{name} should be a string"));
        return Err(AdminError::Invalid(text));
    }
    Ok(())
}
