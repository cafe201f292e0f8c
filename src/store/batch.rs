//! The log entry of a batch: what a batch of publishes, acknowledgements, returns and purges means
//! for the messages of queues. All of it holds or none, for an entry has one checksum.
//!
//! Layout of the payload: version (octet, 2 or 3), length of the head in octets (u32, little-endian, this
//! and the version included), facts behind each other, then the records of the batch's chunk. A
//! fact is a tag octet and numbers as LEB128:
//!
//! | tag | fact | numbers |
//! |---|---|---|
//! | 1 | messages took consecutive places | queue, first id, expiry in ms (0 = never), count, offset of each record (the first as it is, then differences) |
//! | 2 | messages are gone | queue, first id, count |
//! | 3 | a message came back | queue, id, returns |
//! | 4 | a message moved to the end | queue, old id, new id, returns |
//! | 5 | a priority was delivered up to an id | queue, id |
//! | 6 | the places behind this one are of a record in a file of its own | the file's number, octets of the body, the checksum at the record's end |
//!
//! An entry with fact 6, of which the offsets of all records are 0, has version 3, so that a broker
//! that does not know it refuses to read on. Version 1 differs in the records alone: none of them is sealed ([`crate::message::record`]).

use std::sync::Arc;

use crate::message::{BODY_FILE, Chunk};

/// The format that is written.
const VERSION: u8 = 2;

/// The format of entries that name a file of its own.
const VERSION_AWAY: u8 = 3;

/// The oldest format that is read.
const OLDEST: u8 = 1;

/// Version and length.
const HEAD: usize = 5;

const PLACED: u8 = 1;
const SETTLED: u8 = 2;
const RETURNED: u8 = 3;
const MOVED: u8 = 4;
const DELIVERED: u8 = 5;
const AWAY: u8 = 6;

/// An entry under construction.
#[derive(Debug)]
pub struct Draft {
    head: Vec<u8>,
    chunk: Option<Arc<Chunk>>,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            head: vec![VERSION, 0, 0, 0, 0],
            chunk: None,
        }
    }
}

impl Draft {
    /// True when nothing is to be logged.
    pub fn is_empty(&self) -> bool {
        self.head.len() == HEAD && self.chunk.is_none()
    }

    /// The records that the places to come refer to: one chunk, or one record that is away; told
    /// before them.
    pub fn set_chunk(&mut self, chunk: &Arc<Chunk>) {
        let Some((record, home)) = chunk.is_away().zip(chunk.home()) else {
            debug_assert!(self.head.first() != Some(&VERSION_AWAY), "one or the other");
            self.chunk = Some(Arc::clone(chunk));
            return;
        };
        if self.head.first() == Some(&VERSION_AWAY) {
            return;
        }
        home.file.name_it();
        if let Some(version) = self.head.first_mut() {
            *version = VERSION_AWAY;
        }
        let number = home.file.number & !BODY_FILE;
        self.fact(
            AWAY,
            &[number.into(), record.size.into(), record.sum.into()],
        );
    }

    /// Messages took places from `first` on; `offsets` are those of their records in the chunk.
    pub fn placed(
        &mut self,
        queue: u64,
        first: u64,
        expires_at: u64,
        offsets: impl ExactSizeIterator<Item = u32>,
    ) {
        let expiry = if expires_at == u64::MAX {
            0
        } else {
            expires_at
        };
        self.fact(PLACED, &[queue, first, expiry, offsets.len() as u64]);
        let mut last = 0;
        for offset in offsets {
            // A batch's records lie in the order of its publishes.
            number(&mut self.head, u64::from(offset.wrapping_sub(last)));
            last = offset;
        }
    }

    /// Messages are gone.
    pub fn settled(&mut self, queue: u64, first: u64, len: u32) {
        self.fact(SETTLED, &[queue, first, len.into()]);
    }

    /// A message came back for the `count`th time.
    pub fn returned(&mut self, queue: u64, id: u64, count: u32) {
        self.fact(RETURNED, &[queue, id, count.into()]);
    }

    /// A message stands at the end now, under another id.
    pub fn moved(&mut self, queue: u64, from: u64, to: u64, count: u32) {
        self.fact(MOVED, &[queue, from, to, count.into()]);
    }

