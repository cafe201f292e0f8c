//! The connections of this node, so that alarms, shutdown and a reconnecting owner reach them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::inbox::{Event, Inbox};
use crate::amqp::{AmqpError, ReplyCode, Table};

/// What the broker knows of a connection.
#[derive(Debug)]
pub struct ConnectionHandle {
    /// Never used again.
    pub id: u64,
    /// The way to it.
    pub inbox: Arc<Inbox>,
    /// Who logged in.
    pub user: String,
    /// The virtual host it opened.
    pub vhost: String,
    /// The client's name for it.
    pub name: Option<String>,
    /// What the client said about itself.
    pub client_properties: Table,
    /// The other end.
    pub peer: Option<SocketAddr>,
    /// Milliseconds between heartbeats; 0 without.
    pub heartbeat_ms: u64,
    /// When octets last came, in milliseconds since the epoch.
    pub heard_at: AtomicU64,
}

impl ConnectionHandle {
    /// True when it has been silent for longer than a heartbeat interval.
    pub fn is_silent(&self, now: u64) -> bool {
        self.heartbeat_ms > 0
            && now.saturating_sub(self.heard_at.load(Ordering::Relaxed)) > self.heartbeat_ms
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<HashMap<u64, Arc<ConnectionHandle>>>,
    /// Sessions whose task has not ended, open or not.
    sessions: AtomicU64,
}

impl Connections {
    /// Adds one after `connection.open`.
    pub fn add(&self, handle: Arc<ConnectionHandle>) {
        self.open.lock().insert(handle.id, handle);
    }

    /// Removes one.
    pub fn remove(&self, id: u64) {
        self.open.lock().remove(&id);
    }

    /// The connection `id`.
    pub fn get(&self, id: u64) -> Option<Arc<ConnectionHandle>> {
        self.open.lock().get(&id).cloned()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.lock().len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A session's task starts.
    pub fn session_started(&self) {
        self.sessions.fetch_add(1, Ordering::Relaxed);
    }

    /// A session's task ends.
    pub fn session_ended(&self) {
        self.sessions.fetch_sub(1, Ordering::Relaxed);
    }

    /// Sessions whose task has not ended.
    pub fn sessions(&self) -> u64 {
        self.sessions.load(Ordering::Relaxed)
    }

    /// Posts `event` to all.
    pub fn post_all(&self, event: &Event) {
        for handle in self.open.lock().values() {
            handle.inbox.post(event.clone());
        }
    }

    /// Asks all to close with 320.
    pub fn close_all(&self, reason: &str) {
        self.post_all(&Event::Close(forced_closure(reason)));
    }
}

/// RabbitMQ's 320.
pub fn forced_closure(reason: &str) -> AmqpError {
    let text = format!("broker forced connection closure with reason '{reason}'");
    AmqpError::new(ReplyCode::ConnectionForced, text)
}
