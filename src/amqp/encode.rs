//! The broker's methods, written straight into an output buffer.
//!
//! Hand-written because there are few of them, their fields are the broker's own and a delivery
//! must cost no allocation.

use super::constants::{BASIC, FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_HEARTBEAT, FRAME_METHOD};
use super::error::AmqpError;
use super::table::{write_long_string, write_short_string, write_table};
use super::value::Table;

/// Appends one method frame; `fields` writes the arguments.
pub fn method(out: &mut Vec<u8>, channel: u16, id: (u16, u16), fields: impl FnOnce(&mut Vec<u8>)) {
    out.push(FRAME_METHOD);
    out.extend_from_slice(&channel.to_be_bytes());
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&id.0.to_be_bytes());
    out.extend_from_slice(&id.1.to_be_bytes());
    fields(out);
    let size = u32::try_from(out.len() - at - 4).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(at..at + 4) {
        place.copy_from_slice(&size.to_be_bytes());
    }
    out.push(FRAME_END);
}

/// A method without arguments: every `-ok` that only says so.
pub fn plain(out: &mut Vec<u8>, channel: u16, class: u16, method_id: u16) {
    method(out, channel, (class, method_id), |_| {});
}

/// A heartbeat.
pub fn heartbeat(out: &mut Vec<u8>) {
    out.extend_from_slice(&[FRAME_HEARTBEAT, 0, 0, 0, 0, 0, 0, FRAME_END]);
}

/// `connection.start`.
pub fn connection_start(out: &mut Vec<u8>, properties: &Table, mechanisms: &str) {
    method(out, 0, (10, 10), |out| {
        out.extend_from_slice(&[0, 9]);
        write_table(out, properties);
        write_long_string(out, mechanisms.as_bytes());
        write_long_string(out, b"en_US");
    });
}

/// `connection.tune`: the most channels, octets of a frame and seconds between heartbeats.
pub fn connection_tune(out: &mut Vec<u8>, channel_max: u16, frame_max: u32, heartbeat_s: u16) {
    method(out, 0, (10, 30), |out| {
        out.extend_from_slice(&channel_max.to_be_bytes());
        out.extend_from_slice(&frame_max.to_be_bytes());
        out.extend_from_slice(&heartbeat_s.to_be_bytes());
    });
}

/// `connection.open-ok`.
pub fn connection_open_ok(out: &mut Vec<u8>) {
    method(out, 0, (10, 41), |out| out.push(0));
}

/// `connection.close` or, on a channel, `channel.close`.
pub fn close(out: &mut Vec<u8>, channel: u16, error: &AmqpError) {
    let id = if channel == 0 { (10, 50) } else { (20, 40) };
    method(out, channel, id, |out| {
        out.extend_from_slice(&(error.code as u16).to_be_bytes());
        write_short_string(out, &error.reply_text());
        out.extend_from_slice(&error.method.0.to_be_bytes());
        out.extend_from_slice(&error.method.1.to_be_bytes());
    });
}

/// `connection.blocked`.
pub fn connection_blocked(out: &mut Vec<u8>, reason: &str) {
    method(out, 0, (10, 60), |out| {
        write_short_string(out, reason.as_bytes())
    });
}

/// `channel.open-ok`.
pub fn channel_open_ok(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, (20, 11), |out| write_long_string(out, b""));
}

/// `channel.flow-ok`.
pub fn channel_flow_ok(out: &mut Vec<u8>, channel: u16, active: bool) {
    method(out, channel, (20, 21), |out| out.push(u8::from(active)));
}

/// `access.request-ok`, whose ticket nobody looks at.
pub fn access_request_ok(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, (30, 11), |out| {
        out.extend_from_slice(&1u16.to_be_bytes())
    });
}

/// `queue.declare-ok`.
pub fn queue_declare_ok(out: &mut Vec<u8>, channel: u16, name: &[u8], ready: u32, consumers: u32) {
    method(out, channel, (50, 11), |out| {
        write_short_string(out, name);
        out.extend_from_slice(&ready.to_be_bytes());
        out.extend_from_slice(&consumers.to_be_bytes());
    });
}

/// `queue.purge-ok` (method 31) and `queue.delete-ok` (41).
pub fn queue_count_ok(out: &mut Vec<u8>, channel: u16, method_id: u16, count: u32) {
    method(out, channel, (50, method_id), |out| {
        out.extend_from_slice(&count.to_be_bytes())
    });
}

/// `basic.consume-ok` (method 21) and `basic.cancel-ok` (31).
pub fn consumer_tag_ok(out: &mut Vec<u8>, channel: u16, method_id: u16, tag: &[u8]) {
    method(out, channel, (BASIC, method_id), |out| {
        write_short_string(out, tag)
    });
}

/// The broker's own `basic.cancel`; nowait, since clients do not answer it (trap 8).
pub fn basic_cancel(out: &mut Vec<u8>, channel: u16, tag: &[u8]) {
    method(out, channel, (BASIC, 30), |out| {
        write_short_string(out, tag);
        out.push(1);
    });
}

/// `basic.get-empty`.
pub fn basic_get_empty(out: &mut Vec<u8>, channel: u16) {
    method(out, channel, (BASIC, 72), |out| {
        write_short_string(out, b"")
    });
}

/// `basic.get-ok`; `route` is the exchange and the routing key as short strings.
pub fn basic_get_ok(
    out: &mut Vec<u8>,
    channel: u16,
    tag: u64,
    redelivered: bool,
    route: &[u8],
    ready: u32,
) {
    method(out, channel, (BASIC, 71), |out| {
        out.extend_from_slice(&tag.to_be_bytes());
        out.push(u8::from(redelivered));
        out.extend_from_slice(route);
        out.extend_from_slice(&ready.to_be_bytes());
    });
}

