//! Durable exchanges and queues, and the bindings between them.

use super::row::{Kind, Row, key_of};
use crate::amqp::{Table, Value};
use crate::definitions::codec::{CodecError, Fields, put_number, put_octets, put_table};
use crate::definitions::import::DestinationKind;
use crate::ids::Name;

/// Appends who declared an object. Where that is not known nothing is, so that such rows have the
/// octets that they had before there was this field: a field behind it has to write it always.
fn put_user(out: &mut Vec<u8>, user: &Name) {
    if !user.is_empty() {
        put_octets(out, user.as_bytes());
    }
}

fn user(fields: &mut Fields<'_>) -> Result<Name, CodecError> {
    match fields.is_empty() {
        true => Ok(Name::from("")),
        false => fields.name(),
    }
}

/// A durable exchange. The predeclared ones have no row.
#[derive(Debug, Clone, PartialEq)]
pub struct ExchangeRow {
    /// The virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// Its type, as a declaration calls it.
    pub kind: String,
    /// It goes with the last binding from it.
    pub auto_delete: bool,
    /// Clients may not publish to it.
    pub internal: bool,
    /// As declared.
    pub arguments: Table,
    /// The user who declared it; empty where it was not kept.
    pub declared_by: Name,
}

impl Row for ExchangeRow {
    const KIND: Kind = Kind::Exchange;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.vhost.as_bytes(), self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_octets(&mut out, self.kind.as_bytes());
        out.push(u8::from(self.auto_delete) | u8::from(self.internal) << 1);
        put_table(&mut out, &self.arguments);
        put_user(&mut out, &self.declared_by);
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        let (vhost, name) = (names.name()?, names.name()?);
        let kind = fields.text()?;
        let flags = fields.octet()?;
        Ok(Self {
            vhost,
            name,
            kind,
            auto_delete: flags & 1 != 0,
            internal: flags & 2 != 0,
            arguments: fields.table()?,
            declared_by: user(&mut fields)?,
        })
    }
}

/// A durable queue.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueRow {
    /// The number under which the log knows it; never used again, not even by a queue of the same
    /// name.
    pub id: u64,
    /// The virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: Name,
    /// Its type (`classic`, `quorum`), which the host's default decided where the declaration did
    /// not say.
    pub kind: String,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// As declared.
    pub arguments: Table,
    /// The user who declared it; empty where it was not kept.
    pub declared_by: Name,
}

impl Row for QueueRow {
    const KIND: Kind = Kind::Queue;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.vhost.as_bytes(), self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_number(&mut out, self.id);
        put_octets(&mut out, self.kind.as_bytes());
        out.push(u8::from(self.auto_delete));
        put_table(&mut out, &self.arguments);
        put_user(&mut out, &self.declared_by);
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        Ok(Self {
            vhost: names.name()?,
            name: names.name()?,
            id: fields.number()?,
            kind: fields.text()?,
            auto_delete: fields.octet()? & 1 != 0,
            arguments: fields.table()?,
            declared_by: user(&mut fields)?,
        })
    }
}

/// A binding between durable ends. Two are the same where source, destination, routing key and
/// arguments are, the arguments in any order of their keys and with 0.0 the same as -0.0.
#[derive(Debug, Clone, PartialEq)]
pub struct BindingRow {
    /// The virtual host of both ends.
    pub vhost: Name,
    /// The exchange it leads from; a predeclared one has no row of its own.
    pub source: Name,
    /// What it leads to.
    pub destination_kind: DestinationKind,
    /// The name of that.
    pub destination: Name,
    /// The binding key.
    pub routing_key: Name,
    /// As first bound.
    pub arguments: Table,
}

/// The number under which a kind of destination is stored.
pub(in crate::definitions) fn destination_number(kind: DestinationKind) -> u8 {
    match kind {
        DestinationKind::Queue => 0,
        DestinationKind::Exchange => 1,
    }
}

impl BindingRow {
    /// The same row by its destination: host, kind, destination, source, then as in the key.
    pub(in crate::definitions) fn reverse_key(&self) -> Vec<u8> {
        let kind = [destination_number(self.destination_kind)];
        let mut key = key_of(&[
            self.vhost.as_bytes(),
            &kind,
            self.destination.as_bytes(),
            self.source.as_bytes(),
        ]);
        self.put_tail(&mut key);
        key
    }

    /// The key of the row whose [`Self::reverse_key`] this is.
    pub(in crate::definitions) fn key_of_reverse(reverse: &[u8]) -> Result<Vec<u8>, CodecError> {
        let mut fields = Fields::new(reverse);
        let (vhost, kind) = (fields.octets()?, fields.octets()?);
        let (destination, source) = (fields.octets()?, fields.octets()?);
        let mut key = key_of(&[vhost, source, kind, destination]);
        key.extend_from_slice(fields.rest());
        Ok(key)
    }

    fn put_tail(&self, key: &mut Vec<u8>) {
        put_octets(key, self.routing_key.as_bytes());
        if !self.arguments.is_empty() {
            put_table(key, &canonical(&self.arguments));
        }
    }
}

impl Row for BindingRow {
    const KIND: Kind = Kind::Binding;

    fn key(&self) -> Vec<u8> {
        let kind = [destination_number(self.destination_kind)];
        let mut key = key_of(&[
            self.vhost.as_bytes(),
            self.source.as_bytes(),
            &kind,
            self.destination.as_bytes(),
        ]);
        self.put_tail(&mut key);
        key
    }

    fn value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.arguments.is_empty() {
            put_table(&mut out, &self.arguments);
        }
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        let (vhost, source) = (names.name()?, names.name()?);
        let destination_kind = match names.octets()? {
            [0] => DestinationKind::Queue,
            [1] => DestinationKind::Exchange,
            [other, ..] => return Err(CodecError::Choice(*other, "destination kind")),
            [] => return Err(CodecError::Truncated),
        };
        let arguments = if fields.is_empty() {
            Table::default()
        } else {
            fields.table()?
        };
        Ok(Self {
            vhost,
            source,
            destination_kind,
            destination: names.name()?,
            routing_key: names.name()?,
            arguments,
        })
    }
}

/// Arguments in the form in which the same ones have the same octets.
fn canonical(table: &Table) -> Table {
    let mut pairs: Vec<(Vec<u8>, Value)> = table.0.clone();
    // Stable: where a key comes twice, the order counts.
    pairs.sort_by(|(one, _), (other, _)| one.cmp(other));
    pairs.iter_mut().for_each(|(_, value)| unsign_zero(value));
    Table(pairs)
}

/// Turns -0.0 into 0.0 wherever it stands. As deep as the wire's decoder let tables nest.
fn unsign_zero(value: &mut Value) {
    match value {
        Value::F32(number) => *number += 0.0,
        Value::F64(number) => *number += 0.0,
        Value::Array(items) => items.iter_mut().for_each(unsign_zero),
        Value::Table(table) => table.0.iter_mut().for_each(|(_, value)| unsign_zero(value)),
        _ => {}
    }
}
