//! What the store asks of a disk. Implemented by the real one and, in tests, by a simulated one; a
//! call means what it means on Linux: nothing is safe before a sync, writes may reach the device in
//! any order, and names are safe only after the folder is synced.

use std::io::{self, IoSlice};
use std::sync::Arc;

/// One flat folder of files.
pub trait Disk: Send + Sync {
    /// Opens an existing file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Creates a file that does not exist yet, for reading and writing.
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what had that name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file's name; who has it open may go on reading.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// The names of all files, in no particular order.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes created, changed and removed names safe.
    fn sync_folder(&self) -> io::Result<()>;

    /// Octets that may still be written.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// An open file. All calls may come from several threads.
pub trait DiskFile: Send + Sync {
    /// Writes all of `parts` behind each other from `offset` on. After an error any part of it may
    /// have been written.
    fn write_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset` on; `UnexpectedEof` when the file ends before.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Makes the content and the length safe.
    fn sync(&self) -> io::Result<()>;

    /// Reserves room for `len` octets from the start; a shorter file grows by zeros.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Cuts off what lies behind the first `len` octets; a shorter file stays as it is.
    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Octets of the file.
    fn len(&self) -> io::Result<u64>;

    /// True when the file has no octets.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}
