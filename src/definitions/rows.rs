//! What the broker is told to have, one row each: the part of a definition that names it is its
//! key, the rest its value.
//!
//! Keys and values are octets (see [`super::codec`]); log, snapshot and tables hold nothing else.
//! A key begins with the virtual host where there is one, so that everything of a host is one
//! range. Only what outlives a restart has a row: durable exchanges and queues, bindings between
//! such. Texts that mean something elsewhere (patterns, JSON, exchange types) are kept as texts.

use super::codec::{CodecError, Fields, put_number, put_octets, put_signed, put_table, put_texts};
use super::import::DestinationKind;
use crate::amqp::{Table, Value};
use crate::auth::{HashingAlgorithm, PasswordHash};
use crate::ids::Name;

/// The tables. The numbers are stored: they never change and none is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// What belongs to no object: the highest queue id.
    Counter = 0,
    /// Virtual hosts.
    Vhost = 1,
    /// Users.
    User = 2,
    /// Permissions by virtual host and user.
    Permission = 3,
    /// Permissions by virtual host, user and topic exchange.
    TopicPermission = 4,
    /// Durable exchanges.
    Exchange = 5,
    /// Durable queues.
    Queue = 6,
    /// Bindings whose source and destination are durable.
    Binding = 7,
    /// Parameters of virtual hosts.
    Parameter = 8,
    /// Parameters of the broker.
    GlobalParameter = 9,
    /// Policies.
    Policy = 10,
}

/// Every kind, each at the place of its number.
pub const KINDS: [Kind; 11] = [
    Kind::Counter,
    Kind::Vhost,
    Kind::User,
    Kind::Permission,
    Kind::TopicPermission,
    Kind::Exchange,
    Kind::Queue,
    Kind::Binding,
    Kind::Parameter,
    Kind::GlobalParameter,
    Kind::Policy,
];

impl Kind {
    /// The stored number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The kind of a stored number.
    pub fn from_number(number: u8) -> Result<Self, CodecError> {
        let kind = KINDS.get(usize::from(number)).copied();
        kind.ok_or(CodecError::UnknownKind(number))
    }

    /// The name of its table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counters",
            Self::Vhost => "vhosts",
            Self::User => "users",
            Self::Permission => "permissions",
            Self::TopicPermission => "topic_permissions",
            Self::Exchange => "exchanges",
            Self::Queue => "queues",
            Self::Binding => "bindings",
            Self::Parameter => "parameters",
            Self::GlobalParameter => "global_parameters",
            Self::Policy => "policies",
        }
    }
}

/// A definition that is stored as a row.
pub trait Row: Sized {
    /// Its table.
    const KIND: Kind;
    /// The octets that name it.
    fn key(&self) -> Vec<u8>;
    /// The rest.
    fn value(&self) -> Vec<u8>;
    /// The definition of a key and a value.
    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError>;
}

/// A key, or the beginning of one, from the names in it.
pub fn key_of(parts: &[&[u8]]) -> Vec<u8> {
    let len = parts.iter().map(|part| part.len() + 2).sum();
    let mut key = Vec::with_capacity(len);
    for part in parts {
        put_octets(&mut key, part);
    }
    key
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct VhostRow {
    /// Its name.
    pub name: Name,
    /// Its description, for people.
    pub description: String,
    /// Its tags, for people.
    pub tags: Vec<String>,
    /// The type of queues declared without one; `None` is the broker's default.
    pub default_queue_type: Option<String>,
}

impl Row for VhostRow {
    const KIND: Kind = Kind::Vhost;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_octets(&mut out, self.description.as_bytes());
        put_texts(&mut out, &self.tags);
        let kind = self.default_queue_type.as_deref().unwrap_or_default();
        put_octets(&mut out, kind.as_bytes());
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let mut fields = Fields::new(value);
        Ok(Self {
            name: Fields::new(key).name()?,
            description: fields.text()?,
            tags: fields.texts()?,
            default_queue_type: Some(fields.text()?).filter(|text| !text.is_empty()),
        })
    }
}

/// A user.
#[derive(Debug, Clone, PartialEq)]
pub struct UserRow {
    /// Its name.
    pub name: String,
    /// The hash of its password; without one it cannot log in with a password.
    pub password: Option<PasswordHash>,
    /// Its tags.
    pub tags: Vec<String>,
    /// `max-connections` and `max-channels`, where set; -1 is no limit.
    pub limits: Vec<(String, i64)>,
}

impl Row for UserRow {
    const KIND: Kind = Kind::User;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match &self.password {
            None => out.push(0),
            Some(hash) => {
                out.push(match hash.algorithm() {
                    HashingAlgorithm::Sha256 => 1,
                    HashingAlgorithm::Sha512 => 2,
                    HashingAlgorithm::Md5 => 3,
                });
                put_octets(&mut out, hash.to_base64().as_bytes());
            }
        }
        put_texts(&mut out, &self.tags);
        put_number(&mut out, self.limits.len() as u64);
        for (name, limit) in &self.limits {
            put_octets(&mut out, name.as_bytes());
            put_signed(&mut out, *limit);
        }
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let mut fields = Fields::new(value);
        let algorithm = match fields.octet()? {
            0 => None,
            1 => Some(HashingAlgorithm::Sha256),
            2 => Some(HashingAlgorithm::Sha512),
            3 => Some(HashingAlgorithm::Md5),
            other => return Err(CodecError::Choice(other, "hashing algorithm")),
        };
        let password = match algorithm {
            None => None,
            Some(algorithm) => PasswordHash::parse(algorithm, &fields.text()?)
                .map_err(|error| CodecError::Password(error.to_string()))?,
        };
        let tags = fields.texts()?;
        let mut limits = Vec::new();
        for _ in 0..fields.number()? {
            limits.push((fields.text()?, fields.signed()?));
        }
        Ok(Self {
            name: Fields::new(key).text()?,
            password,
            tags,
            limits,
        })
    }
}

