//! What a row is, and the tables there are.

use crate::definitions::codec::{CodecError, put_octets};

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
