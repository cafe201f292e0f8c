//! Starts the log, and opens its files again on SIGHUP.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::broker::Broker;
use crate::config::LogSettings;
use crate::logs::{EventFile, LogLayer, Logs};

/// Starts logging as configured. `host` is this machine's name.
pub fn start(settings: &LogSettings, data_dir: &Path, host: &str) -> anyhow::Result<Arc<Logs>> {
    let logs = Arc::new(Logs::open(settings, data_dir, host)?);
    tracing_subscriber::registry()
        .with(LogLayer(Arc::clone(&logs)))
        .try_init()
        .context("cannot start logging")?;
    Ok(logs)
}

/// Writes events to their file, where one is configured.
pub fn keep_events(
    settings: &LogSettings,
    data_dir: &Path,
    broker: &Arc<Broker>,
) -> anyhow::Result<()> {
    if let Some(file) = EventFile::open(settings, data_dir)? {
        let broker = Arc::clone(broker);
        tokio::spawn(async move { file.follow(broker.events()).await });
    }
    Ok(())
}

/// Opens the files again whenever SIGHUP comes, until the task is dropped.
pub async fn reopen_on_hangup(logs: Arc<Logs>) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!("SIGHUP cannot be listened to: {error}");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        match logs.reopen() {
            Ok(()) => tracing::info!("opened the log files again"),
            Err(error) => tracing::error!("cannot open the log files again: {error}"),
        }
    }
}
