//! A data folder and the log beside it, which is a list here.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::definitions::command::Command;
use crate::definitions::durable::live::Definitions;
use crate::definitions::durable::recovery::{Recovery, RecoveryError};
use crate::definitions::state::State;
use crate::definitions::tables::{self, Tables, guarded};

pub(super) struct Stage {
    folder: TempDir,
    /// Every command there ever was.
    all: Vec<Command>,
    /// Index and payload of what the log still has.
    log: Vec<(u64, Vec<u8>)>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            all: Vec::new(),
            log: Vec::new(),
        }
    }

    /// The same log beside a copy of the folder.
    pub(super) fn copy(&self) -> Self {
        let copy = Self {
            folder: tempfile::tempdir().unwrap(),
            all: self.all.clone(),
            log: self.log.clone(),
        };
        copy_folder(self.path(), copy.path());
        copy
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn tables(&self) -> PathBuf {
        self.path().join(tables::FOLDER)
    }

    pub(super) fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    pub(super) fn recover(&self) -> Result<(Definitions, Vec<String>), RecoveryError> {
        let mut recovery = Recovery::open(self.path())?;
        for (index, payload) in &self.log {
            recovery.replay(*index, payload)?;
        }
        recovery.finish()
    }

    pub(super) fn start(&self) -> (Definitions, Vec<String>) {
        self.recover().unwrap()
    }

    pub(super) fn last(&self) -> u64 {
        self.all.len() as u64
    }

    /// Puts a command into the log; the ticket is ten times the index.
    pub(super) fn propose(&mut self, live: &Definitions, command: Command) -> u64 {
        self.all.push(command.clone());
        let appended = Cell::new(None);
        let ticket = live.propose(command, |index, payload| {
            appended.set(Some((index, payload)));
            index * 10
        });
        let (index, payload) = appended.take().unwrap();
        assert_eq!(index, self.last());
        self.log.push((index, payload));
        ticket
    }

    /// Proposes commands, each of them durable at once.
    pub(super) fn run(&mut self, live: &Definitions, commands: Vec<Command>) {
        for command in commands {
            let ticket = self.propose(live, command);
            live.durable_to(ticket);
        }
    }

    /// The log loses its oldest records.
    pub(super) fn forget_until(&mut self, index: u64) {
        self.log.retain(|(at, _)| *at > index);
    }

    /// The log never got the records after `index`.
    pub(super) fn cut_after(&mut self, index: u64) {
        self.log.retain(|(at, _)| *at <= index);
        self.all.truncate(index as usize);
    }

    pub(super) fn expected(&self) -> State {
        let mut state = State::default();
        for (index, command) in (1..).zip(&self.all) {
            state.apply(index, command, &mut Vec::new());
        }
        state
    }

    pub(super) fn same(&self, state: &State) {
        let expected = self.expected();
        assert_eq!(*state, expected);
        assert_eq!(state.digest(), expected.digest());
        assert_eq!(state.queue_id_max(), expected.queue_id_max());
    }

    /// Checks what lies in the closed tables.
    pub(super) fn tables_hold_everything(&self) {
        let folder = self.tables();
        let read = guarded(move || {
            let tables = Tables::open(&folder)?;
            let (_, state) = tables.verify()?;
            tables.close()?;
            Ok(state)
        });
        self.same(&read.wait(tables::OPEN_WITHIN).unwrap());
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.unwrap().path(), to.to_owned());
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy_folder(&entry, &target);
        } else if let Err(error) = fs::copy(&entry, target) {
            // sled removes files in passing.
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}");
        }
    }
}
