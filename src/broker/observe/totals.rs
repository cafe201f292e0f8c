//! Sums over a virtual host, and over the node.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::sync::Arc;

use super::channel_stats::ChannelStats;
use super::gone::{Gone, KindCounts};
use super::message_counts::MessageCounts;
use super::traffic::Traffic;
use crate::broker::connections::ConnectionHandle;
use crate::broker::{Broker, SharedQueue, Vhost};
use crate::ids::Name;
use crate::queue::{Depth, QueueKind, Survey};

/// Sums over what is there and what was.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    /// By channels, with `disk_reads` and `disk_writes` by queues.
    pub counts: MessageCounts,
    /// Octets received by connections.
    pub recv_oct: u64,
    /// Octets sent by them.
    pub send_oct: u64,
    /// The messages of its queues.
    pub depth: Depth,
    /// What classic queues have done.
    pub classic: KindCounts,
    /// What quorum queues have done.
    pub quorum: KindCounts,
    /// Open connections.
    pub connections: u64,
    /// Open channels.
    pub channels: u64,
    /// Channels that have consumers.
    pub consuming_channels: u64,
    /// Channels that have published.
    pub publishing_channels: u64,
    /// Consumers of queues.
    pub consumers: u64,
    /// Queues.
    pub queues: u64,
    /// Exchanges, the default one included.
    pub exchanges: u64,
    /// Publishes that wait for their confirm.
    pub unconfirmed: u64,
    /// Declarations of queues that succeeded.
    pub queue_declared: u64,
    /// Queues made.
    pub queue_created: u64,
    /// Queues deleted.
    pub queue_deleted: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        self.classic += other.classic;
        self.quorum += other.quorum;
        self.depth += other.depth;
        let pairs = [
            (&mut self.recv_oct, other.recv_oct),
            (&mut self.send_oct, other.send_oct),
            (&mut self.connections, other.connections),
            (&mut self.channels, other.channels),
            (&mut self.consuming_channels, other.consuming_channels),
            (&mut self.publishing_channels, other.publishing_channels),
            (&mut self.consumers, other.consumers),
            (&mut self.queues, other.queues),
            (&mut self.exchanges, other.exchanges),
            (&mut self.unconfirmed, other.unconfirmed),
            (&mut self.queue_declared, other.queue_declared),
            (&mut self.queue_created, other.queue_created),
            (&mut self.queue_deleted, other.queue_deleted),
        ];
        for (sum, more) in pairs {
            *sum += more;
        }
    }
}

impl Totals {
    fn of_gone(gone: Gone) -> Self {
        Self {
            counts: gone.counts,
            recv_oct: gone.recv_oct,
            send_oct: gone.send_oct,
            classic: gone.classic,
            quorum: gone.quorum,
            ..Self::default()
        }
    }

    /// The sums of a virtual host that was deleted: nothing is in it any more.
    pub fn of_ended(vhost: &Vhost) -> Self {
        let mut totals = Self::of_gone(*vhost.gone.lock());
        totals.queue_declared = vhost.churn.declared.get();
        totals.queue_created = vhost.churn.created.get();
        totals.queue_deleted = vhost.churn.deleted.get();
        totals.finish();
        totals
    }

    fn add_channel(&mut self, channel: &ChannelStats) {
        let counts = channel.counts();
        self.counts += counts;
        self.channels += 1;
        self.consuming_channels += u64::from(channel.consumers.get() > 0);
        self.publishing_channels += u64::from(counts.publish > 0);
        self.unconfirmed += channel.unconfirmed.get();
    }

    /// Adds a queue that has been looked at.
    pub fn add_queue(&mut self, queue: &SharedQueue, survey: &Survey) {
        let kind = match queue.settings.kind {
            QueueKind::Classic => &mut self.classic,
            QueueKind::Quorum => &mut self.quorum,
        };
        kind.add(survey.counters, &queue.settings);
        self.queues += 1;
        self.consumers += survey.consumers as u64;
        self.depth += survey.depth;
    }

    /// The disk's share, once every queue has been added.
    pub fn finish(&mut self) {
        for kind in [self.classic, self.quorum] {
            self.counts.disk_reads += kind.counts.disk_reads;
            self.counts.disk_writes += kind.counts.disk_writes;
        }
    }
}

