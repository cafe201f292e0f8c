//! `columns=name,message_stats.publish`: the fields an answer is cut down to.

use serde_json::{Map, Value};

use crate::management::query::Params;

/// Columns that one request may name; the largest object has about a hundred fields.
const COLUMNS_MAX: usize = 512;

/// The chosen fields, each a path of names. Without the parameter everything is chosen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns(Option<Vec<Vec<String>>>);

impl Columns {
    /// What the request chose.
    pub fn of(params: &Params) -> Self {
        Self(params.get("columns").map(|text| {
            text.split(',')
                .filter(|column| !column.is_empty())
                .take(COLUMNS_MAX)
                .map(|column| column.split('.').map(str::to_owned).collect())
                .collect()
        }))
    }

    /// The dotted `columns` and nothing else.
    pub fn these<'a>(columns: impl Iterator<Item = &'a str>) -> Self {
        let paths = columns.map(|column| column.split('.').map(str::to_owned).collect());
        Self(Some(paths.collect()))
    }

    /// True when only a part of some field is wanted.
    pub fn has_parts(&self) -> bool {
        let mut paths = self.0.iter().flatten();
        paths.any(|path| path.len() > 1)
    }

    /// True when the field at the top level called `name`, or a part of it, is wanted: what is not
    /// need not be worked out.
    pub fn wants(&self, name: &str) -> bool {
        match &self.0 {
            None => true,
            Some(paths) => paths
                .iter()
                .any(|path| path.first().is_some_and(|first| first == name)),
        }
    }

    /// Cuts `value` down. What is left empty becomes an empty list, as in RabbitMQ.
    pub fn apply(&self, value: Value) -> Value {
        match &self.0 {
            None => value,
            Some(paths) => {
                let paths: Vec<&[String]> = paths.iter().map(Vec::as_slice).collect();
                keep(value, &paths)
            }
        }
    }
}

fn keep(value: Value, paths: &[&[String]]) -> Value {
    match value {
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, field) in fields {
                let below: Vec<&[String]> = paths
                    .iter()
                    .filter_map(|path| path.split_first())
                    .filter(|(first, _)| **first == name)
                    .map(|(_, rest)| rest)
                    .collect();
                if below.is_empty() {
                    continue;
                }
                let whole = below.iter().any(|rest| rest.is_empty());
                let field = if whole { field } else { keep(field, &below) };
                kept.insert(name, field);
            }
            if kept.is_empty() {
                Value::Array(Vec::new())
            } else {
                Value::Object(kept)
            }
        }
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| keep(item, paths)).collect())
        }
        scalar => scalar,
    }
}
