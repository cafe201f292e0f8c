//! The operator's socket: a line in, a JSON object out. Only who may enter the data folder reaches
//! it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::broker::Broker;
use crate::broker::alarms::resident_memory;
use crate::broker::cleaner;

/// A request is one word; more than this is not ours.
const REQUEST_MAX: u64 = 1024;

/// Where the socket of the broker with this data folder is.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("leveret.sock")
}

/// Opens the socket; the folder's lock is held, so an old one is nobody's.
pub fn open(data_dir: &Path) -> anyhow::Result<UnixListener> {
    let path = socket_path(data_dir);
    let _ = std::fs::remove_file(&path);
    UnixListener::bind(&path).with_context(|| {
        format!(
            "cannot listen on {} (a socket's path has 107 octets at most)",
            path.display()
        )
    })
}

/// Answers until the task is dropped.
pub async fn serve(listener: UnixListener, broker: Arc<Broker>, started: Instant) {
    while let Ok((stream, _)) = listener.accept().await {
        let broker = Arc::clone(&broker);
        tokio::spawn(async move {
            if let Err(error) = answer(stream, &broker, started).await {
                tracing::debug!("control socket: {error}");
            }
        });
    }
}

async fn answer(stream: UnixStream, broker: &Broker, started: Instant) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(REQUEST_MAX).read_line(&mut line).await?;
    let reply = match line.trim() {
        "status" => status(broker, started),
        other => json!({ "error": format!("unknown request '{other}'; allowed: status") }),
    };
    stream
        .get_mut()
        .write_all(format!("{reply}\n").as_bytes())
        .await
}

fn status(broker: &Broker, started: Instant) -> serde_json::Value {
    let mut queues = 0u64;
    let (mut ready, mut unacked, mut consumers) = (0u64, 0u64, 0usize);
    let vhosts = broker.vhosts();
    for queue in vhosts.iter().flat_map(|vhost| vhost.all_queues()) {
        let status = queue.status();
        queues += 1;
        ready += status.ready;
        unacked += status.unacked;
        consumers += status.consumers;
    }
    let log = broker.journal.log();
    let space = log.map(|log| cleaner::space(log)).unwrap_or_default();
    let pages = broker.journal.pages().map_or(0, |pages| pages.bytes().0);
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "uptime_s": started.elapsed().as_secs(),
        "connections": broker.connections.len(),
        "vhosts": vhosts.len(),
        "queues": queues,
        "consumers": consumers,
        "messages_ready": ready,
        "messages_unacknowledged": unacked,
        "memory_used_bytes": resident_memory(),
        "memory_limit_bytes": broker.alarms.memory_limit(),
        "bodies_bytes": crate::message::chunk::bytes_held(),
        "index_bytes": crate::queue::block::index_bytes(),
        "log_bytes": space.files,
        "log_live_bytes": space.live,
        "log_unsynced_bytes": log.map_or(0, |log| log.pending_bytes()),
        "index_pages_bytes": pages,
        "alarm": broker.alarms.reason(),
    })
}
