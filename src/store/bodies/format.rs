//! The file of one body, version 1. All numbers are little-endian.
//!
//! It is named `NNNNNNNNNN.body` by its number, ten decimal digits. Places name it by that number with
//! the top bit set, which no file of the log has.
//!
//! | offset | type | |
//! |---|---|---|
//! | 0 | 8 octets | `LeveretB` |
//! | 8 | u16 | version, 1 |
//! | 10 | u16 | low half of the CRC-32C of the other octets of the header |
//! | 12 | u32 | the file's number |
//! | 16 | octets | a sealed record ([`crate::message::record`]), to the end of the file |

use crc32c::{crc32c, crc32c_append};

use crate::message::BODY_FILE;

/// Octets before the record.
pub const HEADER_LEN: u32 = 16;

/// The version written.
pub(super) const VERSION: u16 = 1;

const MAGIC: &[u8; 8] = b"LeveretB";

const ENDING: &str = ".body";

/// The number that places name the file of this name by; `None` for other files.
pub(super) fn number_in(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(ENDING)?;
    let plain = digits.len() == 10 && digits.bytes().all(|b| b.is_ascii_digit());
    let number: u32 = digits.parse().ok()?;
    (plain && number < BODY_FILE).then_some(number | BODY_FILE)
}

/// The octets before the record in file `number`.
pub(super) fn header(number: u32) -> [u8; HEADER_LEN as usize] {
    of_version(VERSION, number)
}

fn of_version(version: u16, number: u32) -> [u8; HEADER_LEN as usize] {
    let mut out = [0; HEADER_LEN as usize];
    let version = version.to_le_bytes();
    let number = (number & !BODY_FILE).to_le_bytes();
    let crc = crc32c_append(crc32c_append(crc32c(MAGIC), &version), &number);
    let [low, high, ..] = crc.to_le_bytes();
    let octets = MAGIC.iter().copied().chain(version);
    let octets = octets.chain([low, high]).chain(number);
    for (to, from) in out.iter_mut().zip(octets) {
        *to = from;
    }
    out
}

/// What is wrong with the header of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadHeader {
    /// It is none, or that of another file.
    Unreadable,
    /// It is of a later version.
    Version(u16),
}

/// Looks at the first octets of file `number`.
pub(super) fn check_header(octets: &[u8], number: u32) -> Result<(), BadHeader> {
    if octets == header(number) {
        return Ok(());
    }
    let version = octets.get(8..).and_then(<[u8]>::first_chunk);
    let version = u16::from_le_bytes(*version.unwrap_or(&[0, 0]));
    match octets == of_version(version, number) {
        true => Err(BadHeader::Version(version)),
        false => Err(BadHeader::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::stored_name;

    #[test]
    fn the_format_is_this_and_stays() {
        let number = 7 | BODY_FILE;
        assert_eq!(stored_name(number), "0000000007.body");
        assert_eq!(number_in("0000000007.body"), Some(number));
        for other in [
            "7.body",
            "+000000007.body",
            "4000000000.body",
            "0000000007.log",
        ] {
            assert_eq!(number_in(other), None, "{other}");
        }
        let octets = header(number);
        assert_eq!(octets[..10], *b"LeveretB\x01\0");
        assert_eq!(octets[12..], *b"\x07\0\0\0");
        assert_eq!(check_header(&octets, number), Ok(()));
        let other = check_header(&octets, number + 1);
        assert_eq!(other, Err(BadHeader::Unreadable));
        let cut = check_header(&octets[..15], number);
        assert_eq!(cut, Err(BadHeader::Unreadable));
        let later = of_version(2, number);
        assert_eq!(check_header(&later, number), Err(BadHeader::Version(2)));
        let mut flipped = octets;
        flipped[8] = 2;
        let damaged = check_header(&flipped, number);
        assert_eq!(damaged, Err(BadHeader::Unreadable));
    }
}
