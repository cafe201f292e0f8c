//! What the node tells the API about itself: it stays the same while the process runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a listener still accepts connections.
#[derive(Debug, Clone, Default)]
pub struct OpenFlag(Arc<AtomicBool>);

/// Lives as long as the task that accepts connections; the listener is down without it.
#[derive(Debug)]
pub struct Accepting(Arc<AtomicBool>);

impl OpenFlag {
    /// The listener accepts from now on until the guard is dropped, however its task ends.
    pub fn accepting(&self) -> Accepting {
        self.0.store(true, Ordering::Relaxed);
        Accepting(Arc::clone(&self.0))
    }

    /// True while it accepts.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A listener of this node.
#[derive(Debug, Clone)]
pub struct ListenerFacts {
    /// RabbitMQ's name of what it speaks: `amqp`, `amqp/ssl`, `http`, `https`, `http/prometheus`.
    pub protocol: &'static str,
    /// Where it listens, with the port that holds (never 0).
    pub address: SocketAddr,
    /// The path below which it serves, for HTTP.
    pub path: String,
    /// The certificate chain it shows, for TLS.
    pub certfile: Option<PathBuf>,
    /// The authorities it checks its clients' certificates against.
    pub cacertfile: Option<PathBuf>,
    /// Whether it is up.
    pub open: OpenFlag,
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
