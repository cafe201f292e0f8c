//! The subscriber: makes records of events and hands them to the outputs.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::feed::Feed;
use super::filter::{CategoryLevels, UnknownCategory};
use super::form::Form;
use super::outlet::{Outlet, Sink};
use super::record::{Category, Record, now_us};
use super::ring::Ring;
use super::rotating_file::RotatingFile;
use super::syslog::Syslog;
use crate::config::{LogLevel, LogSettings};
use crate::limits::{LOG_LINE, LOG_LINES_KEPT};

/// The last lines of the log.
pub type Tail = Ring<Arc<Record>>;

/// The log of a node.
#[derive(Debug)]
pub struct Logs {
    outlets: Vec<Outlet>,
    categories: CategoryLevels,
    tail: Tail,
    feed: Option<Arc<Feed>>,
}

impl Logs {
    /// Opens the outputs that the configuration names. A relative file is taken from `log.dir`, or
    /// from `data_dir`; `host` is this machine's name, for syslog.
    pub fn open(settings: &LogSettings, data_dir: &Path, host: &str) -> io::Result<Self> {
        let zone = TimeZone::system();
        let form = |target: &crate::config::LogTarget| {
            Form::new(target.format, &target.form, zone.clone())
        };
        let mut outlets = Vec::new();
        if settings.console {
            let target = &settings.console_target;
            let sink = match settings.console_stderr {
                true => Sink::Stderr(form(target)),
                false => Sink::Stdout(form(target)),
            };
            outlets.push(Outlet::new(target.level, sink));
        }
        if let Some(name) = &settings.file {
            let target = &settings.file_target;
            let path = folder(settings, data_dir)?.join(name);
            let file = RotatingFile::open(
                path.clone(),
                settings.rotation.clone(),
                zone.clone(),
                now_us(),
            )
            .map_err(|error| subject(&error, "open the log file", &path))?;
            outlets.push(Outlet::new(target.level, Sink::File(file, form(target))));
        }
        if settings.journald {
            outlets.push(Outlet::new(settings.journald_level, Sink::Journal(None)));
        }
        if settings.syslog.enabled {
            let syslog = Syslog::new(settings.syslog.clone(), host.to_owned(), zone.clone());
            let sink = Sink::Syslog(Box::new(syslog));
            outlets.push(Outlet::new(settings.syslog.target.level, sink));
        }
        let mut feed = None;
        if settings.exchange {
            let target = &settings.exchange_target;
            let opened = Arc::new(Feed::new(form(target)));
            outlets.push(Outlet::new(
                target.level,
                Sink::Exchange(Arc::clone(&opened)),
            ));
            feed = Some(opened);
        }
        let categories = CategoryLevels::default();
        for (name, level) in &settings.categories {
            // The configuration has categories only that exist.
            let _ = categories.set(name, *level);
        }
        Ok(Self {
            outlets,
            categories,
            tail: Ring::new(LOG_LINES_KEPT),
            feed,
        })
    }

