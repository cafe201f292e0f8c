//! A log file that is put aside when it has grown to a size or a day begins, and opened again when
//! something else (logrotate) has moved it.

use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::UNIX_EPOCH;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;

use super::calendar;
use crate::config::LogRotation;

/// How often is looked whether the file is still where it was: who moves it need not say so.
const LOOK_EVERY_US: i64 = 1_000_000;

/// How long a file that cannot be put aside goes on before that is tried again.
const TRY_AGAIN_US: i64 = 60_000_000;

/// The file. Moments are in microseconds since the epoch.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    /// What tells it from another file of its name: device and number.
    identity: (u64, u64),
    /// Octets in it.
    size: u64,
    rotation: LogRotation,
    zone: TimeZone,
    /// When it is put aside by the calendar.
    due_us: i64,
    looked_us: i64,
    /// Not put aside before this: it could not be a moment ago.
    wait_us: i64,
    /// Compresses the file that was put aside last.
    compressing: Option<JoinHandle<()>>,
}

fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// When something was last written to it.
fn written_us(metadata: &Metadata) -> Option<i64> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_micros()).ok()
}

impl RotatingFile {
    /// Opens `path` to append to it, at `at_us`. What was written to it before a moment that has
    /// passed meanwhile is put aside by the next line.
    pub fn open(
        path: PathBuf,
        rotation: LogRotation,
        zone: TimeZone,
        at_us: i64,
    ) -> io::Result<Self> {
        let (file, metadata) = open(&path)?;
        // Of a compression that was cut short.
        let _ = remove(&with_ending(&path, ".0.gz.part"));
        let since_us = match metadata.len() {
            0 => at_us,
            _ => written_us(&metadata).unwrap_or(at_us),
        };
        let mut file = Self {
            path,
            file,
            identity: identity(&metadata),
            size: metadata.len(),
            rotation,
            zone,
            due_us: i64::MAX,
            looked_us: at_us,
            wait_us: i64::MIN,
            compressing: None,
        };
        file.due_after(since_us);
        Ok(file)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines at `at_us`, after putting the file aside if it is full or due. Where that
    /// cannot be done it goes on in the file, and tries again in a while.
    pub fn write(&mut self, lines: &[u8], at_us: i64) -> io::Result<()> {
        // A clock that was set back makes no difference but for a look.
        if (at_us - self.looked_us).abs() >= LOOK_EVERY_US {
            self.looked_us = at_us;
            self.look()?;
        }
        let full = self.rotation.size.is_some_and(|max| self.size >= max);
        let due = full || at_us >= self.due_us;
        if due && at_us >= self.wait_us && !self.is_compressing() && self.put_aside(at_us).is_err()
        {
            self.wait_us = at_us + TRY_AGAIN_US;
        }
        self.file.write_all(lines)?;
        self.size += lines.len() as u64;
        Ok(())
    }

    /// Opens the path again where it is not this file's any more. One that was copied and cut is
    /// still it, with another size.
    fn look(&mut self) -> io::Result<()> {
        match std::fs::metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity => {
                self.size = found.len();
                Ok(())
            }
            Ok(_) => self.reopen(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.reopen(),
            Err(error) => Err(error),
        }
    }

    /// Opens the path again: what was there may have been moved away.
    pub fn reopen(&mut self) -> io::Result<()> {
        let (file, metadata) = open(&self.path)?;
        self.file = file;
        self.identity = identity(&metadata);
        self.size = metadata.len();
        Ok(())
    }

    /// Puts the file aside at `at_us` if that is its own to do, and opens it again.
    pub fn rotate(&mut self, at_us: i64) -> io::Result<()> {
        if self.rotation.size.is_none() && self.rotation.date.is_none() {
            return self.reopen();
        }
        if self.is_compressing() {
            let why = "the file that was put aside last is still being compressed";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
        }
        self.put_aside(at_us)
    }

    /// `FILE` becomes `FILE.0`, `FILE.0` becomes `FILE.1`; the last goes. Compressed ones have `.gz`
    /// behind their number.
    fn put_aside(&mut self, at_us: i64) -> io::Result<()> {
        self.finish_compressing();
        self.due_after(at_us);
        if !std::fs::symlink_metadata(&self.path)?.is_file() {
            // A link or a pipe is somebody else's to replace.
            return self.reopen();
        }
        let Some(last) = self.rotation.count.checked_sub(1) else {
            std::fs::remove_file(&self.path)?;
            return self.reopen();
        };
        // What can fail for good comes first, before an older file is gone for it.
        let aside = with_ending(&self.path, ".aside");
        if aside.is_file() {
            self.file_away(&aside, last)?;
        }
        std::fs::rename(&self.path, &aside)?;
        self.reopen()?;
        self.file_away(&aside, last)?;
        if self.rotation.compress {
            self.compress();
        }
        Ok(())
    }

    /// Makes `aside` the newest of those that were put aside, of which `last` is the oldest.
    fn file_away(&self, aside: &Path, last: u32) -> io::Result<()> {
        // The last is replaced by the one before it, whichever form either has.
        for ending in ["", ".gz"] {
            remove(&self.numbered(last, ending))?;
        }
        for number in (0..last).rev() {
            for ending in ["", ".gz"] {
                let from = self.numbered(number, ending);
                if from.exists() {
                    std::fs::rename(from, self.numbered(number + 1, ending))?;
                }
            }
        }
        std::fs::rename(aside, self.numbered(0, ""))
    }

    /// True while the file that was put aside last is being compressed.
    fn is_compressing(&self) -> bool {
        let thread = self.compressing.as_ref();
        thread.is_some_and(|thread| !thread.is_finished())
    }

    fn due_after(&mut self, at_us: i64) {
        let date = self.rotation.date;
        self.due_us = date.map_or(i64::MAX, |date| calendar::next(date, at_us, &self.zone));
    }

    fn numbered(&self, number: u32, ending: &str) -> PathBuf {
        with_ending(&self.path, &format!(".{number}{ending}"))
    }

    /// Compresses `FILE.0`, beside the lines that are written meanwhile. What cannot be compressed
    /// stays as it is.
    fn compress(&mut self) {
        let (from, to) = (self.numbered(0, ""), self.numbered(0, ".gz"));
        // Saying so in the log would wait for this file's lock, whose holder may wait for this.
        let work = move || drop(compress(&from, &to));
        let name = "log compression".to_owned();
        self.compressing = std::thread::Builder::new().name(name).spawn(work).ok();
    }

    /// Waits for what was put aside before: its name is needed.
    fn finish_compressing(&mut self) {
        if let Some(thread) = self.compressing.take() {
            // A thread that panicked has left the file as it was.
            let _ = thread.join();
        }
    }
}

impl Drop for RotatingFile {
    fn drop(&mut self) {
        self.finish_compressing();
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    PathBuf::from(name)
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Under another name until it is whole, so that no half of a file passes for one.
fn compress(from: &Path, to: &Path) -> io::Result<()> {
    let partial = with_ending(to, ".part");
    let whole = || {
        let mut out = GzEncoder::new(File::create(&partial)?, Compression::default());
        io::copy(&mut File::open(from)?, &mut out)?;
        out.finish()?.sync_all()?;
        std::fs::rename(&partial, to)
    };
    if let Err(error) = whole() {
        // Mostly for want of room, which the rest of the broker needs.
        let _ = remove(&partial);
        return Err(error);
    }
    std::fs::remove_file(from)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use flate2::read::GzDecoder;

    use super::*;
    use crate::config::RotationDate;

    /// The second of a day, in microseconds.
    const SECOND: i64 = 1_000_000;

    fn text(path: &Path) -> String {
        let mut text = String::new();
        let mut file = File::open(path).unwrap();
        if path.extension().is_some_and(|ending| ending == "gz") {
            GzDecoder::new(file).read_to_string(&mut text).unwrap();
        } else {
            file.read_to_string(&mut text).unwrap();
        }
        text
    }

    /// What is in the folder, compressed or not.
    fn files(folder: &Path) -> Vec<(String, String)> {
        let mut all: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, text(&path))
            })
            .collect();
        all.sort();
        all
    }

