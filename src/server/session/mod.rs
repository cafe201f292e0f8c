//! A session: one connection's protocol, from the header to the last frame.
//!
//! Synchronous: the driver hands in octets, mail from the broker and the time, and writes what
//! stands in the output. Files are split by verb.

mod channel;
mod close;
mod confirm;
mod consume;
mod declare;
mod deliver;
mod frames;
mod get;
mod handshake;
mod held;
mod log;
mod methods;
mod permit;
mod properties;
mod publish;
mod qos;
mod repeat;
mod returns;
mod routes;
mod settle;
mod spool;
#[cfg(test)]
mod tests;
mod timing;
mod trace;
mod tx;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::amqp::{AmqpError, Table};
use crate::auth::{Mechanism, PermissionCache, User};
use crate::broker::batch::Batch;
use crate::broker::connections::{ConnectionHandle, TlsFacts, UserUsage};
use crate::broker::inbox::{Inbox, Mail};
use crate::broker::observe::exchange_counts::ExchangeTally;
use crate::broker::observe::traffic::Traffic;
use crate::broker::{Broker, SharedQueue, Vhost};
use crate::connection::{Heartbeat, Tuning};
use crate::queue::settle::SettleRun;
use crate::server::output::Output;
use crate::time::SteadyClock;

use channel::Channel;
use confirm::HeldConfirm;
use consume::Consumers;
use deliver::Template;
use log::LogName;
use properties::PropertiesMemo;
use repeat::Repeat;
use routes::RouteCache;
use spool::Arrived;

/// What every session of a node is told.
#[derive(Debug)]
pub struct SessionOptions {
    /// What is offered in `connection.tune`.
    pub tuning: Tuning,
    /// Frames before login are at most this long, in octets.
    pub initial_frame_max: usize,
    /// `connection.start`'s server-properties.
    pub server_properties: Table,
    /// SASL mechanisms, in the order of preference.
    pub mechanisms: Vec<Mechanism>,
    /// The user of ANONYMOUS logins, if there are such.
    pub anonymous_user: Option<String>,
    /// Users that may log in from this machine only.
    pub loopback_users: Vec<String>,
    /// Milliseconds until `connection.open` must have come.
    pub handshake_timeout_ms: u64,
    /// Most connections of the node.
    pub connection_max: Option<u64>,
}

/// What is known of the other end before it says anything.
#[derive(Debug, Clone, Default)]
pub struct PeerInfo {
    /// Its address, the one behind a proxy if the PROXY protocol told it.
    pub address: Option<SocketAddr>,
    /// Our end of the socket.
    pub local: Option<SocketAddr>,
    /// The socket itself leads to this machine, whatever a proxy says of who is behind it.
    pub socket_is_loopback: bool,
    /// It came over TLS.
    pub tls: bool,
    /// What TLS says of it.
    pub tls_facts: Option<Box<TlsFacts>>,
    /// The user name in its verified certificate.
    pub certificate_user: Option<String>,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits for the protocol header.
    Header,
    /// Waits for start-ok.
    Start,
    /// Waits for tune-ok.
    Tune,
    /// Waits for open.
    Open,
    /// Open.
    Running,
    /// We sent close and wait for close-ok; nothing else counts.
    Closing,
    /// Nothing more is read; what is written goes out, then the socket closes.
    Done,
}

/// What a client said about itself in start-ok.
#[derive(Debug, Default)]
struct Client {
    name: Option<String>,
    properties: Table,
    /// The SASL mechanism it chose.
    mechanism: String,
    failure_close: bool,
    cancel_notify: bool,
    blocked: bool,
}

