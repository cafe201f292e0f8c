//! The record of one message in a chunk.
//!
//! Layout, all numbers little-endian: body length u32, properties length u32, route length u16, then
//! the route (exchange and routing key as AMQP short strings), the properties (flag word and
//! fields) and the body, each exactly as it lay on the wire. The top bit of the route's length says
//! that hidden keys, a u32 length and octets, stand between properties and body.
//!
//! A record that goes to the log is sealed: the five bits below the top one are set, and behind the
//! body stands a CRC-32C (u32) of everything before it. Records of the log's first version, and those
//! that never left memory, have none of the five bits; any other pattern is damage.

use crc32c::crc32c;

use crate::amqp::hot::split_route;

/// Octets before the route.
pub const PREFIX: usize = 10;

/// Set in the route's length when hidden keys stand behind the properties.
const HIDDEN: u16 = 1 << 15;

/// The bits of the route's length that say whether the record is sealed: all of them or none.
const SEAL: u16 = 0b0111_1100 << 8;

/// The bits of the route's length that are its length: two short strings have 512 octets at most.
const ROUTE_LEN: u16 = 0x03ff;

/// Octets of the checksum behind a sealed record.
pub const SUM_LEN: usize = 4;

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
        let (route, tail) = tail.split_at_checked((route_len & ROUTE_LEN).into())?;
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
            PREFIX + usize::from(route & ROUTE_LEN) + u32::from_le_bytes([p0, p1, p2, p3]) as usize;
        let sum = if route & SEAL == 0 { 0 } else { SUM_LEN };
        let body = u32::from_le_bytes([b0, b1, b2, b3]) as usize + sum;
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

/// Marks the record that begins at `at` as sealed: its checksum is to follow its body.
#[inline]
pub fn mark_sealed(data: &mut [u8], at: usize) {
    let [.., high] = SEAL.to_le_bytes();
    if let Some(octet) = data.get_mut(at + PREFIX - 1) {
        *octet |= high;
    }
}

/// Seals the record that begins at `at` and ends with `data`.
#[inline]
pub fn seal(data: &mut Vec<u8>, at: usize) {
    mark_sealed(data, at);
    let sum = crc32c(data.get(at..).unwrap_or_default());
    data.extend_from_slice(&sum.to_le_bytes());
}

/// True when the record at the start of `bytes` has a body of `size` octets and is what was sealed;
/// of one that was not, when its lengths fit.
pub fn holds(bytes: &[u8], size: u32) -> bool {
    let Some([b0, b1, b2, b3, .., r0, r1]) = bytes.first_chunk::<PREFIX>() else {
        return false;
    };
    if u32::from_le_bytes([*b0, *b1, *b2, *b3]) != size {
        return false;
    }
    let Some(whole) = bytes.get(..Record::length(bytes)) else {
        return false;
    };
    match u16::from_le_bytes([*r0, *r1]) & SEAL {
        0 => Record::read(whole).is_some(),
        SEAL => whole
            .split_last_chunk::<SUM_LEN>()
            .is_some_and(|(record, sum)| crc32c(record) == u32::from_le_bytes(*sum)),
        _ => false,
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

    #[test]
    fn a_sealed_record_is_read_as_it_was_and_no_bit_of_it_may_change() {
        let route = join_route(b"x", b"k");
        let plain = Record {
            route: &route,
            properties: &[0x10, 0, 2],
            hidden: b"\x01k",
            body: b"a body",
        };
        let mut data = b"before".to_vec();
        let at = data.len();
        plain.write(&mut data);
        assert!(holds(&data[at..], 6), "a record that is not sealed");
        seal(&mut data, at);
        let end = data.len();
        data.extend_from_slice(b"behind");
        let sealed = &data[at..];
        assert_eq!(Record::read(sealed), Some(plain));
        assert_eq!(Record::length(sealed), end - at);
        assert!(holds(sealed, 6));
        assert!(!holds(sealed, 5), "another message's place");
        assert!(!holds(&data[at..end - 1], 6), "cut short");
        for bit in 0..(end - at) * 8 {
            let mut flipped = sealed.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!holds(&flipped, 6), "bit {bit}");
        }
    }
}
