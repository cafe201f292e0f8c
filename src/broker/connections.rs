//! The connections of this node, so that alarms, shutdown and a reconnecting owner reach them.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::inbox::{Event, Inbox};
use super::observe::traffic::Traffic;
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
    /// Its numbers.
    pub traffic: Arc<Traffic>,
    /// What was agreed on at its start.
    pub facts: ConnectionFacts,
}

/// What a connection agreed on at its start.
#[derive(Debug, Clone, Default)]
pub struct ConnectionFacts {
    /// Our end.
    pub local: Option<SocketAddr>,
    /// The SASL mechanism of its login.
    pub mechanism: String,
    /// Most channels; 0 is no limit.
    pub channel_max: u16,
    /// Largest frame in octets; 0 is no limit.
    pub frame_max: u32,
    /// When it was opened, in milliseconds since the epoch.
    pub connected_at: u64,
    /// What TLS says of it; `None` without.
    pub tls: Option<Box<TlsFacts>>,
}

/// What TLS says of a connection, in RabbitMQ's words; empty where it says nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the management API")]
pub struct TlsFacts {
    pub protocol: String,
    pub key_exchange: String,
    pub cipher: String,
    pub hash: String,
    pub peer_cert_subject: String,
    pub peer_cert_issuer: String,
    pub peer_cert_validity: String,
}

impl ConnectionHandle {
    /// One that nobody serves.
    #[cfg(test)]
    pub(crate) fn unserved(id: u64, user: &str, vhost: &str) -> Arc<Self> {
        Arc::new(Self {
            id,
            inbox: Arc::default(),
            user: user.to_owned(),
            vhost: vhost.to_owned(),
            name: None,
            client_properties: Table::default(),
            peer: None,
            heartbeat_ms: 0,
            heard_at: AtomicU64::new(0),
            traffic: Arc::default(),
            facts: ConnectionFacts::default(),
        })
    }

    /// Its name, as RabbitMQ makes it: `peer:port -> host:port`.
    pub fn title(&self) -> String {
        let end = |address: Option<SocketAddr>| match address {
            Some(address) => canonical(address).to_string(),
            None => "?".to_owned(),
        };
        format!("{} -> {}", end(self.peer), end(self.facts.local))
    }

    /// Asks it to close with 320 and this text.
    pub fn close(&self, text: &str) {
        let error = AmqpError::new(ReplyCode::ConnectionForced, text.to_owned());
        self.inbox.post(Event::Close(error));
    }

    /// True when it has been silent for longer than a heartbeat interval.
    pub fn is_silent(&self, now: u64) -> bool {
        self.heartbeat_ms > 0
            && now.saturating_sub(self.heard_at.load(Ordering::Relaxed)) > self.heartbeat_ms
    }
}

/// What is open of a user, beyond its connections.
#[derive(Debug, Default)]
pub struct UserUsage {
    channels: AtomicU64,
}

/// A channel that counts as its user's until it is dropped.
#[derive(Debug)]
pub struct CountedChannel(Arc<UserUsage>);

impl UserUsage {
    /// Counts one channel more, unless there are `max`.
    pub fn open_channel(self: &Arc<Self>, max: Option<u64>) -> Option<CountedChannel> {
        let max = max.unwrap_or(u64::MAX);
        let counted = self
            .channels
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |open| {
                (open < max).then_some(open + 1)
            });
        counted.ok().map(|_| CountedChannel(Arc::clone(self)))
    }
}

impl Drop for CountedChannel {
    fn drop(&mut self) {
        self.0.channels.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A limit that is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Of the virtual host.
    Vhost(u64),
    /// Of the user.
    User(u64),
}

/// Most connections of a host and of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectionLimits {
    /// Of the virtual host; `None` without a limit.
    pub vhost: Option<u64>,
    /// Of the user.
    pub user: Option<u64>,
}

#[derive(Debug, Default)]
struct Open {
    by_id: HashMap<u64, Arc<ConnectionHandle>>,
    by_vhost: HashMap<String, u64>,
    by_user: HashMap<String, u64>,
    /// Kept as long as somebody of that name is connected.
    usage: HashMap<String, Weak<UserUsage>>,
}

fn one_less(counts: &mut HashMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(name);
        }
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub struct Connections {
    open: Mutex<Open>,
    /// Sessions whose task has not ended, open or not.
    sessions: AtomicU64,
}

impl Connections {
    /// Adds one at `connection.open`, unless a limit is used up; the host's is looked at first.
    /// Returns what its user has open.
    pub fn add(
        &self,
        handle: Arc<ConnectionHandle>,
        limits: ConnectionLimits,
    ) -> Result<Arc<UserUsage>, Full> {
        let mut open = self.open.lock();
        let count = |counts: &HashMap<String, u64>, name: &str| {
            counts.get(name).copied().unwrap_or_default()
        };
        if let Some(max) = limits.vhost
            && count(&open.by_vhost, &handle.vhost) >= max
        {
            return Err(Full::Vhost(max));
        }
        if let Some(max) = limits.user
            && count(&open.by_user, &handle.user) >= max
        {
            return Err(Full::User(max));
        }
        *open.by_vhost.entry(handle.vhost.clone()).or_default() += 1;
        *open.by_user.entry(handle.user.clone()).or_default() += 1;
        let known = open.usage.get(&handle.user).and_then(Weak::upgrade);
        let usage = known.unwrap_or_default();
        open.usage
            .insert(handle.user.clone(), Arc::downgrade(&usage));
        open.by_id.insert(handle.id, handle);
        Ok(usage)
    }

    /// Removes one.
    pub fn remove(&self, id: u64) {
        let mut open = self.open.lock();
        let Some(handle) = open.by_id.remove(&id) else {
            return;
        };
        one_less(&mut open.by_vhost, &handle.vhost);
        one_less(&mut open.by_user, &handle.user);
        if !open.by_user.contains_key(&handle.user) {
            open.usage.remove(&handle.user);
        }
    }

    /// The connection `id`.
    pub fn get(&self, id: u64) -> Option<Arc<ConnectionHandle>> {
        self.open.lock().by_id.get(&id).cloned()
    }

    /// All of them, oldest first.
    pub fn all(&self) -> Vec<Arc<ConnectionHandle>> {
        let mut all: Vec<_> = self.open.lock().by_id.values().cloned().collect();
        all.sort_unstable_by_key(|handle| handle.id);
        all
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.lock().by_id.len()
    }

    /// Closes those that `which` says with 320 and this text.
    pub fn close_where(&self, text: &str, which: impl Fn(&ConnectionHandle) -> bool) {
        for handle in self.all().into_iter().filter(|handle| which(handle)) {
            handle.close(text);
        }
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
        for handle in self.open.lock().by_id.values() {
            handle.inbox.post(event.clone());
        }
    }

    /// Asks all to close with 320.
    pub fn close_all(&self, reason: &str) {
        self.post_all(&Event::Close(forced_closure(reason)));
    }
}

/// An IPv4 address that came in an IPv6 one, as itself.
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// RabbitMQ's 320.
pub fn forced_closure(reason: &str) -> AmqpError {
    let text = format!("broker forced connection closure with reason '{reason}'");
    AmqpError::new(ReplyCode::ConnectionForced, text)
}
