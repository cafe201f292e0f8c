//! The start: which copy is right, and what to do with one that is not.
//!
//! | snapshot | tables | base |
//! |---|---|---|
//! | good | any | snapshot |
//! | none | none | nothing: a new folder |
//! | damaged or gone | good | tables, with a warning |
//! | damaged or gone | damaged or gone | nothing, if the log has every record from 1 on |
//!
//! Records carry consecutive indexes, so a gap between base and log is seen. Once the log is
//! replayed the tables must be what the definitions were at the tables' index: the snapshot and
//! each record leave a mark of their digest. Tables that are behind get what they lack; tables
//! that differ, are ahead of the log, belong to another life of the folder or cannot be opened
//! are moved to `definitions.damaged-<n>` and written anew.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::applier::{Applier, Work};
use super::live::Definitions;
use crate::definitions::codec::CodecError;
use crate::definitions::command::Command;
use crate::definitions::snapshot::{self, SnapshotError};
use crate::definitions::state::State;
use crate::definitions::tables::{self, Guarded, Head, Tables, TablesError, guarded};

/// Why the definitions cannot be recovered. The texts name what to do.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The file system refused.
    #[error("cannot {verb} {path}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// With what.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// The snapshot could not be read or written, for another reason than damage.
    #[error("{path}: {source}")]
    Snapshot {
        /// The file.
        path: PathBuf,
        /// What happened.
        source: SnapshotError,
    },
    /// A record of the log is none.
    #[error("the record of definitions with index {index} cannot be read: {source}")]
    Record {
        /// Its index.
        index: u64,
        /// What is wrong with it.
        source: CodecError,
    },
    /// The log begins too late, or records are missing in it.
    #[error(
        "the definitions reach to index {applied}, the log goes on with {found}: the records \
         between are lost{damage}; restore the data folder from a backup"
    )]
    Gap {
        /// The last index that is known.
        applied: u64,
        /// The index that came.
        found: u64,
        /// What is damaged besides, if anything.
        damage: String,
    },
    /// Neither copy can be read, and the log has no record to start from.
    #[error(
        "no copy of the definitions can be read{damage}; restore the data folder from a backup, or \
         move both away to start with none"
    )]
    Lost {
        /// What is wrong with each.
        damage: String,
    },
}

type Verified = (Tables, Head, State);

/// What the replay starts from.
#[derive(Debug)]
enum Base {
    /// A new folder.
    New,
    /// The snapshot; the tables are still being checked.
    Snapshot(Option<Guarded<Verified>>),
    /// The tables, since the snapshot is damaged as the text says.
    Tables(Tables, Box<State>, String),
    /// Neither, for what the texts say of snapshot and tables.
    Nothing(String, String),
}

/// Definitions that are being recovered.
#[derive(Debug)]
pub struct Recovery {
    folder: PathBuf,
    history: u128,
    state: State,
    base: Base,
    /// Index and digest of the base and after each record.
    marks: Vec<(u64, u128)>,
}

impl Recovery {
    /// Reads snapshot and tables of a data folder, which the caller has locked.
    pub fn open(folder: &Path) -> Result<Self, RecoveryError> {
        let path = folder.join(tables::FOLDER);
        let verifying = path.exists().then(|| {
            guarded(move || {
                let tables = Tables::open(&path)?;
                let (head, state) = tables.verify()?;
                Ok((tables, head, state))
            })
        });
        let new_history: u128 = rand::random();
        let (history, state, base) = match snapshot::load(folder) {
            Ok(Some(read)) => (read.history, read.state, Base::Snapshot(verifying)),
            Ok(None) if verifying.is_none() => (new_history, State::default(), Base::New),
            Ok(None) => from_tables(verifying, "it is gone".to_owned(), new_history),
            Err(error @ SnapshotError::Damaged { .. }) => {
                from_tables(verifying, error.to_string(), new_history)
            }
            Err(source) => {
                let path = folder.join(snapshot::FILE);
                return Err(RecoveryError::Snapshot { path, source });
            }
        };
        Ok(Self {
            folder: folder.to_owned(),
            history,
            marks: vec![(state.applied(), state.digest())],
            state,
            base,
        })
    }

