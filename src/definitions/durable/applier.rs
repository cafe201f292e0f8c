//! The thread that brings changes into the tables, behind the state and never in its way.
//!
//! Changes of the same row between two rounds are one. What the tables hold after a round is the
//! state at one index, written in one transaction. Should sled fail, that is said once and the
//! tables rest until the next start, which finds them behind and sets them right.
//!
//! Tables are written anew under another name and renamed when they are complete, so that a kill
//! in between leaves no tables that look damaged.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::live::Shared;
use crate::definitions::rows::Kind;
use crate::definitions::snapshot::sync_folder;
use crate::definitions::state::{Change, Octets, State};
use crate::definitions::tables::{self, Head, Tables, TablesError, caught};
use crate::limits::TABLES_PENDING_BYTES;

/// How long a round gathers changes: a declaration at a time would otherwise be a transaction at
/// a time.
const GATHER: Duration = Duration::from_millis(100);

/// Rounds between two flushes, which cost a sync of the disk that the log could use.
const ROUNDS_PER_FLUSH: u32 = 20;

/// What a row costs while it waits, besides its octets.
const ROW_COST: usize = 96;

/// Changes that the tables lack.
#[derive(Debug, Default)]
pub(super) struct Work {
    rows: BTreeMap<(Kind, Octets), Option<Octets>>,
    bytes: usize,
    /// Everything is to be written, `rows` counts for nothing.
    anew: bool,
}

impl Work {
    /// All there is.
    pub(super) fn anew() -> Self {
        Self {
            anew: true,
            ..Self::default()
        }
    }

    /// What leads from one state to another.
    pub(super) fn between(old: &State, new: &State) -> Self {
        let mut rows = BTreeMap::new();
        for (kind, key, _) in old.iter() {
            if !new.table(kind).contains_key(key) {
                rows.insert((kind, Octets::clone(key)), None);
            }
        }
        for (kind, key, value) in new.iter() {
            if old.table(kind).get(key) != Some(value) {
                rows.insert((kind, Octets::clone(key)), Some(Octets::clone(value)));
            }
        }
        Self {
            rows,
            bytes: 0,
            anew: false,
        }
    }

    /// Adds what a command changed.
    pub(super) fn add(&mut self, changes: impl Iterator<Item = Change>) {
        if self.anew {
            return;
        }
        for change in changes {
            self.bytes +=
                change.key.len() + change.value.as_ref().map_or(0, |v| v.len()) + ROW_COST;
            self.rows.insert((change.kind, change.key), change.value);
        }
        if self.bytes > TABLES_PENDING_BYTES {
            *self = Self::anew();
        }
    }

    /// The rows as the tables take them.
    fn rows(&self) -> impl ExactSizeIterator<Item = (Kind, &[u8], Option<&[u8]>)> {
        let rows = self.rows.iter();
        rows.map(|((kind, key), value)| (*kind, &**key, value.as_deref()))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && !self.anew
    }
}

/// What the thread starts with.
#[derive(Debug)]
pub(super) struct Applier {
    /// The data folder.
    pub(super) folder: PathBuf,
    /// Open tables with a head, or none: they are to be made.
    pub(super) tables: Option<Tables>,
}

impl Applier {
    /// Starts the thread. `None`, with a warning, where the system has none left.
    pub(super) fn start(self, shared: Arc<Shared>) -> Option<JoinHandle<()>> {
        let folder = self.folder.join(tables::FOLDER).display().to_string();
        let spawned = thread::Builder::new()
            .name("leveret-tables".to_owned())
            .spawn({
                let (shared, folder) = (Arc::clone(&shared), folder.clone());
                move || {
                    if let Err(error) = caught(|| self.run(&shared)) {
                        shared.tables_failed();
                        warn(&folder, &error.to_string());
                    }
                }
            });
        match spawned {
            Ok(thread) => Some(thread),
            Err(error) => {
                shared.tables_failed();
                warn(&folder, &error.to_string());
                None
            }
        }
    }

    fn run(mut self, shared: &Shared) -> Result<(), TablesError> {
        let mut unflushed = 0;
        loop {
            let round = shared.next_round(GATHER, unflushed > 0);
            let head = Head::of(shared.history, &round.state);
            let idle = round.work.is_empty();
            let tables = match self.tables.take() {
                Some(tables) if !round.work.anew => tables,
                old => self.write_anew(old, head, &round.state)?,
            };
            if !round.work.anew && !idle {
                tables.apply(head, round.work.rows())?;
                unflushed += 1;
            }
            if round.stop {
                return tables.close();
            }
            if unflushed >= ROUNDS_PER_FLUSH || (idle && unflushed > 0) {
                tables.flush()?;
                unflushed = 0;
            }
            self.tables = Some(tables);
        }
    }

    /// Makes tables that hold `state` and opens them.
    fn write_anew(
        &self,
        old: Option<Tables>,
        head: Head,
        state: &State,
    ) -> Result<Tables, TablesError> {
        let folder = self.folder.join(tables::FOLDER);
        let next = self.folder.join(tables::NEXT);
        let removed = |path: &Path| match fs::remove_dir_all(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
        removed(&next).map_err(sled::Error::Io)?;
        let tables = Tables::open(&next)?;
        let everything = Work::between(&State::default(), state);
        tables.apply(head, everything.rows())?;
        tables.close()?;
        if let Some(old) = old {
            old.close()?;
        }
        removed(&folder)
            .and_then(|()| fs::rename(&next, &folder))
            .and_then(|()| sync_folder(&self.folder))
            .map_err(sled::Error::Io)?;
        Tables::open(&folder)
    }
}

fn warn(folder: &str, reason: &str) {
    tracing::warn!(
        "the tables of definitions in {folder} are no longer kept: {reason}; nothing is lost, they \
         are set right at the next start"
    );
}
