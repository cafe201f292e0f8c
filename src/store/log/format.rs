//! The log's files, version 1. All numbers are little-endian.
//!
//! A file is named `NNNNNNNNNN.log` by its number, ten decimal digits, which is never given to another
//! file. One that waits to be used again is named `NNNNNNNNNN.spare` by the number it had.
//!
//! The file's header, 64 octets, is written together with its first entries:
//!
//! | offset | type | |
//! |---|---|---|
//! | 0 | 8 octets | `LeveretL` |
//! | 8 | u16 | version, 1 |
//! | 10 | u8 | generation: 0, the log as it is written |
//! | 11 | u8 | 0 |
//! | 12 | u32 | the file's number |
//! | 16 | u64 | where the log before this file ended: file number << 32, offset |
//! | 24 | 36 octets | 0 |
//! | 60 | u32 | CRC-32C of the 60 octets before |
//!
//! Entries follow, each on a multiple of 8, with zeros behind the payload up to the next:
//!
//! | offset | type | |
//! |---|---|---|
//! | 0 | u32 | CRC-32C of the header from `length` on and of the payload |
//! | 4 | u32 | length of the payload |
//! | 8 | u8 | kind: 1 to 239 are the caller's, 240 and up the log's own, 0 is none |
//! | 9 | u8 | flags, 0 |
//! | 10 | u16 | low half of the CRC-32C of the header from `length` on without this field |
//! | 12 | u32 | group |
//! | 16 | u64 | index |
//! | 24 | u64 | term |
//! | 32 | u64 | mark: everything below it was synced before this was written |
//! | 40 | octets | the payload |
//!
//! Both checks start from a CRC of the file's number and the entry's offset. What a file held in an
//! earlier life, or a copy of an entry in another place, therefore never passes.
//!
//! The log's own kinds: 240, a mark alone; of a group: 241, the entries from `index` on are taken back;
//! 242, a snapshot covers everything up to `index` of `term`; 243, the group is gone.
//!
//! The second check makes it cheap to look for entries at every multiple of 8, which is how marks
//! behind a damaged place are found.

use crc32c::{crc32c, crc32c_append};

use super::place::Position;

/// Octets before the first entry of a file.
pub const HEADER_LEN: u32 = 64;

/// Octets before the payload of an entry.
pub const PREFIX_LEN: u32 = 40;

/// Entries start on multiples of this.
pub(super) const ALIGN: u64 = 8;

/// The version written.
pub(super) const VERSION: u16 = 1;

/// Payload of the longest entry: far above the largest message, far below what an offset can name.
pub(super) const PAYLOAD_MAX: u64 = 1 << 30;

/// The first of the log's own kinds.
pub(super) const OWN_KINDS: u8 = 240;

/// An entry without a payload, written at a clean stop for the sake of its mark.
pub(super) const KIND_MARK: u8 = 240;

/// The group's entries from `index` on are taken back. No payload.
pub(super) const KIND_TRUNCATE: u8 = 241;

/// A snapshot holds everything of the group up to `index` of `term`. No payload.
pub(super) const KIND_COVERED: u8 = 242;

/// The group and its entries are forgotten. No payload.
pub(super) const KIND_GONE: u8 = 243;

/// What a repair puts in the place of octets that could not be read: zeros.
pub(super) const KIND_LOST: u8 = 244;

const MAGIC: &[u8; 8] = b"LeveretL";

/// The name of the log's file number `number`.
pub(super) fn log_name(number: u32) -> String {
    format!("{number:010}.log")
}

/// The name of a file that waits to be used again.
pub(super) fn spare_name(number: u32) -> String {
    format!("{number:010}.spare")
}

/// The number in a name with this ending.
pub(super) fn number_in(name: &str, ending: &str) -> Option<u32> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number > 0)
}

/// The octets that an entry with a payload of `payload` octets takes in a file.
pub(super) fn size_of_entry(payload: u64) -> u64 {
    (u64::from(PREFIX_LEN) + payload).next_multiple_of(ALIGN)
}

/// What a file's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub number: u32,
    pub previous: Position,
}

/// Why a file's header cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// Not one of this file: never written, torn, of an earlier life or damaged.
    Unreadable,
    /// Whole, but of another version.
    Version(u16),
}

