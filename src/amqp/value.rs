//! Field tables (AMQP 0-9-1 section 4.2.5.5 with RabbitMQ's type tags).
//!
//! Bytes are kept as they came: RabbitMQ accepts any octets in table keys and string values, so
//! nothing here assumes UTF-8. The order of the pairs is kept too, since headers are forwarded.

/// A typed value of a field table. The tag in parentheses is RabbitMQ's.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Boolean (`t`).
    Bool(bool),
    /// Signed 8 bits (`b`).
    I8(i8),
    /// Unsigned 8 bits (`B`).
    U8(u8),
    /// Signed 16 bits (`s`).
    I16(i16),
    /// Unsigned 16 bits (`u`).
    U16(u16),
    /// Signed 32 bits (`I`).
    I32(i32),
    /// Unsigned 32 bits (`i`).
    U32(u32),
    /// Signed 64 bits (`l`, and `L` on input).
    I64(i64),
    /// IEEE 754 single (`f`).
    F32(f32),
    /// IEEE 754 double (`d`).
    F64(f64),
    /// Decimal (`D`): scale and unsigned value.
    Decimal(u8, u32),
    /// Long string (`S`): any octets.
    LongString(Vec<u8>),
    /// Byte array (`x`).
    Bytes(Vec<u8>),
    /// Array (`A`).
    Array(Vec<Value>),
    /// Seconds since the epoch (`T`).
    Timestamp(u64),
    /// Nested table (`F`).
    Table(Table),
    /// No value (`V`).
    Void,
}

/// A field table: key and value pairs in the order they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Table(pub Vec<(Vec<u8>, Value)>);

impl Value {
    /// A long string from text.
    pub fn text(text: &str) -> Self {
        Self::LongString(text.as_bytes().to_vec())
    }

    /// The integer, whatever its width; `None` for every other type.
    pub fn as_int(&self) -> Option<i64> {
        Some(match *self {
            Self::I8(v) => v.into(),
            Self::U8(v) => v.into(),
            Self::I16(v) => v.into(),
            Self::U16(v) => v.into(),
            Self::I32(v) => v.into(),
            Self::U32(v) => v.into(),
            Self::I64(v) => v,
            _ => return None,
        })
    }

    /// The octets of a long string.
    pub fn as_long_string(&self) -> Option<&[u8]> {
        match self {
            Self::LongString(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// RabbitMQ's name of the type, as its error texts print it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "bool",
            Self::I8(_) => "byte",
            Self::U8(_) => "unsignedbyte",
            Self::I16(_) => "short",
            Self::U16(_) => "unsignedshort",
            Self::I32(_) => "signedint",
            Self::U32(_) => "unsignedint",
            Self::I64(_) => "long",
            Self::F32(_) => "float",
            Self::F64(_) => "double",
            Self::Decimal(..) => "decimal",
            Self::LongString(_) => "longstr",
            Self::Bytes(_) => "binary",
            Self::Array(_) => "array",
            Self::Timestamp(_) => "timestamp",
            Self::Table(_) => "table",
            Self::Void => "void",
        }
    }
}

impl Table {
    /// The value of `key`; the first one where a peer sent the key twice.
    pub fn get(&self, key: &[u8]) -> Option<&Value> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v)
    }

    /// Sets `key`, replacing its first value or adding the pair at the end.
    pub fn set(&mut self, key: &[u8], value: Value) {
        match self.0.iter_mut().find(|(k, _)| k == key) {
            Some((_, v)) => *v = value,
            None => self.0.push((key.to_vec(), value)),
        }
    }

    /// Removes every pair with `key` and returns the first value.
    pub fn remove(&mut self, key: &[u8]) -> Option<Value> {
        let at = self.0.iter().position(|(k, _)| k == key)?;
        let (_, value) = self.0.remove(at);
        self.0.retain(|(k, _)| k != key);
        Some(value)
    }

    /// True when there is no pair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The pairs in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Value)> {
        self.0.iter().map(|(k, v)| (k.as_slice(), v))
    }
}
