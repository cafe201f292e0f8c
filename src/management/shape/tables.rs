//! Field tables as JSON objects, and back.

use std::collections::HashSet;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value as Json};

use crate::amqp::{Table, Value};
use crate::management::body::Body;
use crate::management::error::ApiError;

/// How deep arguments may nest; the wire's own bound is higher.
const DEPTH_MAX: usize = 32;

/// A field table as a JSON object. What is no text becomes one as far as it can be read.
#[derive(Debug, Clone, Copy)]
pub struct Arguments<'a>(pub &'a Table);

struct Field<'a>(&'a Value);

impl Serialize for Arguments<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A client may send a key twice; in JSON it stands once, with the last value.
        let mut seen = HashSet::new();
        let mut fields: Vec<_> = self.0.iter().collect();
        fields.reverse();
        fields.retain(|(key, _)| seen.insert(key.to_vec()));
        let mut map = serializer.serialize_map(Some(fields.len()))?;
        for (key, value) in fields.into_iter().rev() {
            map.serialize_entry(&String::from_utf8_lossy(key), &Field(value))?;
        }
        map.end()
    }
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Bool(value) => serializer.serialize_bool(*value),
            Value::U32(value) => serializer.serialize_u32(*value),
            Value::F32(value) => serializer.serialize_f64(f64::from(*value)),
            Value::F64(value) => serializer.serialize_f64(*value),
            Value::Decimal(scale, value) => {
                serializer.serialize_f64(f64::from(*value) / 10f64.powi(i32::from(*scale)))
            }
            Value::LongString(octets) | Value::Bytes(octets) => {
                serializer.serialize_str(&String::from_utf8_lossy(octets))
            }
            Value::Array(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    list.serialize_element(&Field(item))?;
                }
                list.end()
            }
            Value::Timestamp(seconds) => serializer.serialize_u64(*seconds),
            Value::Table(table) => Arguments(table).serialize(serializer),
            Value::Void => serializer.serialize_unit(),
            Value::I8(_)
            | Value::U8(_)
            | Value::I16(_)
            | Value::U16(_)
            | Value::I32(_)
            | Value::I64(_) => serializer.serialize_i64(self.0.as_int().unwrap_or_default()),
        }
    }
}

/// A JSON object as a field table: whole numbers become `long`, others `double`. `None` where it
/// nests too deep, has a key longer than 255 octets or a number beyond 64 bits.
pub fn from_json(fields: &Map<String, Json>) -> Option<Table> {
    table(fields, 1)
}

/// The `arguments` of a body as a field table.
pub fn of_body(body: &Body) -> Result<Table, ApiError> {
    from_json(&body.object("arguments")?)
        .ok_or_else(|| ApiError::bad_request("the arguments do not fit a field table"))
}

fn table(fields: &Map<String, Json>, depth: usize) -> Option<Table> {
    let mut table = Table::default();
    for (key, json) in fields {
        if key.len() > 255 {
            return None;
        }
        table.0.push((key.as_bytes().to_vec(), value(json, depth)?));
    }
    Some(table)
}

fn value(json: &Json, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    Some(match json {
        Json::Null => Value::Void,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::I64(whole),
            None => Value::F64(number.as_f64().filter(|_| number.is_f64())?),
        },
        Json::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| value(item, depth + 1))
                .collect::<Option<_>>()?,
        ),
        Json::Object(fields) => Value::Table(table(fields, depth + 1)?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tables_go_there_and_back() {
        let json = json!({
            "x-max-length": 10, "x-dead-letter-exchange": "dlx", "list": [1, "a", {"k": true}],
            "share": 1.5, "none": null,
        });
        let table = from_json(json.as_object().unwrap()).unwrap();
        assert_eq!(table.get(b"x-max-length"), Some(&Value::I64(10)));
        assert_eq!(serde_json::to_value(Arguments(&table)).unwrap(), json);
    }

    #[test]
    fn what_no_table_can_hold_is_refused() {
        let long = json!({ "k".repeat(256): 1 });
        assert_eq!(from_json(long.as_object().unwrap()), None);
        let mut deep = json!({});
        for _ in 0..40 {
            deep = json!({ "k": deep });
        }
        assert_eq!(from_json(deep.as_object().unwrap()), None);
        assert_eq!(
            from_json(json!({ "n": u64::MAX }).as_object().unwrap()),
            None
        );
    }

    #[test]
    fn odd_values_are_shown_as_well_as_can_be() {
        let mut table = Table::default();
        table.set(b"bytes", Value::Bytes(vec![0xff, b'a']));
        table.set(b"decimal", Value::Decimal(2, 150));
        table.set(b"stamp", Value::Timestamp(7));
        let shown = serde_json::to_value(Arguments(&table)).unwrap();
        assert_eq!(
            shown,
            json!({ "bytes": "\u{fffd}a", "decimal": 1.5, "stamp": 7 })
        );
    }
}