/// `basic.return` with 312 NO_ROUTE.
pub fn basic_return_no_route(out: &mut Vec<u8>, channel: u16, route: &[u8]) {
    method(out, channel, (BASIC, 50), |out| {
        out.extend_from_slice(&312u16.to_be_bytes());
        write_short_string(out, b"NO_ROUTE");
        out.extend_from_slice(route);
    });
}

/// `basic.ack`.
pub fn basic_ack(out: &mut Vec<u8>, channel: u16, tag: u64, multiple: bool) {
    method(out, channel, (BASIC, 80), |out| {
        out.extend_from_slice(&tag.to_be_bytes());
        out.push(u8::from(multiple));
    });
}

/// `basic.nack`.
pub fn basic_nack(out: &mut Vec<u8>, channel: u16, tag: u64, multiple: bool) {
    method(out, channel, (BASIC, 120), |out| {
        out.extend_from_slice(&tag.to_be_bytes());
        out.push(u8::from(multiple));
    });
}

/// The part of every `basic.deliver` of one consumer that does not change: frame type and channel,
/// then, after the size, class, method and consumer tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliverPrefix {
    bytes: Vec<u8>,
}

impl DeliverPrefix {
    /// Made once, when the consumer starts.
    pub fn new(channel: u16, tag: &[u8]) -> Self {
        let mut bytes = vec![FRAME_METHOD];
        bytes.extend_from_slice(&channel.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&[0, 60, 0, 60]);
        write_short_string(&mut bytes, tag);
        Self { bytes }
    }

    /// Where the delivery tag stands in what [`Self::write`] appends.
    pub fn tag_offset(&self) -> usize {
        self.bytes.len()
    }

    /// Appends one `basic.deliver`; `route` is the exchange and the routing key as short strings.
    #[inline]
    pub fn write(&self, out: &mut Vec<u8>, delivery_tag: u64, redelivered: bool, route: &[u8]) {
        let at = out.len();
        out.extend_from_slice(&self.bytes);
        let mut fixed = [0u8; 9];
        fixed[..8].copy_from_slice(&delivery_tag.to_be_bytes());
        fixed[8] = u8::from(redelivered);
        out.extend_from_slice(&fixed);
        out.extend_from_slice(route);
        // Names and tags are short strings: the payload cannot reach 4 GiB.
        let size = (self.bytes.len() - 7 + 9 + route.len()) as u32;
        if let Some(place) = out.get_mut(at + 3..at + 7) {
            place.copy_from_slice(&size.to_be_bytes());
        }
        out.push(FRAME_END);
    }
}

/// Appends the content header of a body of `body_size` octets.
#[inline]
pub fn content_header(out: &mut Vec<u8>, channel: u16, body_size: u64, properties: &[u8]) {
    let size = u32::try_from(12 + properties.len()).unwrap_or(u32::MAX);
    let [c1, c0] = channel.to_be_bytes();
    let [s3, s2, s1, s0] = size.to_be_bytes();
    let [b7, b6, b5, b4, b3, b2, b1, b0] = body_size.to_be_bytes();
    out.extend_from_slice(&[
        FRAME_HEADER,
        c1,
        c0,
        s3,
        s2,
        s1,
        s0,
        0,
        60,
        0,
        0,
        b7,
        b6,
        b5,
        b4,
        b3,
        b2,
        b1,
        b0,
    ]);
    out.extend_from_slice(properties);
    out.push(FRAME_END);
}

/// The prefix of a body frame of `size` octets.
#[inline]
pub fn body_prefix(out: &mut Vec<u8>, channel: u16, size: u32) {
    let [c1, c0] = channel.to_be_bytes();
    let [s3, s2, s1, s0] = size.to_be_bytes();
    out.extend_from_slice(&[FRAME_BODY, c1, c0, s3, s2, s1, s0]);
}

/// Appends a whole body that fits one frame.
#[inline]
pub fn body(out: &mut Vec<u8>, channel: u16, bytes: &[u8]) {
    body_prefix(out, channel, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    out.extend_from_slice(bytes);
    out.push(FRAME_END);
}

#[cfg(test)]
mod tests {
    use super::super::frame::{read_payload, read_prefix};
    use super::super::hot::join_route;
    use super::*;

    #[test]
    fn deliveries_are_well_formed_frames() {
        let mut out = Vec::new();
        let route = join_route(b"x", b"key");
        DeliverPrefix::new(3, b"tag").write(&mut out, 9, true, &route);
        let prefix = read_prefix(&out, 0).unwrap().unwrap();
        assert_eq!(prefix.channel, 3);
        let (payload, taken) = read_payload(&out, prefix).unwrap().unwrap();
        assert_eq!(taken, out.len());
        assert_eq!(&payload[..8], &[0, 60, 0, 60, 3, b't', b'a', b'g']);
        assert_eq!(payload[16], 1);
        assert_eq!(&payload[17..], &route[..]);
    }

    #[test]
    fn a_close_names_its_cause() {
        let mut out = Vec::new();
        close(
            &mut out,
            1,
            &AmqpError::not_found("no queue 'q' in vhost '/'").caused_by((50, 10)),
        );
        let prefix = read_prefix(&out, 0).unwrap().unwrap();
        let (payload, _) = read_payload(&out, prefix).unwrap().unwrap();
        assert_eq!(&payload[..6], &[0, 20, 0, 40, 1, 148]);
        assert_eq!(&payload[payload.len() - 4..], &[0, 50, 0, 10]);
    }
}
