//! Frames split from a buffer without a copy (specification, section 4.2.3).

use super::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};
use super::constants::{FRAME_OVERHEAD, FRAME_PREFIX};
use super::error::AmqpError;

/// The type of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameType {
    /// A method.
    Method,
    /// A content header.
    Header,
    /// A part of a content body.
    Body,
    /// A heartbeat.
    Heartbeat,
    /// No type of the specification.
    Unknown(u8),
}

/// The seven octets before a frame's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FramePrefix {
    /// What the payload is.
    pub kind: FrameType,
    /// The channel; 0 for the connection.
    pub channel: u16,
    /// Octets of payload.
    pub size: usize,
}

/// Reads the prefix at the start of `buffer`; `None` when fewer than seven octets are there.
///
/// `payload_max` is frame_max less the eight octets of overhead; 0 means no limit.
pub fn read_prefix(buffer: &[u8], payload_max: usize) -> Result<Option<FramePrefix>, AmqpError> {
    let Some(&[kind, c1, c0, s3, s2, s1, s0]) = buffer.first_chunk::<FRAME_PREFIX>() else {
        return Ok(None);
    };
    let size = u32::from_be_bytes([s3, s2, s1, s0]) as usize;
    let channel = u16::from_be_bytes([c1, c0]);
    let kind = match kind {
        FRAME_METHOD => FrameType::Method,
        FRAME_HEADER => FrameType::Header,
        FRAME_BODY => FrameType::Body,
        FRAME_HEARTBEAT => FrameType::Heartbeat,
        other => FrameType::Unknown(other),
    };
    // RabbitMQ names frame_max less the overhead and takes frames whose payload alone reaches
    // frame_max; a frame it takes must not fail here.
    if payload_max != 0 && size > payload_max + FRAME_OVERHEAD {
        return Err(AmqpError::frame_error(format!(
            "type {}, all octets = <<>>: {{frame_too_large,{size},{payload_max}}}",
            type_number(kind)
        )));
    }

    Ok(Some(FramePrefix {
        kind,
        channel,
        size,
    }))
}

/// The payload of the complete frame whose prefix was read, and the octets the frame takes;
/// `None` when the buffer does not hold all of it.
pub fn read_payload(
    buffer: &[u8],
    prefix: FramePrefix,
) -> Result<Option<(&[u8], usize)>, AmqpError> {
    let total = prefix.size.saturating_add(FRAME_OVERHEAD);
    let Some(frame) = buffer.get(..total) else {
        return Ok(None);
    };
    let payload = frame
        .get(FRAME_PREFIX..FRAME_PREFIX + prefix.size)
        .unwrap_or_default();
    match frame.last() {
        Some(&FRAME_END) => Ok(Some((payload, total))),
        Some(&other) => Err(bad_end(prefix.kind, payload, other)),
        None => Ok(None),
    }
}

/// 501 for a frame that does not end in 0xCE, as RabbitMQ words it.
pub fn bad_end(kind: FrameType, payload: &[u8], end: u8) -> AmqpError {
    AmqpError::frame_error(format!(
        "{}: {{invalid_frame_end_marker,{end}}}",
        quote(kind, payload)
    ))
}

/// 501 for a frame that means nothing.
pub fn unknown_frame(kind: FrameType, payload: &[u8]) -> AmqpError {
    AmqpError::frame_error(format!("{}: unknown_frame", quote(kind, payload)))
}

/// A frame as RabbitMQ's errors quote it: its type and at most 16 octets of its payload.
pub fn quote(kind: FrameType, payload: &[u8]) -> String {
    let shown = if payload.len() > 16 {
        "first 16"
    } else {
        "all"
    };
    format!(
        "type {}, {shown} octets = {}",
        type_number(kind),
        octets(payload)
    )
}

/// The wire number of a frame type.
pub fn type_number(kind: FrameType) -> u8 {
    match kind {
        FrameType::Method => FRAME_METHOD,
        FrameType::Header => FRAME_HEADER,
        FrameType::Body => FRAME_BODY,
        FrameType::Heartbeat => FRAME_HEARTBEAT,
        FrameType::Unknown(other) => other,
    }
}

/// At most 16 octets in Erlang's notation, which RabbitMQ's texts use: `<<1,2,3>>`, or
/// `<<"text">>` when all of them are printable.
pub fn octets(bytes: &[u8]) -> String {
    let shown = bytes.get(..16).unwrap_or(bytes);
    if !shown.is_empty() && shown.iter().all(|b| (0x20..0x7F).contains(b)) {
        return format!("<<\"{}\">>", String::from_utf8_lossy(shown));
    }
    let numbers: Vec<String> = shown.iter().map(u8::to_string).collect();
    format!("<<{}>>", numbers.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_split_only_when_complete() {
        let wire = [1u8, 0, 5, 0, 0, 0, 2, 9, 8, FRAME_END, 77];
        for cut in 0..10 {
            let part = &wire[..cut];
            match read_prefix(part, 100).unwrap() {
                Some(prefix) => assert!(read_payload(part, prefix).unwrap().is_none()),
                None => assert!(cut < 7),
            }
        }
        let prefix = read_prefix(&wire, 100).unwrap().unwrap();
        assert_eq!((prefix.channel, prefix.size), (5, 2));
        assert_eq!(
            read_payload(&wire, prefix).unwrap(),
            Some((&[9u8, 8][..], 10))
        );
    }

    #[test]
    fn bad_frames_are_501_in_rabbitmqs_words() {
        let wire = [1u8, 0, 0, 0, 0, 0, 1, 9, 0];
        let prefix = read_prefix(&wire, 100).unwrap().unwrap();
        let text = read_payload(&wire, prefix).unwrap_err().reply_text();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "FRAME_ERROR - type 1, all octets = <<9>>: {invalid_frame_end_marker,0}"
        );
        let large = [1u8, 0, 0, 0, 2, 0, 0, 9];
        assert!(read_prefix(&large, 131064 - 1024).is_err());
        let unknown = read_prefix(&[7u8, 0, 0, 0, 0, 0, 0], 0).unwrap().unwrap();
        assert_eq!(unknown.kind, FrameType::Unknown(7));
    }
}
