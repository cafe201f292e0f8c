//! Field tables and their values, every type tag RabbitMQ accepts.

use super::{Reader, Writer};
use crate::suite::{Result, fail};

/// One value of a field table.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `t`
    Bool(bool),
    /// `b`
    I8(i8),
    /// `B`
    U8(u8),
    /// `s`
    I16(i16),
    /// `u`
    U16(u16),
    /// `I`
    I32(i32),
    /// `i`
    U32(u32),
    /// `l`
    I64(i64),
    /// `f`
    F32(f32),
    /// `d`
    F64(f64),
    /// `D`: scale, then the unscaled value
    Decimal(u8, u32),
    /// `S`
    Str(Vec<u8>),
    /// `x`
    Bytes(Vec<u8>),
    /// `A`
    Array(Vec<Value>),
    /// `T`, seconds
    Timestamp(u64),
    /// `F`
    Table(Table),
    /// `V`
    Void,
    /// Any tag with any bytes, for hostile input; never decoded.
    Raw(u8, Vec<u8>),
}

/// A field table: order and duplicates are kept as sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table(pub Vec<(Vec<u8>, Value)>);

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }
    /// The table with one more entry at its end.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.push((key.as_bytes().to_vec(), value.into()));
        self
    }
    /// The first value of `key`.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(k, _)| k == key.as_bytes())
            .map(|(_, v)| v)
    }
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether the table has no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The entries sorted by key; RabbitMQ may reorder what it rebuilds.
    pub fn sorted(mut self) -> Self {
        self.0.sort_by(|a, b| a.0.cmp(&b.0));
        self
    }
    /// Encodes the table with its length.
    pub fn encode(&self, out: &mut Writer) {
        let mut inner = Writer::new();
        for (key, value) in &self.0 {
            inner.short_str(key);
            value.encode(&mut inner);
        }
        out.long_str(&inner.0);
    }
    /// Decodes a table with its length.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        let mut inner = Reader::new(r.long_str()?);
        let mut table = Self::new();
        while !inner.is_empty() {
            let key = inner.short_str()?.to_vec();
            table.0.push((key, Value::decode(&mut inner)?));
        }
        Ok(table)
    }
}

impl Value {
    /// The text of a long string value.
    pub fn as_str(&self) -> Option<String> {
        match self {
            Value::Str(b) => Some(String::from_utf8_lossy(b).into_owned()),
            _ => None,
        }
    }
    /// The value of any integer or timestamp.
    pub fn as_int(&self) -> Option<i128> {
        Some(match self {
            Value::I8(v) => (*v).into(),
            Value::U8(v) => (*v).into(),
            Value::I16(v) => (*v).into(),
            Value::U16(v) => (*v).into(),
            Value::I32(v) => (*v).into(),
            Value::U32(v) => (*v).into(),
            Value::I64(v) => (*v).into(),
            Value::Timestamp(v) => (*v).into(),
            _ => return None,
        })
    }
    /// The entries of an array value.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(v) => Some(v),
            _ => None,
        }
    }
    /// The table of a table value.
    pub fn as_table(&self) -> Option<&Table> {
        match self {
            Value::Table(t) => Some(t),
            _ => None,
        }
    }
    /// Encodes the tag and the value.
    pub fn encode(&self, w: &mut Writer) {
        match self {
            Value::Bool(v) => w.u8(b't').u8((*v).into()),
            Value::I8(v) => w.u8(b'b').raw(&v.to_be_bytes()),
            Value::U8(v) => w.u8(b'B').u8(*v),
            Value::I16(v) => w.u8(b's').raw(&v.to_be_bytes()),
            Value::U16(v) => w.u8(b'u').u16(*v),
            Value::I32(v) => w.u8(b'I').raw(&v.to_be_bytes()),
            Value::U32(v) => w.u8(b'i').u32(*v),
            Value::I64(v) => w.u8(b'l').raw(&v.to_be_bytes()),
            Value::F32(v) => w.u8(b'f').raw(&v.to_be_bytes()),
            Value::F64(v) => w.u8(b'd').raw(&v.to_be_bytes()),
            Value::Decimal(scale, v) => w.u8(b'D').u8(*scale).u32(*v),
            Value::Str(v) => w.u8(b'S').long_str(v),
            Value::Bytes(v) => w.u8(b'x').long_str(v),
            Value::Array(items) => {
                let mut inner = Writer::new();
                for item in items {
                    item.encode(&mut inner);
                }
                w.u8(b'A').long_str(&inner.0)
            }
            Value::Timestamp(v) => w.u8(b'T').u64(*v),
            Value::Table(t) => {
                w.u8(b'F');
                t.encode(w);
                w
            }
            Value::Void => w.u8(b'V'),
            Value::Raw(tag, bytes) => w.u8(*tag).raw(bytes),
        };
    }
    /// Decodes a tag and its value.
    pub fn decode(r: &mut Reader<'_>) -> Result<Self> {
        Ok(match r.u8()? {
            b't' => Value::Bool(r.u8()? != 0),
            b'b' => Value::I8(r.u8()? as i8),
            b'B' => Value::U8(r.u8()?),
            b's' => Value::I16(r.u16()? as i16),
            b'u' => Value::U16(r.u16()?),
            b'I' => Value::I32(r.u32()? as i32),
            b'i' => Value::U32(r.u32()?),
            b'l' => Value::I64(r.u64()? as i64),
            b'f' => Value::F32(f32::from_bits(r.u32()?)),
            b'd' => Value::F64(f64::from_bits(r.u64()?)),
            b'D' => Value::Decimal(r.u8()?, r.u32()?),
            b'S' => Value::Str(r.long_str()?.to_vec()),
            b'x' => Value::Bytes(r.long_str()?.to_vec()),
            b'A' => {
                let mut inner = Reader::new(r.long_str()?);
                let mut items = Vec::new();
                while !inner.is_empty() {
                    items.push(Value::decode(&mut inner)?);
                }
                Value::Array(items)
            }
            b'T' => Value::Timestamp(r.u64()?),
            b'F' => Value::Table(Table::decode(r)?),
            b'V' => Value::Void,
            tag => {
                return fail(format!(
                    "broker sent the unknown table tag {:?}",
                    tag as char
                ));
            }
        })
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Value {
            fn from(v: $from) -> Self {
                Value::$variant(v.into())
            }
        })*
    };
}
value_from!(
    bool => Bool, i8 => I8, u8 => U8, i16 => I16, u16 => U16, i32 => I32, u32 => U32, i64 => I64,
    f32 => F32, f64 => F64, &str => Str, String => Str, Table => Table,
    Vec<Value> => Array
);

impl From<&String> for Value {
    fn from(v: &String) -> Self {
        Value::Str(v.as_bytes().to_vec())
    }
}
