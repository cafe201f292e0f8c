//! Publisher confirms of one channel: which tags are out, whether one comes twice or negative,
//! and how long each took.
//!
//! Works on any reader, blocking or not. Never publishes; the publishers tell it what they sent.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};

use crate::client::unexpected;
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::wire::{self, Arguments, Front, id};

/// When each of the last publishes was sent, shared by who sends and who reads the confirms.
#[derive(Debug, Clone)]
pub struct SendTimes(Arc<[AtomicU64]>);

impl SendTimes {
    /// Remembers the last `window` publishes.
    pub fn new(window: u64) -> Self {
        Self((0..window.max(1)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes that the publish with this tag counts as sent at `now_ns`.
    #[inline]
    pub fn set(&self, tag: u64, now_ns: u64) {
        if let Some(place) = self.place(tag) {
            place.store(now_ns, Ordering::Release);
        }
    }

    #[inline]
    fn get(&self, tag: u64) -> Option<u64> {
        Some(self.place(tag)?.load(Ordering::Acquire))
    }

    #[inline]
    fn place(&self, tag: u64) -> Option<&AtomicU64> {
        self.0.get((tag % self.0.len() as u64) as usize)
    }
}

/// The confirms of one publishing channel.
#[derive(Debug)]
pub struct Confirms {
    window: u64,
    /// Every tag up to here is confirmed.
    low: u64,
    /// Tags confirmed singly above it.
    singles: BTreeSet<u64>,
    buffer: Vec<u8>,
    times: Option<SendTimes>,
    latencies: Histogram,
}

impl Confirms {
    /// At most `window` publishes may be unconfirmed.
    pub fn new(window: u64) -> Self {
        Self {
            window,
            low: 0,
            singles: BTreeSet::new(),
            buffer: Vec::new(),
            times: None,
            latencies: Histogram::default(),
        }
    }

    /// Measures how long each confirm took; `times` holds at least a window of publishes.
    pub fn timed(mut self, times: SendTimes) -> Self {
        self.times = Some(times);
        self
    }

    /// Unconfirmed publishes allowed.
    pub fn window(&self) -> u64 {
        self.window
    }

    /// Publishes confirmed so far.
    pub fn confirmed(&self) -> u64 {
        self.low + self.singles.len() as u64
    }

    /// Publishes that wait for their confirm.
    pub fn outstanding(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.confirmed())
    }

    /// Publishes the window still takes.
    pub fn room(&self, sent: u64) -> u64 {
        self.window.saturating_sub(self.outstanding(sent))
    }

    /// How long the confirms took that came while the flow was measuring.
    pub fn latencies(&self) -> &Histogram {
        &self.latencies
    }

    /// Reads confirms until a good part of the window is free.
    pub fn wait_for_room(
        &mut self,
        sent: u64,
        wanted: u64,
        socket: &mut impl Read,
        flow: &Flow,
    ) -> Result<u64> {
        let wanted = wanted.min(self.window / 4).max(1);
        while self.room(sent) < wanted {
            self.read_patiently(sent, socket, flow)?;
        }
        Ok(self.room(sent))
    }

    /// Reads confirms until none is missing.
    pub fn wait_for_all(&mut self, sent: u64, socket: &mut impl Read, flow: &Flow) -> Result<()> {
        while self.outstanding(sent) > 0 {
            self.read_patiently(sent, socket, flow)?;
        }
        Ok(())
    }

    /// A blocking socket's patience is its read timeout.
    fn read_patiently(&mut self, sent: u64, socket: &mut impl Read, flow: &Flow) -> Result<()> {
        if !self.read(sent, socket, flow)? {
            let open = self.outstanding(sent);
            bail!("{open} publishes are unconfirmed and nothing comes");
        }
        Ok(())
    }

    /// Reads once and settles what came; false when nothing was there.
    pub fn read(&mut self, sent: u64, socket: &mut impl Read, flow: &Flow) -> Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let count = match socket.read(&mut chunk) {
            Ok(0) => bail!("the broker closed the publisher's connection"),
            Ok(count) => count,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => return Ok(true),
                ErrorKind::WouldBlock | ErrorKind::TimedOut => return Ok(false),
                _ => {
                    let open = self.outstanding(sent);
                    return Err(error).with_context(|| format!("{open} publishes are unconfirmed"));
                }
            },
        };
        let clock = flow.is_measuring().then(|| flow.now_ns());
        self.buffer.extend(chunk.iter().take(count));
        let mut taken = 0;
        loop {
            let (length, settled) = match wire::front(self.buffer.get(taken..).unwrap_or_default())
            {
                Front::Partial => break,
                Front::Garbage => bail!("the broker sent something that is no frame"),
                Front::Whole(frame) if frame.kind != wire::METHOD => (frame.length, None),
                Front::Whole(frame) => (frame.length, Some(read_confirm(frame.payload)?)),
            };
            taken += length;
            if let Some((tag, multiple)) = settled {
                self.settle(tag, multiple, sent, clock)?;
            }
        }
        self.buffer.drain(..taken);
        Ok(true)
    }

