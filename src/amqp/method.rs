//! Methods off the hot path, decoded by `amq-protocol` behind our own scan.
//!
//! `amq-protocol` is never shown a byte that the scan has not accepted: the scan walks
//! the method's signature, checks every length, takes the field table out and reads it with our own
//! iterative reader. The library then sees fixed-size fields and strings only.

use amq_protocol::protocol::{AMQPClass, parse_class};

use super::error::AmqpError;
use super::frame::{FrameType, unknown_frame};
use super::table::{Cursor, TableError, read_table_body};
use super::value::Table;

/// A decoded method.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// Class and method ids, which errors name.
    pub id: (u16, u16),
    /// The fields, with an empty table where the method has one.
    pub class: AMQPClass,
    /// The method's field table; empty where it has none.
    pub table: Table,
    /// `basic.qos`'s prefetch-size, which `amq-protocol` does not keep; 0 for other methods.
    pub prefetch_size: u32,
}

/// The fields of a client's methods. `s` short string, `l` long string, `o` octet or bits, `w`, `d`,
/// `q` numbers of 2, 4 and 8 octets, `t` table. `None`: no such method; `Some(None)`: a method
/// that only a broker sends.
fn signature(class: u16, method: u16) -> Option<Option<&'static str>> {
    Some(Some(match (class, method) {
        (10, 11) => "tsls",
        (10, 21) => "l",
        (10, 31) => "wdw",
        (10, 40) => "sso",
        (10 | 20, 50) | (20, 40) => match (class, method) {
            (20, 50) => return None,
            _ => "wsww",
        },
        (10, 51) | (20, 41) | (90, 10 | 20 | 30) => "",
        (10, 70) => "ls",
        (20, 10) => "s",
        (20, 20 | 21) => "o",
        (30, 10) => "so",
        (40, 10) => "wssot",
        (40, 20) | (50, 30 | 40) | (60, 70) => "wso",
        (40, 30 | 40) | (50, 20) => "wsssot",
        (50, 10) => "wsot",
        (50, 50) => "wssst",
        (60, 10) => "dwo",
        (60, 20) => "wssot",
        (60, 30) => "so",
        (60, 40) => "wsso",
        (60, 80 | 90 | 120) => "qo",
        (60, 100 | 110) | (85, 10) => "o",
        (10, 10 | 20 | 30 | 41 | 60 | 61 | 71)
        | (20, 11)
        | (30, 11)
        | (40, 11 | 21 | 31 | 51)
        | (50, 11 | 21 | 31 | 41 | 51)
        | (60, 11 | 21 | 31 | 50 | 60 | 71 | 72 | 111)
        | (85, 11)
        | (90, 11 | 21 | 31) => return Some(None),
        _ => return None,
    }))
}

/// True for every method of the specification and of RabbitMQ's extensions.
pub fn exists(id: (u16, u16)) -> bool {
    signature(id.0, id.1).is_some()
}

/// Class and method ids at the start of a method payload.
pub fn ids(payload: &[u8]) -> Option<(u16, u16)> {
    let (class, tail) = payload.split_first_chunk::<2>()?;
    let method = tail.first_chunk::<2>()?;
    Some((u16::from_be_bytes(*class), u16::from_be_bytes(*method)))
}

/// Decodes a method payload; the error names the method where its ids could be read.
pub fn decode(payload: &[u8]) -> Result<Method, AmqpError> {
    let Some(id) = ids(payload) else {
        return Err(unknown_frame(FrameType::Method, payload));
    };
    let fields = match signature(id.0, id.1) {
        Some(Some(fields)) => fields,
        Some(None) => {
            return Err(AmqpError::command_invalid("unimplemented method").caused_by(id));
        }
        None => {
            let text = format!("unknown method {} of class {}", id.1, id.0);
            return Err(AmqpError::command_invalid(text).caused_by(id));
        }
    };
    let args = payload.get(4..).unwrap_or_default();
    let (plain, table) = scan(payload, args, fields).map_err(|e| name_cause(e, id))?;
    match parse_class(plain.as_slice()) {
        Ok(([], class)) => {
            let prefetch_size = match id {
                (60, 10) => Cursor::new(args).u32().unwrap_or(0),
                _ => 0,
            };
            Ok(Method {
                id,
                class,
                table,
                prefetch_size,
            })
        }
        _ => Err(cannot_decode(args).caused_by(id)),
    }
}

/// RabbitMQ names the method in these errors, save where it finds a string malformed after the
/// method was decoded, which is everywhere but in the connection's own methods.
fn name_cause(error: AmqpError, id: (u16, u16)) -> AmqpError {
    let nameless = error.text.starts_with("Malformed UTF-8") && id.0 != 10;
    if nameless { error } else { error.caused_by(id) }
}

