//! Opens the log: finds its files, replays them from a position on, finds where it ends.
//!
//! The log ends at the first place that holds no whole entry and is not where the next file says
//! that it ends. That is the torn tail of the batch that was being written, if nothing says that the
//! place was synced: no mark of any entry behind it, no whole header of a later file, and not the
//! position that the caller starts from. Otherwise it is damage, and opening fails without changing
//! anything.

use std::sync::Arc;

use super::commit::Log;
use super::files::{Files, LogFile, SPARES_MAX};
use super::format::{
    BadHeader, FileHeader, HEADER_LEN, OWN_KINDS, VERSION, log_name, number_in, spare_name,
};
use super::grouped;
use super::groups::Groups;
use super::mend::mend;
use super::options::LogOptions;
use super::place::Position;
use super::replay::{FileReader, Replayed};
use super::window::Window;
use crate::message::StoredFile;
use crate::store::StoreError;
use crate::store::io::Disk;

/// Told how many octets of how many were read.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Shown every entry in order.
pub type Visit<'a> = &'a mut dyn FnMut(&Replayed<'_>) -> Result<(), StoreError>;

/// Octets between two calls of [`Progress`].
const PROGRESS_EVERY: u64 = 1024 * 1024;

/// Where the log ends, and what is known about it.
pub(super) struct End {
    /// The place behind the last whole entry; `None` if there is no file with a whole header.
    pub at: Option<Position>,
    /// Everything below was synced.
    pub mark: Position,
    /// How far octets of the torn tail may lie in the file of `at`.
    pub remains: u64,
    /// Files behind `at` that hold nothing that was synced.
    pub loose: Vec<u32>,
}

impl Log {
    /// Reads everything from `from` on, in order, and leaves the log ready to be written. `from`
    /// must be a position that [`Log::position`] or [`Log::durable_position`] gave and that is known
    /// to be durable; zero is the start of the first file there is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] with the first place that cannot be trusted; what `visit` answers; a
    /// disk that fails. Nothing is changed in any of these cases, but for a failing disk.
    pub fn open(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        from: Position,
        progress: Progress<'_>,
        visit: Visit<'_>,
    ) -> Result<Arc<Self>, StoreError> {
        let (mut files, spares) = find_files(disk.as_ref())?;
        let first = files.map.keys().next().copied();
        // Nothing was ever synced in an empty log, so no position but its start is behind us.
        let start = Position::new(1, HEADER_LEN);
        if first.is_none() && from > start {
            return Err(missing(from.file));
        }
        let from = if first.is_none() {
            Position::ZERO
        } else {
            from
        };
        let mut walk = Walk {
            files: &mut files,
            groups: Groups::default(),
            from,
            done: 0,
            total: 0,
            // The start of an empty log is before anything that could have been synced.
            mark: if from > start { from } else { Position::ZERO },
            progress,
            visit,
        };
        let mut end = walk.run()?;
        walk.judge(&mut end)?;
        let groups = walk.groups;
        let current = mend(disk.as_ref(), &options, &mut files, &spares, &end)?;
        let next = end.at.unwrap_or(Position {
            file: first.unwrap_or(start.file),
            ..start
        });
        let synced = end.at.unwrap_or(Position::ZERO);
        Ok(Self::new(
            disk, options, files, groups, current, next, synced,
        ))
    }
}

fn missing(number: u32) -> StoreError {
    StoreError::Damaged {
        file: log_name(number),
        offset: 0,
        reason: "it is missing, and the log has to be read from it on".to_owned(),
    }
}

/// Opens every file of the log; gives the spares beside them.
pub(super) fn find_files(disk: &dyn Disk) -> Result<(Files, Vec<u32>), StoreError> {
    let names = disk.list().map_err(|e| StoreError::io("list", ".", e))?;
    let mut files = Files::default();
    for number in names.iter().filter_map(|name| number_in(name, ".log")) {
        let name = log_name(number);
        let handle = disk
            .open(&name)
            .map_err(|e| StoreError::io("open", &name, e))?;
        let len = handle.len().map_err(|e| StoreError::io("read", &name, e))?;
        let file = LogFile {
            stored: StoredFile::new(number),
            handle,
            written: u32::try_from(len).unwrap_or(u32::MAX),
        };
        files.map.insert(number, file);
    }
    let spares = names.iter().filter_map(|name| number_in(name, ".spare"));
    Ok((files, spares.collect()))
}

/// Sorts the spares into those of the usual length, of which a few are kept, and the rest.
pub(super) fn keep_spares(
    disk: &dyn Disk,
    files: &mut Files,
    spares: &[u32],
    usual: u64,
) -> Result<(), StoreError> {
    for number in spares {
        let name = spare_name(*number);
        let len = disk.open(&name).and_then(|file| file.len());
        let len = len.map_err(|e| StoreError::io("open", &name, e))?;
        if len == usual && files.spares.len() < SPARES_MAX {
            files.spares.push(*number);
        } else {
            disk.remove(&name)
                .map_err(|e| StoreError::io("remove", &name, e))?;
        }
    }
    Ok(())
}

/// The way through the files.
struct Walk<'a> {
    files: &'a mut Files,
    groups: Groups,
    from: Position,
    done: u64,
    total: u64,
    mark: Position,
    progress: Progress<'a>,
    visit: Visit<'a>,
}

