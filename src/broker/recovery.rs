//! A start: what the disks hold is put together and into the broker, which keeps it there from then
//! on. Starts no threads and knows no folders: the node brings the disks and the definitions.

use std::sync::Arc;

use super::core::Broker;
use super::journal::{BATCH, DEFINITION};
use super::restore::Restored;
use crate::definitions::durable::RecoveryError;
use crate::definitions::{Definitions, Recovery};
use crate::message::Home;
use crate::store::io::Disk;
use crate::store::log::{Log, LogOptions, Position, Replayed};
use crate::store::pages::Pages;
use crate::store::replay::{Places, Replay};
use crate::store::{StoreError, batch, checkpoint};

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
    let log = Log::open(
        Arc::clone(&disks.log),
        options,
        checkpoint.unwrap_or(Position::ZERO),
        progress,
        &mut |entry| take(entry, &mut definitions, &mut found),
    )?;
    let definitions = Arc::new(finish(definitions)?);
    let state = definitions.state();
    let is_new = state.is_empty();
    let places = Places {
        files: log
            .files()
            .into_iter()
            .map(|(file, _)| (file.number, file))
            .collect(),
        pages: stored.into_iter().map(|page| (page.place, page)).collect(),
        read: &|page| pages.read(page),
    };
    let restored = broker.restore(&state, found, &places)?;
    drop(places);
    broker
        .journal
        .attach(Arc::clone(&log), pages, Arc::clone(&definitions));
    Ok(Recovered {
        log,
        definitions,
        restored,
        is_new,
    })
}

fn take(
    entry: &Replayed<'_>,
    definitions: &mut Recovery,
    found: &mut Replay,
) -> Result<(), StoreError> {
    match entry.kind {
        BATCH => {
            let records = |start: u32| entry.payload.get(start as usize..).unwrap_or_default();
            // The facts come before the records; where these start is known at once.
            let start = batch::records_start(entry.payload);
            let home = Home {
                file: Arc::clone(entry.file),
                offset: entry.payload_offset + start,
            };
            let size = |offset: u32| {
                records(start.saturating_add(offset))
                    .first_chunk::<4>()
                    .map_or(0, |len| u32::from_le_bytes(*len))
            };
            batch::read(entry.payload, |fact| found.take(fact, &home, size))
                .map(drop)
                .map_err(|error| StoreError::Refused(at(entry, &error)))
        }
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
