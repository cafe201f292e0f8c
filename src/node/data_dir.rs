//! The data folder and its lock: two brokers never share one.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub struct DataDir {
    /// The folder.
    pub path: PathBuf,
    _lock: File,
}

/// Locks an existing folder, for a tool that needs the store to itself.
pub fn open_existing(path: &Path) -> anyhow::Result<DataDir> {
    if !path.is_dir() {
        bail!("there is no data folder {}", path.display());
    }
    lock(path, "stop it first")
}

/// Makes the folder if need be and locks it.
pub fn open(path: &Path) -> anyhow::Result<DataDir> {
    if path.exists() && !path.is_dir() {
        bail!("the data folder {} is not a folder", path.display());
    }
    std::fs::create_dir_all(path)
        .with_context(|| format!("cannot make the data folder {}", path.display()))?;
    lock(path, "start this one with another --data-dir")
}

fn lock(path: &Path, advice: &str) -> anyhow::Result<DataDir> {
    let file_name = path.join("leveret.lock");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file_name)
        .with_context(|| format!("cannot open {}", file_name.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Only to tell who it is; the lock is what counts.
            let _ = file.read_to_string(&mut owner);
            bail!(
                "the data folder {} is in use by another broker (process {}); {advice}",
                path.display(),
                owner.trim()
            );
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", file_name.display()));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(DataDir {
        path: path.to_owned(),
        _lock: file,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_broker_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(folder.path()).unwrap();
        let text = open(folder.path()).unwrap_err().to_string();
        assert!(text.contains(&std::process::id().to_string()), "{text}");
        assert!(text.contains("in use by another broker"), "{text}");
        drop(first);
        assert!(open(folder.path()).is_ok());
    }
}
