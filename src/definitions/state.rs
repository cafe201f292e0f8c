//! The definitions as they are after a number of commands: a pure state machine.
//!
//! [`State::apply`] is the only way in. It is deterministic, does nothing for an index that it has
//! seen, and hands back what changed, as rows, so that whoever keeps a copy elsewhere need not
//! know what a command means. The maps share structure: a clone costs nothing, so that a copy can
//! be written down while changes go on.
//!
//! # Digest
//!
//! The sum, modulo 2^128, of the first 16 octets (little endian) of SHA-256 over each row: kind,
//! length of the key (8 octets, little endian), key, value. A change costs two hashes, the order
//! of the rows does not matter, and two states with the same rows have the same digest.

use std::ops::Bound;
use std::sync::Arc;

use imbl::{OrdMap, OrdSet};
use sha2::{Digest as _, Sha256};

use super::codec::{CodecError, Fields, put_number};
use super::command::Command;
use super::import::DestinationKind;
use super::rows::{
    BindingRow, ExchangeRow, GlobalParameterRow, KINDS, Kind, ParameterRow, PermissionRow,
    PolicyRow, QueueRow, Row, TopicPermissionRow, UserRow, VhostRow, destination_number, key_of,
};

/// Octets that rows share with copies of them.
pub type Octets = Arc<[u8]>;
/// The rows of one table, by key.
pub type Table = OrdMap<Octets, Octets>;

/// One row that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Its table.
    pub kind: Kind,
    /// Its key.
    pub key: Octets,
    /// What it is now; `None` where it is gone.
    pub value: Option<Octets>,
}

/// The key of the counter of queue ids.
const QUEUE_ID_MAX: &[u8] = b"queue_id_max";

/// All definitions, and the index of the last command in them.
#[derive(Debug, Clone, Default)]
pub struct State {
    applied: u64,
    digest: u128,
    queue_id_max: u64,
    tables: [Table; KINDS.len()],
    /// Derived: bindings by what they lead to.
    by_destination: OrdSet<Octets>,
    /// Derived: keys of queues by id.
    by_id: OrdMap<u64, Octets>,
}

/// Equal where rows and index are.
impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.applied == other.applied && self.tables == other.tables
    }
}

impl State {
    /// The index of the last command that was applied; 0 before the first.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The digest of all rows.
    pub fn digest(&self) -> u128 {
        self.digest
    }

    /// The highest id that any queue ever had, deleted ones too; new queues get higher ones.
    pub fn queue_id_max(&self) -> u64 {
        self.queue_id_max
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.tables.iter().map(Table::len).sum()
    }

    /// True when there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Applies the command of `index`. An index that is not higher than [`Self::applied`] changes
    /// nothing. What changed is added to `changes`, a row once each time it did.
    pub fn apply(&mut self, index: u64, command: &Command, changes: &mut Vec<Change>) {
        if index <= self.applied {
            return;
        }
        self.applied = index;
        self.execute(command, changes);
    }

    fn execute(&mut self, command: &Command, changes: &mut Vec<Change>) {
        match command {
            Command::PutVhost(row) => self.put(row, changes),
            Command::DeleteVhost { name } => self.delete_vhost(name.as_bytes(), changes),
            Command::PutUser(row) => self.put(row, changes),
            Command::DeleteUser { name } => self.delete_user(name, changes),
            Command::SetPermission(row) => self.put(row, changes),
            Command::ClearPermission { vhost, user } => {
                let key = key_of(&[vhost.as_bytes(), user.as_bytes()]);
                self.set(Kind::Permission, &key, None, changes);
            }
            Command::SetTopicPermission(row) => self.put(row, changes),
            Command::ClearTopicPermission {
                vhost,
                user,
                exchange,
            } => {
                let mut parts = vec![vhost.as_bytes(), user.as_bytes()];
                parts.extend(exchange.as_ref().map(|name| name.as_bytes()));
                self.delete_range(Kind::TopicPermission, &key_of(&parts), changes);
            }
            Command::DeclareExchange(row) => self.put(row, changes),
            Command::DeleteExchange { vhost, name } => {
                self.delete_exchange(vhost.as_bytes(), name.as_bytes(), changes);
            }
            Command::DeclareQueue(row) => self.declare_queue(row, changes),
            Command::DeleteQueue { id } => self.delete_queue(*id, changes),
            Command::Bind(row) => self.bind(row, changes),
            Command::Unbind(row) => {
                self.set(Kind::Binding, &row.key(), None, changes);
                self.by_destination.remove(row.reverse_key().as_slice());
            }
            Command::PutParameter(row) => self.put(row, changes),
            Command::DeleteParameter {
                vhost,
                component,
                name,
            } => {
                let key = key_of(&[vhost.as_bytes(), component.as_bytes(), name.as_bytes()]);
                self.set(Kind::Parameter, &key, None, changes);
            }
            Command::PutGlobalParameter(row) => self.put(row, changes),
            Command::DeleteGlobalParameter { name } => {
                let key = key_of(&[name.as_bytes()]);
                self.set(Kind::GlobalParameter, &key, None, changes);
            }
            Command::PutPolicy(row) => self.put(row, changes),
            Command::DeletePolicy { vhost, name } => {
                let key = key_of(&[vhost.as_bytes(), name.as_bytes()]);
                self.set(Kind::Policy, &key, None, changes);
            }
            Command::Batch(commands) => {
                for command in commands {
                    self.execute(command, changes);
                }
            }
        }
    }

