//! A log file that is put aside when it has grown to a size, and opened again when something else
//! (logrotate) has moved it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::LogRotation;

/// The file.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    /// Octets in it.
    size: u64,
    rotation: LogRotation,
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

impl RotatingFile {
    /// Opens `path` to append to it.
    pub fn open(path: PathBuf, rotation: LogRotation) -> io::Result<Self> {
        let (file, size) = open(&path)?;
        Ok(Self {
            path,
            file,
            size,
            rotation,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines, after putting the file aside if it is full.
    pub fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let full = self.rotation.size.is_some_and(|max| self.size >= max);
        if full {
            self.put_aside()?;
        }
        self.file.write_all(lines)?;
        self.size += lines.len() as u64;
        Ok(())
    }

    /// Opens the path again: what was there may have been moved away.
    pub fn reopen(&mut self) -> io::Result<()> {
        (self.file, self.size) = open(&self.path)?;
        Ok(())
    }

    /// `FILE` becomes `FILE.0`, `FILE.0` becomes `FILE.1`; the last goes.
    pub fn put_aside(&mut self) -> io::Result<()> {
        let numbered = |number: u32| {
            let mut name = self.path.clone().into_os_string();
            name.push(format!(".{number}"));
            PathBuf::from(name)
        };
        match self.rotation.count {
            0 => std::fs::remove_file(&self.path)?,
            count => {
                for number in (0..count - 1).rev() {
                    if numbered(number).exists() {
                        std::fs::rename(numbered(number), numbered(number + 1))?;
                    }
                }
                std::fs::rename(&self.path, numbered(0))?;
            }
        }
        self.reopen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<(String, String)> {
        let mut all: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, std::fs::read_to_string(&path).unwrap())
            })
            .collect();
        all.sort();
        all
    }

    fn file(folder: &Path, size: u64, count: u32) -> RotatingFile {
        let rotation = LogRotation {
            size: Some(size),
            count,
        };
        RotatingFile::open(folder.join("x.log"), rotation).unwrap()
    }

    #[test]
    fn full_files_are_put_aside_and_the_last_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 4, 2);
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            file.write(line.as_bytes()).unwrap();
        }
        let expected = [
            ("x.log", "four\n"),
            ("x.log.0", "three\n"),
            ("x.log.1", "two\n"),
        ];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(names(folder.path()), expected);
    }

    #[test]
    fn without_a_count_the_full_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 1, 0);
        file.write(b"one\n").unwrap();
        file.write(b"two\n").unwrap();
        assert_eq!(names(folder.path()), [("x.log".into(), "two\n".into())]);
    }

    #[test]
    fn a_file_that_was_moved_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), 1 << 20, 2);
        file.write(b"one\n").unwrap();
        std::fs::rename(file.path(), folder.path().join("moved")).unwrap();
        file.reopen().unwrap();
        file.write(b"two\n").unwrap();
        let expected = [("moved", "one\n"), ("x.log", "two\n")];
        let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
        assert_eq!(names(folder.path()), expected);
    }
}
