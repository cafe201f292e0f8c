//! The broker itself: what there is one of per node.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use super::admin::Imports;
use super::admin::parameters::Parameters;
use super::alarms::Alarms;
use super::connections::{Connections, forced_closure};
use super::events::shown;
use super::inbox::Event;
use super::journal::Journal;
use super::observe::churn::{AuthAttempts, Churn};
use super::observe::observer::Observer;
use super::pressure::Pressure;
use super::reader::Reader;
use super::reply_to::Replies;
use super::shared_queue::SharedQueue;
use super::timer::Timer;
use super::users::Users;
use super::vhost::{Description, Vhost};
use crate::auth::HashingAlgorithm;
use crate::definitions::Command;
use crate::definitions::rows::VhostRow;
use crate::ids::Name;
use crate::logs::Logs;
use crate::logs::events::EventLog;
use crate::queue::QueueKind;

/// What the broker is told at start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Largest body in octets.
    pub max_message_size: u64,
    /// Resident memory in octets at which publishers are blocked.
    pub memory_limit: u64,
    /// Milliseconds within which deliveries must be acknowledged; `None` is for ever.
    pub consumer_timeout_ms: Option<u64>,
    /// How the passwords of new users are hashed.
    pub hashing: HashingAlgorithm,
    /// The queue type of declarations that name none.
    pub default_kind: QueueKind,
}

/// What the node told about itself.
#[derive(Debug)]
struct Identity {
    node: String,
    logs: Arc<Logs>,
}

/// A running broker.
#[derive(Debug)]
pub struct Broker {
    /// What it was told at start.
    pub options: Options,
    /// Users and permissions.
    pub users: Users,
    /// Open connections.
    pub connections: Connections,
    /// The memory alarm.
    pub alarms: Alarms,
    /// Channels that wait for direct replies.
    pub replies: Replies,
    /// Parameters of hosts and of the broker.
    pub(super) parameters: Mutex<Parameters>,
    /// One change of the list of hosts, or of what belongs to one by name, at a time.
    pub(super) vhost_change: Mutex<()>,
    /// Imports of definitions under way.
    pub imports: Imports,
    /// The way to the commit log.
    pub journal: Arc<Journal>,
    /// How often connections and channels come and go.
    pub churn: Churn,
    /// Attempts to log in.
    pub auth_attempts: AuthAttempts,
    /// What has been seen of all this in the last minutes and hours.
    pub observer: Observer,
    /// What publishers wait for besides the log's own buffer.
    pub pressure: Pressure,
    /// Reads for queues whose next messages lie in files.
    pub reader: Reader,
    pub(super) timer: Timer,
    identity: OnceLock<Identity>,
    vhosts: RwLock<BTreeMap<Name, Arc<Vhost>>>,
    last_id: AtomicU64,
}

impl Broker {
    /// A broker without virtual hosts or users.
    pub fn new(options: Options) -> Arc<Self> {
        Arc::new(Self {
            alarms: Alarms::new(options.memory_limit),
            options,
            users: Users::default(),
            connections: Connections::default(),
            replies: Replies::default(),
            parameters: Mutex::default(),
            vhost_change: Mutex::default(),
            imports: Imports::default(),
            journal: Arc::default(),
            churn: Churn::default(),
            auth_attempts: AuthAttempts::default(),
            observer: Observer::default(),
            pressure: Pressure::default(),
            reader: Reader::default(),
            timer: Timer::default(),
            identity: OnceLock::new(),
            vhosts: RwLock::default(),
            last_id: AtomicU64::new(0),
        })
    }

    /// Tells it its node's name and its log; once.
    pub fn introduce(&self, node: &str, logs: Arc<Logs>) {
        // A second name would be our own bug; the first stays.
        let _ = self.identity.set(Identity {
            node: node.to_owned(),
            logs,
        });
    }

    /// The node's name; before it was told, as in tests, Erlang's for none.
    pub fn node(&self) -> &str {
        let identity = self.identity.get();
        identity.map_or("nonode@nohost", |identity| identity.node.as_str())
    }

    /// What happened, for programs.
    pub fn events(&self) -> &EventLog {
        &self.journal.events
    }

    /// The log, whose levels can be changed and whose last lines can be read.
    pub fn logs(&self) -> Option<&Arc<Logs>> {
        self.identity.get().map(|identity| &identity.logs)
    }

    /// A number that was never given out before in this process.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// The virtual host called `name`.
    pub fn vhost(&self, name: &[u8]) -> Option<Arc<Vhost>> {
        self.vhosts.read().get(name).cloned()
    }

    /// Every virtual host, by name.
    pub fn vhosts(&self) -> Vec<Arc<Vhost>> {
        self.vhosts.read().values().cloned().collect()
    }

    /// The virtual host called `name`, made if it is not there.
    pub fn put_vhost(&self, name: &[u8], default_kind: Option<QueueKind>) -> Arc<Vhost> {
        if let Some(known) = self.vhost(name) {
            return known;
        }
        let name = Name::new(name);
        let description = Description {
            default_queue_type: default_kind.map(|kind| kind.name().to_owned()),
            default_kind: default_kind.unwrap_or(self.options.default_kind),
            ..Description::default()
        };
        let row = VhostRow {
            name: name.clone(),
            description: String::new(),
            tags: Vec::new(),
            default_queue_type: description.default_queue_type.clone(),
            protected: description.protected,
        };
        self.insert_vhost(&name, description, Some(row))
    }

