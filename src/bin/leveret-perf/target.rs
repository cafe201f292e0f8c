//! A broker under measurement: how to reach it and which process it is.

use anyhow::{Context, Result};

use crate::client::Client;
use crate::process;
use crate::url::BrokerUrl;

/// One broker.
#[derive(Debug, Clone)]
pub struct Target {
    /// Product and version as it reports them.
    pub name: String,
    /// Where it listens.
    pub url: BrokerUrl,
    /// Its process.
    pub pid: u32,
    /// Whether it is the pass-through, which keeps no messages.
    pub is_floor: bool,
    /// What the large counts (backlog, objects, idle connections) are multiplied by here.
    pub scale: f64,
}

impl Target {
    /// Logs in once to learn the product, and finds the process unless it is named.
    pub fn find(url: &str, pid: Option<u32>) -> Result<Self> {
        let url = BrokerUrl::parse(url)?;
        let client = Client::connect(&url)?;
        let name = format!("{} {}", client.product, client.version);
        client.close()?;
        let pid = match pid {
            Some(pid) => pid,
            None => process::listener_pid(url.port)?,
        };
        process::resident_kib(pid).with_context(|| format!("broker process {pid}"))?;
        Ok(Self {
            name: name.trim().to_owned(),
            url,
            pid,
            is_floor: false,
            scale: 1.0,
        })
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
