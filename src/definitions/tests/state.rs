//! The state machine against a naive model, and its own rules.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng as _;

use super::random::{Commands, for_seeds};
use crate::amqp::{Table, Value};
use crate::definitions::command::Command;
use crate::definitions::import::DestinationKind;
use crate::definitions::rows::{
    BindingRow, ExchangeRow, Kind, PermissionRow, PolicyRow, QueueRow, Row, TopicPermissionRow,
    UserRow, VhostRow,
};
use crate::definitions::state::State;
use crate::ids::Name;

/// Lists that are searched from end to end.
#[derive(Default)]
struct Model {
    vhosts: Vec<VhostRow>,
    users: Vec<UserRow>,
    permissions: Vec<PermissionRow>,
    topics: Vec<TopicPermissionRow>,
    exchanges: Vec<ExchangeRow>,
    queues: Vec<QueueRow>,
    bindings: Vec<BindingRow>,
    policies: Vec<PolicyRow>,
}

impl Model {
    fn drop_bindings(&mut self, vhost: &Name, kind: DestinationKind, name: &Name) {
        self.bindings.retain(|row| {
            (&row.vhost, row.destination_kind, &row.destination) != (vhost, kind, name)
        });
    }

    fn drop_queues(&mut self, doomed: impl Fn(&QueueRow) -> bool) {
        for queue in self.queues.clone().iter().filter(|queue| doomed(queue)) {
            self.queues.retain(|other| other.id != queue.id);
            self.drop_bindings(&queue.vhost, DestinationKind::Queue, &queue.name);
        }
    }

    fn apply(&mut self, command: &Command) {
        match command {
            Command::PutVhost(row) => {
                self.vhosts.retain(|other| other.name != row.name);
                self.vhosts.push(row.clone());
            }
            Command::DeleteVhost { name } => {
                self.vhosts.retain(|row| row.name != *name);
                self.permissions.retain(|row| row.vhost != *name);
                self.topics.retain(|row| row.vhost != *name);
                self.exchanges.retain(|row| row.vhost != *name);
                self.queues.retain(|row| row.vhost != *name);
                self.bindings.retain(|row| row.vhost != *name);
                self.policies.retain(|row| row.vhost != *name);
            }
            Command::PutUser(row) => {
                self.users.retain(|other| other.name != row.name);
                self.users.push(row.clone());
            }
            Command::DeleteUser { name } => {
                self.users.retain(|row| row.name != *name);
                self.permissions.retain(|row| row.user != *name);
                self.topics.retain(|row| row.user != *name);
            }
            Command::SetPermission(row) => {
                self.permissions
                    .retain(|other| (&other.vhost, &other.user) != (&row.vhost, &row.user));
                self.permissions.push(row.clone());
            }
            Command::ClearPermission { vhost, user } => self
                .permissions
                .retain(|row| (&row.vhost, &row.user) != (vhost, user)),
            Command::SetTopicPermission(row) => {
                self.topics.retain(|other| other.key() != row.key());
                self.topics.push(row.clone());
            }
            Command::ClearTopicPermission {
                vhost,
                user,
                exchange,
            } => self.topics.retain(|row| {
                (&row.vhost, &row.user) != (vhost, user)
                    || exchange.as_ref().is_some_and(|name| row.exchange != *name)
            }),
            Command::DeclareExchange(row) => {
                self.exchanges
                    .retain(|other| (&other.vhost, &other.name) != (&row.vhost, &row.name));
                self.exchanges.push(row.clone());
            }
            Command::DeleteExchange { vhost, name } => {
                self.exchanges
                    .retain(|row| (&row.vhost, &row.name) != (vhost, name));
                self.bindings
                    .retain(|row| (&row.vhost, &row.source) != (vhost, name));
                self.drop_bindings(vhost, DestinationKind::Exchange, name);
            }
            Command::DeclareQueue(row) => {
                let same_name =
                    |other: &QueueRow| (&other.vhost, &other.name) == (&row.vhost, &row.name);
                self.drop_queues(|other| same_name(other) != (other.id == row.id));
                self.queues.retain(|other| other.id != row.id);
                self.queues.push(row.clone());
            }
            Command::DeleteQueue { id } => self.drop_queues(|row| row.id == *id),
            Command::Bind(row) => {
                if !self.bindings.iter().any(|other| other.key() == row.key()) {
                    self.bindings.push(row.clone());
                }
            }
            Command::Unbind(row) => self.bindings.retain(|other| other.key() != row.key()),
            Command::PutPolicy(row) => {
                self.policies.retain(|other| other.key() != row.key());
                self.policies.push(row.clone());
            }
            Command::DeletePolicy { vhost, name } => self
                .policies
                .retain(|row| (&row.vhost, &row.name) != (vhost, name)),
            Command::Batch(commands) => commands.iter().for_each(|command| self.apply(command)),
            Command::PutParameter(_)
            | Command::DeleteParameter { .. }
            | Command::PutGlobalParameter(_)
            | Command::DeleteGlobalParameter { .. } => {}
        }
    }
}

