//! Publishes encoded once, in the order they go out; only number and time are written anew.
//!
//! Never touches a socket: who sends asks for the octets of a run of messages.

use std::ops::Range;

use anyhow::{Context, Result, bail};

use crate::wire;

/// Octets written at once when nothing limits the rate.
const WRITE_SIZE: usize = 128 * 1024;
/// Octets of a body before the filling: sequence number and time.
pub const STAMP: usize = 16;

/// What all publishes of a ring have in common.
#[derive(Debug, Clone, Copy)]
pub struct Pattern<'a> {
    /// Exchange of every message.
    pub exchange: &'a str,
    /// Octets of a body.
    pub size: usize,
    /// Whether messages carry delivery mode 2.
    pub persistent: bool,
    /// Messages in flight at most, so that a small window makes a small ring.
    pub window: u64,
}

/// A ring of encoded publishes.
#[derive(Debug)]
pub struct Ring {
    bytes: Vec<u8>,
    stride: usize,
    stamp_at: usize,
    slots: u64,
    batch: u64,
}

impl Ring {
    /// Encodes whole rounds of `keys`, which all have one length.
    pub fn new(keys: &[String], pattern: Pattern<'_>) -> Result<Self> {
        let Pattern {
            exchange,
            size,
            persistent,
            window,
        } = pattern;
        let filling: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let encode = |key: &String| wire::publish(1, exchange, key, persistent, &filling);
        let stride = keys.first().map(encode).context("no key")?.len();
        let window = usize::try_from(window).unwrap_or(usize::MAX).max(1);
        let batch = (WRITE_SIZE / stride).clamp(1, window);
        // Room for a few writes.
        let rounds = (2 * batch).div_ceil(keys.len());
        let mut bytes = Vec::with_capacity(rounds * keys.len() * stride);
        for key in keys {
            bytes.extend_from_slice(&encode(key));
        }
        if bytes.len() != stride * keys.len() || size < STAMP {
            bail!("routing keys must have one length and bodies at least {STAMP} octets");
        }
        let round = bytes.clone();
        for _ in 1..rounds {
            bytes.extend_from_slice(&round);
        }
        Ok(Self {
            slots: (bytes.len() / stride) as u64,
            stamp_at: stride - 1 - size,
            batch: batch as u64,
            bytes,
            stride,
        })
    }

    /// Messages to write at once at most.
    pub fn batch(&self) -> u64 {
        self.batch
    }

    /// The slot of the message that is `sent` messages after the first, and the messages that
    /// follow it without a turn of the ring.
    pub fn slot(&self, sent: u64) -> (u64, u64) {
        let slot = sent % self.slots;
        (slot, self.slots - slot)
    }

    /// Octets of one message with its frames.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Where `count` messages from `slot` on lie.
    pub fn range(&self, slot: u64, count: u64) -> Range<usize> {
        let from = slot as usize * self.stride;
        from..from + count as usize * self.stride
    }

    /// The octets of a range.
    pub fn octets(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Numbers `count` messages from `first` on and gives each its time.
    pub fn stamp(&mut self, slot: u64, count: u64, first: u64, time: impl Fn(u64) -> u64) {
        let messages = self.bytes.chunks_exact_mut(self.stride);
        let numbers = first..first + count;
        for (message, number) in messages.skip(slot as usize).zip(numbers) {
            let body = message.get_mut(self.stamp_at..).unwrap_or_default();
            if let Some((stamp, _)) = body.split_first_chunk_mut::<STAMP>() {
                let joined = u128::from(number) << 64 | u128::from(time(number));
                *stamp = joined.to_be_bytes();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Ring, STAMP};

    #[test]
    fn a_ring_holds_whole_rounds_and_stamps_only_what_it_is_told() {
        let keys = ["q1", "q2", "q3"].map(str::to_owned);
        let pattern = Pattern {
            exchange: "",
            size: STAMP,
            persistent: false,
            window: u64::MAX,
        };
        let mut ring = Ring::new(&keys, pattern).unwrap();
        assert_eq!(ring.slots % 3, 0);
        let before = ring.bytes.clone();
        ring.stamp(1, 1, 0x0102, |number| number + 1);
        let (start, end) = (2 * ring.stride - 1 - STAMP, 2 * ring.stride - 1);
        assert_eq!(
            &ring.bytes[start..end],
            [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 1, 3]
        );
        assert_eq!(ring.bytes[..start], before[..start]);
        assert_eq!(ring.bytes[end..], before[end..]);
    }

    #[test]
    fn a_window_of_one_makes_batches_of_one() {
        let pattern = Pattern {
            exchange: "",
            size: 128,
            persistent: true,
            window: 1,
        };
        let ring = Ring::new(&["q".to_owned()], pattern).unwrap();
        assert_eq!((ring.batch(), ring.slots), (1, 2));
        assert_eq!(ring.slot(3), (1, 1));
        assert_eq!(ring.octets(ring.range(1, 1)).len(), ring.stride());
    }
}