impl FileHeader {
    pub fn encode(&self) -> [u8; HEADER_LEN as usize] {
        let mut out = [0; HEADER_LEN as usize];
        let mut put = |at: usize, octets: &[u8]| {
            for (to, from) in out.iter_mut().skip(at).zip(octets) {
                *to = *from;
            }
        };
        put(0, MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &self.number.to_le_bytes());
        put(16, &self.previous.to_u64().to_le_bytes());
        let (covered, crc) = out.split_at_mut(60);
        crc.copy_from_slice(&crc32c(covered).to_le_bytes());
        out
    }

    /// Reads the header of the file with this number.
    pub fn decode(octets: &[u8], number: u32) -> Result<Self, BadHeader> {
        let whole = octets.split_at_checked(60).filter(|(covered, crc)| {
            covered.starts_with(MAGIC) && number_at(crc, 0) == Some(crc32c(covered))
        });
        let (covered, _) = whole.ok_or(BadHeader::Unreadable)?;
        let version = covered.get(8..10).and_then(|v| v.try_into().ok());
        let version = u16::from_le_bytes(version.unwrap_or_default());
        if version != VERSION {
            return Err(BadHeader::Version(version));
        }
        let header = Self {
            number: number_at(covered, 12).unwrap_or(0),
            previous: Position::from_u64(long_at(covered, 16).unwrap_or(0)),
        };
        if header.number != number {
            return Err(BadHeader::Unreadable);
        }
        Ok(header)
    }
}

fn number_at(octets: &[u8], at: usize) -> Option<u32> {
    let found = octets.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*found))
}

fn long_at(octets: &[u8], at: usize) -> Option<u64> {
    let found = octets.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*found))
}

/// What stands before an entry's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    pub len: u32,
    pub kind: u8,
    pub group: u32,
    pub index: u64,
    pub term: u64,
    pub mark: Position,
}

/// An entry's prefix that has passed its own check, and what its payload must amount to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checked {
    pub prefix: Prefix,
    expected: u32,
    so_far: u32,
}

/// What both checks of an entry at `at` start from.
fn seed(at: Position) -> u32 {
    crc32c(&at.to_u64().to_le_bytes())
}

impl Prefix {
    /// The octets of the prefix of an entry at `at` with this payload, which comes in two pieces.
    pub fn encode(&self, at: Position, payload: [&[u8]; 2]) -> [u8; PREFIX_LEN as usize] {
        let [l0, l1, l2, l3] = self.len.to_le_bytes();
        let start = [l0, l1, l2, l3, self.kind, 0];
        let mut rest = [0; 28];
        let numbers = [self.index, self.term, self.mark.to_u64()];
        let octets = self.group.to_le_bytes().into_iter();
        let octets = octets.chain(numbers.into_iter().flat_map(u64::to_le_bytes));
        for (to, from) in rest.iter_mut().zip(octets) {
            *to = from;
        }
        let crc = crc32c_append(crc32c_append(seed(at), &start), &rest);
        let check = low_half(crc).to_le_bytes();
        let crc = crc32c_append(crc, &check);
        let crc = payload.into_iter().fold(crc, crc32c_append);

        let mut out = [0; PREFIX_LEN as usize];
        let pieces = crc.to_le_bytes().into_iter().chain(start);
        for (to, from) in out.iter_mut().zip(pieces.chain(check).chain(rest)) {
            *to = from;
        }
        out
    }

    /// Reads the prefix at the start of `octets`, which lie at `at`; `None` if it fails its check.
    pub fn decode(octets: &[u8], at: Position) -> Option<Checked> {
        let octets: &[u8; PREFIX_LEN as usize] = octets.first_chunk()?;
        let (start, tail) = octets.split_at(4).1.split_at(6);
        let (check, rest) = tail.split_at(2);
        // The cheap refusals first: this runs at every multiple of 8 of a torn file.
        let kind = *start.get(4)?;
        let len = number_at(start, 0)?;
        if kind == 0 || u64::from(len) > PAYLOAD_MAX {
            return None;
        }
        let crc = crc32c_append(crc32c_append(seed(at), start), rest);
        if check != low_half(crc).to_le_bytes() {
            return None;
        }
        Some(Checked {
            prefix: Self {
                len,
                kind,
                group: number_at(rest, 0)?,
                index: long_at(rest, 4)?,
                term: long_at(rest, 12)?,
                mark: Position::from_u64(long_at(rest, 20)?),
            },
            expected: number_at(octets, 0)?,
            so_far: crc32c_append(crc, check),
        })
    }
}

