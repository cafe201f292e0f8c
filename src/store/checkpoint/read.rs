//! Reads a checkpoint: once to see that all of it is whole, and again for its rows.

use std::io::ErrorKind;
use std::sync::Arc;

use super::format::{BLOCK_HEADER, FILE, HEADER, check_of, damaged, decode_header};
use super::rows::{Last, Row, Rows};
use crate::store::io::{Disk, DiskFile};
use crate::store::{Position, StoreError};

/// Shows every row of the checkpoint in the order of writing; none are shown if it is damaged anywhere.
/// Gives its position, or `None` when there is no checkpoint.
///
/// # Errors
/// The disk's own, those of `visit`, `Damaged`, and `Version` when a later broker wrote it.
pub fn read(
    disk: &dyn Disk,
    visit: &mut dyn FnMut(Row) -> Result<(), StoreError>,
) -> Result<Option<Position>, StoreError> {
    let file = match disk.open(FILE) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(StoreError::io("open", FILE, error)),
    };
    // The program may have ended between the renaming and its sync. What is done from now on, by this
    // checkpoint, must not meet the one before when the power goes.
    disk.sync_folder()
        .map_err(|error| StoreError::io("sync", ".", error))?;
    Blocks::open(&file)?.all(|_, _| Ok(()))?;
    let mut last = Last::default();
    let blocks = Blocks::open(&file)?;
    let position = blocks.position;
    // The checks are made again: the disk may answer otherwise the second time.
    blocks.all(|offset, octets| {
        let mut rows = Rows { rest: octets };
        while !rows.rest.is_empty() {
            let at = offset + (octets.len() - rows.rest.len()) as u64;
            let row = rows.row(&mut last);
            visit(row.ok_or_else(|| damaged(at, "there is no such row"))?)?;
        }
        Ok(())
    })?;
    Ok(Some(position))
}

struct Blocks<'a> {
    file: &'a Arc<dyn DiskFile>,
    len: u64,
    at: u64,
    check: u32,
    position: Position,
}

impl<'a> Blocks<'a> {
    fn open(file: &'a Arc<dyn DiskFile>) -> Result<Self, StoreError> {
        let len = file.len().map_err(failed)?;
        let mut header = [0; HEADER];
        if len < HEADER as u64 {
            return Err(damaged(len, "the file ends within its header"));
        }
        file.read_at(&mut header, 0).map_err(failed)?;
        let (position, check) = decode_header(&header)?;
        Ok(Self {
            file,
            len,
            at: HEADER as u64,
            check,
            position,
        })
    }

    /// Shows every block, with its offset, that passes its check.
    fn all(
        mut self,
        mut visit: impl FnMut(u64, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut octets = Vec::new();
        loop {
            let start = self.at;
            let mut header = [0; BLOCK_HEADER];
            self.fill(&mut header)?;
            let (len, check) = header.split_at(BLOCK_HEADER / 2);
            let len = len.first_chunk().map_or(0, |len| u32::from_le_bytes(*len));
            // Before room is made for it.
            self.room_for(len.into())?;
            octets.resize(len as usize, 0);
            self.fill(&mut octets)?;
            self.check = check_of(self.check, len, &octets);
            if check != self.check.to_le_bytes() {
                return Err(damaged(start, "the checksum of a block is wrong"));
            }
            if len == 0 {
                break;
            }
            visit(start + BLOCK_HEADER as u64, &octets)?;
        }
        if self.at != self.len {
            return Err(damaged(self.at, "something follows the last block"));
        }
        Ok(())
    }

    fn room_for(&self, octets: u64) -> Result<(), StoreError> {
        if self.len.saturating_sub(self.at) < octets {
            return Err(damaged(self.len, "the file ends within a block"));
        }
        Ok(())
    }

    fn fill(&mut self, octets: &mut [u8]) -> Result<(), StoreError> {
        self.room_for(octets.len() as u64)?;
        self.file.read_at(octets, self.at).map_err(failed)?;
        self.at += octets.len() as u64;
        Ok(())
    }
}

fn failed(error: std::io::Error) -> StoreError {
    StoreError::io("read", FILE, error)
}
