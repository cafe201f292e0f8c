//! One step of the writer: a batch is encoded, written, synced and published.
//!
//! A batch lies in one file, and a new file is begun only after the one before is synced. So the
//! mark of a batch, the end of what was synced before it, is always the end of the batch before, and
//! a file that holds anything proves that the one before it is whole.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::buffer::Pending;
use super::commit::{Log, Writer};
use super::files::{LogFile, create};
use super::format::{FileHeader, HEADER_LEN, PREFIX_LEN, Prefix, log_name};
use super::place::Position;
use crate::message::{Chunk, Home};
use crate::store::StoreError;

/// Chunks up to this many octets are copied together with their prefixes: a part of its own costs
/// the kernel more than the copy.
const COPY_MAX: usize = 1_024;

/// What the room kept for the next batch may be, in octets and entries.
const SCRATCH_KEPT: usize = 1024 * 1024;
const BATCH_KEPT: usize = 16_384;

/// A part of what is written.
enum Piece<'a> {
    /// Of the scratch octets.
    Copied(Range<usize>),
    /// Of a chunk.
    Shared(&'a [u8]),
}

impl Log {
    /// Writes, syncs and publishes one batch of what is buffered; false if there was nothing. Called
    /// by the log's thread, and by tests.
    ///
    /// # Errors
    /// The log's failure, now and for ever.
    pub fn step(&self) -> Result<bool, StoreError> {
        let mut writer = self.writer.lock();
        let writer = &mut *writer;
        if let Some(failure) = self.failure() {
            return Err(failure.clone());
        }
        self.buffer.lock().take(&mut writer.batch);
        let Some(last) = writer.batch.back() else {
            return Ok(false);
        };
        let ticket = last.ticket;
        let entries = writer.batch.len();
        let begun = Instant::now();
        let written = self.write_batch(writer);
        self.meter.note_batch(entries, begun.elapsed());
        match written {
            Ok(end) => self.publish(ticket, end, &mut writer.batch),
            Err(failure) => {
                writer.batch.clear();
                self.fail(failure.clone());
                return Err(failure);
            }
        }
        Ok(true)
    }

    /// Writes and syncs the batch; gives the position behind it.
    fn write_batch(&self, writer: &mut Writer) -> Result<Position, StoreError> {
        let mark = self.durable_position();
        let (first, last) = match (writer.batch.front(), writer.batch.back()) {
            (Some(first), Some(last)) => (first.at, last),
            _ => return Ok(mark),
        };
        let end = u64::from(last.at.offset) + last.size;
        writer.scratch.clear();
        let mut start = u64::from(first.offset);
        let file = match &writer.current {
            Some(file) if file.stored.number == first.file => file,
            _ => {
                let header = FileHeader {
                    number: first.file,
                    previous: mark,
                };
                writer.scratch.extend_from_slice(&header.encode());
                start = 0;
                let file = self.next_file(first.file, end)?;
                writer.current.insert(file)
            }
        };
        let name = || log_name(first.file);
        let pieces = encode(&writer.batch, mark, &mut writer.scratch);
        let parts: Vec<IoSlice<'_>> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Copied(range) => writer.scratch.get(range.clone()).unwrap_or_default(),
                Piece::Shared(octets) => octets,
            })
            .map(IoSlice::new)
            .collect();
        file.handle
            .write_at(&parts, start)
            .map_err(|e| StoreError::io("write", name(), e))?;
        settle_in(file, &writer.batch);
        file.handle
            .sync()
            .map_err(|e| StoreError::io("sync", name(), e))?;
        self.settle_groups(writer.batch.iter(), &file.stored);
        // Entries are placed so that an offset can name their end.
        let end = Position::new(first.file, u32::try_from(end).unwrap_or(u32::MAX));
        if let Some(file) = self.files.lock().map.get_mut(&end.file) {
            file.written = end.offset;
        }
        if writer.scratch.capacity() > SCRATCH_KEPT {
            writer.scratch = Vec::new();
        }
        Ok(end)
    }

    /// Begins file number `number`, which must hold `end` octets.
    fn next_file(&self, number: u32, end: u64) -> Result<LogFile, StoreError> {
        let usual = u64::from(self.options.segment_bytes);
        // A spare is of the usual length; a longer file would make one of another length of it.
        let spare = if end <= usual {
            self.files.lock().spares.pop()
        } else {
            None
        };
        let file = create(self.disk.as_ref(), spare, number, end.max(usual))?;
        self.files.lock().map.insert(number, file.clone());
        self.check_space();
        Ok(file)
    }

    /// Says that everything up to `ticket`, which ends at `end`, is safe.
    fn publish(&self, ticket: u64, end: Position, batch: &mut VecDeque<Pending>) {
        let octets: u64 = batch.iter().map(|pending| pending.size).sum();
        batch.clear();
        if batch.capacity() > BATCH_KEPT {
            *batch = VecDeque::new();
        }
        self.pending.fetch_sub(
            usize::try_from(octets).unwrap_or(usize::MAX),
            Ordering::Relaxed,
        );
        self.durable_end.store(end.to_u64(), Ordering::Release);
        let due = {
            let mut buffer = self.buffer.lock();
            // Stored under the lock that `wake_when` decides under.
            self.durable.store(ticket, Ordering::Release);
            buffer.due(ticket, self.is_clear())
        };
        for who in due {
            who.wake();
        }
    }
}

/// Appends the batch to `scratch`, but for its long chunks, and gives the order of the parts.
fn encode<'a>(
    batch: &'a VecDeque<Pending>,
    mark: Position,
    scratch: &mut Vec<u8>,
) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut copied = 0;
    for Pending {
        entry, at, size, ..
    } in batch
    {
        let tail = entry.tail();
        let len = entry.head.len() + tail.len();
        let prefix = Prefix {
            // Checked when it was appended.
            len: u32::try_from(len).unwrap_or(u32::MAX),
            kind: entry.kind,
            group: entry.group,
            index: entry.index,
            term: entry.term,
            mark,
        };
        scratch.extend_from_slice(&prefix.encode(*at, [&entry.head, tail]));
        scratch.extend_from_slice(&entry.head);
        if tail.len() <= COPY_MAX {
            scratch.extend_from_slice(tail);
        } else {
            pieces.push(Piece::Copied(copied..scratch.len()));
            copied = scratch.len();
            pieces.push(Piece::Shared(tail));
        }
        let padding = size.saturating_sub((PREFIX_LEN as usize + len) as u64);
        scratch.extend((0..padding).map(|_| 0));
    }
    pieces.push(Piece::Copied(copied..scratch.len()));
    pieces
}

/// Tells every chunk of the batch where it lies.
fn settle_in(file: &LogFile, batch: &VecDeque<Pending>) {
    let place = |pending: &Pending, chunk: &Arc<Chunk>| {
        let before = (PREFIX_LEN as usize + pending.entry.head.len()) as u64;
        let offset = u64::from(pending.at.offset) + before;
        chunk.set_home(Home {
            file: Arc::clone(&file.stored),
            offset: u32::try_from(offset).unwrap_or(u32::MAX),
        });
    };
    for pending in batch {
        if let Some(chunk) = &pending.entry.chunk {
            place(pending, chunk);
        }
    }
}

// The header is part of the first write of a file, directly before its first entry.
const _: () = assert!((HEADER_LEN as u64).is_multiple_of(super::format::ALIGN));