    fn settle(&mut self, tag: u64, multiple: bool, sent: u64, clock: Option<u64>) -> Result<()> {
        if tag > sent || tag <= self.low || (!multiple && self.singles.contains(&tag)) {
            bail!(
                "confirm of {tag}, but {sent} were sent and {} confirmed",
                self.low
            );
        }
        if let (Some(now), Some(times)) = (clock, &self.times) {
            let first = if multiple { self.low + 1 } else { tag };
            for settled in first..=tag {
                if !self.singles.contains(&settled)
                    && let Some(began) = times.get(settled)
                {
                    self.latencies.record(now.saturating_sub(began));
                }
            }
        }
        if multiple {
            self.singles = self.singles.split_off(&(tag + 1));
            self.low = tag;
        } else {
            self.singles.insert(tag);
        }
        while self.singles.remove(&(self.low + 1)) {
            self.low += 1;
        }
        Ok(())
    }
}

fn read_confirm(payload: &[u8]) -> Result<(u64, bool)> {
    let (method, arguments) = wire::method_id(payload).context("short method frame")?;
    let mut fields = Arguments(arguments);
    let settled = fields.long_long().zip(fields.octet());
    match (method, settled) {
        (id::BASIC_ACK, Some((tag, bits))) => Ok((tag, bits & 1 == 1)),
        (id::BASIC_NACK, Some((tag, _))) => bail!("the broker refused publish {tag}"),
        _ => Err(unexpected(method, arguments)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Confirms, SendTimes};
    use crate::flow::Flow;
    use crate::wire::{Method, id};

    #[test]
    fn confirms_single_and_multiple_add_up_and_strays_are_refused() {
        let mut confirms = Confirms::new(10);
        confirms.settle(3, false, 10, None).unwrap();
        assert_eq!(confirms.outstanding(10), 9);
        confirms.settle(2, true, 10, None).unwrap();
        assert_eq!((confirms.low, confirms.outstanding(10)), (3, 7));
        confirms.settle(9, false, 10, None).unwrap();
        confirms.settle(8, true, 10, None).unwrap();
        assert_eq!((confirms.low, confirms.outstanding(10)), (9, 1));
        assert!(confirms.settle(9, false, 10, None).is_err(), "twice");
        assert!(confirms.settle(11, false, 10, None).is_err(), "never sent");
    }

    #[test]
    fn each_confirm_is_timed_once_whether_single_or_multiple() {
        let times = SendTimes::new(8);
        for tag in 1..=6 {
            times.set(tag, tag * 1000);
        }
        let mut confirms = Confirms::new(8).timed(times);
        confirms.settle(3, false, 6, Some(10_000)).unwrap();
        confirms.settle(5, true, 6, Some(20_000)).unwrap();
        confirms.settle(6, false, 6, None).unwrap();
        assert_eq!(confirms.latencies().total(), 5);
        let least = confirms.latencies().percentile_us(0.01).unwrap();
        let most = confirms.latencies().percentile_us(1.0).unwrap();
        assert!((least / 7.0 - 1.0).abs() < 0.03, "3 took 7 us: {least}");
        assert!((most / 19.0 - 1.0).abs() < 0.03, "1 took 19 us: {most}");
    }

    #[test]
    fn a_refused_publish_and_a_cut_frame_are_told_apart() {
        let flow = Flow::new(10, 1);
        let mut confirms = Confirms::new(10);
        let ack = Method::new(id::BASIC_ACK).long_long(2).octet(1).frame(1);
        let (begin, end) = ack.split_at(9);
        assert!(confirms.read(3, &mut &*begin, &flow).unwrap());
        assert_eq!(confirms.confirmed(), 0);
        assert!(confirms.read(3, &mut &*end, &flow).unwrap());
        assert_eq!((confirms.confirmed(), confirms.room(3)), (2, 9));
        let nack = Method::new(id::BASIC_NACK).long_long(3).octet(0).frame(1);
        let why = confirms.read(3, &mut nack.as_slice(), &flow).unwrap_err();
        assert!(why.to_string().contains("refused publish 3"), "{why}");
    }
}
