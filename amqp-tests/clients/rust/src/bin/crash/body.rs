//! Message bodies that tell who they are and whether they are whole:
//! `publisher cycle seq size checksum `, padding, one full stop.

use std::fmt;

use crate::random::{Random, mix};

/// Who published a message, in which cycle, and its place there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// The publisher; it stays the same over all cycles.
    pub publisher: u16,
    /// The cycle, from 1.
    pub cycle: u32,
    /// From 0 in each cycle.
    pub seq: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.publisher, self.cycle, self.seq)
    }
}

impl Id {
    /// A number that is this id's own, for choices that must be repeatable.
    pub fn hash(self) -> u64 {
        mix(u64::from(self.publisher) << 48 ^ u64::from(self.cycle) << 32 ^ u64::from(self.seq))
    }
    /// The priority it is published with, where its queue has priorities.
    pub fn priority(self) -> u8 {
        (self.hash() >> 8) as u8 % 6
    }
    /// How long its body is: mostly small, at times above the broker's limit
    /// for one log entry.
    fn size(self) -> usize {
        let mut random = Random::new(self.hash());
        match random.below(1000) {
            0 => 1_200_000 + random.below(400_000) as usize,
            1..=9 => 20_000 + random.below(200_000) as usize,
            10..=499 => 64 + random.below(64) as usize,
            _ => 64 + random.below(1500) as usize,
        }
    }
    /// Its body.
    pub fn body(self) -> Vec<u8> {
        let size = self.size();
        let mut padding = Vec::with_capacity(size + 8);
        let mut random = Random::new(self.hash() ^ 1);
        while padding.len() < size {
            padding.extend(random.bits().to_le_bytes());
        }
        padding.truncate(size);
        let sum = checksum(self, &padding);
        let (p, c, s) = (self.publisher, self.cycle, self.seq);
        let mut body = format!("{p} {c} {s} {size} {sum} ").into_bytes();
        body.extend(padding);
        // The last octet of a body is never zero.
        body.push(b'.');
        body
    }
    /// Reads a body; an error says how it is damaged.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        let mut parts = body.splitn(6, |b| *b == b' ');
        let mut number = || -> Option<u64> {
            let digits = std::str::from_utf8(parts.next()?).ok()?;
            digits.parse().ok()
        };
        let numbers = (number(), number(), number(), number(), number());
        let (Some(p), Some(c), Some(s), Some(size), Some(sum)) = numbers else {
            return Err(format!("a body of {} octets without an id", body.len()));
        };
        let id = Self {
            publisher: p as u16,
            cycle: c as u32,
            seq: s as u32,
        };
        let rest = parts.next().unwrap_or_default();
        let Some((b'.', padding)) = rest.split_last() else {
            return Err(format!("{id}: the end is missing"));
        };
        if padding.len() as u64 != size || checksum(id, padding) != sum {
            return Err(format!(
                "{id}: {} of {size} octets, or changed",
                padding.len()
            ));
        }
        Ok(id)
    }
}

fn checksum(id: Id, padding: &[u8]) -> u64 {
    let mut sum = id.hash();
    for chunk in padding.chunks(8) {
        let mut eight = [0; 8];
        eight[..chunk.len()].copy_from_slice(chunk);
        sum = (sum ^ u64::from_le_bytes(eight)).wrapping_mul(0x0000_0100_0000_01b3);
        sum ^= sum >> 29;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_read_back_and_any_change_is_seen() {
        for seq in 0..300 {
            let id = Id {
                publisher: 3,
                cycle: 9,
                seq,
            };
            let body = id.body();
            assert_eq!(Id::read(&body), Ok(id));
            let mut random = Random::new(seq.into());
            let mut changed = body.clone();
            changed[random.below(body.len() as u64) as usize] ^= 1 << random.below(8);
            assert_ne!(Id::read(&changed), Ok(id), "{seq}");
            assert!(Id::read(&body[..body.len() - 1]).is_err());
        }
    }
}
