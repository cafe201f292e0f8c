//! What the node tells the API about itself: it stays the same while the process runs.

use std::net::SocketAddr;
use std::path::PathBuf;

/// A listener of this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerFacts {
    /// RabbitMQ's name of what it speaks: `amqp`, `amqp/ssl`, `http`, `https`, `http/prometheus`.
    pub protocol: &'static str,
    /// Where it listens, with the port that holds (never 0).
    pub address: SocketAddr,
    /// The path below which it serves, for HTTP.
    pub path: String,
}

/// The node.
#[derive(Debug, Clone, Default)]
pub struct NodeFacts {
    /// Its name, `NAME@HOST`.
    pub name: String,
    /// Every listener, in the order they were opened.
    pub listeners: Vec<ListenerFacts>,
    /// The folder of its data.
    pub data_dir: PathBuf,
    /// The configuration files that were read.
    pub config_files: Vec<PathBuf>,
    /// Where its log goes, as RabbitMQ lists it: paths, or `<stdout>`.
    pub log_files: Vec<String>,
    /// Files that this process may open.
    pub files_max: u64,
}