pub(super) fn reader<'a>(file: &'a LogFile) -> Result<FileReader<'a>, StoreError> {
    let window = Window::new(Arc::clone(&file.handle))
        .map_err(|e| StoreError::io("read", log_name(file.stored.number), e))?;
    Ok(FileReader {
        window,
        file: &file.stored,
    })
}

impl Walk<'_> {
    /// Reads the files in order up to the end.
    fn run(&mut self) -> Result<End, StoreError> {
        let from = self.from;
        let numbers: Vec<u32> = self.files.map.range(from.file..).map(|(n, _)| *n).collect();
        if from != Position::ZERO && numbers.first() != Some(&from.file) {
            return Err(missing(from.file));
        }
        let lengths = self.files.map.range(from.file..);
        let total: u64 = lengths.map(|(_, file)| u64::from(file.written)).sum();
        self.total = total.saturating_sub(from.offset.into());
        let mut end = End {
            at: None,
            mark: self.mark,
            remains: 0,
            loose: Vec::new(),
        };
        for number in numbers {
            let Some(file) = self.files.map.get(&number).cloned() else {
                continue;
            };
            let mut reader = reader(&file)?;
            let whole = end.loose.is_empty();
            match FileHeader::decode(&reader.header()?, number) {
                Err(BadHeader::Version(found)) => {
                    return Err(StoreError::Version {
                        file: log_name(number),
                        found,
                        known: VERSION,
                    });
                }
                Ok(header) if whole => self.follows(&header, end.at)?,
                Ok(header) => {
                    // A later file proves that everything before it was synced.
                    self.mark = self.mark.max(header.previous);
                    end.loose.push(number);
                    continue;
                }
                Err(BadHeader::Unreadable) => {
                    end.loose.push(number);
                    continue;
                }
            }
            let offset = if number == from.file { from.offset } else { 0 };
            let offset = self.read_file(&mut reader, offset.max(HEADER_LEN))?;
            let at = Position::new(number, offset);
            if let Some(file) = self.files.map.get_mut(&number) {
                file.written = at.offset;
            }
            end.at = Some(at);
        }
        end.mark = self.mark;
        (self.progress)(self.total, self.total);
        Ok(end)
    }

    /// Checks that a file with this header goes on where the one before ended.
    fn follows(&self, header: &FileHeader, end: Option<Position>) -> Result<(), StoreError> {
        let Some(end) = end else {
            return Ok(());
        };
        let previous = header.previous;
        if previous == end {
            return Ok(());
        }
        if previous.file != end.file {
            // Files between two that are still needed are recycled: a replay of everything there is
            // has holes. One from a checkpoint on must not.
            if self.from == Position::ZERO {
                return Ok(());
            }
            return Err(missing(previous.file));
        }
        Err(StoreError::Damaged {
            file: log_name(end.file),
            offset: end.offset.into(),
            reason: format!(
                "no whole entry here, but {} says that they go on to offset {}",
                log_name(header.number),
                previous.offset
            ),
        })
    }

    /// Replays one file from `offset` on; gives the offset behind its last whole entry.
    fn read_file(&mut self, reader: &mut FileReader<'_>, offset: u32) -> Result<u32, StoreError> {
        let mut offset = u64::from(offset);
        let before = self.done;
        let start = offset;
        let mut told = self.done;
        loop {
            let (mark, visit, groups) = (&mut self.mark, &mut *self.visit, &mut self.groups);
            let next = reader.entry(offset, &mut |entry, found| {
                *mark = found.max(*mark);
                grouped::replay(groups, entry)?;
                if entry.kind < OWN_KINDS {
                    visit(entry)
                } else {
                    Ok(())
                }
            })?;
            self.done = before + (offset - start);
            if self.done >= told + PROGRESS_EVERY {
                told = self.done;
                (self.progress)(self.done.min(self.total), self.total);
            }
            match next {
                Some(next) => offset = next,
                None => break,
            }
        }
        self.done = before + (reader.window.len.max(start) - start);
        // An offset that no longer fits ends a file that no entry of ours could fill.
        Ok(u32::try_from(offset).unwrap_or(u32::MAX))
    }

    /// Decides whether the end is a torn tail.
    fn judge(&mut self, end: &mut End) -> Result<(), StoreError> {
        if let Some(at) = end.at
            && let Some(file) = self.files.map.get(&at.file)
        {
            let remains = reader(file)?.remains(at.offset.into())?;
            end.mark = end.mark.max(remains.mark);
            end.remains = remains.end;
        }
        for number in &end.loose {
            if let Some(file) = self.files.map.get(number) {
                let remains = reader(file)?.remains(HEADER_LEN.into())?;
                end.mark = end.mark.max(remains.mark);
            }
        }
        let header = end.loose.first().map(|number| Position::new(*number, 0));
        let (bad, reason) = match header {
            Some(header) if end.mark > header => (header, "its header is not what was written"),
            _ => (end.at.unwrap_or(Position::ZERO), "no whole entry here"),
        };
        if end.mark <= bad {
            return Ok(());
        }
        Err(StoreError::Damaged {
            file: log_name(bad.file),
            offset: bad.offset.into(),
            reason: format!("{reason}, but everything before {} was synced", end.mark),
        })
    }
}
