//! The definitions as far as they can be read: snapshot or tables, and every command in the log.

use std::fs;
use std::io;
use std::path::Path;

use super::report::Report;
use crate::definitions::command::Command;
use crate::definitions::salvage::salvage;
use crate::definitions::snapshot::{self, SnapshotError};
use crate::definitions::state::State;
use crate::definitions::tables::{self, Tables, TablesError, guarded};
use crate::store::{Position, StoreError};

/// Where a copy of the tables is opened: the database may write into files that it opens.
const COPY: &str = "definitions.checked";

/// Definitions being put together.
pub(super) struct Found {
    pub state: State,
    /// Which life of the data folder they belong to.
    pub history: u128,
    /// Something of them is damaged or lost.
    pub damaged: bool,
    /// The index that the base covers.
    base: u64,
    /// Commands behind the base, in the order of the log.
    commands: Vec<(Position, u64, Vec<u8>)>,
}

impl Found {
    /// Reads the base.
    pub fn open(folder: &Path, report: &mut Report) -> Result<Self, StoreError> {
        let mut this = Self {
            state: State::default(),
            history: rand::random(),
            damaged: false,
            base: 0,
            commands: Vec::new(),
        };
        let reason = match snapshot::load(folder) {
            Ok(Some(read)) => {
                this.base = read.state.applied();
                this.state = read.state;
                this.history = read.history;
                return Ok(this);
            }
            Ok(None) if !folder.join(tables::FOLDER).exists() => return Ok(this),
            Ok(None) => (0, "it is missing".to_owned()),
            Err(SnapshotError::Damaged { offset, reason }) => (offset, reason),
            Err(error) => {
                let what = format!("{}: {error}", snapshot::FILE);
                return Err(StoreError::Refused(what));
            }
        };
        this.damaged = true;
        report.damaged(snapshot::FILE, reason.0, reason.1);
        match from_tables(folder) {
            Ok((history, state)) => {
                report.notes.push(format!(
                    "the tables in {} hold the definitions as well, and stand in",
                    tables::FOLDER
                ));
                this.base = state.applied();
                this.state = state;
                this.history = history;
            }
            Err(error) => {
                report.damaged(tables::FOLDER, 0, error.to_string());
                this.take_rows(folder, report)?;
            }
        }
        Ok(this)
    }

    /// Neither copy is whole: what rows of the snapshot there are.
    fn take_rows(&mut self, folder: &Path, report: &mut Report) -> Result<(), StoreError> {
        let found = match salvage(folder) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(StoreError::io("read", snapshot::FILE, error)),
        };
        let lost = found
            .lost
            .map_or_else(String::new, |lost| format!(", {lost} are lost"));
        report.notes.push(format!(
            "{} rows of {} can be read{lost}",
            found.state.len(),
            snapshot::FILE
        ));
        self.base = found.state.applied();
        self.state = found.state;
        self.history = found.history.unwrap_or(self.history);
        Ok(())
    }

    /// True when the snapshot on disk does not hold all of the state: commands that lie in the log
    /// before a checkpoint are not read again.
    pub fn is_behind(&self) -> bool {
        self.damaged || self.state.applied() > self.base
    }

    /// Takes in an entry of the log, which may yet turn out to lie behind its end.
    pub fn take(&mut self, at: Position, index: u64, payload: &[u8]) {
        if index > self.base {
            self.commands.push((at, index, payload.to_vec()));
        }
    }

    /// Applies what was taken in below `end`.
    pub fn finish(&mut self, end: Position, report: &mut Report) {
        for (at, index, payload) in std::mem::take(&mut self.commands) {
            if at >= end || index <= self.state.applied() {
                continue;
            }
            let skipped = index - self.state.applied() - 1;
            let file = || format!("log/{:010}.log", at.file);
            if skipped > 0 {
                self.damaged = true;
                report.lost_commands += skipped;
                let what = format!("{skipped} changes of definitions before this one are missing");
                report.damaged(file(), at.offset.into(), what);
            }
            match Command::decode(&payload) {
                Ok(command) => self.state.apply(index, &command, &mut Vec::new()),
                Err(error) => {
                    let what = format!("a change of definitions that cannot be read: {error}");
                    report.damaged(file(), at.offset.into(), what);
                    report.lost_commands += 1;
                    self.damaged = true;
                }
            }
        }
    }
}

/// What the tables hold, by way of a copy of their files.
fn from_tables(folder: &Path) -> Result<(u128, State), TablesError> {
    let (from, copy) = (folder.join(tables::FOLDER), folder.join(COPY));
    if !from.exists() {
        return Err(TablesError::Headless);
    }
    let removed = || match fs::remove_dir_all(&copy) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    let copied = removed().and_then(|()| copy_folder(&from, &copy));
    copied.map_err(tables::io_error)?;
    let opened = copy.clone();
    let read = guarded(move || {
        let tables = Tables::open(&opened)?;
        let (head, state) = tables.verify()?;
        tables.close()?;
        Ok((head.history, state))
    });
    let read = read.wait(tables::OPEN_WITHIN);
    removed().map_err(tables::io_error)?;
    read
}

fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
