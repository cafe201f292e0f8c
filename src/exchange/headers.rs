//! Headers exchange: typed comparison of message headers with binding arguments.
//!
//! RabbitMQ 3.10's rules, probed: every number type and timestamp compares by value, `S` equals
//! `x`, an empty array equals an empty table, void in the binding asks for presence only, all else
//! is equal within its own type. `x-match` is `all` (default), `any` or one of the two with
//! `-with-x`; without that suffix keys that start with `x-` are skipped, with it only `x-match`
//! itself. With nothing left to compare `all` matches everything and `any` nothing. A key that
//! stands several times is paired in order: the binding's second with the message's second.
//!
//! Bindings with equal arguments are compared once a message; cost is linear in distinct arguments.

use std::sync::Arc;

use imbl::OrdMap;

use super::arguments::Arguments;
use super::binding::Destination;
use super::refusal::BindRefusal;
use super::small_map::Targets;
use crate::amqp::value::{Table, Value};

/// All header matches of one exchange; a clone is a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Headers {
    groups: OrdMap<Arguments, Group>,
}

#[derive(Debug, Clone)]
struct Group {
    rule: Arc<Rule>,
    targets: Targets,
}

/// Binding arguments, made ready.
#[derive(Debug)]
struct Rule {
    any: bool,
    terms: Vec<Term>,
}

#[derive(Debug)]
struct Term {
    key: Vec<u8>,
    /// How many terms of the same key come before.
    nth: usize,
    value: Value,
}

impl Headers {
    /// Adds a binding whose arguments [`check`] accepted.
    pub(super) fn add(&mut self, arguments: &Arguments, destination: &Destination) {
        if let Some(group) = self.groups.get_mut(arguments) {
            return group.targets.add(destination);
        }
        let mut targets = Targets::default();
        targets.add(destination);
        let rule = Arc::new(Rule::new(arguments.table()));
        self.groups
            .insert(arguments.clone(), Group { rule, targets });
    }

    pub(super) fn subtract(&mut self, arguments: &Arguments, destination: &Destination) {
        let Some(group) = self.groups.get_mut(arguments) else {
            return;
        };
        group.targets.subtract(destination);
        if group.targets.is_empty() {
            self.groups.remove(arguments);
        }
    }

    /// Visits the destinations of every match; no headers are the same as empty ones.
    pub(super) fn visit<'a>(
        &'a self,
        headers: Option<&Table>,
        mut visit: impl FnMut(&'a Destination),
    ) {
        let mut pairs: Vec<(&[u8], &Value)> = headers.map_or_else(Vec::new, |h| h.iter().collect());
        // Stable: equal keys keep their order.
        pairs.sort_by_key(|(key, _)| *key);
        for group in self.groups.values() {
            if group.rule.matches(&pairs) {
                group.targets.for_each(|destination, _| visit(destination));
            }
        }
    }
}

/// The `x-match` of binding arguments: (any, with x), or why they are refused.
pub(super) fn check(arguments: &Table) -> Result<(bool, bool), BindRefusal> {
    match arguments.get(b"x-match") {
        None => Ok((false, false)),
        Some(Value::LongString(octets)) => match octets.as_slice() {
            b"all" => Ok((false, false)),
            b"any" => Ok((true, false)),
            b"all-with-x" => Ok((false, true)),
            b"any-with-x" => Ok((true, true)),
            other => Err(BindRefusal::MatchValue(other.to_vec())),
        },
        Some(other) => Err(BindRefusal::MatchType(other.clone())),
    }
}

impl Rule {
    fn new(arguments: &Table) -> Self {
        let (any, with_x) = check(arguments).unwrap_or_default();
        let mut pairs: Vec<(&[u8], &Value)> = arguments
            .iter()
            .filter(|(key, _)| {
                if with_x {
                    *key != b"x-match"
                } else {
                    !key.starts_with(b"x-")
                }
            })
            .collect();
        pairs.sort_by_key(|(key, _)| *key);
        let mut terms: Vec<Term> = Vec::with_capacity(pairs.len());
        for (key, value) in pairs {
            let nth = match terms.last() {
                Some(last) if last.key == key => last.nth + 1,
                _ => 0,
            };
            terms.push(Term {
                key: key.to_vec(),
                nth,
                value: value.clone(),
            });
        }
        Self { any, terms }
    }

    /// `sorted` are the message's headers by key.
    fn matches(&self, sorted: &[(&[u8], &Value)]) -> bool {
        let mut terms = self.terms.iter();
        if self.any {
            terms.any(|term| term.matches(sorted))
        } else {
            terms.all(|term| term.matches(sorted))
        }
    }
}

impl Term {
    fn matches(&self, sorted: &[(&[u8], &Value)]) -> bool {
        let first = sorted.partition_point(|(key, _)| *key < self.key.as_slice());
        match sorted.get(first + self.nth) {
            Some((key, value)) if *key == self.key => matches_value(&self.value, value),
            _ => false,
        }
    }
}

/// Whether a binding's value takes a message's value.
fn matches_value(wanted: &Value, got: &Value) -> bool {
    if matches!(wanted, Value::Void) {
        return true;
    }
    if let (Some(a), Some(b)) = (Number::of(wanted), Number::of(got)) {
        return a.equals(b);
    }
    match (wanted, got) {
        (Value::LongString(a) | Value::Bytes(a), Value::LongString(b) | Value::Bytes(b)) => a == b,
        (Value::Array(a), Value::Table(b)) => a.is_empty() && b.is_empty(),
        (Value::Table(a), Value::Array(b)) => a.is_empty() && b.is_empty(),
        _ => wanted == got,
    }
}

/// A value that compares as a number.
#[derive(Clone, Copy)]
enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::Timestamp(v) => Self::Int((*v).into()),
            Value::F32(v) => Self::Float((*v).into()),
            Value::F64(v) => Self::Float(*v),
            other => Self::Int(other.as_int()?.into()),
        })
    }

    fn equals(self, other: Self) -> bool {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => a == b,
            (Self::Int(int), Self::Float(float)) | (Self::Float(float), Self::Int(int)) => {
                // Exact: a float beyond i128 saturates, and no integer of the wire is there.
                float.fract() == 0.0 && float as i128 == int
            }
        }
    }
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
