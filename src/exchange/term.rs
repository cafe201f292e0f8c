//! Values as Erlang prints them, for the error texts that quote them.
//!
//! One line always: where RabbitMQ's printer would wrap beyond 80 columns this does not.

use std::fmt::Write as _;

use crate::amqp::value::{Table, Value};

/// A value as RabbitMQ's texts quote it (without its type).
pub(super) fn value_text(value: &Value) -> String {
    let mut out = String::new();
    put_value(&mut out, value);
    out
}

/// Octets as a binary term: quoted where all are printable Latin-1, numbers otherwise.
pub(super) fn binary_text(octets: &[u8]) -> String {
    if octets.is_empty() {
        return "<<>>".to_owned();
    }
    if !octets.iter().all(|octet| printable(*octet)) {
        let numbers: Vec<String> = octets.iter().map(u8::to_string).collect();
        return format!("<<{}>>", numbers.join(","));
    }
    let mut quoted = Vec::with_capacity(octets.len());
    for octet in octets {
        match octet {
            b'"' => quoted.extend_from_slice(b"\\\""),
            b'\\' => quoted.extend_from_slice(b"\\\\"),
            b'\n' => quoted.extend_from_slice(b"\\n"),
            b'\r' => quoted.extend_from_slice(b"\\r"),
            b'\t' => quoted.extend_from_slice(b"\\t"),
            0x0b => quoted.extend_from_slice(b"\\v"),
            0x08 => quoted.extend_from_slice(b"\\b"),
            0x0c => quoted.extend_from_slice(b"\\f"),
            0x1b => quoted.extend_from_slice(b"\\e"),
            other => quoted.push(*other),
        }
    }
    format!("<<\"{}\">>", String::from_utf8_lossy(&quoted))
}

fn printable(octet: u8) -> bool {
    matches!(octet, 0x20..=0x7e | 0xa0..=0xff | 0x08..=0x0d | 0x1b)
}

fn put_value(out: &mut String, value: &Value) {
    match value {
        Value::Bool(v) => put(out, v),
        Value::F32(v) => put_float(out, f64::from(*v)),
        Value::F64(v) => put_float(out, *v),
        Value::Decimal(scale, digits) => put(out, format_args!("{{{scale},{digits}}}")),
        Value::LongString(v) | Value::Bytes(v) => out.push_str(&binary_text(v)),
        Value::Timestamp(v) => put(out, v),
        Value::Void => out.push_str("undefined"),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                put(out, if at == 0 { "{" } else { ",{" });
                put(out, format_args!("{},", item.type_name()));
                put_value(out, item);
                out.push('}');
            }
            out.push(']');
        }
        Value::Table(table) => put_table(out, table),
        integer => put(out, integer.as_int().unwrap_or(0)),
    }
}

fn put_table(out: &mut String, table: &Table) {
    out.push('[');
    for (at, (key, value)) in table.iter().enumerate() {
        put(out, if at == 0 { "{" } else { ",{" });
        put(
            out,
            format_args!("{},{},", binary_text(key), value.type_name()),
        );
        put_value(out, value);
        out.push('}');
    }
    out.push(']');
}

fn put_float(out: &mut String, value: f64) {
    // Rust prints the same shortest digits, but 1e22 for Erlang's 1.0e22.
    let text = format!("{value:?}");
    match text.split_once('e') {
        Some((digits, exponent)) if !digits.contains('.') => {
            put(out, format_args!("{digits}.0e{exponent}"));
        }
        _ => out.push_str(&text),
    }
}

fn put(out: &mut String, what: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_quoted_or_numbers() {
        assert_eq!(binary_text(b""), "<<>>");
        assert_eq!(binary_text(b"foo"), "<<\"foo\">>");
        assert_eq!(binary_text(b"a\"b\\c\n\t"), "<<\"a\\\"b\\\\c\\n\\t\">>");
        assert_eq!(binary_text("é".as_bytes()), "<<\"é\">>");
        assert_eq!(binary_text(b"a\x7f"), "<<97,127>>");
        assert_eq!(binary_text(b"\xff\0"), "<<255,0>>");
    }

    #[test]
    fn values_print_as_terms() {
        let table = Table(vec![(b"a".to_vec(), Value::I32(1))]);
        for (value, text) in [
            (Value::I64(-5), "-5"),
            (Value::Void, "undefined"),
            (Value::Bool(true), "true"),
            (Value::F64(2.0), "2.0"),
            (Value::F32(1.5), "1.5"),
            (Value::F64(1e22), "1.0e22"),
            (Value::Decimal(1, 2), "{1,2}"),
            (Value::Timestamp(5), "5"),
            (Value::Array(vec![]), "[]"),
            (
                Value::Array(vec![Value::text("all"), Value::I32(1)]),
                "[{longstr,<<\"all\">>},{signedint,1}]",
            ),
            (Value::Table(table), "[{<<\"a\">>,signedint,1}]"),
        ] {
            assert_eq!(value_text(&value), text);
        }
    }
}