    /// As [`Self::open`], for definitions that have no tables: [`Self::finish_bare`] ends it.
    #[cfg(test)]
    pub fn open_bare(folder: &Path) -> Result<Self, SnapshotError> {
        let read = snapshot::load(folder)?;
        let base = match read {
            Some(_) => Base::Snapshot(None),
            None => Base::New,
        };
        let (history, state) =
            read.map_or((1, State::default()), |read| (read.history, read.state));
        Ok(Self {
            folder: folder.to_owned(),
            history,
            marks: vec![(state.applied(), state.digest())],
            state,
            base,
        })
    }

    /// As [`Self::finish`], without tables.
    #[cfg(test)]
    pub fn finish_bare(self) -> Definitions {
        let covered = self.marks.first().map_or(0, |(index, _)| *index);
        Definitions::start(self.folder, self.history, self.state, covered, None)
    }

    /// The index of the first record that is needed. Earlier ones may be replayed as well, they
    /// change nothing.
    pub fn from(&self) -> u64 {
        self.state.applied() + 1
    }

    /// Applies a record of the log, in the order of the log.
    pub fn replay(&mut self, index: u64, payload: &[u8]) -> Result<(), RecoveryError> {
        if index < self.from() {
            return Ok(());
        }
        if index > self.from() {
            return Err(RecoveryError::Gap {
                applied: self.state.applied(),
                found: index,
                damage: self.damage(),
            });
        }
        let command =
            Command::decode(payload).map_err(|source| RecoveryError::Record { index, source })?;
        self.state.apply(index, &command, &mut Vec::new());
        self.marks.push((index, self.state.digest()));
        Ok(())
    }

    fn damage(&self) -> String {
        let file = self.folder.join(snapshot::FILE);
        match &self.base {
            Base::New | Base::Snapshot(_) => String::new(),
            Base::Tables(_, _, reason) => format!(" ({}: {reason})", file.display()),
            Base::Nothing(reason, tables) => {
                let folder = self.folder.join(tables::FOLDER);
                let (file, folder) = (file.display(), folder.display());
                format!(" ({file}: {reason}; {folder}: {tables})")
            }
        }
    }

    /// Ends the replay: decides about the tables, makes the snapshot good where it is not, and
    /// starts what keeps the tables. Returns the definitions and the warnings that it logged.
    pub fn finish(mut self) -> Result<(Definitions, Vec<String>), RecoveryError> {
        if matches!(self.base, Base::Nothing(..)) && self.state.applied() == 0 {
            let damage = self.damage();
            return Err(RecoveryError::Lost { damage });
        }
        let mut warnings = Vec::new();
        let base = std::mem::replace(&mut self.base, Base::New);
        let (tables, save) = match base {
            Base::New => (None, true),
            Base::Snapshot(None) => {
                warnings.push(self.tables_are_gone());
                (None, false)
            }
            Base::Snapshot(Some(verifying)) => {
                let verified = verifying.wait(tables::OPEN_WITHIN);
                (self.check_tables(verified, &mut warnings)?, false)
            }
            Base::Tables(tables, state, reason) => {
                warnings.push(self.snapshot_anew(&reason)?);
                (Some((tables, *state)), true)
            }
            Base::Nothing(reason, tables) => {
                warnings.push(self.snapshot_anew(&reason)?);
                self.set_tables_aside(&tables, &mut warnings)?;
                (None, true)
            }
        };
        if save {
            let path = self.folder.join(snapshot::FILE);
            snapshot::save(&self.folder, self.history, &self.state)
                .map_err(|source| RecoveryError::Snapshot { path, source })?;
        }
        let covered = if save {
            self.state.applied()
        } else {
            self.marks.first().map_or(0, |(index, _)| *index)
        };
        warnings.iter().for_each(|text| tracing::warn!("{text}"));
        let work = match &tables {
            Some((_, known)) => Work::between(known, &self.state),
            None => Work::anew(),
        };
        let applier = Applier {
            folder: self.folder.clone(),
            tables: tables.map(|(tables, _)| tables),
        };
        let live = Definitions::start(
            self.folder,
            self.history,
            self.state,
            covered,
            Some((work, applier)),
        );
        Ok((live, warnings))
    }

