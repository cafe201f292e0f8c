//! One place that lines go to, with its level and its form.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;

use super::feed::Feed;
use super::form::Form;
use super::journald::{self, Journal};
use super::record::Record;
use super::rotating_file::RotatingFile;
use super::syslog::Syslog;
use crate::config::LogLevel;

/// Microseconds that an output which failed is left alone: a daemon that is gone must not be
/// waited for by every line.
const REST_US: i64 = 5_000_000;

/// Where the lines end up.
#[derive(Debug)]
pub enum Sink {
    /// The standard output.
    Stdout(Form),
    /// The standard error.
    Stderr(Form),
    /// A file.
    File(RotatingFile, Form),
    /// systemd's journal; opened by the first line.
    Journal(Option<Journal>),
    /// A syslog daemon.
    Syslog(Box<Syslog>),
    /// An exchange of the broker's, by way of who publishes there.
    Exchange(Arc<Feed>),
}

/// An output.
pub struct Outlet {
    level: LogLevel,
    state: Mutex<State>,
}

struct State {
    sink: Sink,
    /// Failed, and rests until then, in microseconds since the epoch.
    rests_until_us: i64,
    buffer: String,
}

impl fmt::Debug for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outlet")
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

impl Outlet {
    /// An output that takes lines from `level` on.
    pub fn new(level: LogLevel, sink: Sink) -> Self {
        Self {
            level,
            state: Mutex::new(State {
                sink,
                rests_until_us: 0,
                buffer: String::new(),
            }),
        }
    }

    /// Its own level.
    pub fn level(&self) -> LogLevel {
        self.level
    }

    /// Writes a record. Of an output that fails, its lines are lost: there is nobody to tell.
    pub fn write(&self, record: &Arc<Record>) {
        let mut state = self.state.lock();
        if record.at_us < state.rests_until_us {
            return;
        }
        if state.write(record).is_err() {
            state.rests_until_us = record.at_us + REST_US;
        }
    }

    /// Opens a file again that something else has moved.
    pub fn reopen(&self) -> io::Result<()> {
        match &mut self.state.lock().sink {
            Sink::File(file, _) => file.reopen(),
            _ => Ok(()),
        }
    }

    /// Puts a file aside and begins it anew if it has a rotation; else opens it again.
    pub fn rotate(&self, at_us: i64) -> io::Result<()> {
        match &mut self.state.lock().sink {
            Sink::File(file, _) => file.rotate(at_us),
            _ => Ok(()),
        }
    }

    /// What the output is called in the list of log files.
    pub fn location(&self) -> String {
        match &self.state.lock().sink {
            Sink::Stdout(_) => "<stdout>".to_owned(),
            Sink::Stderr(_) => "<stderr>".to_owned(),
            Sink::File(file, _) => file.path().display().to_string(),
            Sink::Journal(_) => "<journald>".to_owned(),
            Sink::Syslog(_) => "<syslog>".to_owned(),
            Sink::Exchange(_) => "exchange:amq.rabbitmq.log".to_owned(),
        }
    }
}

impl State {
    fn write(&mut self, record: &Arc<Record>) -> io::Result<()> {
        self.buffer.clear();
        let buffer = &mut self.buffer;
        match &mut self.sink {
            Sink::Stdout(form) => {
                form.write(record, buffer);
                let mut out = io::stdout().lock();
                out.write_all(buffer.as_bytes())?;
                out.flush()
            }
            Sink::Stderr(form) => {
                form.write(record, buffer);
                io::stderr().lock().write_all(buffer.as_bytes())
            }
            Sink::File(file, form) => {
                form.write(record, buffer);
                file.write(buffer.as_bytes(), record.at_us)
            }
            Sink::Journal(way) => {
                let mut open = match way.take() {
                    Some(open) => open,
                    None => Journal::open(Path::new(journald::SOCKET))?,
                };
                open.send(record)?;
                *way = Some(open);
                Ok(())
            }
            Sink::Syslog(syslog) => syslog.send(record),
            Sink::Exchange(feed) => {
                feed.push(record);
                Ok(())
            }
        }
    }
}
