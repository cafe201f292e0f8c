//! Writes files of a damaged log anew: what can be read keeps its place, and what cannot becomes an
//! entry of the log's own that means nothing. The whole can be read from its start then.
//!
//! A file is written as `NNNNNNNNNN.repaired`; the one it stands for is moved elsewhere by the caller
//! once all are safe, and only then do they get their names. So a file of that name whose number has
//! no other is always complete.

use std::io::IoSlice;
use std::sync::Arc;

use super::format::{FileHeader, HEADER_LEN, KIND_LOST, PREFIX_LEN, Prefix, log_name, number_in};
use super::place::Position;
use super::survey::{Survey, SurveyedFile};
use crate::store::StoreError;
use crate::store::io::{Disk, DiskFile};

/// Octets copied at once.
const PIECE: usize = 1024 * 1024;

const ENDING: &str = ".repaired";

fn repaired_name(number: u32) -> String {
    format!("{number:010}{ENDING}")
}

/// What is to be written anew.
#[derive(Debug)]
pub struct Refill {
    /// Where the log ends afterwards.
    pub end: Position,
    /// Files and what their headers say of the log before.
    files: Vec<(u32, Position)>,
    /// A file that begins the log anew behind all that there was.
    begin: Option<u32>,
    names: Vec<String>,
}

impl Refill {
    /// What is to be done to a log that had been synced up to `synced`.
    pub fn plan(survey: &Survey, synced: Position) -> Self {
        let mut files = Vec::new();
        let mut before = Position::ZERO;
        for (number, file) in &survey.files {
            // The first one keeps what it says; files between two may have been used again.
            let told = file.previous.filter(|at| at.file != before.file);
            let previous = told.unwrap_or(before);
            if !file.holes.is_empty() || file.previous != Some(previous) {
                files.push((*number, previous));
            }
            before = Position::new(*number, file.end);
        }
        let names = files.iter().map(|(number, _)| log_name(*number)).collect();
        let last = survey.end().unwrap_or(Position::ZERO);
        let begin = (last < synced && synced > Position::new(1, HEADER_LEN))
            .then(|| synced.file.saturating_add(1));
        Self {
            end: begin.map_or(last, |number| Position::new(number, HEADER_LEN)),
            files,
            begin,
            names,
        }
    }

    /// True when the log is as it should be.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.begin.is_none()
    }

    /// The names of the files that the new ones stand for.
    pub fn replaced(&self) -> &[String] {
        &self.names
    }

    /// Writes the new files, safely, under the names that they have until
    /// [`Self::end_interrupted`].
    ///
    /// # Errors
    /// The disk's own.
    pub fn write(&self, survey: &Survey, disk: &dyn Disk) -> Result<(), StoreError> {
        let last = survey.end().unwrap_or(Position::ZERO);
        for (number, previous) in &self.files {
            if let Some(file) = survey.files.get(number) {
                write_file(survey, file, *previous, disk)?;
            }
        }
        if let Some(number) = self.begin {
            let name = repaired_name(number);
            let file = create(disk, &name)?;
            put(&*file, &name, &header(number, last), 0)?;
            file.sync().map_err(|e| StoreError::io("sync", &name, e))?;
        }
        disk.sync_folder()
            .map_err(|e| StoreError::io("sync", ".", e))
    }

    /// Gives the new files their names where nothing else has them, and removes the others.
    ///
    /// # Errors
    /// The disk's own.
    pub fn end_interrupted(disk: &dyn Disk) -> Result<(), StoreError> {
        let names = disk.list().map_err(|e| StoreError::io("list", ".", e))?;
        for number in names.iter().filter_map(|name| number_in(name, ENDING)) {
            let (new, name) = (repaired_name(number), log_name(number));
            if names.contains(&name) {
                disk.remove(&new)
                    .map_err(|e| StoreError::io("remove", new, e))?;
            } else {
                disk.rename(&new, &name)
                    .map_err(|e| StoreError::io("rename", new, e))?;
            }
        }
        disk.sync_folder()
            .map_err(|e| StoreError::io("sync", ".", e))
    }
}

fn header(number: u32, previous: Position) -> Vec<u8> {
    FileHeader { number, previous }.encode().to_vec()
}

fn create(disk: &dyn Disk, name: &str) -> Result<Arc<dyn DiskFile>, StoreError> {
    disk.create(name)
        .map_err(|e| StoreError::io("create", name, e))
}

fn put(file: &dyn DiskFile, name: &str, octets: &[u8], at: u64) -> Result<(), StoreError> {
    file.write_at(&[IoSlice::new(octets)], at)
        .map_err(|e| StoreError::io("write", name, e))
}

fn write_file(
    survey: &Survey,
    found: &SurveyedFile,
    previous: Position,
    disk: &dyn Disk,
) -> Result<(), StoreError> {
    let number = found.stored.number;
    let name = repaired_name(number);
    let file = create(disk, &name)?;
    file.allocate(found.len.max(found.end.into()))
        .map_err(|e| StoreError::io("allocate", &name, e))?;
    put(&*file, &name, &header(number, previous), 0)?;
    let mut at = HEADER_LEN;
    for (from, to) in found.holes.iter().copied().chain([(found.end, found.end)]) {
        copy(survey, Position::new(number, at), from, &*file, &name)?;
        if from < to {
            put(
                &*file,
                &name,
                &lost(Position::new(number, from), to),
                from.into(),
            )?;
        }
        at = to;
    }
    file.sync().map_err(|e| StoreError::io("sync", &name, e))
}

fn copy(
    survey: &Survey,
    mut at: Position,
    end: u32,
    file: &dyn DiskFile,
    name: &str,
) -> Result<(), StoreError> {
    let mut piece = vec![0; PIECE];
    while at.offset < end {
        let len = PIECE.min((end - at.offset) as usize);
        let octets = piece.get_mut(..len).unwrap_or_default();
        survey.read(at, octets)?;
        put(file, name, octets, at.offset.into())?;
        at.offset = at
            .offset
            .saturating_add(u32::try_from(len).unwrap_or(u32::MAX));
    }
    Ok(())
}

/// An entry that takes the octets from `at` to `end`, all zeros.
fn lost(at: Position, end: u32) -> Vec<u8> {
    // Entries are never shorter, so that no hole is.
    let len = end.saturating_sub(at.offset).saturating_sub(PREFIX_LEN);
    let zeros = vec![0; len as usize];
    let prefix = Prefix {
        len,
        kind: KIND_LOST,
        group: 0,
        index: 0,
        term: 0,
        mark: Position::ZERO,
    };
    let mut octets = prefix.encode(at, [&zeros, &[]]).to_vec();
    octets.extend_from_slice(&zeros);
    octets
}
