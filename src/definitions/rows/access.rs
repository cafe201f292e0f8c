//! Virtual hosts, users, and what users may do.

use super::row::{Kind, Row, key_of};
use crate::auth::{HashingAlgorithm, PasswordHash};
use crate::definitions::codec::{
    CodecError, Fields, put_number, put_octets, put_signed, put_texts,
};
use crate::ids::Name;

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
    /// It is not to be deleted.
    pub protected: bool,
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
        // Left out where it says nothing, so that such rows have the octets that they had before there
        // was this field. A field behind it has to write it always.
        if self.protected {
            out.push(1);
        }
        out
    }

    fn read(key: &[u8], value: &[u8]) -> Result<Self, CodecError> {
        let mut fields = Fields::new(value);
        Ok(Self {
            name: Fields::new(key).name()?,
            description: fields.text()?,
            tags: fields.texts()?,
            default_queue_type: Some(fields.text()?).filter(|text| !text.is_empty()),
            protected: !fields.is_empty() && fields.octet()? & 1 != 0,
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