/// Walks the fields, copies everything but tables, and reads the table.
fn scan(payload: &[u8], args: &[u8], fields: &str) -> Result<(Vec<u8>, Table), AmqpError> {
    let cut = |_: TableError| cannot_decode(args);
    let mut plain = Vec::with_capacity(payload.len().min(1024));
    plain.extend_from_slice(payload.get(..4).unwrap_or_default());
    let mut table = Table::default();
    let mut cursor = Cursor::new(args);
    for field in fields.bytes() {
        let before = cursor.rest();
        match field {
            b's' => {
                let text = cursor.short_string().map_err(cut)?;
                if std::str::from_utf8(text).is_err() {
                    return Err(AmqpError::frame_error("Malformed UTF-8 in shortstr"));
                }
            }
            b'l' => cursor.long_string().map(drop).map_err(cut)?,
            b'o' => cursor.take(1).map(drop).map_err(cut)?,
            b'w' => cursor.take(2).map(drop).map_err(cut)?,
            b'd' => cursor.take(4).map(drop).map_err(cut)?,
            b'q' => cursor.take(8).map(drop).map_err(cut)?,
            _ => {
                let body = cursor.long_string().map_err(cut)?;
                table =
                    read_table_body(body).map_err(|e| AmqpError::syntax_error(e.to_string()))?;
                plain.extend_from_slice(&[0; 4]);
                continue;
            }
        }
        let taken = before.len() - cursor.rest().len();
        plain.extend_from_slice(before.get(..taken).unwrap_or_default());
    }
    if !cursor.rest().is_empty() {
        return Err(cannot_decode(args));
    }
    Ok((plain, table))
}

/// RabbitMQ's 501 for arguments that do not fit their method.
fn cannot_decode(args: &[u8]) -> AmqpError {
    let shown = args.get(..64).unwrap_or(args);
    let numbers: Vec<String> = shown.iter().map(u8::to_string).collect();
    AmqpError::frame_error(format!("cannot decode <<{}>>", numbers.join(",")))
}

#[cfg(test)]
mod tests {
    use super::super::error::ReplyCode;
    use super::super::table::write_table;
    use super::super::value::Value;
    use super::*;
    use amq_protocol::protocol::queue;
    use proptest::prelude::*;

    fn queue_declare(name: &[u8], table: &Table) -> Vec<u8> {
        let mut payload = vec![0, 50, 0, 10, 0, 0];
        crate::amqp::table::write_short_string(&mut payload, name);
        payload.push(0b10);
        write_table(&mut payload, table);
        payload
    }

    #[test]
    fn a_method_with_a_table_is_decoded_in_two_parts() {
        let mut table = Table::default();
        table.set(&[0xFF], Value::LongString(vec![0xFE]));
        let method = decode(&queue_declare(b"q", &table)).unwrap();
        assert_eq!(method.table, table);
        let AMQPClass::Queue(queue::AMQPMethod::Declare(declare)) = method.class else {
            panic!("not a declare");
        };
        assert_eq!((declare.queue.as_str(), declare.durable), ("q", true));
    }

    #[test]
    fn refusals_name_the_method() {
        let whole = queue_declare(b"q", &Table::default());
        let error = decode(&whole[..whole.len() - 1]).unwrap_err();
        assert_eq!(
            (error.code, error.method),
            (ReplyCode::FrameError, (50, 10))
        );
        let error = decode(&queue_declare(&[0xC3, 0x28], &Table::default())).unwrap_err();
        assert_eq!(error.code, ReplyCode::FrameError);
        assert_eq!(
            decode(&[0, 50, 0, 11]).unwrap_err().code,
            ReplyCode::CommandInvalid
        );
        assert_eq!(
            decode(&[0, 99, 0, 1]).unwrap_err().code,
            ReplyCode::CommandInvalid
        );
        assert_eq!(decode(&[0, 50, 0]).unwrap_err().code, ReplyCode::FrameError);
        let mut unknown_tag = vec![0, 50, 0, 10, 0, 0, 1, b'q', 0, 0, 0, 0, 3, 1, b'k', b'?'];
        assert_eq!(
            decode(&unknown_tag).unwrap_err().code,
            ReplyCode::SyntaxError
        );
        unknown_tag.truncate(9);
        assert_eq!(
            decode(&unknown_tag).unwrap_err().code,
            ReplyCode::FrameError
        );
    }

    proptest! {
        #[test]
        fn no_bytes_panic(class in prop::sample::select(vec![10u16, 20, 30, 40, 50, 60, 85, 90]),
                          method in 0u16..130,
                          args in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut payload = class.to_be_bytes().to_vec();
            payload.extend_from_slice(&method.to_be_bytes());
            payload.extend_from_slice(&args);
            let _ = decode(&payload);
            let _ = crate::amqp::hot::read(&payload);
        }
    }
}