    fn put<R: Row>(&mut self, row: &R, changes: &mut Vec<Change>) {
        self.set(R::KIND, &row.key(), Some(row.value()), changes);
    }

    fn declare_queue(&mut self, row: &QueueRow, changes: &mut Vec<Change>) {
        let key = row.key();
        let current = self.row::<QueueRow>(&key).map(|current| current.id);
        if let Some(current) = current.filter(|id| *id != row.id) {
            self.delete_queue(current, changes);
        }
        // An id that another name has would be a queue with two names: it moves.
        let elsewhere = self.by_id.get(&row.id).filter(|there| ***there != *key);
        if elsewhere.is_some() {
            self.delete_queue(row.id, changes);
        }
        self.put(row, changes);
        self.by_id.insert(row.id, Octets::from(key));
        if row.id > self.queue_id_max {
            self.queue_id_max = row.id;
            let mut value = Vec::new();
            put_number(&mut value, row.id);
            self.set(Kind::Counter, QUEUE_ID_MAX, Some(value), changes);
        }
    }

    fn delete_queue(&mut self, id: u64, changes: &mut Vec<Change>) {
        let Some(key) = self.by_id.remove(&id) else {
            return;
        };
        self.set(Kind::Queue, &key, None, changes);
        let mut names = Fields::new(&key);
        if let (Ok(vhost), Ok(name)) = (names.octets(), names.octets()) {
            self.unbind_destination(vhost, DestinationKind::Queue, name, changes);
        }
    }

    fn delete_exchange(&mut self, vhost: &[u8], name: &[u8], changes: &mut Vec<Change>) {
        self.set(Kind::Exchange, &key_of(&[vhost, name]), None, changes);
        self.delete_bindings(&key_of(&[vhost, name]), changes);
        self.unbind_destination(vhost, DestinationKind::Exchange, name, changes);
    }

    fn delete_vhost(&mut self, name: &[u8], changes: &mut Vec<Change>) {
        let prefix = key_of(&[name]);
        self.set(Kind::Vhost, &prefix, None, changes);
        self.delete_bindings(&prefix, changes);
        for (key, value) in range(self.table(Kind::Queue), &prefix) {
            if let Ok(queue) = QueueRow::read(&key, &value) {
                self.by_id.remove(&queue.id);
            }
        }
        for kind in [
            Kind::Queue,
            Kind::Exchange,
            Kind::Permission,
            Kind::TopicPermission,
            Kind::Parameter,
            Kind::Policy,
        ] {
            self.delete_range(kind, &prefix, changes);
        }
    }

    fn delete_user(&mut self, name: &str, changes: &mut Vec<Change>) {
        self.set(Kind::User, &key_of(&[name.as_bytes()]), None, changes);
        for kind in [Kind::Permission, Kind::TopicPermission] {
            let rows = self.table(kind).keys();
            let theirs = rows.filter(|key| user_of(key) == Some(name.as_bytes()));
            for key in theirs.cloned().collect::<Vec<_>>() {
                self.set(kind, &key, None, changes);
            }
        }
    }

    fn bind(&mut self, row: &BindingRow, changes: &mut Vec<Change>) {
        let key = row.key();
        if !self.table(Kind::Binding).contains_key(key.as_slice()) {
            self.set(Kind::Binding, &key, Some(row.value()), changes);
            self.by_destination.insert(Octets::from(row.reverse_key()));
        }
    }

    /// Deletes the bindings whose key begins with `prefix`.
    fn delete_bindings(&mut self, prefix: &[u8], changes: &mut Vec<Change>) {
        for (key, value) in range(self.table(Kind::Binding), prefix) {
            if let Ok(row) = BindingRow::read(&key, &value) {
                self.by_destination.remove(row.reverse_key().as_slice());
            }
            self.set(Kind::Binding, &key, None, changes);
        }
    }

    fn unbind_destination(
        &mut self,
        vhost: &[u8],
        kind: DestinationKind,
        name: &[u8],
        changes: &mut Vec<Change>,
    ) {
        let prefix = key_of(&[vhost, &[destination_number(kind)], name]);
        let from = (Bound::Included(prefix.as_slice()), Bound::Unbounded);
        let reverse = self.by_destination.range::<_, [u8]>(from);
        let doomed = reverse.take_while(|key| key.starts_with(&prefix));
        for reverse in doomed.cloned().collect::<Vec<_>>() {
            self.by_destination.remove(&*reverse);
            if let Ok(key) = BindingRow::key_of_reverse(&reverse) {
                self.set(Kind::Binding, &key, None, changes);
            }
        }
    }