/// What a user may do in a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionRow {
    /// The virtual host.
    pub vhost: Name,
    /// The user.
    pub user: String,
    /// Pattern of the names it may configure.
    pub configure: String,
    /// Pattern of the names it may write to.
    pub write: String,
    /// Pattern of the names it may read from.
    pub read: String,
}

impl Row for PermissionRow {
    const KIND: Kind = Kind::Permission;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.vhost.as_bytes(), self.user.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let patterns = [&self.configure, &self.write, &self.read];
        key_of(&patterns.map(|pattern| pattern.as_bytes()))
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        Ok(Self {
            vhost: names.name()?,
            user: names.text()?,
            configure: fields.text()?,
            write: fields.text()?,
            read: fields.text()?,
        })
    }
}

/// What keys a user may use with a topic exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicPermissionRow {
    /// The virtual host.
    pub vhost: Name,
    /// The user.
    pub user: String,
    /// The exchange.
    pub exchange: Name,
    /// Pattern of the routing keys it may publish with.
    pub write: String,
    /// Pattern of the binding keys it may bind with.
    pub read: String,
}

impl Row for TopicPermissionRow {
    const KIND: Kind = Kind::TopicPermission;

    fn key(&self) -> Vec<u8> {
        let user = self.user.as_bytes();
        key_of(&[self.vhost.as_bytes(), user, self.exchange.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        key_of(&[self.write.as_bytes(), self.read.as_bytes()])
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        Ok(Self {
            vhost: names.name()?,
            user: names.text()?,
            exchange: names.name()?,
            write: fields.text()?,
            read: fields.text()?,
        })
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
pub(super) fn destination_number(kind: DestinationKind) -> u8 {
    match kind {
        DestinationKind::Queue => 0,
        DestinationKind::Exchange => 1,
    }
}

impl BindingRow {
    /// The same row by its destination: host, kind, destination, source, then as in the key.
    pub(super) fn reverse_key(&self) -> Vec<u8> {
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
    pub(super) fn key_of_reverse(reverse: &[u8]) -> Result<Vec<u8>, CodecError> {
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

/// A parameter of a virtual host: limits, operator policies, shovels, federation.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterRow {
    /// The virtual host.
    pub vhost: Name,
    /// Whose parameter it is (`vhost-limits`, `operator_policy`, ...).
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value, JSON.
    pub value: String,
}

impl Row for ParameterRow {
    const KIND: Kind = Kind::Parameter;

    fn key(&self) -> Vec<u8> {
        let (component, name) = (self.component.as_bytes(), self.name.as_bytes());
        key_of(&[self.vhost.as_bytes(), component, name])
    }

    fn value(&self) -> Vec<u8> {
        key_of(&[self.value.as_bytes()])
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let mut names = Fields::new(key);
        Ok(Self {
            vhost: names.name()?,
            component: names.text()?,
            name: names.text()?,
            value: Fields::new(value).text()?,
        })
    }
}

/// A parameter of the broker.
#[derive(Debug, Clone, PartialEq)]
pub struct GlobalParameterRow {
    /// Its name.
    pub name: String,
    /// Its value, JSON.
    pub value: String,
}

impl Row for GlobalParameterRow {
    const KIND: Kind = Kind::GlobalParameter;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        key_of(&[self.value.as_bytes()])
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        Ok(Self {
            name: Fields::new(key).text()?,
            value: Fields::new(value).text()?,
        })
    }
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyRow {
    /// The virtual host.
    pub vhost: Name,
    /// Its name.
    pub name: String,
    /// Which names it applies to.
    pub pattern: String,
    /// Which kind of object: `queues`, `exchanges`, `all`, ...
    pub apply_to: String,
    /// Its keys, a JSON object.
    pub definition: String,
    /// The highest of those that match wins.
    pub priority: i64,
}

impl Row for PolicyRow {
    const KIND: Kind = Kind::Policy;

    fn key(&self) -> Vec<u8> {
        key_of(&[self.vhost.as_bytes(), self.name.as_bytes()])
    }

    fn value(&self) -> Vec<u8> {
        let texts = [&self.pattern, &self.apply_to, &self.definition];
        let mut out = key_of(&texts.map(|text| text.as_bytes()));
        put_signed(&mut out, self.priority);
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let (mut names, mut fields) = (Fields::new(key), Fields::new(value));
        Ok(Self {
            vhost: names.name()?,
            name: names.text()?,
            pattern: fields.text()?,
            apply_to: fields.text()?,
            definition: fields.text()?,
            priority: fields.signed()?,
        })
    }
}
