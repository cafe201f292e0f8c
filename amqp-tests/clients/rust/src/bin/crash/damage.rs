//! Damage to the end of the newest log file, as a loss of power leaves it: only
//! beyond what was ever written, since all of that may have been confirmed.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::random::Random;

/// What happens to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Random octets stand where the next entry would.
    Torn,
    /// The file ends shortly behind its last entry.
    Truncate,
    /// A hole of zeros, random octets behind it.
    Zero,
}

impl Tail {
    /// By its name on the command line.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "torn" => Some(Self::Torn),
            "truncate" => Some(Self::Truncate),
            "zero" => Some(Self::Zero),
            _ => None,
        }
    }
}

/// Damages the newest log file of a data folder; says what it did.
pub fn damage(data: &Path, tail: Tail, random: &mut Random) -> io::Result<String> {
    let folder = data.join("log");
    let listed = fs::read_dir(&folder)
        .map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", folder.display())));
    let mut files: Vec<PathBuf> = listed?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<io::Result<_>>()?;
    files.retain(|f| f.extension().is_some_and(|e| e == "log"));
    files.sort();
    for file in files.iter().rev() {
        let octets = fs::read(file)?;
        // A file that was only prepared for later holds nothing yet.
        let Some(last) = octets.iter().rposition(|b| *b != 0) else {
            continue;
        };
        // An entry may end with zeros that fill it up to eight octets.
        let end = (last as u64 + 8) / 8 * 8;
        let handle = OpenOptions::new().write(true).open(file)?;
        let size = 16 + random.below(600);
        let garbage: Vec<u8> = (0..size).map(|_| random.bits() as u8).collect();
        match tail {
            Tail::Torn => handle.write_all_at(&garbage, end)?,
            Tail::Truncate => handle.set_len(end + random.below(64))?,
            Tail::Zero => handle.write_all_at(&garbage, end + 4096 + random.below(8192))?,
        }
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        return Ok(format!("{tail:?} behind octet {end} of {name}"));
    }
    let text = format!("no log file with content in {}", folder.display());
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_never_touched() {
        for (seed, tail) in [(1, Tail::Torn), (2, Tail::Truncate), (3, Tail::Zero)] {
            let name = format!("crash-damage-{}-{seed}", std::process::id());
            let data = std::env::temp_dir().join(name);
            fs::create_dir_all(data.join("log")).unwrap();
            let mut written = vec![7; 1003];
            written.resize(65_536, 0);
            fs::write(data.join("log/0000000001.log"), [7; 100]).unwrap();
            fs::write(data.join("log/0000000002.log"), &written).unwrap();
            fs::write(data.join("log/0000000003.log"), [0; 100]).unwrap();
            let said = damage(&data, tail, &mut Random::new(seed)).unwrap();
            let after = fs::read(data.join("log/0000000002.log")).unwrap();
            let others = [1, 3].map(|n| fs::read(data.join(format!("log/000000000{n}.log"))));
            fs::remove_dir_all(&data).unwrap();
            assert!(said.contains("octet 1008 of 0000000002.log"), "{said}");
            assert_eq!(after[..1008], written[..1008]);
            assert_ne!(after, written);
            let [first, last] = others.map(|o| o.unwrap());
            assert!(first == [7; 100] && last == [0; 100]);
        }
    }
}