    /// Messages of a priority up to `id` have been delivered before.
    pub fn delivered(&mut self, queue: u64, up_to: u64) {
        self.fact(DELIVERED, &[queue, up_to]);
    }

    fn fact(&mut self, tag: u8, numbers: &[u64]) {
        self.head.push(tag);
        for value in numbers {
            number(&mut self.head, *value);
        }
    }

    /// Head and chunk of the entry's payload.
    pub fn finish(mut self) -> (Vec<u8>, Option<Arc<Chunk>>) {
        let len = u32::try_from(self.head.len()).unwrap_or(u32::MAX);
        if let Some(place) = self.head.get_mut(1..HEAD) {
            place.copy_from_slice(&len.to_le_bytes());
        }
        (self.head, self.chunk)
    }
}

fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table above says what each means")]
pub enum Fact {
    /// One message of a run.
    Placed {
        queue: u64,
        id: u64,
        expires_at: u64,
        offset: u32,
    },
    Settled {
        queue: u64,
        first: u64,
        len: u64,
    },
    Returned {
        queue: u64,
        id: u64,
        count: u32,
    },
    Moved {
        queue: u64,
        from: u64,
        to: u64,
        count: u32,
    },
    Delivered {
        queue: u64,
        up_to: u64,
    },
    /// The places behind this are of the one record in `file`.
    Away {
        file: u32,
        size: u32,
        sum: u32,
    },
}

impl Fact {
    /// The queue that it is about, and the raw id of its first message there.
    pub fn level(&self) -> Option<(u64, u64)> {
        Some(match *self {
            Self::Placed { queue, id, .. } | Self::Returned { queue, id, .. } => (queue, id),
            Self::Settled { queue, first, .. } => (queue, first),
            Self::Moved { queue, from, .. } => (queue, from),
            Self::Delivered { queue, up_to } => (queue, up_to),
            Self::Away { .. } => return None,
        })
    }
}

/// Why an entry cannot be read. Its checksum was right: whoever wrote it spoke another language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer broker wrote it.
    #[error("format version {0} is not known")]
    Version(u8),
    /// It does not follow its own format.
    #[error("malformed at octet {0} of its head")]
    Malformed(usize),
}

struct Reader<'a> {
    head: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn octet(&mut self) -> Result<u8, Unreadable> {
        let octet = self.head.get(self.at).copied();
        self.at += 1;
        octet.ok_or(Unreadable::Malformed(self.at))
    }

    fn number(&mut self) -> Result<u64, Unreadable> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            value |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(value);
            }
        }
        Err(Unreadable::Malformed(self.at))
    }

    fn small(&mut self) -> Result<u32, Unreadable> {
        u32::try_from(self.number()?).map_err(|_| Unreadable::Malformed(self.at))
    }
}

/// Where the records of a payload start; behind its end if it is malformed.
pub fn records_start(payload: &[u8]) -> u32 {
    let len = payload.get(1..).and_then(<[u8]>::first_chunk::<4>);
    len.map_or(u32::MAX, |len| u32::from_le_bytes(*len))
}

