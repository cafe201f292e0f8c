//! What of the broker's changes goes to the event log.
//!
//! Definitions other than queues, exchanges and bindings, which tell of themselves, are noted
//! where they are recorded: but for users and virtual hosts, since the command does not say whether
//! they were there.

use serde_json::Value;

use super::admin::parameters::{OPERATOR_POLICY, VHOST_LIMITS};
use crate::auth::User;
use crate::definitions::Command;
use crate::definitions::rows::ParameterRow;
use crate::ids::Name;
use crate::logs::events::EventLog;

/// A name as an event's field.
pub(super) fn shown(name: &Name) -> Value {
    name.to_string().into()
}

/// Notes a change of the definitions.
pub(super) fn note(events: &EventLog, command: &Command) {
    match command {
        Command::DeleteVhost { name } => events.emit("vhost.deleted", [("name", shown(name))]),
        Command::DeleteUser { name } => {
            events.emit("user.deleted", [("name", name.clone().into())]);
        }
        Command::SetPermission(row) => events.emit(
            "permission.created",
            [
                ("user", row.user.clone().into()),
                ("vhost", shown(&row.vhost)),
                ("configure", row.configure.clone().into()),
                ("write", row.write.clone().into()),
                ("read", row.read.clone().into()),
            ],
        ),
        Command::ClearPermission { vhost, user } => events.emit(
            "permission.deleted",
            [("user", user.clone().into()), ("vhost", shown(vhost))],
        ),
        Command::SetTopicPermission(row) => events.emit(
            "topic.permission.created",
            [
                ("user", row.user.clone().into()),
                ("vhost", shown(&row.vhost)),
                ("exchange", shown(&row.exchange)),
                ("write", row.write.clone().into()),
                ("read", row.read.clone().into()),
            ],
        ),
        Command::ClearTopicPermission { vhost, user, .. } => events.emit(
            "topic.permission.deleted",
            [("user", user.clone().into()), ("vhost", shown(vhost))],
        ),
        Command::PutParameter(row) => put_parameter(events, row),
        Command::DeleteParameter {
            vhost,
            component,
            name,
        } => clear_parameter(events, vhost, component, name),
        Command::PutGlobalParameter(row) => events.emit(
            "parameter.set",
            [
                ("component", "global".into()),
                ("name", row.name.clone().into()),
                ("value", parsed(&row.value)),
            ],
        ),
        Command::DeleteGlobalParameter { name } => events.emit(
            "parameter.cleared",
            [
                ("component", "global".into()),
                ("name", name.clone().into()),
            ],
        ),
        Command::PutPolicy(row) => events.emit(
            "policy.set",
            [
                ("name", row.name.clone().into()),
                ("vhost", shown(&row.vhost)),
                ("pattern", row.pattern.clone().into()),
                ("definition", parsed(&row.definition)),
                ("priority", row.priority.into()),
                ("apply-to", row.apply_to.clone().into()),
            ],
        ),
        Command::DeletePolicy { vhost, name } => events.emit(
            "policy.cleared",
            [("name", name.clone().into()), ("vhost", shown(vhost))],
        ),
        Command::Batch(commands) => commands.iter().for_each(|command| note(events, command)),
        _ => {}
    }
}

/// A value of the definitions, which are JSON.
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// Operator policies and limits of hosts are parameters and have events of their own besides.
fn put_parameter(events: &EventLog, row: &ParameterRow) {
    let value = parsed(&row.value);
    let (name, vhost) = (|| row.name.clone().into(), || shown(&row.vhost));
    events.emit(
        "parameter.set",
        [
            ("component", row.component.clone().into()),
            ("name", name()),
            ("vhost", vhost()),
            ("value", value.clone()),
        ],
    );
    match row.component.as_str() {
        OPERATOR_POLICY => {
            let part = |key: &str| value.get(key).cloned().unwrap_or_default();
            events.emit(
                "policy.set",
                [
                    ("name", name()),
                    ("vhost", vhost()),
                    ("pattern", part("pattern")),
                    ("definition", part("definition")),
                    ("priority", part("priority")),
                    ("apply-to", part("apply-to")),
                ],
            );
        }
        component if component == VHOST_LIMITS.0 => {
            let limit = |key: &str| value.get(key).cloned().unwrap_or_default();
            events.emit(
                "vhost.limits.set",
                [
                    ("name", name()),
                    ("vhost", vhost()),
                    ("max-connections", limit("max-connections")),
                    ("max-queues", limit("max-queues")),
                ],
            );
        }
        _ => {}
    }
}

