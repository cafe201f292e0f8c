//! What one scenario found on one broker, and the meter that finds it.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::durability::Durability;
use crate::histogram::Histogram;
use crate::process::{self, CpuSample};
use crate::target::Target;

/// Octets written to disks for each persistent message that was published.
pub const WRITTEN_EACH: &str = "written each";

/// A figure beside the common ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Note {
    /// Name, also the key in the JSON.
    pub name: &'static str,
    /// Value.
    pub value: f64,
    /// Unit as printed.
    pub unit: &'static str,
}

/// One row of the table.
#[derive(Debug, Clone, Default)]
pub struct Measurement {
    /// Row name.
    pub name: String,
    /// Octets of a body; 0 where there is none.
    pub size: usize,
    /// Messages (deliveries, operations) counted.
    pub count: u64,
    /// Time they took.
    pub seconds: f64,
    /// The broker's processor time for each, in microseconds.
    pub cpu_us: f64,
    /// Processors the broker kept busy.
    pub broker_cores: f64,
    /// Share of all processors that was busy, whoever used them.
    pub host_busy: f64,
    /// Latencies at 50, 95, 99 and 99.9 %, in microseconds.
    pub latency_us: Option<[f64; 4]>,
    /// The broker's resident memory at the end.
    pub resident_kib: u64,
    /// What a confirmed message survives; `None` where the broker is not known here.
    pub durability: Option<Durability>,
    /// Further figures.
    pub notes: Vec<Note>,
    /// Why it did not finish.
    pub failure: Option<String>,
}

impl Measurement {
    /// A row for something that failed.
    pub fn failed(name: &str, why: String) -> Self {
        Self {
            name: name.to_owned(),
            failure: Some(why),
            ..Self::default()
        }
    }

    /// Messages or operations a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.seconds.max(1e-9)
    }

    /// Adds a figure.
    pub fn note(mut self, name: &'static str, value: f64, unit: &'static str) -> Self {
        self.notes.push(Note { name, value, unit });
        self
    }

    /// Adds a figure that may not be known.
    pub fn note_if(self, name: &'static str, value: Option<f64>, unit: &'static str) -> Self {
        match value {
            Some(value) => self.note(name, value, unit),
            None => self,
        }
    }

    /// Adds the median and the 99th percentile of the confirms.
    pub fn note_confirms(self, confirms: &Histogram) -> Self {
        self.note_if("confirm p50", confirms.percentile_us(0.5), "us")
            .note_if("confirm p99", confirms.percentile_us(0.99), "us")
    }

    /// A figure by name.
    pub fn noted(&self, name: &str) -> Option<f64> {
        self.notes
            .iter()
            .find(|note| note.name == name)
            .map(|note| note.value)
    }

    /// Takes the percentiles of a histogram.
    pub fn with_latencies(mut self, latencies: &Histogram) -> Self {
        let mut percentiles = [0.0; 4];
        for (place, share) in percentiles.iter_mut().zip([0.5, 0.95, 0.99, 0.999]) {
            match latencies.percentile_us(share) {
                Some(value) => *place = value,
                None => return self,
            }
        }
        self.latency_us = Some(percentiles);
        self
    }

    /// The row as JSON.
    pub fn to_json(&self) -> Value {
        let notes: serde_json::Map<String, Value> = self
            .notes
            .iter()
            .map(|note| (format!("{} ({})", note.name, note.unit), json!(note.value)))
            .collect();
        let latency = self.latency_us.map(
            |[p50, p95, p99, p999]| json!({"p50": p50, "p95": p95, "p99": p99, "p99.9": p999}),
        );
        json!({
            "name": self.name,
            "body_bytes": self.size,
            "count": self.count,
            "seconds": self.seconds,
            "per_second": self.rate(),
            "broker_cpu_us_each": self.cpu_us,
            "broker_cores": self.broker_cores,
            "host_busy": self.host_busy,
            "latency_us": latency,
            "resident_kib": self.resident_kib,
            "durability": self.durability.map(|class| class.to_string()),
            "notes": notes,
            "failure": self.failure,
        })
    }
}

/// Measures a stretch of time.
#[derive(Debug)]
pub struct Meter {
    pid: u32,
    began: Instant,
    cpu: CpuSample,
    host: Option<(u64, u64)>,
    written: Option<u64>,
}

/// What a meter saw.
#[derive(Debug, Clone, Copy)]
pub struct Reading {
    /// Time that passed.
    pub elapsed: Duration,
    /// The broker's processor time.
    pub cpu: Duration,
    /// Share of all processors busy.
    pub host_busy: f64,
    /// The broker's memory at the end.
    pub resident_kib: u64,
    /// Octets the broker caused to be written to disks, where that can be read.
    pub written: Option<u64>,
}

impl Meter {
    /// Begins.
    pub fn start(target: &Target) -> Result<Self> {
        Self::of_process(target.pid())
    }

    /// Begins on a process by its number.
    pub fn of_process(pid: u32) -> Result<Self> {
        Ok(Self {
            pid,
            written: process::written_octets(pid),
            cpu: CpuSample::take(pid)?,
            host: process::host_ticks(),
            began: Instant::now(),
        })
    }

    /// Ends.
    pub fn stop(self) -> Result<Reading> {
        let elapsed = self.began.elapsed();
        let cpu = self.cpu.until(CpuSample::take(self.pid)?);
        let host_busy = process::host_busy_since(self.host);
        Ok(Reading {
            elapsed,
            cpu,
            host_busy,
            resident_kib: process::resident_kib(self.pid)?,
            written: self
                .written
                .zip(process::written_octets(self.pid))
                .map(|(before, now)| now.saturating_sub(before)),
        })
    }
}

impl Reading {
    /// Octets written to disks for each of `count` messages.
    pub fn written_each(&self, count: u64) -> Option<f64> {
        self.written
            .map(|octets| octets as f64 / count.max(1) as f64)
    }

    /// The row of `count` messages in this stretch.
    pub fn row(&self, name: &str, size: usize, count: u64) -> Measurement {
        let seconds = self.elapsed.as_secs_f64();
        Measurement {
            name: name.to_owned(),
            size,
            count,
            seconds,
            cpu_us: self.cpu.as_secs_f64() * 1e6 / count.max(1) as f64,
            broker_cores: self.cpu.as_secs_f64() / seconds.max(1e-9),
            host_busy: self.host_busy,
            resident_kib: self.resident_kib,
            ..Measurement::default()
        }
    }
}

/// Waits until a broker's memory stands still for a second, at most twenty; its size then.
pub fn settled_kib(target: &Target) -> Result<u64> {
    let mut last = process::resident_kib(target.pid())?;
    let mut still = 0;
    for _ in 0..40 {
        std::thread::sleep(Duration::from_millis(500));
        let now = process::resident_kib(target.pid())?;
        still = if now.abs_diff(last) <= last / 500 {
            still + 1
        } else {
            0
        };
        last = now;
        if still == 2 {
            break;
        }
    }
    Ok(last)
}