/// Shows every fact of a payload in order; returns where its records start.
pub fn read(payload: &[u8], mut visit: impl FnMut(Fact)) -> Result<u32, Unreadable> {
    let (Some(version), Some(len)) = (
        payload.first(),
        payload.get(1..).and_then(<[u8]>::first_chunk::<4>),
    ) else {
        return Err(Unreadable::Malformed(0));
    };
    if !(OLDEST..=VERSION_AWAY).contains(version) {
        return Err(Unreadable::Version(*version));
    }
    let len = u32::from_le_bytes(*len);
    let head = payload
        .get(..len as usize)
        .ok_or(Unreadable::Malformed(payload.len()))?;
    let mut reader = Reader { head, at: HEAD };
    while reader.at < head.len() {
        let tag = reader.octet()?;
        if tag == AWAY {
            visit(Fact::Away {
                file: reader.small()? | BODY_FILE,
                size: reader.small()?,
                sum: reader.small()?,
            });
            continue;
        }
        let queue = reader.number()?;
        match tag {
            PLACED => {
                let first = reader.number()?;
                let expires_at = match reader.number()? {
                    0 => u64::MAX,
                    at => at,
                };
                let count = reader.number()?;
                let mut offset = 0u32;
                for index in 0..count {
                    offset = offset.wrapping_add(reader.small()?);
                    visit(Fact::Placed {
                        queue,
                        id: first.wrapping_add(index),
                        expires_at,
                        offset,
                    });
                }
            }
            SETTLED => visit(Fact::Settled {
                queue,
                first: reader.number()?,
                len: reader.number()?,
            }),
            RETURNED => visit(Fact::Returned {
                queue,
                id: reader.number()?,
                count: reader.small()?,
            }),
            MOVED => visit(Fact::Moved {
                queue,
                from: reader.number()?,
                to: reader.number()?,
                count: reader.small()?,
            }),
            DELIVERED => visit(Fact::Delivered {
                queue,
                up_to: reader.number()?,
            }),
            _ => return Err(Unreadable::Malformed(reader.at)),
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Home, StoredFile};
    use proptest::prelude::*;

    fn facts(payload: &[u8]) -> Result<(Vec<Fact>, u32), Unreadable> {
        let mut all = Vec::new();
        let start = read(payload, |fact| all.push(fact))?;
        Ok((all, start))
    }

    #[test]
    fn what_is_drafted_is_read() {
        let mut draft = Draft::default();
        assert!(draft.is_empty());
        draft.placed(7, u64::MAX - 1, u64::MAX, [5u32, 90, 91].into_iter());
        draft.placed(8, 1, 1_700_000_000_000, [3_000_000_000u32].into_iter());
        draft.settled(7, 300, 4);
        draft.returned(7, 9, 3);
        draft.moved(7, 9, 10, 4);
        draft.delivered(7, 12);
        let (head, _) = draft.finish();
        let (all, start) = facts(&head).unwrap();
        assert_eq!(start as usize, head.len());
        assert_eq!(all.len(), 8);
        assert_eq!(
            all[1],
            Fact::Placed {
                queue: 7,
                id: u64::MAX,
                expires_at: u64::MAX,
                offset: 90
            }
        );
        assert_eq!(
            all[3],
            Fact::Placed {
                queue: 8,
                id: 1,
                expires_at: 1_700_000_000_000,
                offset: 3_000_000_000
            }
        );
        assert_eq!(
            all[4],
            Fact::Settled {
                queue: 7,
                first: 300,
                len: 4
            }
        );
        assert_eq!(
            all[6],
            Fact::Moved {
                queue: 7,
                from: 9,
                to: 10,
                count: 4
            }
        );
        let mut older = head.clone();
        older[0] = 1;
        assert_eq!(facts(&older).unwrap().0, all);
        let mut newer = head.clone();
        newer[0] = 4;
        assert_eq!(facts(&newer), Err(Unreadable::Version(4)));
    }

    #[test]
    fn a_record_that_is_away_is_named_once_and_makes_a_newer_entry() {
        let home = Home {
            file: StoredFile::new(9 | BODY_FILE),
            offset: 16,
        };
        let chunk = Chunk::away(home, 5_000_000, 0xfeed_beef);
        let mut draft = Draft::default();
        for queue in [7, 8] {
            draft.set_chunk(&chunk);
            draft.placed(queue, 1, u64::MAX, [0].into_iter());
        }
        assert!(chunk.home().unwrap().file.is_named());
        let (head, tail) = draft.finish();
        assert!(tail.is_none());
        assert_eq!(head[0], 3);
        let (all, start) = facts(&head).unwrap();
        assert_eq!(start as usize, head.len());
        let away = Fact::Away {
            file: 9 | BODY_FILE,
            size: 5_000_000,
            sum: 0xfeed_beef,
        };
        assert_eq!(all[0], away);
        assert_eq!(all.len(), 3);
    }

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(octets in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut payload = vec![VERSION];
            payload.extend_from_slice(&(octets.len() as u32 + 5).to_le_bytes());
            payload.extend_from_slice(&octets);
            let _ = facts(&payload);
            let _ = facts(&octets);
        }
    }
}
