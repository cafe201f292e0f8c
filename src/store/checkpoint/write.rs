//! Writes a checkpoint, row by row, with one block in memory.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

use super::format::{FILE, NEW_FILE, check_of, encode_header};
use super::rows::{AwayRow, Last, MessageRow, put_away, put_level, put_message, put_queue};
use crate::store::io::{Disk, DiskFile};
use crate::store::{Position, StoreError};

/// Octets from which on a block is written. Rows are far shorter, so that a block stays below 1 MiB.
pub(super) const BLOCK: usize = 512 * 1024;

/// A checkpoint in the making. Until [`Self::finish`] the last one holds; if it is never called,
/// nothing has happened.
pub struct CheckpointWriter {
    disk: Arc<dyn Disk>,
    file: Arc<dyn DiskFile>,
    rows: Vec<u8>,
    last: Last,
    check: u32,
    written: u64,
    renamed: bool,
}

impl Drop for CheckpointWriter {
    fn drop(&mut self) {
        if !self.renamed {
            // The room is needed: it may have failed because the disk is full. What stays is removed
            // when the next one starts.
            let _ = self.disk.remove(NEW_FILE);
        }
    }
}

impl CheckpointWriter {
    /// Starts a checkpoint of what holds when everything below `position` in the log has happened.
    ///
    /// # Errors
    /// The disk's own.
    pub fn new(disk: Arc<dyn Disk>, position: Position) -> Result<Self, StoreError> {
        match disk.remove(NEW_FILE) {
            // One that was not finished.
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(StoreError::io("remove", NEW_FILE, error)),
        }
        let file = disk
            .create(NEW_FILE)
            .map_err(|error| StoreError::io("create", NEW_FILE, error))?;
        let (header, check) = encode_header(position);
        let mut this = Self {
            disk,
            file,
            rows: Vec::with_capacity(BLOCK + BLOCK / 8),
            last: Last::default(),
            check,
            written: 0,
            renamed: false,
        };
        this.write(&[&header])?;
        Ok(this)
    }

    /// The rows that follow are of the queue `id`.
    ///
    /// # Errors
    /// The disk's own, as of every row.
    pub fn queue(&mut self, id: u64) -> Result<(), StoreError> {
        put_queue(&mut self.rows, id);
        self.row_done()
    }

    /// The rows that follow are of this priority, whose next message gets the number `next`, and of
    /// which those up to `delivered` were delivered before.
    ///
    /// # Errors
    /// The disk's own.
    pub fn level(
        &mut self,
        priority: u8,
        next: u64,
        delivered: Option<u64>,
    ) -> Result<(), StoreError> {
        put_level(&mut self.rows, priority, next, delivered);
        self.row_done()
    }

    /// A page of the index.
    ///
    /// # Errors
    /// The disk's own.
    pub fn away(&mut self, row: &AwayRow) -> Result<(), StoreError> {
        put_away(&mut self.rows, row);
        self.row_done()
    }

    /// A message.
    ///
    /// # Errors
    /// The disk's own.
    pub fn message(&mut self, row: &MessageRow) -> Result<(), StoreError> {
        put_message(&mut self.rows, &mut self.last, row);
        self.row_done()
    }

    /// Makes it the checkpoint that holds, safely. Gives its octets.
    ///
    /// # Errors
    /// The disk's own. The last checkpoint or this one holds then.
    pub fn finish(mut self) -> Result<u64, StoreError> {
        if !self.rows.is_empty() {
            self.block()?;
        }
        self.block()?;
        self.file
            .sync()
            .map_err(|error| StoreError::io("sync", NEW_FILE, error))?;
        self.disk
            .rename(NEW_FILE, FILE)
            .map_err(|error| StoreError::io("rename", NEW_FILE, error))?;
        self.renamed = true;
        self.disk
            .sync_folder()
            .map_err(|error| StoreError::io("sync", ".", error))?;
        Ok(self.written)
    }

    fn row_done(&mut self) -> Result<(), StoreError> {
        if self.rows.len() >= BLOCK {
            self.block()?;
        }
        Ok(())
    }

    /// Writes the rows as a block; the last block if there are none.
    fn block(&mut self) -> Result<(), StoreError> {
        let rows = std::mem::take(&mut self.rows);
        let len = u32::try_from(rows.len()).map_err(|_| StoreError::TooLong {
            octets: rows.len() as u64,
            limit: u32::MAX.into(),
        })?;
        self.check = check_of(self.check, len, &rows);
        self.write(&[&len.to_le_bytes(), &self.check.to_le_bytes(), &rows])?;
        self.rows = rows;
        self.rows.clear();
        Ok(())
    }

    fn write(&mut self, parts: &[&[u8]]) -> Result<(), StoreError> {
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        self.file
            .write_at(&slices, self.written)
            .map_err(|error| StoreError::io("write", NEW_FILE, error))?;
        self.written += parts.iter().map(|part| part.len() as u64).sum::<u64>();
        Ok(())
    }
}
