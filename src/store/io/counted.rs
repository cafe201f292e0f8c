//! A disk that counts what is asked of it, and how long that takes.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::disk::{Disk, DiskFile};

/// Calls of one kind.
#[derive(Debug, Default)]
pub struct Calls {
    count: AtomicU64,
    bytes: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Calls {
    fn note<R>(&self, bytes: u64, call: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
        let started = Instant::now();
        let result = call();
        let took = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.fetch_add(took, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        result
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Octets that they were about.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Seconds that they took together.
    pub fn seconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// Milliseconds that one takes on average; 0 before the first.
    pub fn average_ms(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.seconds() * 1e3 / count as f64,
        }
    }
}

/// What was asked of a disk.
#[derive(Debug, Default)]
pub struct IoCounts {
    /// Reads.
    pub reads: Calls,
    /// Writes.
    pub writes: Calls,
    /// Syncs of files.
    pub syncs: Calls,
}

/// A disk with counts.
pub struct CountedDisk<D> {
    disk: D,
    counts: Arc<IoCounts>,
}

struct CountedFile {
    file: Arc<dyn DiskFile>,
    counts: Arc<IoCounts>,
}

impl<D: Disk> CountedDisk<D> {
    /// Counts what is asked of `disk`.
    pub fn new(disk: D, counts: Arc<IoCounts>) -> Self {
        Self { disk, counts }
    }

    fn counted(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(CountedFile {
            file,
            counts: Arc::clone(&self.counts),
        })
    }
}

impl<D: Disk> Disk for CountedDisk<D> {
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.open(name).map(|file| self.counted(file))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name).map(|file| self.counted(file))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.disk.sync_folder()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl DiskFile for CountedFile {
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        let bytes = parts.iter().map(|part| part.len() as u64).sum();
        let write = || self.file.write_at(parts, offset);
        self.counts.writes.note(bytes, write)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = buffer.len() as u64;
        let read = || self.file.read_at(buffer, offset);
        self.counts.reads.note(bytes, read)
    }

    fn sync(&self) -> io::Result<()> {
        self.counts.syncs.note(0, || self.file.sync())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.file.allocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.truncate(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::io::RealDisk;

    #[test]
    fn every_call_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let counts = Arc::new(IoCounts::default());
        let disk = CountedDisk::new(RealDisk::new(folder.path()), Arc::clone(&counts));
        let file = disk.create("a").unwrap();
        file.write_at(&[IoSlice::new(b"abc"), IoSlice::new(b"de")], 0)
            .unwrap();
        file.sync().unwrap();
        let mut buffer = [0; 4];
        disk.open("a").unwrap().read_at(&mut buffer, 1).unwrap();
        assert_eq!(&buffer, b"bcde");
        assert_eq!((counts.writes.count(), counts.writes.bytes()), (1, 5));
        assert_eq!((counts.reads.count(), counts.reads.bytes()), (1, 4));
        assert_eq!(counts.syncs.count(), 1);
        assert_eq!(Calls::default().average_ms(), 0.0);
    }
}
