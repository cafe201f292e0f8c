//! The order of lists: by Erlang's order of terms, which RabbitMQ's clients see.

use std::cmp::Ordering;

use serde_json::Value;

/// A field's value to sort by: numbers, then `true`, `false` and `null` by name, then what is
/// composed, then texts. What is missing counts as 0.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// A number, or nothing.
    Number(f64),
    /// `false`, `null`, `true`.
    Word(&'static str),
    /// An object or a list, by how much it holds.
    Composed(usize),
    /// A text, by its octets.
    Text(String),
}

impl SortKey {
    /// The key of the field at `path` in `item`.
    pub fn of(item: &Value, path: &[&str]) -> Self {
        let mut value = Some(item);
        for name in path {
            value = value.and_then(|value| value.get(name));
        }
        match value {
            None => Self::Number(0.0),
            Some(Value::Number(number)) => Self::Number(number.as_f64().unwrap_or_default()),
            Some(Value::Bool(true)) => Self::Word("true"),
            Some(Value::Bool(false)) => Self::Word("false"),
            Some(Value::Null) => Self::Word("null"),
            Some(Value::String(text)) => Self::Text(text.clone()),
            Some(Value::Array(items)) => Self::Composed(items.len()),
            Some(Value::Object(fields)) => Self::Composed(fields.len()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Number(_) => 0,
            Self::Word(_) => 1,
            Self::Composed(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

impl Eq for SortKey {}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Word(a), Self::Word(b)) => a.cmp(b),
            (Self::Composed(a), Self::Composed(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Sorts by the dotted `columns` in turn.
pub fn sort(items: &mut Vec<Value>, columns: &[&str]) {
    let paths: Vec<Vec<&str>> = columns
        .iter()
        .map(|column| column.split('.').collect())
        .collect();
    let mut keyed: Vec<(Vec<SortKey>, Value)> = std::mem::take(items)
        .into_iter()
        .map(|item| {
            let keys = paths.iter().map(|path| SortKey::of(&item, path)).collect();
            (keys, item)
        })
        .collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    items.extend(keyed.into_iter().map(|(_, item)| item));
}
