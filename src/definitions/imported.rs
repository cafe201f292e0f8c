//! Rows of what a definitions file holds, and back.
//!
//! Users, queues and the like are not here: a password in the clear has yet to be hashed, and
//! whether a queue is new, and its id, is for the broker, which declares what a file names as a
//! client's declaration would.

use super::import::{
    ImportedGlobalParameter, ImportedParameter, ImportedPermission, ImportedPolicy,
    ImportedTopicPermission, ImportedVhost,
};
use super::rows::{
    GlobalParameterRow, ParameterRow, PermissionRow, PolicyRow, TopicPermissionRow, VhostRow,
};
use crate::ids::Name;

impl From<&ImportedVhost> for VhostRow {
    /// What the file does not say is empty.
    fn from(vhost: &ImportedVhost) -> Self {
        Self {
            name: Name::from(vhost.name.as_str()),
            description: vhost.description.clone().unwrap_or_default(),
            tags: vhost.tags.clone().unwrap_or_default(),
            default_queue_type: vhost.default_queue_type.clone(),
            protected: vhost.protected.unwrap_or(false),
        }
    }
}

impl From<&ImportedPermission> for PermissionRow {
    fn from(row: &ImportedPermission) -> Self {
        Self {
            vhost: Name::from(row.vhost.as_str()),
            user: row.user.clone(),
            configure: row.permissions.configure.as_str().to_owned(),
            write: row.permissions.write.as_str().to_owned(),
            read: row.permissions.read.as_str().to_owned(),
        }
    }
}

impl From<&ImportedTopicPermission> for TopicPermissionRow {
    fn from(row: &ImportedTopicPermission) -> Self {
        Self {
            vhost: Name::from(row.vhost.as_str()),
            user: row.user.clone(),
            exchange: Name::from(row.permission.exchange.as_str()),
            write: row.permission.write.as_str().to_owned(),
            read: row.permission.read.as_str().to_owned(),
        }
    }
}

impl From<&ImportedParameter> for ParameterRow {
    fn from(parameter: &ImportedParameter) -> Self {
        Self {
            vhost: Name::from(parameter.vhost.as_str()),
            component: parameter.component.clone(),
            name: parameter.name.clone(),
            value: parameter.value.to_string(),
        }
    }
}

impl From<&ImportedGlobalParameter> for GlobalParameterRow {
    fn from(parameter: &ImportedGlobalParameter) -> Self {
        Self {
            name: parameter.name.clone(),
            value: parameter.value.to_string(),
        }
    }
}

impl From<&ImportedPolicy> for PolicyRow {
    fn from(policy: &ImportedPolicy) -> Self {
        Self {
            vhost: Name::from(policy.vhost.as_str()),
            name: policy.name.clone(),
            pattern: policy.pattern.clone(),
            apply_to: policy.apply_to.clone(),
            definition: serde_json::Value::Object(policy.definition.clone()).to_string(),
            priority: policy.priority,
        }
    }
}

impl TryFrom<&ParameterRow> for ImportedParameter {
    type Error = serde_json::Error;

    fn try_from(row: &ParameterRow) -> Result<Self, Self::Error> {
        Ok(Self {
            vhost: row.vhost.to_string(),
            component: row.component.clone(),
            name: row.name.clone(),
            value: serde_json::from_str(&row.value)?,
        })
    }
}

impl TryFrom<&GlobalParameterRow> for ImportedGlobalParameter {
    type Error = serde_json::Error;

    fn try_from(row: &GlobalParameterRow) -> Result<Self, Self::Error> {
        Ok(Self {
            name: row.name.clone(),
            value: serde_json::from_str(&row.value)?,
        })
    }
}

impl TryFrom<&PolicyRow> for ImportedPolicy {
    type Error = serde_json::Error;

    fn try_from(row: &PolicyRow) -> Result<Self, Self::Error> {
        Ok(Self {
            vhost: row.vhost.to_string(),
            name: row.name.clone(),
            pattern: row.pattern.clone(),
            apply_to: row.apply_to.clone(),
            definition: serde_json::from_str(&row.definition)?,
            priority: row.priority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::definitions::import::{Target, parse};

    #[test]
    fn an_export_goes_there_and_back() {
        let text = include_str!("testdata/rabbitmq-3.10.8-broker.json");
        let read = parse(text, Target::Broker { default_vhost: "/" }).unwrap();
        assert!(!read.policies.is_empty() && !read.global_parameters.is_empty());
        for policy in &read.policies {
            let row = PolicyRow::from(policy);
            assert_eq!(ImportedPolicy::try_from(&row).unwrap(), *policy);
        }
        for parameter in &read.parameters {
            let row = ParameterRow::from(parameter);
            assert_eq!(ImportedParameter::try_from(&row).unwrap(), *parameter);
        }
        for parameter in &read.global_parameters {
            let row = GlobalParameterRow::from(parameter);
            assert_eq!(ImportedGlobalParameter::try_from(&row).unwrap(), *parameter);
        }
        let row = PermissionRow::from(&read.permissions[0]);
        assert_eq!(row.user, read.permissions[0].user);
        assert_eq!(VhostRow::from(&read.vhosts[0]).default_queue_type, None);
    }
}
