//! Looks at a whole log without changing it: every entry of every file, and what lies between those
//! that cannot be read.
//!
//! Opening stops at the first place that holds no whole entry. A survey goes on behind it: the checks
//! of an entry start from its file's number and its offset, so that an entry found anywhere behind a
//! damaged place is one that was written there. For whoever checks or repairs a store that no broker
//! uses; never for one that does.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::files::LogFile;
use super::format::{
    ALIGN, BadHeader, FileHeader, HEADER_LEN, OWN_KINDS, PREFIX_LEN, VERSION, log_name,
};
use super::open::{Progress, Visit, find_files, reader};
use super::place::Position;
use super::replay::FileReader;
use crate::message::StoredFile;
use crate::store::StoreError;
use crate::store::io::Disk;

/// Octets between two calls of the progress.
const PROGRESS_EVERY: u64 = 16 * 1024 * 1024;

/// A file as it was found.
#[derive(Debug)]
pub struct SurveyedFile {
    /// The file, as its entries name it.
    pub stored: Arc<StoredFile>,
    /// Octets of the file.
    pub len: u64,
    /// Where its header says that the log before it ended; `None` where the header is not one.
    pub previous: Option<Position>,
    /// Octets that should hold entries and do not: from, to.
    pub holes: Vec<(u32, u32)>,
    /// Behind the last entry, or behind the last hole.
    pub end: u32,
    /// Whole entries.
    pub entries: u64,
}

/// The log as it was found. What a crash left behind its end is not counted in any file.
pub struct Survey {
    /// The files by number, up to the one that the log ends in.
    pub files: BTreeMap<u32, SurveyedFile>,
    /// Numbers of files, from and to below, that are not there although the log goes on behind them or
    /// behind the position that was given. Where that is zero they may just as well be recycled.
    pub missing: Vec<(u32, u32)>,
    /// Files behind the log's end, which hold nothing that was ever synced.
    pub loose: Vec<u32>,
    /// Where the torn tail begins, and how many octets of whole entries it holds.
    pub torn: Option<(Position, u64)>,
    handles: BTreeMap<u32, LogFile>,
}

impl std::fmt::Debug for Survey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Survey")
            .field("files", &self.files)
            .field("missing", &self.missing)
            .field("torn", &self.torn)
            .finish_non_exhaustive()
    }
}

impl Survey {
    /// Looks at every file. Everything below `synced` is known to have been safe once. Entries are
    /// shown in order, those behind the end too, which nobody may rely on: [`Self::holds`] tells.
    ///
    /// # Errors
    /// The disk's own, those of `visit`, and `Version` for a file of a later broker.
    pub fn take(
        disk: &dyn Disk,
        synced: Position,
        progress: Progress<'_>,
        visit: Visit<'_>,
    ) -> Result<Self, StoreError> {
        let (found, _) = find_files(disk)?;
        let mut walk = Walk {
            // The start of an empty log is before anything that could have been synced.
            mark: match synced > Position::new(1, HEADER_LEN) {
                true => synced,
                false => Position::ZERO,
            },
            done: 0,
            told: 0,
            total: found.map.values().map(|file| u64::from(file.written)).sum(),
            progress,
            visit,
        };
        let mut files = BTreeMap::new();
        for (number, file) in &found.map {
            files.insert(*number, walk.file(file)?);
        }
        (walk.progress)(walk.total, walk.total);
        let mark = walk.mark;
        let mut survey = Self {
            missing: missing(&files, synced),
            files,
            loose: Vec::new(),
            torn: None,
            handles: found.map,
        };
        survey.close_gaps(synced);
        survey.cut(mark);
        Ok(survey)
    }

    /// Trailing holes: a later file, or the position that was given, says that more was written.
    fn close_gaps(&mut self, synced: Position) {
        let ends: Vec<Position> = self
            .files
            .values()
            .filter_map(|file| file.previous)
            .collect();
        for at in ends.into_iter().chain([synced]) {
            if let Some(file) = self.files.get_mut(&at.file)
                && file.end < at.offset
            {
                file.holes.push((file.end, at.offset));
                file.end = at.offset;
            }
        }
    }

