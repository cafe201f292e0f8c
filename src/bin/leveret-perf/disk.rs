//! The disk's floor: a bare program that overwrites a file in batches and syncs each, as a
//! measure of what the disk itself gives whoever confirms nothing unsynced.
//!
//! The file is written once before it is measured, as a broker with recycled log files would
//! have it; nothing is cheaper to sync. It lies in the broker's data folder, so that it is the
//! same disk, and goes afterwards.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::histogram::Histogram;
use crate::measurement::{Measurement, Meter};
use crate::pacer::Pacer;

/// Octets of the file.
const FILE: usize = 64 * 1024 * 1024;
/// Octets of a batch at most; from there on a disk only streams.
const BATCH_MAX: usize = 4 * 1024 * 1024;
/// Its name in the data folder.
const NAME: &str = ".leveret-perf-disk";

/// What is asked of the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Octets of a message.
    pub size: usize,
    /// Messages that one sync may cover: all that can be unconfirmed at once.
    pub batch: u64,
    /// Messages a second, or as many as the disk takes.
    pub rate: Option<u64>,
}

impl Load {
    /// Messages of a batch that stays below the largest.
    fn messages(&self) -> u64 {
        let fit = (BATCH_MAX / self.size.max(1)).max(1) as u64;
        self.batch.clamp(1, fit)
    }
}

/// Writes and syncs for a while; latencies are those from due to synced.
pub fn run(name: &str, folder: &Path, load: &Load, seconds: f64) -> Result<Measurement> {
    let mut scratch = Scratch::create(folder)?;
    let time = Duration::from_secs_f64(seconds);
    let mut latencies = Histogram::default();
    let meter = Meter::of_process(std::process::id())?;
    let began = Instant::now();
    let mut pacer = load.rate.map(Pacer::new);
    let (mut count, mut syncs) = (0, 0);
    while began.elapsed() < time {
        let start = Instant::now();
        let (batch, waited) = match &mut pacer {
            None => (load.messages(), Duration::ZERO),
            Some(pacer) => {
                let due = pacer.wait(count, || began.elapsed() < time);
                let late = pacer.elapsed_ns().saturating_sub(pacer.stamp_ns(count));
                (due.min(load.messages()), Duration::from_nanos(late))
            }
        };
        let start = if pacer.is_some() {
            Instant::now()
        } else {
            start
        };
        if batch == 0 {
            break;
        }
        scratch.write_and_sync(batch as usize * load.size)?;
        let took = start.elapsed() + waited;
        latencies.record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        count += batch;
        syncs += 1;
    }
    let reading = meter.stop()?;
    Ok(reading
        .row(name, load.size, count)
        .with_latencies(&latencies)
        .note(
            "syncs",
            f64::from(syncs) / reading.elapsed.as_secs_f64(),
            "/s",
        )
        .note(
            "messages a sync",
            count as f64 / f64::from(syncs.max(1)),
            "",
        ))
}

/// A file that exists only while it is measured.
struct Scratch {
    path: PathBuf,
    file: File,
    at: usize,
    filling: Vec<u8>,
}

impl Scratch {
    fn create(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(|| format!("the disk's measure needs to write {}", path.display()))?;
        // Not compressible, in case the disk would.
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let filling: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .take(BATCH_MAX / 8)
        .flatten()
        .collect();
        for _ in 0..FILE / BATCH_MAX {
            file.write_all(&filling).context("filling the file")?;
        }
        file.sync_all().context("filling the file")?;
        let at = FILE;
        Ok(Self {
            path,
            file,
            at,
            filling,
        })
    }

    /// Overwrites the next part of the file and waits until the disk has it.
    fn write_and_sync(&mut self, octets: usize) -> Result<()> {
        let octets = octets.min(BATCH_MAX);
        if self.at + octets > FILE {
            self.file.seek(SeekFrom::Start(0))?;
            self.at = 0;
        }
        let batch = self.filling.get(..octets).unwrap_or_default();
        self.file.write_all(batch).context("writing the batch")?;
        self.file.sync_data().context("syncing the batch")?;
        self.at += octets;
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::{BATCH_MAX, FILE, Load, NAME, Scratch, run};

    #[test]
    fn a_batch_is_what_can_be_unconfirmed_but_no_more_than_is_worth_a_sync() {
        let messages = |size, batch| {
            Load {
                size,
                batch,
                rate: None,
            }
            .messages()
        };
        assert_eq!(messages(1024, 1000), 1000);
        assert_eq!(messages(1024, 1_000_000), 4096);
        assert_eq!(messages(1024, 0), 1);
        assert_eq!(messages(2 * BATCH_MAX, 10), 1);
    }

    #[test]
    fn the_file_is_overwritten_in_turns_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut scratch = Scratch::create(folder.path()).unwrap();
        for _ in 0..FILE / BATCH_MAX + 1 {
            scratch.write_and_sync(BATCH_MAX - 7).unwrap();
        }
        let path = folder.path().join(NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), FILE as u64);
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn every_message_is_counted_and_every_sync_timed() {
        let folder = tempfile::tempdir().unwrap();
        let load = Load {
            size: 128,
            batch: 10,
            rate: None,
        };
        let row = run("row", folder.path(), &load, 0.05).unwrap();
        assert!(row.count >= 10 && row.count.is_multiple_of(10));
        assert_eq!(row.noted("messages a sync"), Some(10.0));
        assert!(row.latency_us.is_some());
    }
}
