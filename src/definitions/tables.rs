//! The definitions as tables of a sled database in the folder `definitions`: the one file of the
//! broker that knows sled.
//!
//! sled 0.34 has open reports of corrupted databases, so this is never the only copy and never
//! believed: snapshot and log are the truth, a database that differs is moved aside. What it is
//! for: a second copy at a start that finds the snapshot damaged, and tables that can be read
//! without the broker.
//!
//! # Format, version 1
//!
//! A tree for each kind, named as [`Kind::name`] says, with the rows' keys and values; a tree
//! `meta` with the key `head`: version (1 octet), history (16), applied index (8), digest (16),
//! numbers little endian. Head and rows change in one transaction. Where there are too many rows
//! for one, the head is a single octet 0 until all are written: such tables are not used, but
//! nothing is wrong with them. Tables that are written anew
//! get their name when they are complete (see `durable::applier`); without a head they are not
//! used.
//!
//! sled may panic on damaged files, and a thread of its own that panics may leave its caller
//! waiting: [`guarded`] runs what opens and reads files on a thread of its own and waits a bounded
//! time; [`caught`] is for the thread that then writes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sled::transaction::{ConflictableTransactionError, TransactionError, Transactional as _};
use sled::{Batch, Db, Mode, Tree};

use super::codec::CodecError;
use super::rows::{KINDS, Kind};
use super::state::State;

/// The name of the folder in the data folder.
pub const FOLDER: &str = "definitions";
/// The name under which tables are written anew.
pub const NEXT: &str = "definitions.next";

/// What sled may keep of the tables in memory, in octets. They are written and hardly ever read.
const CACHE_BYTES: u64 = 1 << 20;

/// Rows that are written at once. More of them go in several steps: sled keeps a transaction in
/// memory several times over (200,000 rows of 85 octets in one took 250 MiB more).
const ROWS_AT_ONCE: usize = 4_096;

/// sled's threads may hold the files a little longer than their owner did: how often and how far
/// apart opening is tried. Nobody else has them, the data folder is locked.
const LOCK_TRIES: u32 = 200;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// How long opening and reading may take before the tables count as damaged. A million rows take
/// a few seconds on a slow disk.
pub const OPEN_WITHIN: Duration = Duration::from_secs(120);

const HEAD: &[u8] = b"head";
const VERSION: u8 = 1;
/// Stands in the place of the version while rows are written in steps.
const INTERRUPTED: u8 = 0;
const HEAD_LEN: usize = 41;

/// Why the tables are not to be used.
#[derive(Debug, thiserror::Error)]
pub enum TablesError {
    /// sled's own answer.
    #[error("{0}")]
    Sled(#[from] sled::Error),
    /// sled panicked.
    #[error("sled panicked: {0}")]
    Panicked(String),
    /// sled did not come back.
    #[error("sled did not answer within {0:?}")]
    Silent(Duration),
    /// The broker was ended while it made many changes: the rows are of no one index.
    #[error("they were not written to their end")]
    Interrupted,
    /// There is no head.
    #[error("they do not say what they hold")]
    Headless,
    /// Written by another version.
    #[error("their format is version {0}, this broker reads version {VERSION}")]
    Version(u8),
    /// The rows are not those that the digest was made of.
    #[error("the rows do not match their digest")]
    Digest,
    /// A row is none.
    #[error("a row of '{0}' cannot be read: {1}")]
    Row(&'static str, CodecError),
}

/// What the tables say of themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Which life of the data folder they belong to.
    pub history: u128,
    /// The index of the last command in them.
    pub applied: u64,
    /// The digest of their rows.
    pub digest: u128,
}

impl Head {
    /// The head of tables that hold `state`.
    pub fn of(history: u128, state: &State) -> Self {
        Self {
            history,
            applied: state.applied(),
            digest: state.digest(),
        }
    }

    fn to_octets(self) -> [u8; HEAD_LEN] {
        let mut out = [VERSION; HEAD_LEN];
        let octets = [
            self.history.to_le_bytes().as_slice(),
            self.applied.to_le_bytes().as_slice(),
            self.digest.to_le_bytes().as_slice(),
        ]
        .concat();
        for (place, octet) in out.iter_mut().skip(1).zip(octets) {
            *place = octet;
        }
        out
    }

    fn from_octets(octets: &[u8]) -> Result<Self, TablesError> {
        let (version, rest) = octets.split_first().ok_or(TablesError::Headless)?;
        match *version {
            VERSION => {}
            INTERRUPTED => return Err(TablesError::Interrupted),
            other => return Err(TablesError::Version(other)),
        }
        let (history, rest) = rest.split_first_chunk().ok_or(TablesError::Headless)?;
        let (applied, rest) = rest.split_first_chunk().ok_or(TablesError::Headless)?;
        let (digest, _) = rest.split_first_chunk().ok_or(TablesError::Headless)?;
        Ok(Self {
            history: u128::from_le_bytes(*history),
            applied: u64::from_le_bytes(*applied),
            digest: u128::from_le_bytes(*digest),
        })
    }
}

/// A batch for each tree, `meta` first.
#[derive(Debug, Default)]
struct Batches {
    trees: [Batch; KINDS.len() + 1],
    rows: usize,
}

impl Batches {
    /// Puts or removes a row of a kind or, without one, of `meta`.
    fn set(&mut self, kind: Option<Kind>, key: &[u8], value: Option<&[u8]>) {
        let place = kind.map_or(0, |kind| usize::from(kind.number()) + 1);
        let Some(batch) = self.trees.get_mut(place) else {
            return;
        };
        match value {
            Some(value) => batch.insert(key, value),
            None => batch.remove(key),
        }
        self.rows += 1;
    }
}

/// The open database. One thread uses it; another broker cannot open it.
#[derive(Debug)]
pub struct Tables {
    db: Db,
    /// `meta`, then a tree for each kind at the place of its number.
    trees: Vec<Tree>,
}

impl Tables {
    /// Opens the database in `folder`, or makes an empty one, which has no head. To be called within
    /// [`guarded`].
    pub fn open(folder: &Path) -> Result<Self, TablesError> {
        let config = sled::Config::new()
            .path(folder)
            .cache_capacity(CACHE_BYTES)
            .mode(Mode::LowSpace)
            // The applier asks for it.
            .flush_every_ms(None);
        let mut tries = 0;
        let db = loop {
            match config.open() {
                Err(sled::Error::Io(error))
                    if tries < LOCK_TRIES && error.to_string().contains("acquire lock") =>
                {
                    tries += 1;
                    thread::sleep(LOCK_PAUSE);
                }
                opened => break opened?,
            }
        };
        let mut trees = vec![db.open_tree("meta")?];
        for kind in KINDS {
            trees.push(db.open_tree(kind.name())?);
        }
        Ok(Self { db, trees })
    }

