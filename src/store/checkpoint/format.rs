//! Names, header and checks of a checkpoint.

use crc32c::{crc32c, crc32c_append};

use crate::store::{Position, StoreError};

/// Name of the file.
pub const FILE: &str = "checkpoint";

/// Its name while it is written.
pub(super) const NEW_FILE: &str = "checkpoint.new";

pub(super) const VERSION: u16 = 1;

/// Octets of the header.
pub(super) const HEADER: usize = 24;

/// Octets before those of a block.
pub(super) const BLOCK_HEADER: usize = 8;

const MAGIC: &[u8; 8] = b"LeveretC";

/// A header, and its check.
pub(super) fn encode_header(position: Position) -> (Vec<u8>, u32) {
    let mut octets = Vec::with_capacity(HEADER);
    octets.extend_from_slice(MAGIC);
    octets.extend_from_slice(&VERSION.to_le_bytes());
    octets.extend_from_slice(&[0; 2]);
    octets.extend_from_slice(&position.to_u64().to_le_bytes());
    let crc = crc32c(&octets);
    octets.extend_from_slice(&crc.to_le_bytes());
    (octets, crc)
}

/// What a header says, and its check.
pub(super) fn decode_header(octets: &[u8; HEADER]) -> Result<(Position, u32), StoreError> {
    let (covered, crc) = octets.split_at(HEADER - 4);
    let found = crc32c(covered);
    if !covered.starts_with(MAGIC) || crc != found.to_le_bytes() {
        return Err(damaged(0, "the header is not one of a checkpoint"));
    }
    let fields = (
        covered.get(8..).and_then(<[u8]>::first_chunk::<2>),
        covered.get(12..).and_then(<[u8]>::first_chunk::<8>),
    );
    let (Some(version), Some(position)) = fields else {
        return Err(damaged(0, "the header is too short"));
    };
    let version = u16::from_le_bytes(*version);
    if version != VERSION {
        return Err(StoreError::Version {
            file: FILE.to_owned(),
            found: version,
            known: VERSION,
        });
    }
    Ok((Position::from_u64(u64::from_le_bytes(*position)), found))
}

/// The check of a block, from that of the one before.
pub(super) fn check_of(before: u32, len: u32, octets: &[u8]) -> u32 {
    crc32c_append(crc32c_append(before, &len.to_le_bytes()), octets)
}

pub(super) fn damaged(offset: u64, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        file: FILE.to_owned(),
        offset,
        reason: reason.into(),
    }
}
