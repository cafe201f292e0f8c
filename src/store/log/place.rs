//! A place in the log.

use std::fmt;

/// The place of an octet: the file's number, which grows from 1 on, and the offset in the file. In
/// the order of writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Number of the file.
    pub file: u32,
    /// Octets from the start of the file.
    pub offset: u32,
}

impl Position {
    /// Before everything.
    pub const ZERO: Self = Self { file: 0, offset: 0 };

    /// The place `offset` octets into file number `file`.
    pub const fn new(file: u32, offset: u32) -> Self {
        Self { file, offset }
    }

    /// Both numbers in one, of the same order.
    pub const fn to_u64(self) -> u64 {
        (self.file as u64) << 32 | self.offset as u64
    }

    /// What [`Self::to_u64`] gave.
    pub const fn from_u64(number: u64) -> Self {
        // The halves of a number of twice their width.
        Self {
            file: (number >> 32) as u32,
            offset: (number & 0xffff_ffff) as u32,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_keeps_place_and_order() {
        let places = [
            Position::ZERO,
            Position::new(0, u32::MAX),
            Position::new(1, 0),
            Position::new(7, 64),
            Position::new(u32::MAX, u32::MAX),
        ];
        for pair in places.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_u64() < pair[1].to_u64());
        }
        for place in places {
            assert_eq!(Position::from_u64(place.to_u64()), place);
        }
    }
}
