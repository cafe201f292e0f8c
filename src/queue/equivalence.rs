//! Whether a second declaration means the same thing, in RabbitMQ's words when it does not.
//!
//! Integers compare by value whatever their width; arguments that the type does not know are not
//! compared (RabbitMQ's `assert_args_equivalence`).

use crate::amqp::{AmqpError, Table, Value};

/// Compares a flag; `subject` as in `queue 'q' in vhost '/'`.
pub fn flag(name: &str, subject: &str, received: bool, current: bool) -> Result<(), AmqpError> {
    if received == current {
        return Ok(());
    }
    text_field(name, subject, &received.to_string(), &current.to_string())
}

/// Compares a field by its text.
pub fn text_field(
    name: &str,
    subject: &str,
    received: &str,
    current: &str,
) -> Result<(), AmqpError> {
    if received == current {
        return Ok(());
    }
    Err(AmqpError::precondition_failed(format!(
        "inequivalent arg '{name}' for {subject}: received '{received}' but current is '{current}'"
    )))
}

/// Compares the arguments called `names`.
pub fn arguments<'a>(
    names: impl Iterator<Item = &'a str>,
    subject: &str,
    received: &Table,
    current: &Table,
) -> Result<(), AmqpError> {
    for name in names {
        let pair = (received.get(name.as_bytes()), current.get(name.as_bytes()));
        let (received, current) = match pair {
            (None, None) => continue,
            (Some(received), Some(current)) if same(received, current) => continue,
            (Some(received), Some(current)) => (
                format!("'{}'", show(received)),
                format!("'{}'", show(current)),
            ),
            (received, current) => (typed(received), typed(current)),
        };
        return Err(AmqpError::precondition_failed(format!(
            "inequivalent arg '{name}' for {subject}: received {received} but current is {current}"
        )));
    }
    Ok(())
}

fn same(a: &Value, b: &Value) -> bool {
    match (a.as_int(), b.as_int()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn typed(value: Option<&Value>) -> String {
    match value {
        None => "none".into(),
        Some(value) => format!(
            "the value '{}' of type '{}'",
            show(value),
            value.type_name()
        ),
    }
}

fn show(value: &Value) -> String {
    match value {
        Value::LongString(text) | Value::Bytes(text) => String::from_utf8_lossy(text).into_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::F32(v) => v.to_string(),
        Value::F64(v) => v.to_string(),
        Value::Timestamp(v) => v.to_string(),
        other => match other.as_int() {
            Some(number) => number.to_string(),
            None => format!("{other:?}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(value: Option<Value>) -> Table {
        Table(value.map(|v| (b"x-a".to_vec(), v)).into_iter().collect())
    }

    fn compare(received: Option<Value>, current: Option<Value>) -> Result<(), String> {
        let names = ["x-a"].into_iter();
        arguments(
            names,
            "queue 'q' in vhost '/'",
            &table(received),
            &table(current),
        )
        .map_err(|e| e.text.into_owned())
    }

    #[test]
    fn the_three_wordings() {
        let prefix = "inequivalent arg 'x-a' for queue 'q' in vhost '/': ";
        assert_eq!(
            compare(Some(Value::I32(1)), Some(Value::I64(2))).unwrap_err(),
            format!("{prefix}received '1' but current is '2'")
        );
        assert_eq!(
            compare(None, Some(Value::text("a"))).unwrap_err(),
            format!("{prefix}received none but current is the value 'a' of type 'longstr'")
        );
        assert_eq!(
            compare(Some(Value::I32(1000)), None).unwrap_err(),
            format!("{prefix}received the value '1000' of type 'signedint' but current is none")
        );
        assert_eq!(compare(Some(Value::U8(7)), Some(Value::I64(7))), Ok(()));
    }
}