fn same_rows<R: Row + std::fmt::Debug>(state: &State, model: &[R]) {
    let text = |row: &R| format!("{row:?}");
    let held: BTreeSet<String> = state.rows::<R>().map(|row| text(&row)).collect();
    assert_eq!(held, model.iter().map(text).collect());
}

#[test]
fn a_naive_model_holds_the_same() {
    for_seeds("tests::state::a_naive_model", 40, |commands| {
        let (mut state, mut model) = (State::default(), Model::default());
        for (index, command) in (1..).zip(commands.many(400)) {
            state.apply(index, &command, &mut Vec::new());
            model.apply(&command);
        }
        same_rows(&state, &model.vhosts);
        same_rows(&state, &model.users);
        same_rows(&state, &model.permissions);
        same_rows(&state, &model.topics);
        same_rows(&state, &model.exchanges);
        same_rows(&state, &model.queues);
        same_rows(&state, &model.bindings);
        same_rows(&state, &model.policies);
    });
}

/// The state that a copy of all rows makes; its digest is made anew.
fn rebuilt(state: &State) -> State {
    let mut copy = State::default();
    for (kind, key, value) in state.iter() {
        copy.restore_row(kind, key, value).unwrap();
    }
    copy.restored(state.applied())
}

#[test]
fn digest_and_derived_maps_are_those_of_the_rows() {
    for_seeds("tests::state::digest_and_derived", 40, |commands| {
        let mut state = State::default();
        for (index, command) in (1..).zip(commands.many(300)) {
            state.apply(index, &command, &mut Vec::new());
            if index % 50 == 0 {
                let copy = rebuilt(&state);
                assert_eq!(copy.digest(), state.digest());
                assert_eq!(copy.queue_id_max(), state.queue_id_max());
                assert_eq!(copy, state);
                assert_eq!(copy.derived(), state.derived());
            }
        }
    });
}

#[test]
fn a_copy_that_follows_the_changes_is_the_same() {
    for_seeds("tests::state::a_copy", 20, |commands| {
        let mut state = State::default();
        let mut copy: BTreeMap<(Kind, Vec<u8>), Vec<u8>> = BTreeMap::new();
        for (index, command) in (1..).zip(commands.many(300)) {
            let mut changes = Vec::new();
            state.apply(index, &command, &mut changes);
            for change in changes {
                let key = (change.kind, change.key.to_vec());
                match change.value {
                    Some(value) => copy.insert(key, value.to_vec()),
                    None => copy.remove(&key),
                };
            }
        }
        let rows = state.iter();
        let rows = rows.map(|(kind, key, value)| ((kind, key.to_vec()), value.to_vec()));
        assert_eq!(rows.collect::<BTreeMap<_, _>>(), copy);
    });
}

#[test]
fn replaying_gives_the_same_from_any_point() {
    for_seeds("tests::state::replaying", 20, |commands| {
        let list = commands.many(300);
        let whole = Commands::state_of(&list);
        let cut = commands.rng.random_range(0..list.len());
        let mut partly = rebuilt(&Commands::state_of(&list[..cut]));
        // Records that the copy has already come again.
        for (index, command) in (1..).zip(&list) {
            partly.apply(index, command, &mut Vec::new());
        }
        assert_eq!(partly, whole);
        assert_eq!(partly.digest(), whole.digest());
    });
}

