//! Looks at a broker again and again while something else happens: its highest memory, and what
//! its folder takes on the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process;
use crate::target::Target;

/// Time between two looks at the memory.
const PAUSE: Duration = Duration::from_millis(20);
/// Octets of the blocks that file sizes are counted in.
const BLOCK: u64 = 512;

/// A thread that remembers the highest memory of a process.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<AtomicBool>,
    peak_kib: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins.
    pub fn start(target: &Target) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let peak_kib = Arc::new(AtomicU64::new(process::resident_kib(target.pid())?));
        let (stopped, peak, pid) = (Arc::clone(&stop), Arc::clone(&peak_kib), target.pid());
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(now) = process::resident_kib(pid) {
                    peak.fetch_max(now, Ordering::Relaxed);
                }
                thread::park_timeout(PAUSE);
            }
        };
        let thread = thread::Builder::new().name("watch".into()).spawn(look)?;
        Ok(Self {
            stop,
            peak_kib,
            thread: Some(thread),
        })
    }

    /// The highest memory so far, in MiB.
    pub fn peak_mib(&self) -> f64 {
        self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            let _ = thread.join();
        }
    }
}

/// Octets that a broker's folder takes on the disk, where the folder is told.
pub fn data_octets(target: &Target) -> Result<Option<u64>> {
    let Some(folder) = &target.data_dir else {
        return Ok(None);
    };
    fs::metadata(folder).with_context(|| format!("the data folder {}", folder.display()))?;
    Ok(Some(folder_octets(folder)))
}

/// Octets on the disk below a folder; what vanishes meanwhile counts nothing.
fn folder_octets(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let octets = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => folder_octets(&entry.path()),
        Ok(found) => found.blocks() * BLOCK,
        Err(_) => 0,
    };
    entries.flatten().map(octets).sum()
}

#[cfg(test)]
mod tests {
    use super::folder_octets;

    #[test]
    fn a_folder_takes_what_its_files_take_at_any_depth() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(folder_octets(folder.path()), 0);
        let deep = folder.path().join("a").join("b");
        std::fs::create_dir_all(&deep).unwrap();
        let write = |name: &str, octets: usize| {
            let file = std::fs::File::create(deep.join(name)).unwrap();
            std::io::Write::write_all(&mut &file, &vec![7; octets]).unwrap();
            file.sync_all().unwrap();
        };
        write("one", 100_000);
        let one = folder_octets(folder.path());
        assert!((100_000..200_000).contains(&one), "{one}");
        write("two", 50_000);
        assert!(folder_octets(folder.path()) >= one + 50_000);
        // A hole takes nothing.
        let hole = std::fs::File::create(folder.path().join("hole")).unwrap();
        hole.set_len(1 << 30).unwrap();
        assert!(folder_octets(folder.path()) < 1 << 20);
    }
}
