//! Binding arguments as part of a binding's identity.
//!
//! RabbitMQ sorts the top level by key (a stable sort, so equal keys keep their order) and then
//! compares terms: the type counts (`I` 1 is not `l` 1), a nested table's order counts, 0.0 and
//! -0.0 are the same. Probed on 3.10.8. The comparison here is that of canonical octets.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::amqp::value::{Table, Value};

static NO_ARGUMENTS: Table = Table(Vec::new());

/// Shared arguments; empty ones, which nearly all bindings have, take no memory.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments(Option<Arc<Kept>>);

#[derive(Debug)]
struct Kept {
    canonical: Vec<u8>,
    table: Table,
}

impl Arguments {
    pub(super) fn new(table: &Table) -> Self {
        if table.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(Kept {
            canonical: canonical(table),
            table: table.clone(),
        })))
    }

    /// The table as it was first sent.
    pub(super) fn table(&self) -> &Table {
        self.0.as_ref().map_or(&NO_ARGUMENTS, |kept| &kept.table)
    }

    fn octets(&self) -> &[u8] {
        self.0.as_ref().map_or(&[], |kept| &kept.canonical)
    }
}

impl PartialEq for Arguments {
    fn eq(&self, other: &Self) -> bool {
        self.octets() == other.octets()
    }
}

impl Eq for Arguments {}

impl PartialOrd for Arguments {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Arguments {
    fn cmp(&self, other: &Self) -> Ordering {
        self.octets().cmp(other.octets())
    }
}

/// Octets that are equal exactly where RabbitMQ holds two argument tables equal.
fn canonical(table: &Table) -> Vec<u8> {
    let mut pairs: Vec<(&[u8], &Value)> = table.iter().collect();
    pairs.sort_by_key(|(key, _)| *key);
    let mut out = Vec::new();
    for (key, value) in pairs {
        put_octets(&mut out, key);
        put_value(&mut out, value);
    }
    out
}

/// Appends one value, its type first: also what `hash-header` hashes. Nesting is as deep as the
/// decoder let it be.
pub(super) fn put_value(out: &mut Vec<u8>, value: &Value) {
    out.extend_from_slice(value.type_name().as_bytes());
    out.push(0);
    match value {
        Value::Bool(v) => out.push(u8::from(*v)),
        Value::Timestamp(v) => out.extend_from_slice(&v.to_be_bytes()),
        Value::F32(v) => put_float(out, f64::from(*v)),
        Value::F64(v) => put_float(out, *v),
        Value::Decimal(scale, digits) => {
            out.push(*scale);
            out.extend_from_slice(&digits.to_be_bytes());
        }
        Value::LongString(v) | Value::Bytes(v) => put_octets(out, v),
        Value::Array(items) => {
            put_length(out, items.len());
            items.iter().for_each(|item| put_value(out, item));
        }
        Value::Table(table) => {
            put_length(out, table.0.len());
            for (key, value) in table.iter() {
                put_octets(out, key);
                put_value(out, value);
            }
        }
        Value::Void => {}
        integer => out.extend_from_slice(&integer.as_int().unwrap_or(0).to_be_bytes()),
    }
}

fn put_float(out: &mut Vec<u8>, value: f64) {
    // Adding 0.0 turns -0.0 into 0.0 and changes nothing else.
    out.extend_from_slice(&(value + 0.0).to_bits().to_be_bytes());
}

fn put_octets(out: &mut Vec<u8>, octets: &[u8]) {
    put_length(out, octets.len());
    out.extend_from_slice(octets);
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&(length as u64).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &[(&str, Value)], b: &[(&str, Value)]) -> bool {
        let table = |pairs: &[(&str, Value)]| {
            Arguments::new(&Table(
                pairs
                    .iter()
                    .map(|(k, v)| (k.as_bytes().to_vec(), v.clone()))
                    .collect(),
            ))
        };
        table(a) == table(b)
    }

    #[test]
    fn the_order_of_keys_does_not_count() {
        let (a, b) = (("a", Value::I32(1)), ("b", Value::I32(2)));
        assert!(same(&[a.clone(), b.clone()], &[b, a]));
    }

    #[test]
    fn the_order_of_equal_keys_and_of_nested_keys_counts() {
        let (one, two) = (("a", Value::I32(1)), ("a", Value::I32(2)));
        assert!(!same(&[one.clone(), two.clone()], &[two, one]));
        let nested = |keys: [&str; 2]| {
            let pairs = keys.map(|k| (k.as_bytes().to_vec(), Value::Void));
            [("t", Value::Table(Table(pairs.to_vec())))]
        };
        assert!(!same(&nested(["x", "y"]), &nested(["y", "x"])));
    }

    #[test]
    fn the_type_counts_and_the_sign_of_zero_does_not() {
        assert!(!same(&[("a", Value::I32(1))], &[("a", Value::I64(1))]));
        assert!(!same(&[("a", Value::F32(1.0))], &[("a", Value::F64(1.0))]));
        assert!(same(&[("a", Value::F64(0.0))], &[("a", Value::F64(-0.0))]));
        assert!(!same(
            &[("a", Value::LongString(b"x".to_vec()))],
            &[("a", Value::Bytes(b"x".to_vec()))]
        ));
    }

    #[test]
    fn empty_arguments_are_the_same_as_none() {
        assert_eq!(Arguments::new(&Table::default()), Arguments::default());
        assert!(Arguments::default().table().is_empty());
    }
}
