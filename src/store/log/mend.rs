//! Makes the end of the log fit to go on from: what was torn is blotted out, what may not have
//! reached the disk is written again, and all of it is synced before anything new is appended.

use std::io::IoSlice;

use super::buffer::BATCH_MAX;
use super::files::{Files, LogFile};
use super::format::{FileHeader, HEADER_LEN, log_name};
use super::open::{End, keep_spares};
use super::options::LogOptions;
use super::place::Position;
use super::replay::FileReader;
use super::window::Window;
use crate::store::StoreError;
use crate::store::io::Disk;

/// Octets blotted out at once.
const PIECE: usize = 1024 * 1024;

/// Mends the end; gives the file that is to be written on.
pub(super) fn mend(
    disk: &dyn Disk,
    options: &LogOptions,
    files: &mut Files,
    spares: &[u32],
    end: &End,
) -> Result<Option<LogFile>, StoreError> {
    let usual = u64::from(options.segment_bytes);
    keep_spares(disk, files, spares, usual)?;
    for number in &end.loose {
        // Not a spare: what is in it would pass the checks of its number, which is given again.
        let name = log_name(*number);
        files.map.remove(number);
        disk.remove(&name)
            .map_err(|e| StoreError::io("remove", name, e))?;
    }
    let mut current = None;
    if let Some(at) = end.at {
        current = files.map.get(&at.file).cloned();
    }
    if let (Some(file), Some(at)) = (&current, end.at) {
        let name = log_name(at.file);
        blot_out(file, at.offset.into(), end.remains)
            .map_err(|e| StoreError::io("clear the end of", &name, e))?;
        write_again(file, end.mark, at)?;
        let len = file.handle.len();
        let len = len.map_err(|e| StoreError::io("read", &name, e))?;
        if len < usual {
            let done = file.handle.allocate(usual);
            done.map_err(|e| StoreError::io("allocate", &name, e))?;
        }
        let synced = file.handle.sync();
        synced.map_err(|e| StoreError::io("sync", &name, e))?;
    }
    disk.sync_folder()
        .map_err(|e| StoreError::io("sync", ".", e))?;
    Ok(current)
}

/// Writes zeros over what a torn batch may have left behind `offset`: else an entry of it could pass
/// its check again, once what is written over it happens to end where it starts. What is seen to be
/// zero is written too: after a sync that failed, that is not what lies on the disk.
fn blot_out(file: &LogFile, offset: u64, remains: u64) -> std::io::Result<()> {
    let len = file.handle.len()?;
    let end = remains.max(offset + BATCH_MAX).min(len);
    let zeros = vec![0; PIECE];
    let mut at = offset;
    while at < end {
        let len = usize::try_from(end - at).map_or(PIECE, |left| left.min(PIECE));
        let blank = zeros.get(..len).unwrap_or(&zeros);
        file.handle.write_at(&[IoSlice::new(blank)], at)?;
        at += len as u64;
    }
    Ok(())
}

/// Writes the last batch once more as it is. After a sync that failed the system may hold octets
/// that it believes to be on the disk and that are not; a sync alone would not send them.
fn write_again(file: &LogFile, mark: Position, end: Position) -> Result<(), StoreError> {
    let name = || log_name(end.file);
    let io = |e| StoreError::io("write", name(), e);
    let changed = |offset: u64| StoreError::Damaged {
        file: name(),
        offset,
        reason: "it was whole when it was read first and is not any more".to_owned(),
    };
    let mut reader = FileReader {
        window: Window::new(file.handle.clone()).map_err(io)?,
        file: &file.stored,
    };
    let mut offset = u64::from(HEADER_LEN);
    if mark.file == end.file {
        offset = offset.max(mark.offset.into());
    } else {
        let header = reader.header()?;
        FileHeader::decode(&header, end.file).map_err(|_| changed(0))?;
        file.handle
            .write_at(&[IoSlice::new(&header)], 0)
            .map_err(io)?;
    }
    while offset < end.offset.into() {
        let octets = reader.raw(offset)?.ok_or_else(|| changed(offset))?;
        file.handle
            .write_at(&[IoSlice::new(octets)], offset)
            .map_err(io)?;
        offset += octets.len() as u64;
    }
    Ok(())
}
