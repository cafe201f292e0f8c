//! Parameters and policies: what the broker keeps as text for those who know what it means.

use super::row::{Kind, Row, key_of};
use crate::definitions::codec::{CodecError, Fields, put_signed};
use crate::ids::Name;

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