    fn expect(folder: &Path, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
            .collect();
        assert_eq!(files(folder), expected);
    }

    fn file(folder: &Path, rotation: LogRotation) -> RotatingFile {
        RotatingFile::open(folder.join("x.log"), rotation, TimeZone::UTC, 0).unwrap()
    }

    fn by_size(size: u64, count: u32) -> LogRotation {
        LogRotation {
            size: Some(size),
            count,
            ..LogRotation::default()
        }
    }

    fn daily(hour: u8) -> LogRotation {
        LogRotation {
            date: Some(RotationDate::Daily { hour }),
            count: 3,
            ..LogRotation::default()
        }
    }

    #[test]
    fn full_files_are_put_aside_and_the_last_goes() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), by_size(4, 2));
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            file.write(line.as_bytes(), 0).unwrap();
        }
        let expected = [
            ("x.log", "four\n"),
            ("x.log.0", "three\n"),
            ("x.log.1", "two\n"),
        ];
        expect(folder.path(), &expected);
    }

    #[test]
    fn without_a_count_the_full_file_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), by_size(1, 0));
        file.write(b"one\n", 0).unwrap();
        file.write(b"two\n", 0).unwrap();
        expect(folder.path(), &[("x.log", "two\n")]);
    }

    #[test]
    fn the_calendar_puts_files_aside() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), daily(1));
        let one = 3600 * SECOND;
        let day = 24 * one;
        for (line, at) in [
            ("a\n", 0),
            ("b\n", one - 1),
            ("c\n", one),
            ("d\n", one + 1),
            ("e\n", one + day - 1),
            // Nothing was said for days.
            ("f\n", one + 5 * day),
            ("g\n", one + 6 * day - 1),
        ] {
            file.write(line.as_bytes(), at).unwrap();
        }
        let expected = [
            ("x.log", "f\ng\n"),
            ("x.log.0", "c\nd\ne\n"),
            ("x.log.1", "a\nb\n"),
        ];
        expect(folder.path(), &expected);
    }

    #[test]
    fn what_was_written_before_a_moment_in_the_meantime_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, "old\n").unwrap();
        let written = written_us(&std::fs::metadata(&path).unwrap()).unwrap();
        let later = written + 24 * 3600 * SECOND;
        for (at, expected) in [(written, "old\nnew\n"), (later, "new\n")] {
            std::fs::write(&path, "old\n").unwrap();
            // An hour that is not the next one.
            let hour = (written / (3600 * SECOND) + 12) % 24;
            let rotation = daily(u8::try_from(hour).unwrap());
            let mut file = RotatingFile::open(path.clone(), rotation, TimeZone::UTC, at).unwrap();
            file.write(b"new\n", at).unwrap();
            assert_eq!(text(&path), expected);
        }
        assert_eq!(text(&folder.path().join("x.log.0")), "old\n");
    }

    #[test]
    fn files_put_aside_are_compressed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.log.0"), "from before\n").unwrap();
        let rotation = LogRotation {
            compress: true,
            ..by_size(4, 3)
        };
        let mut file = file(folder.path(), rotation);
        for line in ["one\n", "two\n", "three\n"] {
            file.write(line.as_bytes(), 0).unwrap();
            file.finish_compressing();
        }
        let expected = [
            ("x.log", "three\n"),
            ("x.log.0.gz", "two\n"),
            ("x.log.1.gz", "one\n"),
            ("x.log.2", "from before\n"),
        ];
        expect(folder.path(), &expected);
    }

    #[test]
    fn a_file_that_cannot_be_put_aside_goes_on_and_costs_no_older_one() {
        let folder = tempfile::tempdir().unwrap();
        // Nothing can be renamed to a folder that is not empty.
        std::fs::create_dir_all(folder.path().join("x.log.aside/full")).unwrap();
        std::fs::write(folder.path().join("x.log.0"), "older\n").unwrap();
        let mut file = file(folder.path(), by_size(4, 3));
        file.write(b"one\n", 0).unwrap();
        file.write(b"two\n", 1).unwrap();
        assert_eq!(text(file.path()), "one\ntwo\n");
        std::fs::remove_dir_all(folder.path().join("x.log.aside")).unwrap();
        file.write(b"three\n", 2).unwrap();
        assert_eq!(text(file.path()), "one\ntwo\nthree\n");
        file.write(b"four\n", 1 + TRY_AGAIN_US).unwrap();
        let expected = [
            ("x.log", "four\n"),
            ("x.log.0", "one\ntwo\nthree\n"),
            ("x.log.1", "older\n"),
        ];
        expect(folder.path(), &expected);
    }

    #[test]
    fn a_link_stays_where_it_is() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = elsewhere.path().join("target");
        std::os::unix::fs::symlink(&target, folder.path().join("x.log")).unwrap();
        let mut file = file(folder.path(), by_size(4, 3));
        for line in ["one\n", "two\n"] {
            file.write(line.as_bytes(), 0).unwrap();
        }
        assert_eq!(text(&target), "one\ntwo\n");
        expect(folder.path(), &[("x.log", "one\ntwo\n")]);
    }

    #[test]
    fn a_file_that_was_moved_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), LogRotation::default());
        file.write(b"one\n", 0).unwrap();
        std::fs::rename(file.path(), folder.path().join("moved")).unwrap();
        file.reopen().unwrap();
        file.write(b"two\n", 0).unwrap();
        expect(folder.path(), &[("moved", "one\n"), ("x.log", "two\n")]);
    }

    #[test]
    fn who_moves_the_file_need_not_say_so() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), LogRotation::default());
        file.write(b"one\n", 0).unwrap();
        std::fs::rename(file.path(), folder.path().join("moved")).unwrap();
        file.write(b"two\n", LOOK_EVERY_US - 1).unwrap();
        file.write(b"three\n", LOOK_EVERY_US).unwrap();
        let expected = [("moved", "one\ntwo\n"), ("x.log", "three\n")];
        expect(folder.path(), &expected);
    }

    #[test]
    fn a_file_that_was_copied_and_cut_goes_on_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = file(folder.path(), by_size(8, 2));
        file.write(b"one\ntwo\n", 0).unwrap();
        File::create(file.path()).unwrap();
        file.write(b"three\n", LOOK_EVERY_US).unwrap();
        expect(folder.path(), &[("x.log", "three\n")]);
    }

    #[test]
    fn who_asks_for_it_gets_a_new_file_where_there_is_a_rotation() {
        let folder = tempfile::tempdir().unwrap();
        let mut plain = file(folder.path(), LogRotation::default());
        plain.write(b"one\n", 0).unwrap();
        plain.rotate(0).unwrap();
        plain.write(b"two\n", 0).unwrap();
        expect(folder.path(), &[("x.log", "one\ntwo\n")]);
        let mut own = file(folder.path(), daily(0));
        own.rotate(0).unwrap();
        own.write(b"three\n", 0).unwrap();
        let expected = [("x.log", "three\n"), ("x.log.0", "one\ntwo\n")];
        expect(folder.path(), &expected);
    }
}
