//! Reads and writes field tables, byte by byte and without recursion.
//!
//! Nothing here trusts a length, a tag or a depth: every read is checked against what is left of
//! the enclosing table, nesting ends at [`DEPTH_MAX`], and an explicit stack stands in for
//! recursion, so that a hostile frame costs at most its own size.

use super::value::{Table, Value};

/// How deep tables and arrays may nest; RabbitMQ has no limit, 64 is far beyond what clients send.
pub const DEPTH_MAX: usize = 64;

/// Why a field table could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A length points past the end of the enclosing table.
    #[error("field table is cut short")]
    Truncated,
    /// A type tag that neither the specification nor RabbitMQ knows.
    #[error("unknown field type tag {0}")]
    UnknownTag(u8),
    /// More than [`DEPTH_MAX`] tables and arrays inside each other.
    #[error("field table nests deeper than 64 levels")]
    TooDeep,
}

/// A cursor over bytes that never reads past its end.
#[derive(Debug, Clone, Copy)]
pub struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// A cursor at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// What has not been read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next `len` octets.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], TableError> {
        let (head, tail) = self
            .rest
            .split_at_checked(len)
            .ok_or(TableError::Truncated)?;
        self.rest = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], TableError> {
        let (head, tail) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(TableError::Truncated)?;
        self.rest = tail;
        Ok(*head)
    }

    /// The next octet.
    pub fn u8(&mut self) -> Result<u8, TableError> {
        self.array::<1>().map(|[b]| b)
    }

    /// The next 16-bit number.
    pub fn u16(&mut self) -> Result<u16, TableError> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next 32-bit number.
    pub fn u32(&mut self) -> Result<u32, TableError> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next 64-bit number.
    pub fn u64(&mut self) -> Result<u64, TableError> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next short string.
    pub fn short_string(&mut self) -> Result<&'a [u8], TableError> {
        let len = self.u8()?;
        self.take(len.into())
    }

    /// The next long string, or the body of the next table or array.
    pub fn long_string(&mut self) -> Result<&'a [u8], TableError> {
        let len = self.u32()?;
        self.take(len as usize)
    }
}

/// What one tag stands for: a value, or the start of a container whose body follows.
enum Item<'a> {
    Value(Value),
    Array(&'a [u8]),
    Table(&'a [u8]),
}

fn read_item<'a>(cursor: &mut Cursor<'a>) -> Result<Item<'a>, TableError> {
    let tag = cursor.u8()?;
    Ok(Item::Value(match tag {
        b't' => Value::Bool(cursor.u8()? != 0),
        b'b' => Value::I8(i8::from_be_bytes(cursor.array()?)),
        b'B' => Value::U8(cursor.u8()?),
        b's' => Value::I16(i16::from_be_bytes(cursor.array()?)),
        b'u' => Value::U16(cursor.u16()?),
        b'I' => Value::I32(i32::from_be_bytes(cursor.array()?)),
        b'i' => Value::U32(cursor.u32()?),
        b'l' | b'L' => Value::I64(i64::from_be_bytes(cursor.array()?)),
        b'f' => Value::F32(f32::from_be_bytes(cursor.array()?)),
        b'd' => Value::F64(f64::from_be_bytes(cursor.array()?)),
        b'D' => Value::Decimal(cursor.u8()?, cursor.u32()?),
        b'S' => Value::LongString(cursor.long_string()?.to_vec()),
        b'x' => Value::Bytes(cursor.long_string()?.to_vec()),
        b'T' => Value::Timestamp(cursor.u64()?),
        b'V' => Value::Void,
        b'A' => return Ok(Item::Array(cursor.long_string()?)),
        b'F' => return Ok(Item::Table(cursor.long_string()?)),
        other => return Err(TableError::UnknownTag(other)),
    }))
}

/// A container that is being read: its unread rest, what it holds so far, and the key under which
/// it goes into its parent.
struct Open<'a> {
    cursor: Cursor<'a>,
    key: Option<&'a [u8]>,
    building: Building,
}

