//! A client's frames.

use leveret::amqp::Table;
use leveret::amqp::constants::{FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD};
use leveret::amqp::table::{write_long_string, write_short_string, write_table};

/// Appends a frame.
pub fn frame(out: &mut Vec<u8>, kind: u8, channel: u16, payload: &[u8]) {
    out.push(kind);
    out.extend_from_slice(&channel.to_be_bytes());
    out.extend_from_slice(&(payload.len() as u32).to_be_bytes());
    out.extend_from_slice(payload);
    out.push(FRAME_END);
}

/// A method under construction.
pub struct Method(Vec<u8>);

impl Method {
    pub fn new((class, method): (u16, u16)) -> Self {
        let mut payload = class.to_be_bytes().to_vec();
        payload.extend_from_slice(&method.to_be_bytes());
        Self(payload)
    }

    pub fn octet(mut self, value: u8) -> Self {
        self.0.push(value);
        self
    }

    pub fn number(mut self, value: u16) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn long(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn longlong(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_be_bytes());
        self
    }

    pub fn short(mut self, text: &[u8]) -> Self {
        write_short_string(&mut self.0, text);
        self
    }

    pub fn text(mut self, text: &[u8]) -> Self {
        write_long_string(&mut self.0, text);
        self
    }

    pub fn table(mut self, table: &Table) -> Self {
        write_table(&mut self.0, table);
        self
    }

    /// Appends the method's frame to `out`.
    pub fn send(self, out: &mut Vec<u8>, channel: u16) {
        frame(out, FRAME_METHOD, channel, &self.0);
    }
}

/// Appends a content header and body frames of at most `part` octets each.
pub fn content(out: &mut Vec<u8>, channel: u16, properties: &[u8], body: &[u8], part: usize) {
    let mut payload = vec![0, 60, 0, 0];
    payload.extend_from_slice(&(body.len() as u64).to_be_bytes());
    payload.extend_from_slice(properties);
    frame(out, FRAME_HEADER, channel, &payload);
    for part in body.chunks(part.max(1)) {
        frame(out, FRAME_BODY, channel, part);
    }
}

/// Everything from the protocol header to `connection.open`, with the capabilities that make the
/// broker say most.
pub fn handshake(frame_max: u32) -> Vec<u8> {
    use leveret::amqp::Value;
    let mut capabilities = Table::default();
    for name in [
        "consumer_cancel_notify",
        "connection.blocked",
        "authentication_failure_close",
        "basic.nack",
    ] {
        capabilities.set(name.as_bytes(), Value::Bool(true));
    }
    let mut properties = Table::default();
    properties.set(b"capabilities", Value::Table(capabilities));
    let mut out = b"AMQP\x00\x00\x09\x01".to_vec();
    Method::new((10, 11))
        .table(&properties)
        .short(b"PLAIN")
        .text(b"\0guest\0guest")
        .short(b"en_US")
        .send(&mut out, 0);
    Method::new((10, 31))
        .number(2047)
        .long(frame_max)
        .number(0)
        .send(&mut out, 0);
    Method::new((10, 40))
        .short(b"/")
        .short(b"")
        .octet(0)
        .send(&mut out, 0);
    out
}
