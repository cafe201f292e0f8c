//! What a connection has still to write: small frames in buffers, large bodies by reference.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use crate::message::Chunk;

#[derive(Debug)]
enum Segment {
    Bytes {
        bytes: Vec<u8>,
        at: usize,
    },
    Body {
        chunk: Arc<Chunk>,
        at: usize,
        end: usize,
    },
}

impl Segment {
    fn rest(&self) -> &[u8] {
        match self {
            Self::Bytes { bytes, at } => bytes.get(*at..).unwrap_or_default(),
            Self::Body { chunk, at, end } => chunk.bytes().get(*at..*end).unwrap_or_default(),
        }
    }
}

/// Slices given to one vectored write; Linux takes up to 1,024, the gain ends far below.
const SLICES: usize = 32;

/// Capacity that a drained buffer keeps: enough for answers and small deliveries, nothing that a
/// thousand idle connections would miss.
const KEPT: usize = 1024;

/// Octets on their way to a peer.
#[derive(Debug, Default)]
pub struct Output {
    /// What comes before the buffer.
    segments: VecDeque<Segment>,
    /// What small frames are appended to.
    buffer: Vec<u8>,
    /// Octets of the buffer that are written.
    at: usize,
}

impl Output {
    /// The buffer that small frames are appended to.
    #[inline]
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Appends octets of a chunk without copying them.
    pub fn push_body(&mut self, chunk: &Arc<Chunk>, at: usize, len: usize) {
        if self.at < self.buffer.len() {
            self.segments.push_back(Segment::Bytes {
                bytes: std::mem::take(&mut self.buffer),
                at: std::mem::take(&mut self.at),
            });
        }
        self.segments.push_back(Segment::Body {
            chunk: Arc::clone(chunk),
            at,
            end: at + len,
        });
    }

    fn buffered(&self) -> &[u8] {
        self.buffer.get(self.at..).unwrap_or_default()
    }

    /// Octets still to write.
    pub fn len(&self) -> usize {
        let before: usize = self
            .segments
            .iter()
            .map(|segment| segment.rest().len())
            .sum();
        before + self.buffered().len()
    }

    /// True when all is written.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.buffered().is_empty()
            && self
                .segments
                .iter()
                .all(|segment| segment.rest().is_empty())
    }

    /// Writes with `write` until it has no more, or fails.
    pub fn write_with(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<()> {
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let mut count = 0;
            let segments = self.segments.iter().map(Segment::rest);
            let waiting = segments
                .chain(std::iter::once(self.buffered()))
                .filter(|rest| !rest.is_empty());
            for (slice, rest) in slices.iter_mut().zip(waiting) {
                *slice = IoSlice::new(rest);
                count += 1;
            }
            if count == 0 {
                self.segments.clear();
                self.clear_buffer();
                return Ok(());
            }
            match write(slices.get(..count).unwrap_or_default())? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                written => self.advance(written),
            }
        }
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.segments.front_mut() {
            let rest = first.rest().len();
            if written < rest {
                match first {
                    Segment::Bytes { at, .. } | Segment::Body { at, .. } => *at += written,
                }
                return;
            }
            written -= rest;
            self.segments.pop_front();
        }
        self.at += written;
        if self.at >= self.buffer.len() {
            self.clear_buffer();
        }
    }

    fn clear_buffer(&mut self) {
        self.buffer.clear();
        self.at = 0;
    }

    /// Gives back what an idle connection should not hold; only when all is written.
    pub fn release(&mut self) {
        if self.at == self.buffer.len() {
            self.clear_buffer();
            self.buffer.shrink_to(KEPT);
        }
        self.segments.shrink_to(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_in_order_whatever_the_socket_takes() {
        let body = Chunk::new((0..100u8).collect());
        for step in 1..40 {
            let mut output = Output::default();
            output.buffer().extend_from_slice(b"head");
            output.push_body(&body, 10, 20);
            output.buffer().extend_from_slice(b"tail");
            assert_eq!(output.len(), 28);
            let mut written = Vec::new();
            output
                .write_with(|slices| {
                    let all: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
                    let part = &all[..step.min(all.len())];
                    written.extend_from_slice(part);
                    Ok(part.len())
                })
                .unwrap();
            assert!(output.is_empty());
            let mut expected = b"head".to_vec();
            expected.extend(10..30u8);
            expected.extend_from_slice(b"tail");
            assert_eq!(written, expected);
        }
    }
}