fn queue(id: u64, name: &str) -> QueueRow {
    QueueRow {
        id,
        vhost: Name::from("/"),
        name: Name::from(name),
        kind: "classic".to_owned(),
        auto_delete: false,
        arguments: Table::default(),
        declared_by: Name::from("u"),
    }
}

fn binding(source: &str, kind: DestinationKind, destination: &str) -> BindingRow {
    BindingRow {
        vhost: Name::from("/"),
        source: Name::from(source),
        destination_kind: kind,
        destination: Name::from(destination),
        routing_key: Name::from("k"),
        arguments: Table::default(),
    }
}

fn destinations(state: &State) -> Vec<(DestinationKind, String)> {
    let rows = state.rows::<BindingRow>();
    rows.map(|row| (row.destination_kind, row.destination.to_string()))
        .collect()
}

#[test]
fn a_queues_bindings_go_with_it_and_nobody_elses() {
    let bind = |kind, name| Command::Bind(binding("amq.direct", kind, name));
    let mut state = Commands::state_of(&[
        Command::DeclareQueue(queue(1, "a")),
        Command::DeclareQueue(queue(2, "ab")),
        bind(DestinationKind::Queue, "a"),
        bind(DestinationKind::Queue, "ab"),
        bind(DestinationKind::Exchange, "a"),
    ]);
    state.apply(6, &Command::DeleteQueue { id: 1 }, &mut Vec::new());
    assert_eq!(
        destinations(&state),
        [
            (DestinationKind::Queue, "ab".to_owned()),
            (DestinationKind::Exchange, "a".to_owned()),
        ]
    );
}

#[test]
fn an_id_is_remembered_after_its_queue() {
    let state = Commands::state_of(&[
        Command::DeclareQueue(queue(9, "a")),
        Command::DeclareQueue(queue(4, "b")),
        Command::DeleteQueue { id: 9 },
    ]);
    assert_eq!(state.queue_id_max(), 9);
    assert_eq!(rebuilt(&state).queue_id_max(), 9);
}

#[test]
fn another_id_is_another_queue() {
    let state = Commands::state_of(&[
        Command::DeclareQueue(queue(1, "a")),
        Command::Bind(binding("amq.direct", DestinationKind::Queue, "a")),
        Command::DeclareQueue(queue(2, "a")),
        Command::DeleteQueue { id: 1 },
    ]);
    let ids: Vec<u64> = state.rows::<QueueRow>().map(|row| row.id).collect();
    assert_eq!(ids, [2]);
    assert_eq!(destinations(&state), []);
}

#[test]
fn arguments_in_another_order_are_the_same_binding() {
    let with = |pairs: &[(&str, f64)]| {
        let mut row = binding("x", DestinationKind::Queue, "q");
        for (key, value) in pairs {
            row.arguments
                .0
                .push((key.as_bytes().to_vec(), Value::F64(*value)));
        }
        row
    };
    let first = with(&[("b", -0.0), ("a", 1.0)]);
    let second = with(&[("a", 1.0), ("b", 0.0)]);
    let mut state = Commands::state_of(&[
        Command::Bind(first.clone()),
        Command::Bind(second.clone()),
        Command::Bind(with(&[("a", 1.0)])),
    ]);
    let rows: Vec<_> = state
        .rows::<BindingRow>()
        .map(|row| row.arguments)
        .collect();
    assert_eq!(rows.len(), 2);
    assert!(rows.contains(&first.arguments), "as first bound: {rows:?}");
    state.apply(4, &Command::Unbind(second), &mut Vec::new());
    assert_eq!(state.rows::<BindingRow>().count(), 1);
}

#[test]
fn a_row_that_is_none_is_refused() {
    let mut state = State::default();
    assert!(state.restore_row(Kind::Queue, b"\x01/", b"").is_err());
    assert!(state.is_empty());
    assert_eq!(state.digest(), 0);
}