    /// The tables if they are what the definitions were at their index; otherwise they are moved
    /// aside.
    fn check_tables(
        &self,
        verified: Result<Verified, TablesError>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<(Tables, State)>, RecoveryError> {
        let (tables, head, state) = match verified {
            Ok(verified) => verified,
            Err(TablesError::Interrupted) => {
                tracing::info!("the tables of definitions were being written: they are made anew");
                return Ok(None);
            }
            Err(error) => {
                self.set_tables_aside(&error.to_string(), warnings)?;
                return Ok(None);
            }
        };
        let (first, last) = (self.marks.first(), self.state.applied());
        let base = first.map_or(0, |(index, _)| *index);
        let reason = if head.history != self.history {
            "they belong to another data folder".to_owned()
        } else if head.applied > last {
            format!(
                "they reach to index {}, the log ends at {last}",
                head.applied
            )
        } else if head.applied < base {
            tracing::info!(
                "the tables of definitions are older than the snapshot ({} and {base}): they get \
                 what they lack",
                head.applied
            );
            return Ok(Some((tables, state)));
        } else if !self.marks.contains(&(head.applied, head.digest)) {
            format!(
                "they differ from snapshot and log at index {}",
                head.applied
            )
        } else {
            return Ok(Some((tables, state)));
        };
        // Before the folder moves. What goes wrong in it no longer matters.
        let _ = guarded(move || tables.close()).wait(tables::OPEN_WITHIN);
        self.set_tables_aside(&reason, warnings)?;
        Ok(None)
    }

    fn tables_are_gone(&self) -> String {
        let path = self.folder.join(tables::FOLDER);
        format!(
            "the tables of definitions in {} are gone: they are written anew",
            path.display()
        )
    }

    fn set_tables_aside(
        &self,
        reason: &str,
        warnings: &mut Vec<String>,
    ) -> Result<(), RecoveryError> {
        let path = self.folder.join(tables::FOLDER);
        if !path.exists() {
            return Ok(());
        }
        let aside = self.move_aside(&path)?;
        warnings.push(format!(
            "the tables of definitions were moved to {} and are written anew: {reason}",
            aside.display()
        ));
        Ok(())
    }

    fn snapshot_anew(&self, reason: &str) -> Result<String, RecoveryError> {
        let path = self.folder.join(snapshot::FILE);
        let aside = if path.exists() {
            format!(", the old one is {}", self.move_aside(&path)?.display())
        } else {
            String::new()
        };
        Ok(format!(
            "the snapshot of definitions {} is written anew{aside}: {reason}",
            path.display()
        ))
    }

    /// Renames a file or folder to the first free name with `.damaged-<n>` behind it.
    fn move_aside(&self, path: &Path) -> Result<PathBuf, RecoveryError> {
        let io = |source| RecoveryError::Io {
            verb: "move aside",
            path: path.to_owned(),
            source,
        };
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        let mut number = 1u64;
        let aside = loop {
            let aside = self.folder.join(format!("{name}.damaged-{number}"));
            if !aside.exists() {
                break aside;
            }
            number += 1;
        };
        fs::rename(path, &aside).map_err(io)?;
        snapshot::sync_folder(&self.folder).map_err(io)?;
        Ok(aside)
    }
}

/// The base where there is no good snapshot.
fn from_tables(
    verifying: Option<Guarded<Verified>>,
    reason: String,
    new_history: u128,
) -> (u128, State, Base) {
    let outcome = verifying.map(|verifying| verifying.wait(tables::OPEN_WITHIN));
    match outcome {
        Some(Ok((tables, head, state))) => {
            let base = Base::Tables(tables, Box::new(state.clone()), reason);
            (head.history, state, base)
        }
        Some(Err(error)) => {
            let base = Base::Nothing(reason, error.to_string());
            (new_history, State::default(), base)
        }
        None => {
            let base = Base::Nothing(reason, "they are gone".to_owned());
            (new_history, State::default(), base)
        }
    }
}
