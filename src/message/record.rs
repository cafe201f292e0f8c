//! The record of one message in a chunk.
//!
//! Layout, all numbers little-endian: body length u32, properties length u32, route length u16, then
//! the route (exchange and routing key as AMQP short strings), the properties (flag word and
//! fields) and the body, each exactly as it lay on the wire.

use crate::amqp::hot::split_route;

/// Octets before the route.
pub const PREFIX: usize = 10;

/// A message read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Exchange and routing key as two short strings.
    pub route: &'a [u8],
    /// Flag word and fields of the properties.
    pub properties: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

impl Default for Record<'_> {
    fn default() -> Self {
        Self {
            route: &[0, 0],
            properties: &[0, 0],
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
        let (route, tail) = tail.split_at_checked(u16::from_le_bytes([r0, r1]).into())?;
        let (properties, tail) =
            tail.split_at_checked(u32::from_le_bytes([p0, p1, p2, p3]) as usize)?;
        let body = tail.get(..u32::from_le_bytes([b0, b1, b2, b3]) as usize)?;
        Some(Self {
            route,
            properties,
            body,
        })
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
        PREFIX + self.route.len() + self.properties.len() + self.body.len()
    }

    /// True when body and properties are empty.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty() && self.properties.is_empty()
    }

    /// Appends the record to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        RecordWriter::start(out, self.route, self.properties, self.body.len());
        out.extend_from_slice(self.body);
    }
}

/// Writes a record whose body comes later.
#[derive(Debug)]
pub struct RecordWriter;

impl RecordWriter {
    /// Appends everything but the body, of which `body_len` octets must follow.
    #[inline]
    pub fn start(out: &mut Vec<u8>, route: &[u8], properties: &[u8], body_len: usize) {
        let [b0, b1, b2, b3] = u32::try_from(body_len).unwrap_or(u32::MAX).to_le_bytes();
        let [p0, p1, p2, p3] = u32::try_from(properties.len())
            .unwrap_or(u32::MAX)
            .to_le_bytes();
        let [r0, r1] = u16::try_from(route.len()).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&[b0, b1, b2, b3, p0, p1, p2, p3, r0, r1]);
        out.extend_from_slice(route);
        out.extend_from_slice(properties);
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
            properties: &[0, 0],
            body: b"one",
        };
        let second = Record {
            route: &route,
            properties: &[0x10, 0, 2],
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