/// One connection's protocol state.
#[derive(Debug)]
pub struct Session {
    broker: Arc<Broker>,
    options: Arc<SessionOptions>,
    id: u64,
    peer: PeerInfo,
    phase: Phase,
    tuning: Tuning,
    client: Client,
    user: Option<Arc<User>>,
    vhost: Option<Arc<Vhost>>,
    handle: Option<Arc<ConnectionHandle>>,
    /// The firehose was on when deliveries were last written.
    traced: bool,
    /// What its user has open, on all connections.
    usage: Arc<UserUsage>,
    /// What is seen of it from outside.
    traffic: Arc<Traffic>,
    /// Publishes of the batch by exchange.
    tally: ExchangeTally,
    inbox: Arc<Inbox>,
    mail: Mail,
    mail_run: usize,
    mail_item: usize,
    template: Template,
    channels: HashMap<u16, Channel, foldhash::fast::RandomState>,
    consumers: Consumers,
    routes: RouteCache,
    memo: PropertiesMemo,
    repeat: Repeat,
    grants: PermissionCache,
    topic_grants: PermissionCache,
    batch: Batch,
    /// Channel and confirm number of each publish in the batch.
    batch_publishes: Vec<(u16, u64)>,
    /// Channels with confirms to write.
    confirming: Vec<u16>,
    /// The log's ticket of what has been flushed and not yet confirmed; 0 when none.
    batch_ticket: u64,
    held_confirms: VecDeque<HeldConfirm>,
    /// The log's ticket that what stands in the output waits for.
    barrier: u64,
    settles: Vec<(Arc<SharedQueue>, Vec<SettleRun>)>,
    out: Output,
    clock: SteadyClock,
    /// Milliseconds since the epoch, read once per batch.
    now: u64,
    heartbeat: Option<Heartbeat>,
    /// When the current phase must be over, by the steady clock.
    deadline: Option<u64>,
    next_timeout_check: u64,
    /// It has published, so alarms concern it.
    publisher: bool,
    /// The last octets were not used up because no more are wanted now.
    stopped: bool,
    /// The last frame put a whole message into the output (a get-ok, a return).
    wrote_body: bool,
    /// We told it that it is blocked.
    told_blocked: bool,
    /// Octets left of a body frame whose start has been taken in.
    body_rest: Option<frames::BodyRest>,
    /// Channels whose content goes to files as it arrives.
    spooling: Vec<u16>,
    /// A content that is complete and not written yet; nothing more is read before it is.
    arrived: Option<Arrived>,
    /// The peer, as the log calls it.
    name: LogName,
}

impl Session {
    /// A session at its very beginning.
    pub fn new(broker: Arc<Broker>, options: Arc<SessionOptions>, peer: PeerInfo) -> Self {
        broker.connections.session_started();
        let clock = SteadyClock::start();
        let name = LogName::new(&peer);
        Self {
            id: broker.next_id(),
            deadline: Some(options.handshake_timeout_ms),
            tuning: Tuning {
                frame_max: 0,
                channel_max: 0,
                heartbeat_s: 0,
            },
            broker,
            options,
            peer,
            phase: Phase::Header,
            client: Client::default(),
            user: None,
            vhost: None,
            handle: None,
            traced: false,
            usage: Arc::default(),
            traffic: Arc::default(),
            tally: ExchangeTally::default(),
            inbox: Arc::default(),
            mail: Mail::default(),
            mail_run: 0,
            mail_item: 0,
            template: Template::default(),
            channels: HashMap::default(),
            consumers: Consumers::default(),
            routes: RouteCache::default(),
            memo: PropertiesMemo::default(),
            repeat: Repeat::default(),
            grants: PermissionCache::new(),
            topic_grants: PermissionCache::new(),
            batch: Batch::default(),
            batch_publishes: Vec::new(),
            confirming: Vec::new(),
            batch_ticket: 0,
            held_confirms: VecDeque::new(),
            barrier: 0,
            settles: Vec::new(),
            out: Output::default(),
            clock,
            now: crate::time::unix_ms(),
            heartbeat: None,
            next_timeout_check: u64::MAX,
            publisher: false,
            told_blocked: false,
            stopped: false,
            wrote_body: false,
            body_rest: None,
            spooling: Vec::new(),
            arrived: None,
            name,
        }
    }

    /// The inbox that the driver listens to.
    pub fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// What is to be written.
    pub fn output(&mut self) -> &mut Output {
        &mut self.out
    }

    /// True when the socket is to be closed once the output is written.
    pub fn is_done(&self) -> bool {
        self.phase == Phase::Done
    }

    /// The virtual host; every method that asks comes after `connection.open`.
    fn host(&self) -> Result<Arc<Vhost>, AmqpError> {
        self.vhost
            .clone()
            .ok_or_else(|| AmqpError::command_invalid("no virtual host is open"))
    }

    fn user_name(&self) -> &str {
        self.user.as_ref().map_or("", |user| user.name.as_str())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.broker.connections.session_ended();
    }
}
