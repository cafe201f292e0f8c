//! Makes a damaged store one that starts.
//!
//! First a new index is written beside the old one: a checkpoint of all that can be read, at the end
//! of the log, and its pages. Then the definitions, then the index takes the old one's place, then
//! the damaged files of the log. Whatever ends it in between, it can be run again.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::examine::{Examined, Live, examine};
use super::report::Report;
use super::{Kinds, Progress};
use crate::definitions::snapshot;
use crate::store::StoreError;
use crate::store::checkpoint::{AwayRow, CheckpointWriter};
use crate::store::io::{Disk, RealDisk};
use crate::store::log::{Position, Refill};
use crate::store::pages::Pages;

const LOG: &str = "log";
const INDEX: &str = "index";

/// Where the new index is written.
const NEW_INDEX: &str = "index.repaired";

/// What a repair did.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What had been found before.
    pub report: Report,
    /// False where nothing was wrong and nothing was changed.
    pub repaired: bool,
    /// Where the damaged parts are now.
    pub moved: Vec<PathBuf>,
}

fn failed(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let name = path.display().to_string();
    move |error| StoreError::io(verb, name, error)
}

/// Makes the store in `folder`, which no broker uses, one that starts. Does nothing to a sound one.
///
/// # Errors
/// As [`super::check`], and those of writing. What was there is there still, if under another name.
pub fn repair(folder: &Path, kinds: Kinds, progress: Progress<'_>) -> Result<Outcome, StoreError> {
    let log = folder.join(LOG);
    fs::create_dir_all(&log).map_err(failed("make the folder", &log))?;
    let disk = RealDisk::new(&log);
    Refill::end_interrupted(&disk)?;
    let mut examined = examine(folder, kinds, progress)?;
    let plan = Refill::plan(&examined.survey, examined.from);
    let new_index = folder.join(NEW_INDEX);
    write_index(&new_index, plan.end, &mut examined, progress)?;
    let mut outcome = Outcome::default();
    if examined.report.is_sound() && plan.is_empty() {
        fs::remove_dir_all(&new_index).map_err(failed("remove", &new_index))?;
        outcome.report = examined.report;
        return Ok(outcome);
    }
    outcome.repaired = true;
    if examined.definitions.is_behind() {
        outcome.moved.extend(write_definitions(folder, &examined)?);
    }
    let index = folder.join(INDEX);
    if index.exists() {
        let aside = free_name(folder, INDEX);
        rename(&index, &aside)?;
        outcome.moved.push(aside);
    }
    rename(&new_index, &index)?;
    sync(folder)?;
    plan.write(&examined.survey, &disk)?;
    let damaged = plan.replaced();
    if !damaged.is_empty() {
        let aside = free_name(folder, LOG);
        fs::create_dir(&aside).map_err(failed("make the folder", &aside))?;
        for name in damaged {
            rename(&log.join(name), &aside.join(name))?;
        }
        sync(&aside)?;
        sync(folder)?;
        outcome.moved.push(aside);
    }
    Refill::end_interrupted(&disk)?;
    outcome.report = examined.report;
    Ok(outcome)
}

/// Writes checkpoint and pages of everything that can be read.
fn write_index(
    folder: &Path,
    end: Position,
    examined: &mut Examined,
    progress: Progress<'_>,
) -> Result<(), StoreError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", folder)(error));
        }
        _ => fs::create_dir(folder).map_err(failed("make the folder", folder))?,
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk::new(folder));
    let (pages, _) = Pages::open(Arc::clone(&disk), &[])?;
    let mut writer = CheckpointWriter::new(disk, end)?;
    examined.contents(progress, &mut |live| match live {
        Live::Queue(id) => writer.queue(id),
        Live::Level {
            priority,
            next,
            delivered,
        } => writer.level(priority, next, delivered),
        Live::Message(row) => writer.message(&row),
        Live::Page(row, octets) => {
            let page = pages.write(&octets)?;
            writer.away(&AwayRow {
                page: (page.place, page.len),
                ..row
            })
        }
    })?;
    pages.sync()?;
    writer.finish()?;
    Ok(())
}

/// Writes the definitions anew; gives where the snapshot is now that does not do.
fn write_definitions(folder: &Path, examined: &Examined) -> Result<Option<PathBuf>, StoreError> {
    let path = folder.join(snapshot::FILE);
    let mut aside = None;
    if examined.definitions.damaged && path.exists() {
        let to = free_name(folder, snapshot::FILE);
        // The new one takes its place in one step.
        fs::copy(&path, &to).map_err(failed("copy", &path))?;
        aside = Some(to);
    }
    let found = &examined.definitions;
    snapshot::save(folder, found.history, &found.state)
        .map_err(|error| StoreError::Refused(format!("{}: {error}", path.display())))?;
    Ok(aside)
}

/// The first name with `.damaged-<n>` behind it that is free.
fn free_name(folder: &Path, name: &str) -> PathBuf {
    let mut names = (1u64..).map(|number| folder.join(format!("{name}.damaged-{number}")));
    let free = names.find(|path| !path.exists());
    free.unwrap_or_else(|| folder.join(format!("{name}.damaged")))
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    fs::rename(from, to).map_err(failed("rename", from))
}

fn sync(folder: &Path) -> Result<(), StoreError> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("sync", folder))
}
