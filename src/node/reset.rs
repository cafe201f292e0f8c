//! Empties the data folder of a broker that does not run, back to what it was before the first
//! start. A mark tells the next start to go on where a reset was cut short, so that no half of a
//! store is ever taken for one.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::Context;

/// Stands in the folder while a reset is under way.
const MARK: &str = "reset.pending";

/// What a store is made of; copies that were moved aside have these names and a suffix.
const PARTS: [&str; 4] = ["log", "index", "definitions", "definitions.snapshot"];

/// Suffixes of versions that were being written, checked or repaired.
const VERSIONS: [&str; 3] = [".next", ".checked", ".repaired"];

/// Deletes the store.
pub fn begin(folder: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot reset {}", folder.display());
    for part in PARTS {
        let path = folder.join(part);
        anyhow::ensure!(
            !path.is_symlink(),
            "{}: {} is a symbolic link; move what it points to into the folder, or empty it by hand",
            failed(),
            path.display()
        );
    }
    if let Err(error) = mark(folder) {
        // Nothing is gone yet, and a mark without a reset would be carried out by a later start.
        let _ = fs::remove_file(folder.join(MARK));
        return Err(error).with_context(failed);
    }
    finish(folder)
}

/// Goes on with a reset that was begun; does nothing where none was.
pub fn finish(folder: &Path) -> anyhow::Result<()> {
    if !folder.join(MARK).exists() {
        return Ok(());
    }
    wipe(folder).with_context(|| format!("cannot reset {}", folder.display()))
}

fn mark(folder: &Path) -> io::Result<()> {
    File::create(folder.join(MARK))?.sync_all()?;
    File::open(folder)?.sync_all()
}

fn wipe(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().to_str().is_some_and(is_stores) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    File::open(folder)?.sync_all()?;
    fs::remove_file(folder.join(MARK))?;
    File::open(folder)?.sync_all()
}

/// Whether an entry of the data folder is the store's; logs, the lock and the socket are not.
fn is_stores(name: &str) -> bool {
    PARTS.iter().any(|part| {
        name.strip_prefix(part).is_some_and(|rest| {
            rest.is_empty() || VERSIONS.contains(&rest) || rest.starts_with(".damaged")
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["log", "index", "definitions", "log.damaged-1"] {
            fs::create_dir(folder.path().join(name)).unwrap();
            fs::write(folder.path().join(name).join("x"), "x").unwrap();
        }
        let files = ["definitions.snapshot", "definitions.snapshot.next"];
        let kept = ["leveret.lock", "leveret.log", "log.txt", "indexes"];
        for name in files.iter().chain(&kept) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        begin(folder.path()).unwrap();
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut kept = kept.map(str::to_owned);
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn what_lies_elsewhere_is_refused_before_anything_goes() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::os::unix::fs::symlink(elsewhere.path(), folder.path().join("index")).unwrap();
        fs::create_dir(folder.path().join("log")).unwrap();
        let error = begin(folder.path()).unwrap_err().to_string();
        assert!(error.contains("index is a symbolic link"), "{error}");
        assert!(folder.path().join("log").exists() && !folder.path().join(MARK).exists());
    }

    #[test]
    fn a_reset_that_was_cut_short_is_finished_and_only_that() {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = folder.path().join("definitions.snapshot");
        fs::write(&snapshot, "x").unwrap();
        finish(folder.path()).unwrap();
        assert!(snapshot.exists());
        mark(folder.path()).unwrap();
        finish(folder.path()).unwrap();
        assert!(!snapshot.exists() && !folder.path().join(MARK).exists());
    }
}
