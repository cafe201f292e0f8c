//! What the kernel knows about a broker's process: processor time, memory, listening ports.
//!
//! Reads /proc only; the broker must run on this machine.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Nanoseconds of one tick of `/proc/PID/stat`: USER_HZ is 100 on every Linux.
const TICK_NS: u64 = 10_000_000;

/// Processor time a process has used up to now, from two counters.
#[derive(Debug, Clone, Copy)]
pub struct CpuSample {
    /// User and system time of all threads, dead ones included, in ticks of 10 ms.
    coarse_ns: u64,
    /// Time on a processor of the living threads, in nanoseconds.
    fine_ns: u64,
}

impl CpuSample {
    /// Reads both counters.
    pub fn take(pid: u32) -> Result<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))
            .with_context(|| format!("process {pid} is gone"))?;
        // The name in parentheses may hold anything; fields count from behind it.
        let (_, fields) = stat.rsplit_once(')').context("unreadable stat")?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok());
        let (user, system) = ticks().zip(ticks()).context("unreadable stat")?;
        Ok(Self {
            coarse_ns: (user + system) * TICK_NS,
            fine_ns: threads_ns(pid),
        })
    }

    /// Processor time since the process began.
    pub fn total(self) -> Duration {
        Duration::from_nanos(self.coarse_ns)
    }

    /// Processor time between two samples.
    ///
    /// The fine counter is used while it agrees with the coarse one, that is unless a thread
    /// with history ended in between or the kernel does not keep it.
    pub fn until(self, later: Self) -> Duration {
        let coarse = later.coarse_ns.saturating_sub(self.coarse_ns);
        let fine = later.fine_ns.saturating_sub(self.fine_ns);
        let tolerance = 3 * TICK_NS + coarse / 50;
        Duration::from_nanos(if fine.abs_diff(coarse) <= tolerance {
            fine
        } else {
            coarse
        })
    }
}

fn threads_ns(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return 0;
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum()
}

/// Resident memory in KiB.
pub fn resident_kib(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("process {pid} is gone"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .context("no VmRSS")
}

/// Octets a process has caused to be written to disks, where the kernel counts them and lets us
/// read them.
pub fn written_octets(pid: u32) -> Option<u64> {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let count = io
        .lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))?;
    count.trim().parse().ok()
}

/// Whether a process runs; one that has ended and waits for its parent does not.
pub fn is_alive(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| {
        let state = stat
            .rsplit_once(')')
            .map(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']));
        state == Some(false)
    })
}

/// Busy and total time of all processors since boot, in ticks.
pub fn host_ticks() -> Option<(u64, u64)> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|field| field.parse().ok())
        .collect();
    let total: u64 = fields.iter().sum();
    let idle: u64 = fields.iter().skip(3).take(2).sum();
    Some((total - idle, total))
}

/// Share of all processors busy since a reading of [`host_ticks`]; 0 when that is not known.
pub fn host_busy_since(before: Option<(u64, u64)>) -> f64 {
    match (before, host_ticks()) {
        (Some((busy, total)), Some((busy_now, total_now))) => {
            busy_now.saturating_sub(busy) as f64 / total_now.saturating_sub(total).max(1) as f64
        }
        _ => 0.0,
    }
}

/// Whether anything on this machine listens on a TCP port; asked without connecting, because an
/// attempt on a port that nobody listens on can be answered by itself and then holds the port.
pub fn is_listening(port: u16) -> bool {
    !listening_inodes(port).is_empty()
}

/// The process that listens on a TCP port of this machine.
pub fn listener_pid(port: u16) -> Result<u32> {
    let inodes = listening_inodes(port);
    if inodes.is_empty() {
        bail!("nothing on this machine listens on port {port}; name the process with --pid");
    }
    for entry in fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if holds_socket(&entry.path(), &inodes) {
            return Ok(pid);
        }
    }
    bail!("the process listening on port {port} is not visible; name it with --pid")
}

fn listening_inodes(port: u16) -> Vec<String> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else {
            continue;
        };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(state), Some(inode)) =
                (fields.get(1), fields.get(3), fields.get(9))
            else {
                continue;
            };
            let hex = local.rsplit(':').next().unwrap_or_default();
            if *state == "0A" && u16::from_str_radix(hex, 16) == Ok(port) {
                inodes.push(format!("socket:[{inode}]"));
            }
        }
    }
    inodes
}

fn holds_socket(process: &Path, inodes: &[String]) -> bool {
    let Ok(files) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    files
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .any(|target| {
            inodes
                .iter()
                .any(|inode| target.as_os_str() == inode.as_str())
        })
}

#[cfg(test)]
mod tests {
    use super::{CpuSample, is_alive, is_listening, listener_pid, resident_kib};

    #[test]
    fn this_process_is_found_by_the_port_it_listens_on() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_listening(port));
        assert_eq!(listener_pid(port).unwrap(), std::process::id());
        assert!(resident_kib(std::process::id()).unwrap() > 0);
    }

    #[test]
    fn a_process_that_ended_is_not_alive_even_before_it_is_waited_for() {
        assert!(is_alive(std::process::id()));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        assert!(is_alive(child.id()));
        child.kill().unwrap();
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(30);
        while is_alive(child.id()) {
            assert!(std::time::Instant::now() < patience, "it never ended");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }

    #[test]
    fn work_shows_as_processor_time() {
        let pid = std::process::id();
        let before = CpuSample::take(pid).unwrap();
        let mut sum = 0u64;
        loop {
            for number in 0..1_000_000u64 {
                sum = std::hint::black_box(sum.wrapping_add(number * number));
            }
            let used = before.until(CpuSample::take(pid).unwrap());
            if used.as_millis() >= 20 {
                break;
            }
        }
    }
}
