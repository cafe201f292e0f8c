//! The record of one message in a chunk.
//!
//! Layout, all numbers little-endian: body length u32, properties length u32, route length u16, then
//! the route (exchange and routing key as AMQP short strings), the properties (flag word and
//! fields) and the body, each exactly as it lay on the wire. The top bit of the route's length says
//! that hidden keys, a u32 length and octets, stand between properties and body.

use crate::amqp::hot::split_route;

/// Octets before the route.
pub const PREFIX: usize = 10;

/// Set in the route's length when hidden keys stand behind the properties.
const HIDDEN: u16 = 1 << 15;

/// A message read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Exchange and routing key as two short strings.
    pub route: &'a [u8],
    /// Flag word and fields of the properties.
    pub properties: &'a [u8],
    /// Keys of the BCC header, which no consumer sees but dead-lettering routes by, as short
    /// strings behind each other.
    pub hidden: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            route: &[0, 0],
            properties: &[0, 0],
            hidden: &[],
            body: &[],
        }
    }
}

impl<'a> Record<'a> {
    /// Reads the record at the start of `bytes`.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (prefix, tail) = bytes.split_first_chunk::<PREFIX>()?;
        let [b0, b1, b2, b3, p0, p1, p2, p3, r0, r1] = *prefix;
        let route_len = u16::from_le_bytes([r0, r1]);
        let (route, tail) = tail.split_at_checked((route_len & !HIDDEN).into())?;
        let (properties, mut tail) =
            tail.split_at_checked(u32::from_le_bytes([p0, p1, p2, p3]) as usize)?;
        let mut hidden: &[u8] = &[];
        if route_len & HIDDEN != 0 {
            let (len, rest) = tail.split_first_chunk::<4>()?;
            (hidden, tail) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
        }
        let body = tail.get(..u32::from_le_bytes([b0, b1, b2, b3]) as usize)?;
        Some(Self {
            route,
            properties,
            hidden,
            body,
        })
    }

    /// Octets of the record that starts here, as far as these tell: at least those it takes to
    /// tell more.
    pub fn length(bytes: &[u8]) -> usize {
        let Some((prefix, _)) = bytes.split_first_chunk::<PREFIX>() else {
            return PREFIX;
        };
        let [b0, b1, b2, b3, p0, p1, p2, p3, r0, r1] = *prefix;
        let route = u16::from_le_bytes([r0, r1]);
        let before_body =
            PREFIX + usize::from(route & !HIDDEN) + u32::from_le_bytes([p0, p1, p2, p3]) as usize;
        let body = u32::from_le_bytes([b0, b1, b2, b3]) as usize;
        if route & HIDDEN == 0 {
            return before_body + body;
        }
        match bytes.get(before_body..).and_then(<[u8]>::first_chunk::<4>) {
            Some(len) => before_body + 4 + u32::from_le_bytes(*len) as usize + body,
            None => before_body + 4,
        }
    }

    /// The exchange it was published to.
    pub fn exchange(&self) -> &'a [u8] {
        split_route(self.route).0
    }

    /// Its routing key.
    pub fn routing_key(&self) -> &'a [u8] {
        split_route(self.route).1
    }

    /// Octets of the whole record.
    pub fn len(&self) -> usize {
        let hidden = if self.hidden.is_empty() {
            0
        } else {
            4 + self.hidden.len()
        };
        PREFIX + self.route.len() + self.properties.len() + hidden + self.body.len()
    }

    /// True when body and properties are empty.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.properties.is_empty()
    }

    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        start(
            out,
            self.route,
            self.properties,
            self.hidden,
            self.body.len(),
        );
        out.extend_from_slice(self.body);
    }
}

/// Appends everything but the body, of which `body_len` octets must follow.
#[inline]
pub fn start(out: &mut Vec<u8>, route: &[u8], properties: &[u8], hidden: &[u8], body_len: usize) {
    let [b0, b1, b2, b3] = u32::try_from(body_len).unwrap_or(u32::MAX).to_le_bytes();
    let [p0, p1, p2, p3] = u32::try_from(properties.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    // Two short strings with their lengths: 512 at most.
    let flag = if hidden.is_empty() { 0 } else { HIDDEN };
    let [r0, r1] = (route.len() as u16 | flag).to_le_bytes();
    out.extend_from_slice(&[b0, b1, b2, b3, p0, p1, p2, p3, r0, r1]);
    out.extend_from_slice(route);
    out.extend_from_slice(properties);
    if !hidden.is_empty() {
        out.extend_from_slice(
            &u32::try_from(hidden.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        out.extend_from_slice(hidden);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::hot::join_route;

    #[test]
    fn records_lie_behind_each_other() {
        let route = join_route(b"x", b"k");
        let first = Record {
            route: &route,
            body: b"one",
            ..Record::default()
        };
        let second = Record {
            route: &route,
            properties: &[0x10, 0, 2],
            hidden: b"\x01k",
            body: b"",
        };
        let mut data = Vec::new();
        first.write(&mut data);
        let at = data.len() as u32;
        second.write(&mut data);
        let chunk = super::super::Chunk::new(data);
        assert_eq!(chunk.record(0), first);
        assert_eq!(chunk.record(at), second);
        assert_eq!(second.exchange(), b"x");
        assert_eq!(Record::read(&chunk.bytes()[..first.len() - 1]), None);
    }
}