enum Building {
    Array(Vec<Value>),
    Table(Table),
}

/// Reads the pairs of a table whose four octets of length have been taken off.
pub fn read_table_body(bytes: &[u8]) -> Result<Table, TableError> {
    let root = Open {
        cursor: Cursor::new(bytes),
        key: None,
        building: Building::Table(Table::default()),
    };
    let mut stack = vec![root];
    loop {
        let Some(top) = stack.last_mut() else {
            return Err(TableError::Truncated);
        };
        if top.cursor.rest().is_empty() {
            let Some(done) = stack.pop() else {
                return Err(TableError::Truncated);
            };
            let value = match done.building {
                Building::Array(values) => Value::Array(values),
                Building::Table(table) => Value::Table(table),
            };
            match stack.last_mut() {
                Some(parent) => push(&mut parent.building, done.key, value),
                None => match value {
                    Value::Table(table) => return Ok(table),
                    _ => return Err(TableError::Truncated),
                },
            }
            continue;
        }
        let key = match top.building {
            Building::Table(_) => Some(top.cursor.short_string()?),
            Building::Array(_) => None,
        };
        let (body, building) = match read_item(&mut top.cursor)? {
            Item::Value(value) => {
                push(&mut top.building, key, value);
                continue;
            }
            Item::Array(body) => (body, Building::Array(Vec::new())),
            Item::Table(body) => (body, Building::Table(Table::default())),
        };
        if stack.len() >= DEPTH_MAX {
            return Err(TableError::TooDeep);
        }
        stack.push(Open {
            cursor: Cursor::new(body),
            key,
            building,
        });
    }
}

fn push(building: &mut Building, key: Option<&[u8]>, value: Value) {
    match building {
        Building::Array(values) => values.push(value),
        Building::Table(table) => table.0.push((key.unwrap_or_default().to_vec(), value)),
    }
}

/// Checks lengths, tags and depth of a table's pairs without building anything.
pub fn check_table_body(bytes: &[u8]) -> Result<(), TableError> {
    // (rest, holds keys); fixed depth, so the array lives on the stack.
    let mut stack: [(&[u8], bool); DEPTH_MAX] = [(&[], false); DEPTH_MAX];
    let mut depth = 0usize;
    let mut current = (bytes, true);
    loop {
        if current.0.is_empty() {
            if depth == 0 {
                return Ok(());
            }
            depth -= 1;
            current = *stack.get(depth).ok_or(TableError::TooDeep)?;
            continue;
        }
        let mut cursor = Cursor::new(current.0);
        if current.1 {
            cursor.short_string()?;
        }
        let tag = cursor.u8()?;
        let inner = match tag {
            b't' | b'b' | b'B' => cursor.take(1).map(|_| None)?,
            b's' | b'u' => cursor.take(2).map(|_| None)?,
            b'I' | b'i' | b'f' => cursor.take(4).map(|_| None)?,
            b'l' | b'L' | b'd' | b'T' => cursor.take(8).map(|_| None)?,
            b'D' => cursor.take(5).map(|_| None)?,
            b'S' | b'x' => cursor.long_string().map(|_| None)?,
            b'V' => None,
            b'A' => Some((cursor.long_string()?, false)),
            b'F' => Some((cursor.long_string()?, true)),
            other => return Err(TableError::UnknownTag(other)),
        };
        current.0 = cursor.rest();
        if let Some(inner) = inner {
            // The root counts as a level, as in `read_table_body`.
            if depth + 1 >= DEPTH_MAX {
                return Err(TableError::TooDeep);
            }
            *stack.get_mut(depth).ok_or(TableError::TooDeep)? = current;
            depth += 1;
            current = inner;
        }
    }
}

/// Appends a table with its length in front. Depth is bounded because every table came through
/// [`read_table_body`] or was built by the broker.
pub fn write_table(out: &mut Vec<u8>, table: &Table) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    for (key, value) in table.iter() {
        write_short_string(out, key);
        write_value(out, value);
    }
    patch_length(out, at);
}

