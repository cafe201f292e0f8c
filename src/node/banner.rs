//! What the log says at the start, in the form that RabbitMQ's has: people look for these lines,
//! and scripts wait for the last.

use std::path::Path;

use super::memory::available;
use crate::config::{DiskLimit, Loaded, RatesMode, Settings};
use crate::management::ListenerFacts;

/// Files that are open for other things than connections.
const OTHER_FILES: u64 = 100;

/// The node, before it does anything.
pub fn begin(name: &str, loaded: &Loaded, logs: &[String], folder: &Path) {
    let files: Vec<String> = loaded
        .files
        .iter()
        .map(|f| f.display().to_string())
        .collect();
    let node = &loaded.settings.node;
    let list = |names: &[String]| match names {
        [] => "(none)".to_owned(),
        // Further ones stand below each other.
        names => names.join("\n                 : "),
    };
    tracing::info!(
        "\n Starting Leveret {} ({} {} to its clients)\n Licensed under the Apache License 2.0",
        env!("CARGO_PKG_VERSION"),
        node.product_name,
        node.product_version
    );
    tracing::info!(
        "\n node           : {name}\n config file(s) : {}\n log(s)         : {}\n database dir   : {}",
        list(&files),
        list(logs),
        folder.display()
    );
}

/// Its limits: the memory's octets from which on publishers are blocked, and how many files it may
/// open.
pub fn limits(settings: &Settings, limit: u64, files: u64) {
    let resources = &settings.resources;
    let total = available(resources);
    tracing::info!(
        "Memory high watermark set to {} MiB ({limit} bytes) of {} MiB ({total} bytes) total",
        limit >> 20,
        total >> 20
    );
    if settings.management.rates_mode != RatesMode::Basic {
        tracing::warn!(
            "management.rates_mode has no effect: rates of each object are shown (basic), those by \
             pair of objects (detailed) are not counted"
        );
    }
    match resources.disk_free_limit {
        DiskLimit::Absolute(octets) => {
            tracing::info!("Disk free limit set to {}MB", octets / 1_000_000);
        }
        DiskLimit::Relative(share) => {
            tracing::info!("Disk free limit set to {share} of the memory")
        }
    }
    tracing::info!(
        "Limiting to approx {files} file handles ({} sockets)",
        files.saturating_sub(OTHER_FILES)
    );
}

/// A listener has been opened.
pub fn listener(facts: &ListenerFacts) {
    let ListenerFacts {
        protocol, address, ..
    } = facts;
    let port = address.port();
    match *protocol {
        "amqp" => tracing::info!("started TCP listener on {address}"),
        "amqp/ssl" => tracing::info!("started TLS (SSL) listener on {address}"),
        "http" => {
            tracing::info!("Management plugin: HTTP (non-TLS) listener started on port {port}");
        }
        "https" => tracing::info!("Management plugin: HTTPS listener started on port {port}"),
        "http/prometheus" => {
            tracing::info!("Prometheus metrics: HTTP (non-TLS) listener started on port {port}");
        }
        other => tracing::info!("started {other} listener on {address}"),
    }
}

/// The node serves, with these built-in parts that RabbitMQ has as plugins.
pub fn ready(parts: &[&str]) {
    let list: Vec<String> = parts.iter().map(|part| format!("\n * {part}")).collect();
    tracing::info!(
        "Server startup complete; {} plugins started.{}",
        parts.len(),
        list.concat()
    );
}