    /// Takes the torn tail away: it begins at the first place that cannot be read and of which
    /// nothing says that it was synced.
    fn cut(&mut self, mark: Position) {
        let mut at = None;
        for (number, file) in &self.files {
            let header = (file.previous.is_none()).then_some(Position::new(*number, 0));
            let holes = file
                .holes
                .iter()
                .map(|(from, _)| Position::new(*number, *from));
            at = at.or_else(|| header.into_iter().chain(holes).find(|place| *place >= mark));
        }
        let Some(at) = at else {
            return;
        };
        let mut octets = 0;
        self.loose = self.files.range(at.file + 1..).map(|(n, _)| *n).collect();
        if at.offset == 0 {
            self.loose.insert(0, at.file);
        }
        for number in &self.loose {
            if let Some(file) = self.files.remove(number) {
                octets += u64::from(file.end.saturating_sub(HEADER_LEN));
            }
        }
        if let Some(file) = self.files.get_mut(&at.file) {
            octets += u64::from(file.end.saturating_sub(at.offset));
            file.holes.retain(|(from, _)| *from < at.offset);
            file.end = at.offset;
        }
        self.torn = (octets > 0).then_some((at, octets));
    }

    /// Behind the last entry of the last file; `None` if there is no file.
    pub fn end(&self) -> Option<Position> {
        let (number, file) = self.files.last_key_value()?;
        Some(Position::new(*number, file.end))
    }

    /// True when what lies at `at` is part of the log.
    pub fn holds(&self, at: Position) -> bool {
        self.end().is_some_and(|end| at < end)
    }

    /// True when the octets from `at` to below `end` all lie in whole entries.
    pub fn is_whole(&self, at: Position, end: u64) -> bool {
        self.files.get(&at.file).is_some_and(|file| {
            let missed = file
                .holes
                .iter()
                .any(|(from, to)| u64::from(*from) < end && at.offset < *to);
            !missed && end <= file.end.into()
        })
    }

    /// The last place at or behind `from` that cannot be read, missing files among them.
    pub fn last_hole(&self, from: Position) -> Option<Position> {
        let holes = self.files.iter().flat_map(|(number, file)| {
            let ends = file.holes.iter().map(|(_, to)| *to);
            ends.map(|to| Position::new(*number, to))
        });
        let missing = self.missing.iter();
        let missing = missing.map(|(_, to)| Position::new(to.saturating_sub(1), u32::MAX));
        holes.chain(missing).filter(|at| *at > from).max()
    }

    /// Octets that cannot be read.
    pub fn octets_lost(&self) -> u64 {
        let holes = self.files.values().flat_map(|file| &file.holes);
        holes.map(|(from, to)| u64::from(to - from)).sum()
    }

    /// Shows every whole entry of the log from `from` to its end, in order.
    ///
    /// # Errors
    /// The disk's own, and those of `visit`.
    pub fn replay(
        &self,
        from: Position,
        progress: Progress<'_>,
        visit: Visit<'_>,
    ) -> Result<(), StoreError> {
        let files = || self.files.range(from.file..);
        let total = files().map(|(_, file)| u64::from(file.end)).sum();
        let (mut done, mut told) = (0, 0);
        for (number, file) in files() {
            let Some(handle) = self.handles.get(number) else {
                continue;
            };
            let mut reader = reader(handle)?;
            let start = if *number == from.file { from.offset } else { 0 };
            let mut offset = u64::from(start.max(HEADER_LEN));
            let mut holes = file.holes.iter().peekable();
            while offset < file.end.into() {
                let next = reader.entry(offset, &mut |entry, _| match entry.kind {
                    OWN_KINDS.. => Ok(()),
                    _ => visit(entry),
                })?;
                while holes
                    .next_if(|(from, _)| u64::from(*from) < offset)
                    .is_some()
                {}
                offset = match (next, holes.peek()) {
                    (Some(next), _) => next,
                    (None, Some((_, to))) => u64::from(*to).max(offset + ALIGN),
                    (None, None) => break,
                };
                if done + offset >= told + PROGRESS_EVERY {
                    told = done + offset;
                    progress(told, total);
                }
            }
            done += u64::from(file.end);
        }
        progress(total, total);
        Ok(())
    }