fn patch_length(out: &mut [u8], at: usize) {
    let len = u32::try_from(out.len().saturating_sub(at + 4)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&len.to_be_bytes());
    }
}

/// Appends a short string, cut at 255 octets.
pub fn write_short_string(out: &mut Vec<u8>, text: &[u8]) {
    let text = text.get(..255).unwrap_or(text);
    out.push(u8::try_from(text.len()).unwrap_or(255));
    out.extend_from_slice(text);
}

/// Appends a long string.
pub fn write_long_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(text);
}

fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Bool(v) => out.extend_from_slice(&[b't', u8::from(*v)]),
        Value::I8(v) => tagged(out, b'b', &v.to_be_bytes()),
        Value::U8(v) => tagged(out, b'B', &v.to_be_bytes()),
        Value::I16(v) => tagged(out, b's', &v.to_be_bytes()),
        Value::U16(v) => tagged(out, b'u', &v.to_be_bytes()),
        Value::I32(v) => tagged(out, b'I', &v.to_be_bytes()),
        Value::U32(v) => tagged(out, b'i', &v.to_be_bytes()),
        Value::I64(v) => tagged(out, b'l', &v.to_be_bytes()),
        Value::F32(v) => tagged(out, b'f', &v.to_be_bytes()),
        Value::F64(v) => tagged(out, b'd', &v.to_be_bytes()),
        Value::Decimal(scale, v) => {
            out.extend_from_slice(&[b'D', *scale]);
            out.extend_from_slice(&v.to_be_bytes());
        }
        Value::LongString(v) => {
            out.push(b'S');
            write_long_string(out, v);
        }
        Value::Bytes(v) => {
            out.push(b'x');
            write_long_string(out, v);
        }
        Value::Timestamp(v) => tagged(out, b'T', &v.to_be_bytes()),
        Value::Void => out.push(b'V'),
        Value::Array(values) => {
            out.push(b'A');
            let at = out.len();
            out.extend_from_slice(&[0; 4]);
            for value in values {
                write_value(out, value);
            }
            patch_length(out, at);
        }
        Value::Table(table) => {
            out.push(b'F');
            write_table(out, table);
        }
    }
}

fn tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::I8),
            any::<u8>().prop_map(Value::U8),
            any::<i16>().prop_map(Value::I16),
            any::<u16>().prop_map(Value::U16),
            any::<i32>().prop_map(Value::I32),
            any::<u32>().prop_map(Value::U32),
            any::<i64>().prop_map(Value::I64),
            (-1e9f64..1e9).prop_map(Value::F64),
            (-1e9f32..1e9).prop_map(Value::F32),
            (any::<u8>(), any::<u32>()).prop_map(|(s, v)| Value::Decimal(s, v)),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::LongString),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Bytes),
            any::<u64>().prop_map(Value::Timestamp),
            Just(Value::Void),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
                prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9), inner), 0..6)
                    .prop_map(|pairs| Value::Table(Table(pairs))),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(pairs in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..9), any_value()), 0..6)) {
            let table = Table(pairs);
            let mut wire = Vec::new();
            write_table(&mut wire, &table);
            prop_assert_eq!(check_table_body(&wire[4..]), Ok(()));
            prop_assert_eq!(read_table_body(&wire[4..]), Ok(table));
        }

        #[test]
        fn any_bytes_are_read_or_refused_alike(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(read_table_body(&bytes).err(), check_table_body(&bytes).err());
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let mut body = Vec::new();
        for _ in 0..5_000 {
            let mut outer = vec![b'A'];
            write_long_string(&mut outer, &body);
            body = outer;
        }
        let mut table = vec![1, b'k'];
        table.extend_from_slice(&body);
        assert_eq!(read_table_body(&table), Err(TableError::TooDeep));
        assert_eq!(check_table_body(&table), Err(TableError::TooDeep));
    }
}
