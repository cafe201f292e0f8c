//! The files of the log: which there are, how a new one comes, how an old one is used again.
//!
//! A file that nobody needs is renamed to a spare, and a spare to the next number. Its blocks are
//! written already, so that a sync of it has no extents to journal. What it held before never passes
//! the checks of its new number ([`super::format`]).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::format::{log_name, spare_name};
use crate::message::StoredFile;
use crate::store::StoreError;
use crate::store::io::{Disk, DiskFile};

/// Files kept to be used again; more would hold space that nobody needs. As many as a checkpoint
/// frees at once: one that is missing is filled with zeros before it is used, and written twice.
pub(super) const SPARES_MAX: usize = 3;

/// The same while the disk is low: what is given back lets publishers go on.
pub(super) const SPARES_LOW: usize = 1;

/// A file of the log.
#[derive(Clone)]
pub(super) struct LogFile {
    pub stored: Arc<StoredFile>,
    pub handle: Arc<dyn DiskFile>,
    /// Octets that hold something, from the start.
    pub written: u32,
}

/// All files by number, and the earlier numbers of the spares.
#[derive(Default)]
pub(super) struct Files {
    pub map: BTreeMap<u32, LogFile>,
    pub spares: Vec<u32>,
}

impl Files {
    /// Takes out the files below number `below` that nobody but this table holds, but for those in
    /// `named`.
    pub fn unneeded(&mut self, below: u32, named: &BTreeSet<u32>) -> Vec<(u32, LogFile)> {
        let free = self.map.extract_if(..below, |number, file| {
            // Under this table's lock nobody can get hold of it who does not hold it already.
            Arc::strong_count(&file.stored) == 1 && !named.contains(number)
        });
        free.collect()
    }
}

/// Creates file number `number` with room for `room` octets, from the spare if there is one. Its
/// name is safe when this returns.
pub(super) fn create(
    disk: &dyn Disk,
    spare: Option<u32>,
    number: u32,
    room: u64,
) -> Result<LogFile, StoreError> {
    let name = log_name(number);
    let handle = match spare {
        Some(spare) => {
            let spare = spare_name(spare);
            disk.rename(&spare, &name)
                .map_err(|e| StoreError::io("rename", spare, e))?;
            disk.open(&name)
                .map_err(|e| StoreError::io("open", &name, e))?
        }
        None => disk
            .create(&name)
            .map_err(|e| StoreError::io("create", &name, e))?,
    };
    handle
        .allocate(room)
        .map_err(|e| StoreError::io("allocate", &name, e))?;
    disk.sync_folder()
        .map_err(|e| StoreError::io("sync", ".", e))?;
    Ok(LogFile {
        stored: StoredFile::new(number),
        handle,
        written: 0,
    })
}

/// Makes file number `number` a spare if it has the usual length and `keep` says so; removes it
/// otherwise. True if it is a spare now. Neither needs a sync: a name that comes back after a loss
/// of power lies before the checkpoint that made the file unneeded, and is found unneeded again.
pub(super) fn retire(
    disk: &dyn Disk,
    number: u32,
    keep: bool,
    usual: u64,
) -> Result<bool, StoreError> {
    let name = log_name(number);
    let spare = keep && {
        let opened = disk.open(&name).and_then(|file| file.len());
        opened.map_err(|e| StoreError::io("open", &name, e))? == usual
    };
    if spare {
        disk.rename(&name, &spare_name(number))
            .map_err(|e| StoreError::io("rename", &name, e))?;
    } else {
        disk.remove(&name)
            .map_err(|e| StoreError::io("remove", &name, e))?;
    }
    Ok(spare)
}