/// A virtual host at one moment: what is gone, and what was there then. Its members go on counting
/// and are looked at in their own time; one that ends meanwhile keeps its counts.
#[derive(Debug)]
pub struct Snapshot {
    gone: Gone,
    traffic: Vec<Arc<Traffic>>,
    channels: Vec<Arc<ChannelStats>>,
    /// Its queues.
    pub queues: Vec<Arc<SharedQueue>>,
}

impl Snapshot {
    /// The host's state, with those of `connections` that are its own.
    pub fn take(vhost: &Vhost, connections: &[Arc<ConnectionHandle>]) -> Self {
        let gone = vhost.gone.lock();
        let mut traffic = Vec::new();
        let mut channels = Vec::new();
        let own = connections
            .iter()
            .filter(|handle| handle.vhost.as_bytes() == vhost.name.as_bytes());
        for handle in own.filter(|handle| !handle.traffic.has_ended()) {
            channels.extend(handle.traffic.channels());
            traffic.push(Arc::clone(&handle.traffic));
        }
        Self {
            traffic,
            channels,
            queues: vhost.all_queues(),
            gone: *gone,
        }
    }

    /// The sums without those of queues, which the caller adds, then calls [`Totals::finish`].
    pub fn totals(&self, vhost: &Vhost) -> Totals {
        let mut totals = Totals::of_gone(self.gone);
        for channel in &self.channels {
            totals.add_channel(channel);
        }
        for traffic in &self.traffic {
            totals.connections += 1;
            totals.recv_oct += traffic.recv_oct.get();
            totals.send_oct += traffic.send_oct.get();
        }
        totals.exchanges = vhost.exchange_count() as u64 + 1;
        totals.queue_declared = vhost.churn.declared.get();
        totals.queue_created = vhost.churn.created.get();
        totals.queue_deleted = vhost.churn.deleted.get();
        totals
    }
}

/// Connections by the name of their virtual host.
pub fn by_vhost(broker: &Broker) -> HashMap<String, Vec<Arc<ConnectionHandle>>> {
    let mut groups: HashMap<String, Vec<Arc<ConnectionHandle>>> = HashMap::new();
    for handle in broker.connections.all() {
        groups.entry(handle.vhost.clone()).or_default().push(handle);
    }
    groups
}

/// The sums of one virtual host, as they are now.
pub fn of_vhost(vhost: &Vhost, connections: &[Arc<ConnectionHandle>]) -> Totals {
    let snapshot = Snapshot::take(vhost, connections);
    let mut totals = snapshot.totals(vhost);
    for queue in &snapshot.queues {
        totals.add_queue(queue, &queue.survey());
    }
    totals.finish();
    totals
}

/// The sums of every virtual host, as they are now.
pub fn of_vhosts(broker: &Broker) -> Vec<(Name, Totals)> {
    let groups = by_vhost(broker);
    let none = Vec::new();
    broker
        .vhosts()
        .iter()
        .map(|vhost| {
            let name = String::from_utf8_lossy(vhost.name.as_bytes());
            let own = groups.get(name.as_ref()).unwrap_or(&none);
            (vhost.name.clone(), of_vhost(vhost, own))
        })
        .collect()
}

/// How often connections, channels and queues have come and gone: the series of
/// [`super::observer::CHURN_SERIES`].
pub fn churn(broker: &Broker) -> [u64; super::observer::CHURN_SERIES] {
    let gone = broker.observer.deleted_vhosts();
    let mut queues = [gone.queue_declared, gone.queue_created, gone.queue_deleted];
    for vhost in broker.vhosts() {
        let churn = &vhost.churn;
        let own = [
            churn.declared.get(),
            churn.created.get(),
            churn.deleted.get(),
        ];
        for (sum, more) in queues.iter_mut().zip(own) {
            *sum += more;
        }
    }
    let [declared, created, deleted] = queues;
    [
        broker.churn.connection_created.get(),
        broker.churn.connection_closed.get(),
        broker.churn.channel_created.get(),
        broker.churn.channel_closed.get(),
        declared,
        created,
        deleted,
    ]
}

/// The sums of the node: of its virtual hosts and those that were deleted.
pub fn of_node(broker: &Broker) -> Totals {
    let mut sum = broker.observer.deleted_vhosts();
    for (_, totals) in of_vhosts(broker) {
        sum += totals;
    }
    sum
}
