//! The 14 properties of class `basic`, read where they lie.
//!
//! Properties travel raw from publish to deliver. This reader checks them and finds what the
//! broker needs; [`Properties::write`] is for the few messages whose headers the broker changes
//! (dead letters, BCC, delivery counts).

use super::table::{Cursor, TableError, check_table_body, read_table_body};
use super::table::{write_short_string, write_table};
use super::value::Table;

const CONTENT_TYPE: u16 = 1 << 15;
const CONTENT_ENCODING: u16 = 1 << 14;
const HEADERS: u16 = 1 << 13;
const DELIVERY_MODE: u16 = 1 << 12;
const PRIORITY: u16 = 1 << 11;
const CORRELATION_ID: u16 = 1 << 10;
const REPLY_TO: u16 = 1 << 9;
const EXPIRATION: u16 = 1 << 8;
const MESSAGE_ID: u16 = 1 << 7;
const TIMESTAMP: u16 = 1 << 6;
const TYPE: u16 = 1 << 5;
const USER_ID: u16 = 1 << 4;
const APP_ID: u16 = 1 << 3;
const CLUSTER_ID: u16 = 1 << 2;
/// Bits that stand for nothing in class `basic`; bit 0 would announce another flag word.
const UNKNOWN: u16 = 0b11;

/// Borrowed properties; strings are octets as the peer sent them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[expect(missing_docs, reason = "the names are the specification's")]
pub struct Properties<'a> {
    pub content_type: Option<&'a [u8]>,
    pub content_encoding: Option<&'a [u8]>,
    /// The table's pairs, without the length in front; checked.
    pub headers: Option<&'a [u8]>,
    pub delivery_mode: Option<u8>,
    pub priority: Option<u8>,
    pub correlation_id: Option<&'a [u8]>,
    pub reply_to: Option<&'a [u8]>,
    pub expiration: Option<&'a [u8]>,
    pub message_id: Option<&'a [u8]>,
    pub timestamp: Option<u64>,
    pub kind: Option<&'a [u8]>,
    pub user_id: Option<&'a [u8]>,
    pub app_id: Option<&'a [u8]>,
    pub cluster_id: Option<&'a [u8]>,
}

impl<'a> Properties<'a> {
    /// Reads the flag word and the fields it announces; refuses trailing octets.
    pub fn read(raw: &'a [u8]) -> Result<Self, TableError> {
        let mut cursor = Cursor::new(raw);
        let flags = cursor.u16()?;
        if flags == 0 && cursor.rest().is_empty() {
            return Ok(Self::default());
        }
        if flags & UNKNOWN != 0 {
            return Err(TableError::Truncated);
        }
        let short = |flag: u16, cursor: &mut Cursor<'a>| {
            if flags & flag == 0 {
                Ok(None)
            } else {
                cursor.short_string().map(Some)
            }
        };
        let mut properties = Self {
            content_type: short(CONTENT_TYPE, &mut cursor)?,
            content_encoding: short(CONTENT_ENCODING, &mut cursor)?,
            ..Self::default()
        };
        if flags & HEADERS != 0 {
            let body = cursor.long_string()?;
            check_table_body(body)?;
            properties.headers = Some(body);
        }
        if flags & DELIVERY_MODE != 0 {
            properties.delivery_mode = Some(cursor.u8()?);
        }
        if flags & PRIORITY != 0 {
            properties.priority = Some(cursor.u8()?);
        }
        properties.correlation_id = short(CORRELATION_ID, &mut cursor)?;
        properties.reply_to = short(REPLY_TO, &mut cursor)?;
        properties.expiration = short(EXPIRATION, &mut cursor)?;
        properties.message_id = short(MESSAGE_ID, &mut cursor)?;
        if flags & TIMESTAMP != 0 {
            properties.timestamp = Some(cursor.u64()?);
        }
        properties.kind = short(TYPE, &mut cursor)?;
        properties.user_id = short(USER_ID, &mut cursor)?;
        properties.app_id = short(APP_ID, &mut cursor)?;
        properties.cluster_id = short(CLUSTER_ID, &mut cursor)?;
        if cursor.rest().is_empty() {
            Ok(properties)
        } else {
            Err(TableError::Truncated)
        }
    }

    /// The headers as a table; empty when there are none.
    pub fn headers_table(&self) -> Table {
        self.headers
            .and_then(|body| read_table_body(body).ok())
            .unwrap_or_default()
    }

    /// Appends these properties with `headers` in place of their own; `None` leaves headers out.
    pub fn write(&self, out: &mut Vec<u8>, headers: Option<&Table>) {
        let shorts = [
            (CONTENT_TYPE, self.content_type),
            (CONTENT_ENCODING, self.content_encoding),
            (CORRELATION_ID, self.correlation_id),
            (REPLY_TO, self.reply_to),
            (EXPIRATION, self.expiration),
            (MESSAGE_ID, self.message_id),
            (TYPE, self.kind),
            (USER_ID, self.user_id),
            (APP_ID, self.app_id),
            (CLUSTER_ID, self.cluster_id),
        ];
        let mut flags = shorts
            .iter()
            .filter(|(_, v)| v.is_some())
            .fold(0, |f, (bit, _)| f | bit);
        let others = [
            (HEADERS, headers.is_some()),
            (DELIVERY_MODE, self.delivery_mode.is_some()),
            (PRIORITY, self.priority.is_some()),
            (TIMESTAMP, self.timestamp.is_some()),
        ];
        flags = others
            .iter()
            .filter(|(_, there)| *there)
            .fold(flags, |f, (bit, _)| f | bit);
        out.extend_from_slice(&u16::to_be_bytes(flags));
        let short = |out: &mut Vec<u8>, value: Option<&[u8]>| {
            if let Some(text) = value {
                write_short_string(out, text);
            }
        };
        short(out, self.content_type);
        short(out, self.content_encoding);
        if let Some(table) = headers {
            write_table(out, table);
        }
        out.extend(self.delivery_mode);
        out.extend(self.priority);
        short(out, self.correlation_id);
        short(out, self.reply_to);
        short(out, self.expiration);
        short(out, self.message_id);
        if let Some(seconds) = self.timestamp {
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        short(out, self.kind);
        short(out, self.user_id);
        short(out, self.app_id);
        short(out, self.cluster_id);
    }
}

