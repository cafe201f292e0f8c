//! The node in its operator's hands: stop, logs, limits, settings in effect.

use std::io;
use std::sync::Arc;

use tokio::sync::Notify;

use super::{memory, store};
use crate::broker::{Broker, cleaner};
use crate::config::{
    DiskLimit, KeyDefault, Loaded, LogLevel, MemoryLimit, ResourceSettings, all_keys,
};
use crate::management::operations::{Amount, Operations};

/// What the API is given of the node.
#[derive(Debug)]
pub struct Operator {
    broker: Arc<Broker>,
    resources: ResourceSettings,
    settings: Vec<(String, String)>,
    stop: Arc<Notify>,
}

impl Operator {
    /// For a node that runs with `loaded`; `stop` is notified when it is to stop.
    pub fn new(broker: Arc<Broker>, loaded: &Loaded, stop: Arc<Notify>) -> Self {
        Self {
            broker,
            resources: loaded.settings.resources.clone(),
            settings: in_effect(loaded),
            stop,
        }
    }
}

/// Every key: its value where one was given, else its default.
fn in_effect(loaded: &Loaded) -> Vec<(String, String)> {
    let given = |name: &str| loaded.effective.iter().any(|(key, ..)| key == name);
    let mut all = Vec::new();
    for key in all_keys().filter(|key| !given(key.name)) {
        match key.default {
            KeyDefault::Unset => {}
            KeyDefault::Value(value) => all.push((key.name.to_owned(), value.to_owned())),
            KeyDefault::Family(rows) => {
                let rows = rows.iter().filter(|(name, _)| !given(name));
                all.extend(rows.map(|&(name, value)| (name.to_owned(), value.to_owned())));
            }
        }
    }
    let set = loaded.effective.iter();
    all.extend(set.map(|(key, value, _)| (key.clone(), value.clone())));
    all.sort();
    all
}

impl Operations for Operator {
    fn stop(&self) {
        self.stop.notify_one();
    }

    fn rotate_logs(&self) -> io::Result<()> {
        self.broker.logs().map_or(Ok(()), |logs| logs.rotate())
    }

    fn set_log_level(&self, category: Option<&str>, level: &str) -> Result<(), String> {
        let known =
            LogLevel::from_name(level).ok_or_else(|| format!("level {level} is not supported"))?;
        let Some(logs) = self.broker.logs() else {
            return Ok(());
        };
        logs.set_level(category.unwrap_or("global"), known)
            .map_err(|unknown| format!("there is no log category '{}'", unknown.0))
    }

    fn set_memory_limit(&self, limit: Amount) -> u64 {
        let limit = memory::limit(&ResourceSettings {
            vm_memory_high_watermark: match limit {
                Amount::Relative(share) => MemoryLimit::Relative(share),
                Amount::Absolute(octets) => MemoryLimit::Absolute(octets),
            },
            ..self.resources.clone()
        });
        self.broker.alarms.set_memory_limit(limit);
        limit
    }

    fn set_disk_limit(&self, limit: Amount) -> u64 {
        let resources = ResourceSettings {
            disk_free_limit: match limit {
                Amount::Relative(share) => DiskLimit::Relative(share),
                Amount::Absolute(octets) => DiskLimit::Absolute(octets),
            },
            ..self.resources.clone()
        };
        if let Some(log) = self.broker.journal.log() {
            log.set_reserve_bytes(store::reserve(&resources));
        }
        let limit = store::free_limit(&resources);
        self.broker.alarms.set_disk_limit(limit);
        limit
    }

    fn settings(&self) -> Vec<(String, String)> {
        self.settings.clone()
    }

    fn store_facts(&self) -> Vec<(&'static str, u64)> {
        let journal = &self.broker.journal;
        let log = journal.log();
        let space = log.map(|log| cleaner::space(log)).unwrap_or_default();
        let pages = journal.pages().map_or(0, |pages| pages.bytes().0);
        vec![
            ("bodies_bytes", crate::message::chunk::bytes_held()),
            ("index_bytes", crate::queue::block::index_bytes()),
            ("log_bytes", space.files),
            ("log_live_bytes", space.live),
            (
                "large_bodies_bytes",
                journal.bodies().map_or(0, |bodies| bodies.octets()),
            ),
            (
                "log_unsynced_bytes",
                log.map_or(0, |log| log.pending_bytes() as u64),
            ),
            ("index_pages_bytes", pages),
        ]
    }
}
