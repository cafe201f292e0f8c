//! Reads a file from front to back through a window of bounded size.

use std::io;
use std::sync::Arc;

use crate::store::io::DiskFile;

/// Octets read at once.
const WINDOW: usize = 1024 * 1024;

pub(super) struct Window {
    handle: Arc<dyn DiskFile>,
    /// Octets of the file.
    pub len: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer starts.
    start: u64,
}

impl Window {
    pub fn new(handle: Arc<dyn DiskFile>) -> io::Result<Self> {
        let len = handle.len()?;
        Ok(Self {
            handle,
            len,
            buffer: Vec::new(),
            start: 0,
        })
    }

    /// The `len` octets from `offset` on; `None` if the file ends before.
    pub fn get(&mut self, offset: u64, len: usize) -> io::Result<Option<&[u8]>> {
        let end = offset.saturating_add(len as u64);
        if end > self.len {
            return Ok(None);
        }
        let buffered = self.start + self.buffer.len() as u64;
        if offset < self.start || end > buffered {
            let left = usize::try_from(self.len - offset).unwrap_or(usize::MAX);
            self.buffer.resize(len.max(WINDOW).min(left), 0);
            self.buffer.shrink_to(WINDOW);
            self.start = offset;
            self.handle.read_at(&mut self.buffer, offset)?;
        }
        let at = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.buffer.get(at..at.saturating_add(len)))
    }
}
