//! A broker under measurement: how to reach it and which process it is.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use crate::client::Client;
use crate::durability::{self, Durability};
use crate::process;
use crate::url::BrokerUrl;

/// One broker.
#[derive(Debug, Clone)]
pub struct Target {
    /// Product and version as it reports them.
    pub name: String,
    /// Where it listens.
    pub url: BrokerUrl,
    /// Its process; another one after a restart.
    pid: Arc<AtomicU32>,
    /// What it is known or said to give a confirmed persistent message.
    pub durability: Option<Durability>,
    /// Where it keeps its data, if that is told.
    pub data_dir: Option<PathBuf>,
    /// The shell command that starts it, if that is told.
    pub start_cmd: Option<String>,
    /// Whether it is the pass-through, which keeps no messages.
    pub is_floor: bool,
    /// What the large counts (backlog, objects, idle connections) are multiplied by here.
    pub scale: f64,
}

impl Target {
    /// Logs in once to learn the product, and finds the process unless it is named.
    pub fn find(url: &str, pid: Option<u32>, quorum: bool) -> Result<Self> {
        let url = BrokerUrl::parse(url)?;
        let client = Client::connect(&url)?;
        let name = format!("{} {}", client.product, client.version);
        let durability = durability::given(&client.product, &client.version, quorum);
        client.close()?;
        let pid = match pid {
            Some(pid) => pid,
            None => process::listener_pid(url.port)?,
        };
        process::resident_kib(pid).with_context(|| format!("broker process {pid}"))?;
        Ok(Self {
            name: name.trim().to_owned(),
            url,
            pid: Arc::new(AtomicU32::new(pid)),
            durability,
            data_dir: None,
            start_cmd: None,
            is_floor: false,
            scale: 1.0,
        })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// It runs as another process now.
    pub fn set_pid(&self, pid: u32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// A logged-in connection with channel 1 open.
    pub fn connect(&self) -> Result<Client> {
        let mut client = Client::connect(&self.url)?;
        client.open_channel(1)?;
        Ok(client)
    }

    /// A large count as it is used on this broker, at least 100.
    pub fn scaled(&self, count: u64) -> u64 {
        ((count as f64 * self.scale) as u64).max(count.min(100))
    }
}
