//! What waits to be written to each connection.

use std::io::{ErrorKind, Write};

/// Bytes waiting for one connection's socket.
#[derive(Debug, Default)]
struct Output {
    bytes: Vec<u8>,
    written: usize,
    dirty: bool,
}

/// The outputs of all connections, by connection number.
#[derive(Debug, Default)]
pub struct Outputs {
    list: Vec<Output>,
    dirty: Vec<usize>,
}

impl Outputs {
    /// Makes an empty output for a new connection.
    pub fn open(&mut self, peer: usize) {
        if self.list.len() <= peer {
            self.list.resize_with(peer + 1, Output::default);
        }
        if let Some(output) = self.list.get_mut(peer) {
            *output = Output::default();
        }
    }

    /// Where to append for a connection; it will be flushed after this batch.
    #[inline]
    pub fn to(&mut self, peer: usize) -> Option<&mut Vec<u8>> {
        let output = self.list.get_mut(peer)?;
        if !output.dirty {
            output.dirty = true;
            self.dirty.push(peer);
        }
        Some(&mut output.bytes)
    }

    /// A connection appended to since the last flush.
    pub fn next_dirty(&mut self) -> Option<usize> {
        let peer = self.dirty.pop()?;
        if let Some(output) = self.list.get_mut(peer) {
            output.dirty = false;
        }
        Some(peer)
    }

    /// Writes what the socket takes; the octets that still wait.
    pub fn flush(&mut self, peer: usize, socket: &mut impl Write) -> std::io::Result<usize> {
        let Some(output) = self.list.get_mut(peer) else {
            return Ok(0);
        };
        loop {
            let waiting = output.bytes.get(output.written..).unwrap_or_default();
            if waiting.is_empty() {
                output.bytes.clear();
                output.written = 0;
                return Ok(0);
            }
            match socket.write(waiting) {
                Ok(count) => output.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // Keep the copying below what was written.
        if output.written > output.bytes.len() / 2 {
            output.bytes.drain(..output.written);
            output.written = 0;
        }
        Ok(output.bytes.len() - output.written)
    }
}