    /// Reads octets of a file as they lie there.
    ///
    /// # Errors
    /// The disk's own; `NoSuchFile`.
    pub fn read(&self, at: Position, octets: &mut [u8]) -> Result<(), StoreError> {
        let missing = StoreError::NoSuchFile { number: at.file };
        let file = self.handles.get(&at.file).ok_or(missing)?;
        let read = file.handle.read_at(octets, at.offset.into());
        read.map_err(|e| StoreError::io("read", log_name(at.file), e))
    }
}

/// Files from that of `synced` on that must have been there.
fn missing(files: &BTreeMap<u32, SurveyedFile>, synced: Position) -> Vec<(u32, u32)> {
    let mut gaps = Vec::new();
    let mut next = synced.file;
    for number in files.keys().filter(|number| **number >= synced.file) {
        // What lies before the first file of all was recycled.
        if next < *number && (next > 0 || synced != Position::ZERO) {
            gaps.push((next, *number));
        }
        next = number.saturating_add(1);
    }
    if next == synced.file && synced > Position::new(1, HEADER_LEN) {
        gaps.push((next, next.saturating_add(1)));
    }
    gaps
}

struct Walk<'a> {
    mark: Position,
    done: u64,
    told: u64,
    total: u64,
    progress: Progress<'a>,
    visit: Visit<'a>,
}

impl Walk<'_> {
    fn file(&mut self, file: &LogFile) -> Result<SurveyedFile, StoreError> {
        let number = file.stored.number;
        let mut reader = reader(file)?;
        let previous = match FileHeader::decode(&reader.header()?, number) {
            Ok(header) => Some(header.previous),
            Err(BadHeader::Unreadable) => None,
            Err(BadHeader::Version(found)) => {
                return Err(StoreError::Version {
                    file: log_name(number),
                    found,
                    known: VERSION,
                });
            }
        };
        self.mark = self.mark.max(previous.unwrap_or(Position::ZERO));
        let mut found = SurveyedFile {
            stored: Arc::clone(&file.stored),
            len: reader.window.len,
            previous,
            holes: Vec::new(),
            end: HEADER_LEN,
            entries: 0,
        };
        let mut offset = u64::from(HEADER_LEN);
        while offset + u64::from(PREFIX_LEN) <= reader.window.len {
            let Some(next) = self.entry(&mut reader, offset)? else {
                offset += ALIGN;
                continue;
            };
            // Files are never longer than an offset can name.
            let start = u32::try_from(offset).unwrap_or(u32::MAX);
            if start > found.end {
                found.holes.push((found.end, start));
            }
            found.entries += 1;
            found.end = u32::try_from(next).unwrap_or(u32::MAX);
            offset = next;
            self.tell(offset);
        }
        self.done += u64::from(file.written);
        Ok(found)
    }

    fn entry(
        &mut self,
        reader: &mut FileReader<'_>,
        offset: u64,
    ) -> Result<Option<u64>, StoreError> {
        let (mark, visit) = (&mut self.mark, &mut *self.visit);
        reader.entry(offset, &mut |entry, found| {
            *mark = found.max(*mark);
            match entry.kind {
                OWN_KINDS.. => Ok(()),
                _ => visit(entry),
            }
        })
    }

    fn tell(&mut self, offset: u64) {
        if self.done + offset >= self.told + PROGRESS_EVERY {
            self.told = self.done + offset;
            (self.progress)(self.told.min(self.total), self.total);
        }
    }
}
