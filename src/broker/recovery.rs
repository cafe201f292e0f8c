//! A start: what the disks hold is put together and into the broker, which keeps it there from then
//! on. Starts no threads and knows no folders: the node brings the disks and the definitions.

use std::sync::Arc;

use super::core::Broker;
use super::journal::{BATCH, DEFINITION};
use super::restore::Restored;
use crate::definitions::durable::RecoveryError;
use crate::definitions::{Definitions, Recovery};
use crate::store::bodies::Bodies;
use crate::store::io::Disk;
use crate::store::log::{Log, LogOptions, Position, Replayed};
use crate::store::pages::Pages;
use crate::store::replay::{IsThere, Places, Replay};
use crate::store::{StoreError, checkpoint};

/// What the store of a broker lies on.
#[derive(Clone)]
pub struct Disks {
    /// The log's files.
    pub log: Arc<dyn Disk>,
    /// The checkpoint and the pages of the index.
    pub index: Arc<dyn Disk>,
}

/// What was found, and is kept from now on.
#[derive(Debug)]
pub struct Recovered {
    /// The log, whose thread is not started.
    pub log: Arc<Log>,
    /// The files of large bodies, whose thread is not started.
    pub bodies: Arc<Bodies>,
    /// The definitions.
    pub definitions: Arc<Definitions>,
    /// Counts.
    pub restored: Restored,
    /// Nothing had been defined before.
    pub is_new: bool,
}

/// Why a start is impossible.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The messages.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The definitions.
    #[error(transparent)]
    Definitions(#[from] RecoveryError),
}

/// Recovers what `disks` and `definitions` hold and puts it into `broker`. `finish` ends the replay
/// of the definitions; `progress` is shown the octets of the log that were read, and those there are.
pub fn recover(
    broker: &Arc<Broker>,
    disks: &Disks,
    options: LogOptions,
    mut definitions: Recovery,
    finish: impl FnOnce(Recovery) -> Result<Definitions, RecoveryError>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Recovered, RecoverError> {
    let mut found = Replay::default();
    let checkpoint = checkpoint::read(disks.index.as_ref(), &mut |row| {
        found.take_row(row);
        Ok(())
    })?;
    let (pages, stored) = Pages::open(Arc::clone(&disks.index), found.pages())?;
    let bodies = Bodies::open(Arc::clone(&disks.log))?;
    let mut told = Vec::new();
    let mut is_there = |file, size, sum| {
        bodies.start_above(file);
        told.push((file, size));
        // Without a checkpoint the log may tell of messages that are gone, and with them their files.
        match checkpoint {
            Some(_) => Ok(true),
            None => bodies.is_there(file, sum),
        }
    };
    let log = Log::open(
        Arc::clone(&disks.log),
        options,
        checkpoint.unwrap_or(Position::ZERO),
        progress,
        &mut |entry| take(entry, &mut definitions, &mut found, &mut is_there),
    )?;
    bodies.attach(&log);
    let definitions = Arc::new(finish(definitions)?);
    let state = definitions.state();
    let is_new = state.is_empty();
    let places = Places {
        files: log
            .files()
            .into_iter()
            .chain(bodies.files())
            .map(|(file, _)| (file.number, file))
            .collect(),
        pages: stored.into_iter().map(|page| (page.place, page)).collect(),
        read: &|page| pages.read(page),
    };
    let restored = broker.restore(&state, found, &places)?;
    drop(places);
    // As with the log itself: what was written since the checkpoint is looked at.
    for (file, size) in told {
        if bodies.is_held(file) {
            bodies.verify(file, size)?;
        }
    }
    broker.journal.attach_bodies(Arc::clone(&bodies));
    broker
        .journal
        .attach(Arc::clone(&log), pages, Arc::clone(&definitions));
    Ok(Recovered {
        log,
        bodies,
        definitions,
        restored,
        is_new,
    })
}

fn take(
    entry: &Replayed<'_>,
    definitions: &mut Recovery,
    found: &mut Replay,
    is_there: IsThere<'_>,
) -> Result<(), StoreError> {
    match entry.kind {
        BATCH => found
            .take_entry(entry, &|_, _| true, is_there)
            .map_err(|error| match error {
                StoreError::Refused(what) => StoreError::Refused(at(entry, &what)),
                error => error,
            }),
        DEFINITION => definitions
            .replay(entry.index, entry.payload)
            .map_err(|error| StoreError::Refused(at(entry, &error))),
        other => Err(StoreError::Refused(at(
            entry,
            &format_args!("entries of kind {other} are not known"),
        ))),
    }
}

fn at(entry: &Replayed<'_>, what: &dyn std::fmt::Display) -> String {
    let place = entry.position;
    format!("the log's entry at {place}: {what}; a newer version may have written it")
}
