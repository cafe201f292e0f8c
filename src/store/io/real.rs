//! A folder of the real file system.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, statvfs};
use rustix::io::{Errno, pwritev};

use super::disk::{Disk, DiskFile};

/// Parts that one system call takes on Linux.
const PARTS_MAX: usize = 1_024;

/// A folder; it must exist.
#[derive(Debug)]
pub struct RealDisk {
    folder: PathBuf,
}

impl RealDisk {
    /// The files of `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }
}

impl Disk for RealDisk {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open(self.folder.join(name))?;
        Ok(Arc::new(RealFile(file)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        Ok(Arc::new(RealFile(options.open(self.folder.join(name))?)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let space = statvfs(&self.folder)?;
        Ok(space.f_bavail.saturating_mul(space.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn write_at(&self, parts: &[IoSlice<'_>], mut offset: u64) -> io::Result<()> {
        let mut parts = parts.to_vec();
        let mut rest = parts.as_mut_slice();
        // Empty parts at the front would make a call that writes nothing.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            let now = rest.get(..PARTS_MAX).unwrap_or(rest);
            match pwritev(&self.0, now, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        loop {
            match fallocate(&self.0, FallocateFlags::empty(), 0, len) {
                Ok(()) => return Ok(()),
                Err(Errno::INTR) => {}
                // A file system that cannot reserve: the length alone saves half of the cost.
                Err(Errno::OPNOTSUPP) => {
                    let grown = self.0.metadata()?.len().max(len);
                    return self.0.set_len(grown);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        if self.0.metadata()?.len() > len {
            self.0.set_len(len)?;
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_many_parts_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::new(folder.path());
        let file = disk.create("one").unwrap();
        assert!(file.is_empty().unwrap());
        assert_eq!(
            disk.create("one").err().map(|e| e.kind()),
            Some(io::ErrorKind::AlreadyExists)
        );
        let words: Vec<Vec<u8>> = (0..3_000u32)
            .map(|i| i.to_le_bytes()[..i as usize % 4].to_vec())
            .collect();
        let parts: Vec<IoSlice<'_>> = words.iter().map(|word| IoSlice::new(word)).collect();
        file.write_at(&parts, 5).unwrap();
        file.sync().unwrap();
        let expected = words.concat();
        let mut found = vec![0; expected.len()];
        file.read_at(&mut found, 5).unwrap();
        assert_eq!(found, expected);
        assert!(file.read_at(&mut found, 6).is_err());
        file.allocate(1 << 20).unwrap();
        assert_eq!(file.len().unwrap(), 1 << 20);
        file.allocate(10).unwrap();
        assert_eq!(file.len().unwrap(), 1 << 20);
        file.truncate(1 << 21).unwrap();
        assert_eq!(file.len().unwrap(), 1 << 20);
        file.truncate(7).unwrap();
        assert_eq!(file.len().unwrap(), 7);

        disk.rename("one", "two").unwrap();
        disk.sync_folder().unwrap();
        assert_eq!(disk.list().unwrap(), ["two"]);
        assert!(disk.open("one").is_err());
        assert!(disk.free_bytes().unwrap() > 0);
        disk.remove("two").unwrap();
        assert_eq!(disk.list().unwrap(), Vec::<String>::new());
    }
}
