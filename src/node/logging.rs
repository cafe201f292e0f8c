//! The log: where it goes and how much of it.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel, LogSettings};

fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info | LogLevel::Notice => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        LogLevel::Error | LogLevel::Critical => LevelFilter::ERROR,
        LogLevel::None => LevelFilter::OFF,
    }
}

/// Starts logging to the console (standard output) and to a file, as configured.
pub fn start(settings: &LogSettings, data_dir: &Path) -> anyhow::Result<()> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if settings.console {
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stdout)
            .with_ansi(std::io::stdout().is_terminal())
            .with_target(false);
        let filter = level(settings.console_target.level);
        layers.push(match settings.console_target.format {
            LogFormat::Json => layer.json().with_filter(filter).boxed(),
            LogFormat::Plaintext => layer.with_filter(filter).boxed(),
        });
    }
    if let Some(name) = &settings.file {
        let folder = settings
            .dir
            .as_ref()
            .map_or_else(|| data_dir.to_owned(), Into::into);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the log folder {}", folder.display()))?;
        let path = folder.join(name);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot open the log file {}", path.display()))?;
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(Mutex::new(file))
            .with_ansi(false)
            .with_target(false);
        let filter = level(settings.file_target.level);
        layers.push(match settings.file_target.format {
            LogFormat::Json => layer.json().with_filter(filter).boxed(),
            LogFormat::Plaintext => layer.with_filter(filter).boxed(),
        });
    }
    tracing_subscriber::registry()
        .with(layers)
        .try_init()
        .context("cannot start logging")
}