fn clear_parameter(events: &EventLog, vhost: &Name, component: &str, name: &str) {
    let told = || [("name", Value::from(name)), ("vhost", shown(vhost))];
    events.emit(
        "parameter.cleared",
        [
            ("component", component.into()),
            ("name", name.into()),
            ("vhost", shown(vhost)),
        ],
    );
    match component {
        OPERATOR_POLICY => events.emit("operator.policy.cleared", told()),
        component if component == VHOST_LIMITS.0 => events.emit("vhost.limits.cleared", told()),
        _ => {}
    }
}

/// Notes the limits that a user has now.
pub(super) fn note_user_limits(events: &EventLog, name: &str, limits: &[(String, i64)]) {
    let told = || ("username", Value::from(name));
    if limits.is_empty() {
        events.emit("user.limits.cleared", [told()]);
        return;
    }
    let limits: serde_json::Map<String, Value> = limits
        .iter()
        .map(|(name, limit)| (name.clone(), (*limit).into()))
        .collect();
    events.emit("user.limits.set", [told(), ("limits", limits.into())]);
}

/// Notes what became of a user.
pub(super) fn note_user(events: &EventLog, old: Option<&User>, new: &User) {
    let name = || ("name", Value::from(new.name.as_str()));
    match old {
        None => events.emit("user.created", [name()]),
        Some(old) if old.password == new.password => {}
        Some(_) if new.password.is_none() => events.emit("user.password.cleared", [name()]),
        Some(_) => events.emit("user.password.changed", [name()]),
    }
    if old.is_none_or(|old| old.tags != new.tags) {
        events.emit("user.tags.set", [name(), ("tags", new.tags.clone().into())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_told_one_by_one() {
        let events = EventLog::default();
        let gone = |name: &str| Command::DeleteUser { name: name.into() };
        note(&events, &Command::Batch(vec![gone("a"), gone("b")]));
        let host = Name::from("v");
        note(&events, &Command::DeleteVhost { name: host });
        let seen = events.since(0).entries;
        let told: Vec<(&str, &str)> = seen
            .iter()
            .map(|event| (event.name, event.fields[0].1.as_str().unwrap()))
            .collect();
        let expected = [
            ("user.deleted", "a"),
            ("user.deleted", "b"),
            ("vhost.deleted", "v"),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn operator_policies_are_policies_and_parameters() {
        let events = EventLog::default();
        let row = ParameterRow {
            vhost: Name::from("v"),
            component: OPERATOR_POLICY.to_owned(),
            name: "p".into(),
            value:
                r#"{"pattern":"^q","definition":{"max-length":1},"priority":3,"apply-to":"all"}"#
                    .into(),
        };
        note(&events, &Command::PutParameter(row));
        let cleared = Command::DeleteParameter {
            vhost: Name::from("v"),
            component: OPERATOR_POLICY.to_owned(),
            name: "p".into(),
        };
        note(&events, &cleared);
        let seen = events.since(0).entries;
        let names: Vec<&str> = seen.iter().map(|event| event.name).collect();
        let expected = [
            "parameter.set",
            "policy.set",
            "parameter.cleared",
            "operator.policy.cleared",
        ];
        assert_eq!(names, expected);
        let policy = seen[1].json();
        assert_eq!(policy["definition"]["max-length"], 1);
        assert_eq!(policy["apply-to"], "all");
    }

    #[test]
    fn of_a_user_is_told_what_changed() {
        let events = EventLog::default();
        let user = |password: Option<&[u8]>, tags: &[&str]| User {
            name: "u".into(),
            password: password
                .map(|text| super::super::admin::hash_password(Default::default(), text).unwrap()),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        };
        let first = user(Some(b"a"), &[]);
        let tagged = User {
            tags: vec!["management".into()],
            ..first.clone()
        };
        note_user(&events, None, &first);
        note_user(&events, Some(&first), &first);
        note_user(&events, Some(&first), &tagged);
        note_user(&events, Some(&tagged), &user(Some(b"b"), &["management"]));
        note_user(&events, Some(&tagged), &user(None, &["management"]));
        let seen = events.since(0).entries;
        let names: Vec<&str> = seen.iter().map(|event| event.name).collect();
        let expected = [
            "user.created",
            "user.tags.set",
            "user.tags.set",
            "user.password.changed",
            "user.password.cleared",
        ];
        assert_eq!(names, expected);
    }
}
