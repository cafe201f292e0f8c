//! One row of the key table.

use crate::config::settings::Settings;

/// Puts a value into the settings: the variable part of the key (empty without one), the value.
/// `None` when the value is not allowed.
pub type Set = fn(&mut Settings, &str, &str) -> Option<()>;

/// What holds while a key is not set.
#[derive(Debug, Clone, Copy)]
pub enum Default {
    /// Nothing; the documentation of the key says what that means.
    Unset,
    /// This value.
    Value(&'static str),
    /// These keys with these values: for names with a variable part.
    Family(&'static [(&'static str, &'static str)]),
}

/// A key this broker honours.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name; `$name` stands for a part of the administrator's choice.
    pub name: &'static str,
    /// What holds while it is not set. A family's defaults go as soon as one of it is set.
    pub default: Default,
    /// The values it takes.
    pub allowed: &'static str,
    /// What it is for, in one sentence.
    pub doc: &'static str,
    /// Its value never appears in a message.
    pub secret: bool,
    /// It is read, but the part of the broker that it steers is still to come.
    pub later: Option<&'static str>,
    pub(in crate::config) set: Set,
}

impl Key {
    /// A row.
    pub(super) const fn new(
        name: &'static str,
        default: Default,
        allowed: &'static str,
        doc: &'static str,
        set: Set,
    ) -> Self {
        Self {
            name,
            default,
            allowed,
            doc,
            secret: false,
            later: None,
            set,
        }
    }

    pub(super) const fn secret(self) -> Self {
        Self {
            secret: true,
            ..self
        }
    }

    pub(super) const fn later(self, part: &'static str) -> Self {
        Self {
            later: Some(part),
            ..self
        }
    }

    /// The default keys and values.
    pub fn defaults(&self) -> Vec<(&'static str, &'static str)> {
        match self.default {
            Default::Unset => vec![],
            Default::Value(value) => vec![(self.name, value)],
            Default::Family(all) => all.to_vec(),
        }
    }
}

/// Stores a value that was allowed.
pub fn put<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// Stores a value that was allowed where unset is possible too.
pub fn put_some<T>(place: &mut Option<T>, value: Option<T>) -> Option<()> {
    *place = Some(value?);
    Some(())
}