    fn delete_range(&mut self, kind: Kind, prefix: &[u8], changes: &mut Vec<Change>) {
        for (key, _) in range(self.table(kind), prefix) {
            self.set(kind, &key, None, changes);
        }
    }

    /// The one place where a row changes.
    fn set(&mut self, kind: Kind, key: &[u8], value: Option<Vec<u8>>, changes: &mut Vec<Change>) {
        let Some(table) = self.tables.get_mut(usize::from(kind.number())) else {
            return;
        };
        let value = value.map(Octets::from);
        let old = match (table.get(key), &value) {
            (Some(old), Some(new)) if old == new => return,
            (None, None) => return,
            (old, _) => old.map(|old| row_hash(kind, key, old)),
        };
        let new = value.as_ref().map(|new| row_hash(kind, key, new));
        let key = Octets::from(key);
        match &value {
            Some(value) => table.insert(Octets::clone(&key), Octets::clone(value)),
            None => table.remove(&key),
        };
        let without = self.digest.wrapping_sub(old.unwrap_or_default());
        self.digest = without.wrapping_add(new.unwrap_or_default());
        changes.push(Change { kind, key, value });
    }
}

/// Reading and rebuilding.
impl State {
    /// The rows of a kind, as octets, in the order of their keys.
    pub fn table(&self, kind: Kind) -> &Table {
        let [first, ..] = &self.tables;
        self.tables.get(usize::from(kind.number())).unwrap_or(first)
    }

    /// The definitions of a kind, in the order of their keys.
    pub fn rows<R: Row>(&self) -> impl Iterator<Item = R> + '_ {
        // Every row was written by `Row::value` or read once when it came in.
        let rows = self.table(R::KIND).iter();
        rows.filter_map(|(key, value)| R::read(key, value).ok())
    }

    /// The definition of a key.
    pub fn row<R: Row>(&self, key: &[u8]) -> Option<R> {
        let value = self.table(R::KIND).get(key)?;
        R::read(key, value).ok()
    }

    /// Every row of every table.
    pub fn iter(&self) -> impl Iterator<Item = (Kind, &Octets, &Octets)> {
        KINDS.into_iter().flat_map(|kind| {
            let rows = self.table(kind).iter();
            rows.map(move |(key, value)| (kind, key, value))
        })
    }

    /// Takes in a row of a stored state. Rows may come in any order; one that cannot be read is
    /// refused and changes nothing.
    pub fn restore_row(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<(), CodecError> {
        let read = match kind {
            Kind::Counter => Fields::new(value).number().map(|number| {
                if key == QUEUE_ID_MAX {
                    self.queue_id_max = number;
                }
            }),
            Kind::Vhost => VhostRow::read(key, value).map(drop),
            Kind::User => UserRow::read(key, value).map(drop),
            Kind::Permission => PermissionRow::read(key, value).map(drop),
            Kind::TopicPermission => TopicPermissionRow::read(key, value).map(drop),
            Kind::Exchange => ExchangeRow::read(key, value).map(drop),
            Kind::Queue => QueueRow::read(key, value).map(|row| {
                self.by_id.insert(row.id, Octets::from(key));
            }),
            Kind::Binding => BindingRow::read(key, value).map(|row| {
                self.by_destination.insert(Octets::from(row.reverse_key()));
            }),
            Kind::Parameter => ParameterRow::read(key, value).map(drop),
            Kind::GlobalParameter => GlobalParameterRow::read(key, value).map(drop),
            Kind::Policy => PolicyRow::read(key, value).map(drop),
        };
        read?;
        self.set(kind, key, Some(value.to_vec()), &mut Vec::new());
        Ok(())
    }

    /// What is derived from the rows.
    #[cfg(test)]
    pub(super) fn derived(&self) -> (&OrdSet<Octets>, &OrdMap<u64, Octets>) {
        (&self.by_destination, &self.by_id)
    }

    /// Ends the restoring: the rows that came are those of `applied`.
    pub fn restored(mut self, applied: u64) -> Self {
        self.applied = applied;
        self
    }
}

/// The rows whose key begins with `prefix`.
fn range(table: &Table, prefix: &[u8]) -> Vec<(Octets, Octets)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    let rows = table.range::<_, [u8]>(from);
    rows.take_while(|(key, _)| key.starts_with(prefix))
        .map(|(key, value)| (Octets::clone(key), Octets::clone(value)))
        .collect()
}

/// The user in the key of a permission.
fn user_of(key: &[u8]) -> Option<&[u8]> {
    let mut names = Fields::new(key);
    names.octets().ok()?;
    names.octets().ok()
}

fn row_hash(kind: Kind, key: &[u8], value: &[u8]) -> u128 {
    let hash = Sha256::new()
        .chain_update([kind.number()])
        .chain_update((key.len() as u64).to_le_bytes())
        .chain_update(key)
        .chain_update(value)
        .finalize();
    let (low, _) = hash.split_first_chunk::<16>().unwrap_or((&[0; 16], &[]));
    u128::from_le_bytes(*low)
}