impl Checked {
    /// Octets of the entry in the file.
    pub fn size(&self) -> u64 {
        size_of_entry(self.prefix.len.into())
    }

    /// Takes a piece of the payload into account.
    pub fn add(&mut self, payload: &[u8]) {
        self.so_far = crc32c_append(self.so_far, payload);
    }

    /// True when the payload added is the one that was written.
    pub fn holds(&self) -> bool {
        self.so_far == self.expected
    }
}

fn low_half(crc: u32) -> u16 {
    // Meant to cut.
    (crc & 0xffff) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(len: u32) -> Prefix {
        Prefix {
            len,
            kind: 3,
            group: 9,
            index: 1 << 40,
            term: 77,
            mark: Position::new(4, 4_096),
        }
    }

    /// The octets of one entry of version 1 must stay readable for ever.
    #[test]
    fn the_format_is_this_and_stays() {
        let at = Position::new(5, 64);
        let octets = prefix(5).encode(at, [b"he", b"llo"]);
        let expected: [u8; 40] = [
            117, 126, 5, 34, 5, 0, 0, 0, 3, 0, 79, 37, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 77, 0,
            0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0,
        ];
        assert_eq!(octets, expected);
        let header = FileHeader {
            number: 5,
            previous: Position::new(4, 4_096),
        };
        assert_eq!(header.encode()[..8], *b"LeveretL");
        assert_eq!(
            header.encode()[8..24],
            [1, 0, 0, 0, 5, 0, 0, 0, 0, 16, 0, 0, 4, 0, 0, 0]
        );
        assert_eq!(header.encode()[60..], [123, 34, 191, 162]);
    }

    #[test]
    fn an_entry_passes_only_as_and_where_it_was_written() {
        let at = Position::new(5, 64);
        let octets = prefix(5).encode(at, [b"", b"hello"]);
        let mut read = Prefix::decode(&octets, at).unwrap();
        assert_eq!((read.prefix, read.size()), (prefix(5), 48));
        assert!(!read.holds());
        read.add(b"hel");
        read.add(b"lo");
        assert!(read.holds());
        for other in [Position::new(6, 64), Position::new(5, 72)] {
            let passes = Prefix::decode(&octets, other).is_some_and(|mut read| {
                read.add(b"hello");
                read.holds()
            });
            assert!(!passes);
        }
        for bit in 0..octets.len() * 8 {
            let mut bad = octets;
            bad[bit / 8] ^= 1 << (bit % 8);
            let passes = Prefix::decode(&bad, at).is_some_and(|mut read| {
                read.add(b"hello");
                read.holds()
            });
            assert!(!passes, "bit {bit}");
        }
        assert!(Prefix::decode(&[0; 40], at).is_none());
    }

    #[test]
    fn a_header_is_of_its_file_and_version() {
        let header = FileHeader {
            number: 12,
            previous: Position::new(11, 640),
        };
        let octets = header.encode();
        assert_eq!(FileHeader::decode(&octets, 12), Ok(header));
        assert_eq!(FileHeader::decode(&octets, 13), Err(BadHeader::Unreadable));
        assert_eq!(
            FileHeader::decode(&octets[..63], 12),
            Err(BadHeader::Unreadable)
        );
        let mut later = octets;
        later[8] = 2;
        assert_eq!(FileHeader::decode(&later, 12), Err(BadHeader::Unreadable));
        let crc = crc32c(&later[..60]).to_le_bytes();
        later[60..].copy_from_slice(&crc);
        assert_eq!(FileHeader::decode(&later, 12), Err(BadHeader::Version(2)));
    }

    #[test]
    fn names_are_numbers_of_ten_digits() {
        assert_eq!(number_in(&log_name(42), ".log"), Some(42));
        assert_eq!(number_in(&spare_name(u32::MAX), ".spare"), Some(u32::MAX));
        for other in ["42.log", "0000000000.log", "+000000001.log", "x.log", ""] {
            assert_eq!(number_in(other, ".log"), None, "{other}");
        }
    }
}