/// What a message's `expiration` property says, in RabbitMQ's reading: digits with an optional
/// plus sign, in milliseconds, at most ten years.
pub fn parse_expiration(text: &[u8]) -> Result<u64, String> {
    let shown = String::from_utf8_lossy(text).into_owned();
    let refused = |why: &str| format!("invalid expiration '{shown}': {why}");
    let (negative, digits) = match text.split_first() {
        Some((b'+', rest)) => (false, rest),
        Some((b'-', rest)) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return Err(refused("no_integer"));
    }
    let end = digits
        .iter()
        .position(|b| !b.is_ascii_digit())
        .unwrap_or(digits.len());
    if end == 0 {
        return Err(refused("no_integer"));
    }
    if let Some(rest) = digits.get(end..).filter(|rest| !rest.is_empty()) {
        let rest = String::from_utf8_lossy(rest);
        return Err(refused(&format!("{{leftover_string,\"{rest}\"}}")));
    }
    let mut value: u128 = 0;
    for digit in digits {
        value = value
            .saturating_mul(10)
            .saturating_add(u128::from(digit - b'0'));
    }
    if negative && value > 0 {
        return Err(refused(&format!("{{value_negative,-{value}}}")));
    }
    match u64::try_from(value) {
        Ok(ms) if ms <= crate::limits::EXPIRY_MAX_MS => Ok(ms),
        _ => Err(refused(&format!("{{value_too_large,{value}}}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::value::Value;
    use super::*;

    #[test]
    fn properties_survive_reading_and_writing() {
        let mut headers = Table::default();
        headers.set(b"k", Value::I32(-5));
        let given = Properties {
            content_type: Some(b"text/plain"),
            delivery_mode: Some(2),
            priority: Some(9),
            reply_to: Some(b"amq.rabbitmq.reply-to"),
            expiration: Some(b"1000"),
            timestamp: Some(7),
            user_id: Some(b"guest"),
            cluster_id: Some(b""),
            ..Properties::default()
        };
        let mut raw = Vec::new();
        given.write(&mut raw, Some(&headers));
        let read = Properties::read(&raw).unwrap();
        assert_eq!(read.headers_table(), headers);
        assert_eq!(
            Properties {
                headers: None,
                ..read
            },
            given
        );
        let mut again = Vec::new();
        read.write(&mut again, Some(&read.headers_table()));
        assert_eq!(again, raw);
    }

    #[test]
    fn cut_properties_are_refused_everywhere() {
        let given = Properties {
            content_type: Some(b"a/b"),
            message_id: Some(b"id"),
            timestamp: Some(1),
            ..Properties::default()
        };
        let mut raw = Vec::new();
        given.write(&mut raw, None);
        for cut in 0..raw.len() {
            assert!(Properties::read(&raw[..cut]).is_err(), "cut at {cut}");
        }
        raw.push(0);
        assert!(Properties::read(&raw).is_err());
    }

    #[test]
    fn expirations_are_read_as_rabbitmq_does() {
        assert_eq!(parse_expiration(b"+5000"), Ok(5000));
        assert_eq!(parse_expiration(b"05000"), Ok(5000));
        assert_eq!(parse_expiration(b"0"), Ok(0));
        assert_eq!(
            parse_expiration(b"abc"),
            Err("invalid expiration 'abc': no_integer".into())
        );
        assert_eq!(
            parse_expiration(b"-1"),
            Err("invalid expiration '-1': {value_negative,-1}".into())
        );
        assert!(parse_expiration(b"5000 ").is_err());
        assert!(parse_expiration(b"").is_err());
        assert!(parse_expiration(b"99999999999999999999999999999").is_err());
    }
}
