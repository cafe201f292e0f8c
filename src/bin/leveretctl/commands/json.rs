//! Reading what the management API answers.

use serde_json::Value;

use crate::failure::{Failure, UNAVAILABLE};
use crate::format::{Cell, Rows};

/// A field's text; empty where there is none.
pub fn text<'a>(item: &'a Value, key: &str) -> &'a str {
    item.get(key).and_then(Value::as_str).unwrap_or("")
}

/// A field's number; 0 where there is none.
pub fn integer(item: &Value, key: &str) -> i64 {
    item.get(key).and_then(Value::as_i64).unwrap_or(0)
}

/// A row for each item; `cell` makes a field of an item and a column.
pub fn rows(items: &[Value], columns: &[&str], cell: impl Fn(&Value, &str) -> Cell) -> Rows {
    let mut rows = Rows::new(columns);
    rows.rows = items
        .iter()
        .map(|item| columns.iter().map(|column| cell(item, column)).collect())
        .collect();
    rows
}

/// A field as it is.
pub fn plain(item: &Value, key: &str) -> Cell {
    Cell::Plain(item.get(key).cloned().unwrap_or(Value::Null))
}

/// A field as JSON text, as parameters and definitions of policies are shown.
pub fn as_json_text(item: &Value, key: &str) -> Cell {
    Cell::text(item.get(key).unwrap_or(&Value::Null).to_string())
}

/// Tags: a list, or words behind commas as older answers have them.
pub fn tags(item: &Value) -> Vec<String> {
    match item.get("tags") {
        Some(Value::Array(tags)) => tags
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Some(Value::String(tags)) => tags
            .split(',')
            .map(str::trim)
            .filter(|tag| !tag.is_empty())
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// What an operator typed as JSON.
pub fn parse(text: &str) -> Result<Value, Failure> {
    serde_json::from_str(text)
        .map_err(|_| Failure::refused(UNAVAILABLE, "JSON decoding error. Reason: badarg"))
}
