//! systemd's journal, by its native protocol: a datagram of `NAME=value` lines. A value with line
//! ends is written as its name, a line end, its length as a little-endian number of 64 bits, the
//! value and a line end.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use super::record::Record;

/// Where the journal listens.
pub const SOCKET: &str = "/run/systemd/journal/socket";

/// The way to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Journal {
    /// A way to the journal that listens at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        // A journal that does not read must not hold the broker up.
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(Self {
            socket,
            path: path.to_owned(),
        })
    }

    /// Sends a record; connects again where the journal was started anew.
    pub fn send(&mut self, record: &Record) -> io::Result<()> {
        let datagram = datagram(record);
        if self.socket.send(&datagram).is_err() {
            *self = Self::open(&self.path)?;
            self.socket.send(&datagram)?;
        }
        Ok(())
    }
}

fn datagram(record: &Record) -> Vec<u8> {
    let mut out = Vec::with_capacity(record.text.len() + 160);
    let severity = record.severity().to_string();
    field(&mut out, "MESSAGE", &record.text);
    field(&mut out, "PRIORITY", &severity);
    field(&mut out, "SYSLOG_IDENTIFIER", "leveret");
    field(&mut out, "SYSLOG_PID", &std::process::id().to_string());
    field(&mut out, "ERL_PID", &record.process());
    field(&mut out, "DOMAIN", record.category.domain());
    out
}

fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogLevel;
    use crate::logs::record::Category;

    fn record(text: &str) -> Record {
        Record {
            at_us: 0,
            level: LogLevel::Error,
            category: Category::Channel,
            pid: 7,
            text: text.into(),
        }
    }

    #[test]
    fn a_datagram_reaches_the_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let mut way = Journal::open(&path).unwrap();
        way.send(&record("a\nb")).unwrap();
        let mut buffer = [0; 1024];
        let length = journal.recv(&mut buffer).unwrap();
        let got = &buffer[..length];
        assert!(got.starts_with(b"MESSAGE\n\x03\0\0\0\0\0\0\0a\nb\nPRIORITY=3\n"));
        let text = String::from_utf8_lossy(got);
        assert!(
            text.ends_with("ERL_PID=<0.7.0>\nDOMAIN=rabbitmq.channel\n"),
            "{text}"
        );
    }

    #[test]
    fn a_journal_that_was_started_anew_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let old = UnixDatagram::bind(&path).unwrap();
        let mut way = Journal::open(&path).unwrap();
        drop(old);
        std::fs::remove_file(&path).unwrap();
        assert!(way.send(&record("lost")).is_err());
        let new = UnixDatagram::bind(&path).unwrap();
        way.send(&record("found")).unwrap();
        let mut buffer = [0; 1024];
        let length = new.recv(&mut buffer).unwrap();
        assert!(buffer[..length].starts_with(b"MESSAGE=found\n"));
    }
}
