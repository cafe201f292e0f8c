//! What of the broker's changes goes to the event log.
//!
//! Definitions other than queues, exchanges and bindings, which tell of themselves, are noted
//! where they are recorded. A user or a virtual host that is changed is told as `set`: the command
//! does not say whether it was there.

use std::borrow::Cow;

use crate::definitions::Command;
use crate::ids::Name;
use crate::logs::events::EventLog;

/// A name as an event's field.
pub(super) fn shown(name: &Name) -> Cow<'static, str> {
    name.to_string().into()
}

/// Notes a change of the definitions.
pub(super) fn note(events: &EventLog, command: &Command) {
    match command {
        Command::PutVhost(row) => events.emit("vhost.set", [("name", shown(&row.name))]),
        Command::DeleteVhost { name } => events.emit("vhost.deleted", [("name", shown(name))]),
        Command::PutUser(row) => events.emit("user.set", [("name", row.name.clone().into())]),
        Command::DeleteUser { name } => {
            events.emit("user.deleted", [("name", name.clone().into())]);
        }
        Command::SetPermission(row) => events.emit(
            "permission.created",
            [
                ("user", row.user.clone().into()),
                ("vhost", shown(&row.vhost)),
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
            ],
        ),
        Command::ClearTopicPermission { vhost, user, .. } => events.emit(
            "topic.permission.deleted",
            [("user", user.clone().into()), ("vhost", shown(vhost))],
        ),
        Command::PutParameter(row) => events.emit(
            "parameter.set",
            [
                ("component", row.component.clone().into()),
                ("name", row.name.clone().into()),
                ("vhost", shown(&row.vhost)),
            ],
        ),
        Command::DeleteParameter {
            vhost,
            component,
            name,
        } => events.emit(
            "parameter.cleared",
            [
                ("component", component.clone().into()),
                ("name", name.clone().into()),
                ("vhost", shown(vhost)),
            ],
        ),
        Command::PutPolicy(row) => events.emit(
            "policy.set",
            [
                ("name", row.name.clone().into()),
                ("vhost", shown(&row.vhost)),
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
            .map(|event| (event.name, event.fields[0].1.as_ref()))
            .collect();
        let expected = [
            ("user.deleted", "a"),
            ("user.deleted", "b"),
            ("vhost.deleted", "v"),
        ];
        assert_eq!(told, expected);
    }
}