    /// Adds a host, or describes the one that is there anew, and proposes `row`.
    pub(super) fn insert_vhost(
        &self,
        name: &Name,
        description: Description,
        row: Option<VhostRow>,
    ) -> Arc<Vhost> {
        let mut vhosts = self.vhosts.write();
        if let Some(row) = row {
            let event = match vhosts.contains_key(name) {
                true => "vhost.updated",
                false => "vhost.created",
            };
            let told = [
                ("name", shown(name)),
                ("description", row.description.clone().into()),
                ("tags", row.tags.clone().into()),
            ];
            self.events().emit(event, told);
            self.journal.define(Command::PutVhost(row));
        }
        if let Some(known) = vhosts.get(name) {
            known.describe(description);
            return Arc::clone(known);
        }
        let journal = Arc::clone(&self.journal);
        let vhost = Vhost::new(name.clone(), description, journal);
        vhosts.insert(name.clone(), Arc::clone(&vhost));
        vhost
    }

    /// Takes a host out of the list and proposes its end with all that is in it. Nothing comes into it
    /// any more; what it holds is the caller's to end.
    pub(super) fn remove_vhost(&self, name: &[u8]) -> Option<Arc<Vhost>> {
        let mut vhosts = self.vhosts.write();
        let vhost = vhosts.remove(name)?;
        vhost.close();
        let name = vhost.name.clone();
        self.journal.define(Command::DeleteVhost { name });
        Some(vhost)
    }

    /// Numbers start above those that were used before the restart.
    pub(super) fn start_ids_above(&self, used: u64) {
        self.last_id.fetch_max(used, Ordering::Relaxed);
    }

    /// Starts the lease of a queue that nobody uses, if it has one.
    pub(super) fn note_lease(&self, queue: &Arc<SharedQueue>) {
        if queue.in_force(|settings| settings.expires_ms.is_some())
            && let Some(end) = queue.lease_end()
        {
            self.timer.watch_lease(queue, end);
        }
    }

    /// Deletes a queue whose lease has ended; watches on where it was used since.
    pub(super) fn end_lease(&self, queue: &Arc<SharedQueue>, now: u64) {
        match queue.lease_end() {
            Some(end) if end <= now => {
                if let Some(vhost) = queue.vhost.upgrade() {
                    // Refused only if a consumer came in this instant; its leaving starts a lease.
                    let _ = vhost.delete_queue(queue, true, false);
                }
            }
            Some(end) => self.timer.watch_lease(queue, end),
            None => {}
        }
    }

    /// Measures memory and tells every connection when the alarm changes.
    pub fn check_memory(&self, used: u64) {
        if !self.alarms.measure_memory(used) {
            return;
        }
        let limit = self.alarms.memory_limit();
        if used > limit {
            tracing::info!("vm_memory_high_watermark set. Memory used:{used} allowed:{limit}");
            self.log_alarm("memory");
        } else {
            tracing::info!("vm_memory_high_watermark clear. Memory used:{used} allowed:{limit}");
            self.log_alarm_cleared("memory");
        }
        self.tell_of_alarms();
    }

    /// Notes whether the disk has too little free space and tells every connection when that
    /// changes.
    pub fn check_disk(&self) {
        let low = self.journal.log().is_some_and(|log| log.space_low());
        if !self.alarms.measure_disk(low) {
            return;
        }
        let (free, limit) = self
            .journal
            .log()
            .map_or((0, 0), |log| (log.free_bytes(), log.reserve_bytes()));
        if low {
            tracing::info!("Free disk space is insufficient. Free bytes: {free}. Limit: {limit}");
            self.log_alarm("disk");
        } else {
            tracing::info!("Free disk space is sufficient. Free bytes: {free}. Limit: {limit}");
            self.log_alarm_cleared("disk");
        }
        self.tell_of_alarms();
    }

    /// RabbitMQ's block, which nobody overlooks.
    fn log_alarm(&self, resource: &'static str) {
        self.events()
            .emit("alarm.set", [("resource", resource.into())]);
        let node = self.node();
        let stars = "*".repeat(58);
        tracing::warn!(
            "{resource} resource limit alarm set on node {node}.\n\n{stars}\n*** Publishers will be \
             blocked until this alarm clears ***\n{stars}\n"
        );
    }

    fn log_alarm_cleared(&self, resource: &'static str) {
        self.events()
            .emit("alarm.cleared", [("resource", resource.into())]);
        let node = self.node();
        tracing::warn!("{resource} resource limit alarm cleared on node {node}");
        // Of a cluster of one, that is the last.
        tracing::warn!("{resource} resource limit alarm cleared across the cluster");
    }

    fn tell_of_alarms(&self) {
        self.connections.post_all(&match self.alarms.reason() {
            Some(reason) => Event::Blocked(reason),
            None => Event::Unblocked,
        });
    }

    /// Closes a connection that has been silent for longer than its heartbeat, if it belongs to the
    /// same client as `user`, `name` and `peer` say. True when it was closed.
    pub fn take_over(
        &self,
        owner: u64,
        user: &str,
        name: Option<&str>,
        peer: Option<std::net::IpAddr>,
        now: u64,
    ) -> bool {
        let Some(old) = self.connections.get(owner) else {
            return false;
        };
        let same = name.is_some()
            && old.name.as_deref() == name
            && old.user == user
            && old.peer.map(|p| p.ip()) == peer;
        if same && old.is_silent(now) {
            old.inbox
                .post(Event::Close(forced_closure("exclusive queue taken over")));
            return true;
        }
        false
    }
}
