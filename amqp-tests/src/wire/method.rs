//! A method with named fields, encoded and decoded by the table in `spec`.

use super::{Kind, MethodSpec, Reader, Table, Writer, all_methods};
use crate::suite::{Result, fail};

/// The value of one method field.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Any integer.
    Num(u64),
    /// A bit.
    Bit(bool),
    /// A short or long string.
    Str(Vec<u8>),
    /// A field table.
    Table(Table),
}

/// One method; fields not set are zero, false or empty.
#[derive(Clone, Debug)]
pub struct Method {
    spec: &'static MethodSpec,
    fields: Vec<Field>,
}

/// A method by its name, such as `queue.declare`, all fields empty.
/// A wrong name is a mistake of the scenario and panics.
pub fn method(name: &str) -> Method {
    let spec = all_methods().iter().find(|m| m.name == name);
    Method::empty(spec.unwrap_or_else(|| panic!("no method {name}")))
}

impl Method {
    fn empty(spec: &'static MethodSpec) -> Self {
        let fields = spec.fields.iter().map(|(_, kind)| match kind {
            Kind::Bit => Field::Bit(false),
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Field::Num(0),
            Kind::ShortStr | Kind::LongStr => Field::Str(Vec::new()),
            Kind::Table => Field::Table(Table::new()),
        });
        Self {
            spec,
            fields: fields.collect(),
        }
    }
    fn index(&self, name: &str) -> usize {
        let at = self.spec.fields.iter().position(|(n, _)| *n == name);
        at.unwrap_or_else(|| panic!("{} has no field {name}", self.spec.name))
    }
    /// The method with one field set; an unknown field name panics.
    pub fn set(mut self, name: &str, value: impl Into<Field>) -> Self {
        let at = self.index(name);
        self.fields[at] = value.into();
        self
    }
    /// `class.method`.
    pub fn name(&self) -> &'static str {
        self.spec.name
    }
    /// Class id and method id.
    pub fn ids(&self) -> (u16, u16) {
        (self.spec.class, self.spec.id)
    }
    /// A string field, shown leniently.
    pub fn str(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }
    /// A string field's bytes.
    pub fn bytes(&self, name: &str) -> &[u8] {
        match &self.fields[self.index(name)] {
            Field::Str(s) => s,
            other => panic!("{name} is {other:?}"),
        }
    }
    /// An integer field.
    pub fn num(&self, name: &str) -> u64 {
        match &self.fields[self.index(name)] {
            Field::Num(n) => *n,
            other => panic!("{name} is {other:?}"),
        }
    }
    /// A bit field.
    pub fn bit(&self, name: &str) -> bool {
        matches!(self.fields[self.index(name)], Field::Bit(true))
    }
    /// A table field.
    pub fn table(&self, name: &str) -> &Table {
        match &self.fields[self.index(name)] {
            Field::Table(t) => t,
            other => panic!("{name} is {other:?}"),
        }
    }
    /// The payload of a method frame: ids and arguments.
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.u16(self.spec.class).u16(self.spec.id);
        let mut bits: Option<(u8, u8)> = None;
        for ((_, kind), field) in self.spec.fields.iter().zip(&self.fields) {
            if let (Kind::Bit, Field::Bit(on)) = (kind, field) {
                let (octet, used) = bits.unwrap_or((0, 0));
                bits = Some((octet | (u8::from(*on) << used), used + 1));
                continue;
            }
            if let Some((octet, _)) = bits.take() {
                w.u8(octet);
            }
            match (kind, field) {
                (Kind::U8, Field::Num(n)) => drop(w.u8(*n as u8)),
                (Kind::U16, Field::Num(n)) => drop(w.u16(*n as u16)),
                (Kind::U32, Field::Num(n)) => drop(w.u32(*n as u32)),
                (Kind::U64, Field::Num(n)) => drop(w.u64(*n)),
                (Kind::ShortStr, Field::Str(s)) => drop(w.short_str(s)),
                (Kind::LongStr, Field::Str(s)) => drop(w.long_str(s)),
                (Kind::Table, Field::Table(t)) => t.encode(&mut w),
                other => panic!("{}: {other:?}", self.spec.name),
            }
        }
        if let Some((octet, _)) = bits {
            w.u8(octet);
        }
        w.0
    }
    /// Decodes the payload of a method frame, all of it.
    pub fn decode(payload: &[u8]) -> Result<Self> {
        let mut r = Reader::new(payload);
        let (class, id) = (r.u16()?, r.u16()?);
        let Some(spec) = all_methods()
            .iter()
            .find(|m| (m.class, m.id) == (class, id))
        else {
            return fail(format!("broker sent the unknown method {class}.{id}"));
        };
        let mut fields = Vec::new();
        let mut bits: Option<(u8, u8)> = None;
        for (_, kind) in spec.fields {
            if *kind == Kind::Bit {
                let (octet, used) = match bits {
                    Some(b) => b,
                    None => (r.u8()?, 0),
                };
                fields.push(Field::Bit(octet >> used & 1 == 1));
                bits = Some((octet, used + 1));
                continue;
            }
            bits = None;
            fields.push(match kind {
                Kind::U8 => Field::Num(r.u8()?.into()),
                Kind::U16 => Field::Num(r.u16()?.into()),
                Kind::U32 => Field::Num(r.u32()?.into()),
                Kind::U64 => Field::Num(r.u64()?),
                Kind::ShortStr => Field::Str(r.short_str()?.to_vec()),
                Kind::LongStr => Field::Str(r.long_str()?.to_vec()),
                Kind::Table | Kind::Bit => Field::Table(Table::decode(&mut r)?),
            });
        }
        if !r.is_empty() {
            return fail(format!(
                "{} has {} bytes too many",
                spec.name,
                r.rest().len()
            ));
        }
        Ok(Self { spec, fields })
    }
}

impl From<bool> for Field {
    fn from(v: bool) -> Self {
        Field::Bit(v)
    }
}
impl From<&str> for Field {
    fn from(v: &str) -> Self {
        Field::Str(v.as_bytes().to_vec())
    }
}
impl From<&String> for Field {
    fn from(v: &String) -> Self {
        Field::Str(v.as_bytes().to_vec())
    }
}
impl From<String> for Field {
    fn from(v: String) -> Self {
        Field::Str(v.into_bytes())
    }
}
impl From<Vec<u8>> for Field {
    fn from(v: Vec<u8>) -> Self {
        Field::Str(v)
    }
}
impl From<&[u8]> for Field {
    fn from(v: &[u8]) -> Self {
        Field::Str(v.to_vec())
    }
}
impl From<Table> for Field {
    fn from(v: Table) -> Self {
        Field::Table(v)
    }
}
macro_rules! field_num {
    ($($t:ty),*) => { $(impl From<$t> for Field {
        fn from(v: $t) -> Self { Field::Num(v.into()) }
    })* };
}
field_num!(u8, u16, u32, u64);
impl From<i32> for Field {
    fn from(v: i32) -> Self {
        Field::Num(u64::try_from(v).expect("a field is not negative"))
    }
}
