//! JSON arguments as a field table.
//!
//! Whole numbers become `long` (64 bits), others `double`, texts long strings, as RabbitMQ's
//! import makes them; null becomes a void, which RabbitMQ exports but refuses to take back.

use serde_json::Value as Json;

use super::reader::{Object, Reader, expected};
use crate::amqp::value::{Table, Value};

/// How deep arguments may nest. The wire's own bound is higher, so whatever was imported can be
/// sent; the JSON reader stops a hostile text at 128 before this is asked.
const DEPTH_MAX: usize = 32;

/// The field `arguments`. Missing, null and RabbitMQ's empty list stand for no arguments.
pub fn read(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<Table> {
    let path = object.at("arguments");
    match object.get("arguments") {
        None => Some(Table::default()),
        Some(Json::Array(items)) if items.is_empty() => Some(Table::default()),
        Some(Json::Object(fields)) => table(reader, &path, fields, 1),
        Some(other) => reader.fault(path, expected("an object", other)),
    }
}

fn table(
    reader: &mut Reader<'_>,
    path: &str,
    fields: &serde_json::Map<String, Json>,
    depth: usize,
) -> Option<Table> {
    let mut table = Table::default();
    for (key, json) in fields {
        let path = format!("{path}.{key}");
        if key.len() > 255 {
            let reason = format!("a key of {} bytes; allowed: at most 255", key.len());
            return reader.fault(path, reason);
        }
        table
            .0
            .push((key.as_bytes().to_vec(), value(reader, &path, json, depth)?));
    }
    Some(table)
}

fn value(reader: &mut Reader<'_>, path: &str, json: &Json, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        let reason = format!("nests too deep; allowed: {DEPTH_MAX} levels");
        return reader.fault(path.to_owned(), reason);
    }
    Some(match json {
        Json::Null => Value::Void,
        Json::Bool(value) => Value::Bool(*value),
        Json::String(text) => Value::text(text),
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::I64(whole),
            (None, Some(fraction)) if number.is_f64() => Value::F64(fraction),
            _ => {
                let wanted = "a whole number of 64 bits with sign, or a decimal number";
                return reader.fault(path.to_owned(), expected(wanted, json));
            }
        },
        Json::Array(items) => {
            let mut values = Vec::with_capacity(items.len());
            for (at, item) in items.iter().enumerate() {
                values.push(value(reader, &format!("{path}[{at}]"), item, depth + 1)?);
            }
            Value::Array(values)
        }
        Json::Object(fields) => Value::Table(table(reader, path, fields, depth + 1)?),
    })
}