    /// Changes the level of a category, or of all (`global`), in every output.
    pub fn set_level(&self, category: &str, level: LogLevel) -> Result<(), UnknownCategory> {
        self.categories.set(category, level)?;
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// The level of a category: its own, or that of the most talkative output.
    pub fn level(&self, category: Category) -> LogLevel {
        let outlets = self.outlets.iter().map(Outlet::level);
        let own = outlets.min().unwrap_or(LogLevel::Info);
        self.categories.threshold(category, own)
    }

    /// Opens the files again, for who has moved them.
    pub fn reopen(&self) -> io::Result<()> {
        self.outlets.iter().try_for_each(Outlet::reopen)
    }

    /// Puts the files aside that have a rotation and begins them anew; opens the others again.
    pub fn rotate(&self) -> io::Result<()> {
        let at_us = now_us();
        let mut outlets = self.outlets.iter();
        outlets.try_for_each(|outlet| outlet.rotate(at_us))
    }

    /// Where lines go, by path or as `<stdout>`, `<journald>`.
    pub fn locations(&self) -> Vec<String> {
        self.outlets.iter().map(Outlet::location).collect()
    }

    /// The last lines that some output took (or would have, were there one).
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The lines that are to be published, where some are.
    pub fn feed(&self) -> Option<&Arc<Feed>> {
        self.feed.as_ref()
    }

    /// The least severe level that anything takes of events with this target.
    fn threshold(&self, target: &str) -> LogLevel {
        let level = self.level(Category::of_target(target));
        // Libraries say at `info` what concerns themselves.
        if is_foreign(target) && level == LogLevel::Info {
            LogLevel::Warning
        } else {
            level
        }
    }

    /// Writes a record to every output that takes it.
    pub fn write(&self, record: Record) {
        let record = Arc::new(record);
        for outlet in &self.outlets {
            if record.level >= self.categories.threshold(record.category, outlet.level()) {
                outlet.write(&record);
            }
        }
        self.tail.push(record);
    }
}

/// The folder of the log files, which is made where it is missing.
pub(super) fn folder(settings: &LogSettings, data_dir: &Path) -> io::Result<PathBuf> {
    let folder = settings.dir.as_ref();
    let folder = folder.map_or_else(|| data_dir.to_owned(), PathBuf::from);
    std::fs::create_dir_all(&folder)
        .map_err(|error| subject(&error, "make the log folder", &folder))?;
    Ok(folder)
}

pub(super) fn subject(error: &io::Error, verb: &str, path: &Path) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot {verb} {}: {error}", path.display()),
    )
}

/// True for events of libraries.
fn is_foreign(target: &str) -> bool {
    Category::of_target(target) == Category::Default
        && !target.starts_with("leveret")
        && target != "default"
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        _ => LogLevel::Debug,
    }
}

/// The layer that feeds a [`Logs`].
#[derive(Debug)]
pub struct LogLayer(pub Arc<Logs>);

impl LogLayer {
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        level_of(*metadata.level()) >= self.0.threshold(metadata.target())
            && *metadata.level() != Level::TRACE
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Asked again whenever a level changes.
        if self.wants(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        let levels = Category::ALL.map(|category| self.0.level(category));
        Some(match levels.into_iter().min() {
            Some(LogLevel::Debug) => LevelFilter::DEBUG,
            Some(LogLevel::Info | LogLevel::Notice) => LevelFilter::INFO,
            Some(LogLevel::Warning) => LevelFilter::WARN,
            Some(LogLevel::Error | LogLevel::Critical) => LevelFilter::ERROR,
            Some(LogLevel::None) | None => LevelFilter::OFF,
        })
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        if !self.wants(metadata) {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.0.write(Record {
            at_us: now_us(),
            level: level_of(*metadata.level()),
            category: Category::of_target(metadata.target()),
            pid: fields.pid,
            text: fields.text(),
        });
    }
}

/// What an event says.
#[derive(Debug, Default)]
struct Fields {
    message: String,
    pid: u64,
    rest: String,
}

impl Fields {
    /// The message, other fields behind it; bounded, without control characters but line ends.
    fn text(self) -> String {
        let mut text = self.message;
        text.push_str(&self.rest);
        if text.len() > LOG_LINE {
            let end = (0..=LOG_LINE).rev().find(|at| text.is_char_boundary(*at));
            text.truncate(end.unwrap_or(0));
            text.push_str("...");
        }
        if text.contains(is_unwanted) {
            text = text.replace(is_unwanted, "?");
        }
        text
    }
}

fn is_unwanted(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "pid" {
            self.pid = value;
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // What the `log` crate adds: places in the sources of libraries.
        if field.name().starts_with("log.") {
            return;
        }
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            fmt::Write::write_fmt(&mut self.message, format_args!("{value:?}"))
        } else {
            fmt::Write::write_fmt(&mut self.rest, format_args!(" {}={value:?}", field.name()))
        };
    }
}