    /// Reads every row and checks the digest, which it returns with the index: what is wrong is an
    /// error. To be called within [`guarded`].
    pub fn verify(&self) -> Result<(Head, State), TablesError> {
        let (meta, tables) = self.trees.split_first().ok_or(TablesError::Headless)?;
        let head = meta.get(HEAD)?.ok_or(TablesError::Headless)?;
        let head = Head::from_octets(&head)?;
        let mut state = State::default();
        for (kind, tree) in KINDS.into_iter().zip(tables) {
            for row in tree {
                let (key, value) = row?;
                state
                    .restore_row(kind, &key, &value)
                    .map_err(|error| TablesError::Row(kind.name(), error))?;
            }
        }
        if state.digest() != head.digest {
            return Err(TablesError::Digest);
        }
        Ok((head, state.restored(head.applied)))
    }

    /// Writes the rows that changed, and what the tables are then: a kill leaves all of it or
    /// nothing, or tables that are [`TablesError::Interrupted`].
    pub fn apply<'a>(
        &self,
        head: Head,
        changes: impl ExactSizeIterator<Item = (Kind, &'a [u8], Option<&'a [u8]>)>,
    ) -> Result<(), TablesError> {
        let in_steps = changes.len() > ROWS_AT_ONCE;
        let mut batches = Batches::default();
        if in_steps {
            batches.set(None, HEAD, Some(&[INTERRUPTED]));
            self.commit(std::mem::take(&mut batches))?;
            self.flush()?;
        }
        for (kind, key, value) in changes {
            batches.set(Some(kind), key, value);
            if in_steps && batches.rows == ROWS_AT_ONCE {
                self.commit(std::mem::take(&mut batches))?;
            }
        }
        if in_steps {
            self.commit(std::mem::take(&mut batches))?;
            self.flush()?;
        }
        batches.set(None, HEAD, Some(&head.to_octets()));
        self.commit(batches)
    }

    /// Writes what is in the batches, in one transaction.
    fn commit(&self, batches: Batches) -> Result<(), TablesError> {
        let written = self.trees.as_slice().transaction(|trees| {
            for (tree, batch) in trees.iter().zip(&batches.trees) {
                tree.apply_batch(batch)?;
            }
            Ok::<_, ConflictableTransactionError<()>>(())
        });
        match written {
            Ok(()) | Err(TransactionError::Abort(())) => Ok(()),
            Err(TransactionError::Storage(error)) => Err(error.into()),
        }
    }

    /// Makes durable what was written.
    pub fn flush(&self) -> Result<(), TablesError> {
        self.db.flush()?;
        Ok(())
    }

    /// Leaves the tables as a kill does while many rows are written.
    #[cfg(test)]
    pub(super) fn interrupt(self) {
        let mut batches = Batches::default();
        batches.set(None, HEAD, Some(&[INTERRUPTED]));
        self.commit(batches).unwrap();
        self.close().unwrap();
    }

    /// Flushes and closes the files. To be called within [`caught`], as sled works while it is
    /// dropped.
    pub fn close(self) -> Result<(), TablesError> {
        self.flush()?;
        drop(self);
        Ok(())
    }
}

/// A refusal of the file system, as this module tells it.
pub fn io_error(error: std::io::Error) -> TablesError {
    TablesError::Sled(sled::Error::Io(error))
}

/// Work that goes on on a thread of its own.
#[derive(Debug)]
pub struct Guarded<T>(mpsc::Receiver<Result<T, TablesError>>);

/// Starts `work` on a thread of its own.
pub fn guarded<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TablesError> + Send + 'static,
) -> Guarded<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let refused = sender.clone();
    let run = move || {
        // Nobody waits any more where this fails.
        let _ = sender.send(caught(work));
    };
    let spawned = thread::Builder::new()
        .name("leveret-tables".to_owned())
        .spawn(run);
    if let Err(error) = spawned {
        let _ = refused.send(Err(TablesError::Sled(sled::Error::Io(error))));
    }
    Guarded(receiver)
}

impl<T> Guarded<T> {
    /// Waits for the outcome. A panic is an error; so is no answer in time, after which the thread
    /// is left to itself.
    pub fn wait(self, within: Duration) -> Result<T, TablesError> {
        let outcome = self.0.recv_timeout(within);
        outcome.unwrap_or(Err(TablesError::Silent(within)))
    }
}

/// Runs `work`; a panic in it is an error.
pub fn caught<T>(work: impl FnOnce() -> Result<T, TablesError>) -> Result<T, TablesError> {
    // What the panic left half done is not used again: the tables are closed for good.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        Err(TablesError::Panicked(text.unwrap_or("no text").to_owned()))
    })
}
