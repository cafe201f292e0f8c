//! A queue under its lock, with what never changes about it beside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use super::core::Broker;
use super::events::shown;
use super::observe::history::History;
use super::observe::utilisation::Utilisation;
use super::port::ConsumerPort;
use super::vhost::Vhost;
use crate::amqp::{AmqpError, ReplyCode, Table};
use crate::definitions::policy::{Kind, PolicySet};
use crate::ids::Name;
use crate::message::{Chunk, Home, StoredPage};
use crate::queue::serving::Taken;
use crate::queue::settle::SettleRun;
use crate::queue::{
    ConsumerKey, ConsumerSpec, Contents, Counters, Effects, Incoming, MessageId, Queue,
    QueueArguments, QueueKind, Read, Status, Survey,
};

/// A queue of a virtual host. Laid out as written: what a message touches comes first.
#[derive(Debug)]
#[repr(C)]
pub struct SharedQueue {
    /// Never used again.
    pub id: u64,
    deleted: AtomicBool,
    machine: Mutex<Queue<ConsumerPort>>,
    /// Its name.
    pub name: Name,
    /// Its virtual host.
    pub vhost: Weak<Vhost>,
    /// The name of that.
    pub vhost_name: Name,
    /// It outlives a restart.
    pub durable: bool,
    /// The connection that alone may use it.
    pub owner: Option<u64>,
    /// It goes with its last consumer.
    pub auto_delete: bool,
    /// As declared.
    pub arguments: Table,
    /// What the arguments set. Policies may set other values: [`Self::in_force`].
    pub settings: QueueArguments,
    /// The user who declared it; empty where it was not kept.
    pub declared_by: Name,
    /// When it was made, or found after a restart, in milliseconds since the epoch.
    pub made_at: u64,
    /// The policies it is under.
    policy: ArcSwapOption<QueuePolicy>,
    /// The last minute of its counts, for the sampler.
    pub history: History<QUEUE_SERIES, 2, 0>,
    /// How often some consumer could have taken a message.
    pub utilisation: Utilisation,
}

/// The policies a queue is under, and what they make of it.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuePolicy {
    /// The name of the policy.
    pub policy: Option<String>,
    /// The name of the operator policy.
    pub operator_policy: Option<String>,
    /// The keys of both.
    pub definition: serde_json::Map<String, serde_json::Value>,
    /// The queue's settings with them.
    pub settings: QueueArguments,
}

/// Series that a queue's history keeps: ready, unacknowledged, then
/// [`crate::queue::Counters`] in the order of their fields.
pub const QUEUE_SERIES: usize = 12;

/// What a declaration says about a queue.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the fields of queue.declare")]
pub struct QueueSpec {
    pub name: Name,
    pub durable: bool,
    pub owner: Option<u64>,
    pub auto_delete: bool,
    pub arguments: Table,
    pub settings: QueueArguments,
    pub declared_by: Name,
}

/// What was left of a queue when it was deleted.
#[derive(Debug)]
pub(super) struct Ended {
    /// Messages that waited.
    pub ready: u64,
    /// Its consumers.
    pub consumers: Vec<ConsumerPort>,
    /// What it had counted.
    pub counters: Counters,
}

/// Lives as long as a queue's lock is held. A panic in between leaves a queue half changed, which no
/// caller can mend: the process ends rather than serve from it.
struct EndsProcess;

impl Drop for EndsProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("a panic under a queue's lock: this is a bug, and the broker ends");
            std::process::abort();
        }
    }
}

/// What `policies` make of a queue; `None` where none is for it.
fn policy_of(
    policies: &PolicySet,
    name: &Name,
    arguments: &Table,
    settings: &QueueArguments,
) -> Option<QueuePolicy> {
    if policies.is_empty() {
        return None;
    }
    let kind = match settings.kind {
        QueueKind::Classic => Kind::ClassicQueue,
        QueueKind::Quorum => Kind::QuorumQueue,
    };
    let matched = policies.matching(kind, name.as_bytes());
    if matched.is_empty() {
        return None;
    }
    let definition = matched.definition();
    Some(QueuePolicy {
        settings: settings.under(arguments, &definition),
        policy: matched.policy.map(|policy| policy.name.clone()),
        operator_policy: matched.operator.map(|policy| policy.name.clone()),
        definition,
    })
}

/// Messages that an operator acts on per hold of a queue's lock.
const ACTS_PER_HOLD: usize = 256;

/// How far acting on messages by id came.
#[derive(Debug, Default)]
pub(super) struct Acted {
    /// So many were looked at.
    pub seen: usize,
    /// So many of them were still as they have to be.
    pub done: usize,
    /// The block of the next one is away: priority, number, page.
    pub missing: Option<(u8, u64, Arc<StoredPage>)>,
}

/// `queue 'q' in vhost '/'`, as error texts call it.
pub fn queue_subject(name: &[u8], vhost: &Name) -> String {
    format!(
        "queue '{}' in vhost '{vhost}'",
        String::from_utf8_lossy(name)
    )
}

impl SharedQueue {
    pub(super) fn new(id: u64, vhost: &Arc<Vhost>, spec: QueueSpec, now: u64) -> Arc<Self> {
        let policy = policy_of(
            &vhost.policies.load(),
            &spec.name,
            &spec.arguments,
            &spec.settings,
        );
        let settings = policy
            .as_ref()
            .map_or(&spec.settings, |policy| &policy.settings);
        let machine = Mutex::new(Queue::new(settings.clone(), spec.durable, now));
        Arc::new(Self {
            id,
            name: spec.name,
            vhost: Arc::downgrade(vhost),
            vhost_name: vhost.name.clone(),
            durable: spec.durable,
            owner: spec.owner,
            auto_delete: spec.auto_delete,
            arguments: spec.arguments,
            machine,
            settings: spec.settings,
            declared_by: spec.declared_by,
            policy: ArcSwapOption::new(policy.map(Arc::new)),
            deleted: AtomicBool::new(false),
            made_at: now,
            history: History::default(),
            utilisation: Utilisation::default(),
        })
    }

    /// The policies it is under; `None` where it is under none.
    pub fn policy(&self) -> Option<Arc<QueuePolicy>> {
        self.policy.load_full()
    }

    /// Looks at the settings in force: what the arguments set, and policies.
    pub fn in_force<R>(&self, look: impl FnOnce(&QueueArguments) -> R) -> R {
        match &*self.policy.load() {
            Some(policy) => look(&policy.settings),
            None => look(&self.settings),
        }
    }

    /// Puts the policies of its host into force, whatever it was under before.
    pub(super) fn follow_policies(
        self: &Arc<Self>,
        broker: &Broker,
        policies: &PolicySet,
        now: u64,
    ) {
        let policy = policy_of(policies, &self.name, &self.arguments, &self.settings);
        if self.policy.load().as_deref() == policy.as_ref() {
            return;
        }
        let changed = self.with(broker, |queue, effects| {
            let settings = policy
                .as_ref()
                .map_or(&self.settings, |policy| &policy.settings);
            queue.change_settings(settings.clone(), now, effects);
            // Under the lock, so that what is read of it afterwards is not older than the machine.
            self.policy.store(policy.map(Arc::new));
        });
        if changed.is_some() {
            broker.note_lease(self);
        }
    }

    /// `queue 'q' in vhost '/'`.
    pub fn subject(&self) -> String {
        queue_subject(self.name.as_bytes(), &self.vhost_name)
    }

    /// True once it was deleted; whoever still holds it finds nothing in it.
    #[inline]
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Refuses a connection that does not own this exclusive queue (405).
    pub fn check_access(&self, connection: u64) -> Result<(), AmqpError> {
        match self.owner {
            Some(owner) if owner != connection => Err(self.locked()),
            _ => Ok(()),
        }
    }

    /// RabbitMQ's 405.
    pub fn locked(&self) -> AmqpError {
        AmqpError::new(
            ReplyCode::ResourceLocked,
            format!(
                "cannot obtain exclusive access to locked {}. It could be originally declared on \
                 another connection or the exclusive property value does not match that of the \
                 original declaration.",
                self.subject()
            ),
        )
    }

    /// Runs `work` under the lock, then carries out what the queue asks for. `None` when the queue
    /// is deleted.
    #[inline]
    fn with<R>(
        self: &Arc<Self>,
        broker: &Broker,
        work: impl FnOnce(&mut Queue<ConsumerPort>, &mut Effects) -> R,
    ) -> Option<R> {
        let mut effects = Effects::default();
        let gate = self.durable.then(|| broker.journal.enter());
        let result = self.locked_work(&mut effects, work);
        if !effects.is_empty() {
            broker.carry_out(self, effects);
        }
        drop(gate);
        result
    }

    #[inline]
    fn locked_work<R>(
        &self,
        effects: &mut Effects,
        work: impl FnOnce(&mut Queue<ConsumerPort>, &mut Effects) -> R,
    ) -> Option<R> {
        let _guard = EndsProcess;
        let mut machine = self.machine.lock();
        if self.is_deleted() {
            return None;
        }
        Some(work(&mut machine, effects))
    }

    /// Takes a batch; effects are left to the caller, who may be carrying some out already. False
    /// when the queue is deleted: the messages then count as unroutable.
    pub(super) fn enqueue(
        &self,
        chunk: &Arc<Chunk>,
        batch: &[Incoming],
        now: u64,
        effects: &mut Effects,
    ) -> bool {
        self.locked_work(effects, |queue, effects| {
            queue.enqueue(chunk, batch, now, effects)
        })
        .is_some()
    }

    /// True when a batch would not be refused now; a deleted queue refuses nothing.
    pub(super) fn has_room(&self, batch: &[Incoming]) -> bool {
        self.locked_work(&mut Effects::default(), |queue, _| queue.has_room(batch))
            .unwrap_or(true)
    }

    /// Settles runs of deliveries.
    pub fn settle(self: &Arc<Self>, broker: &Broker, runs: &[SettleRun], now: u64) {
        self.with(broker, |queue, effects| queue.settle(runs, now, effects));
    }

    /// As [`Self::settle`], but what the queue asks for, and the log must know, is left to the
    /// caller, who is within the gate.
    pub fn settle_drafting(&self, runs: &[SettleRun], now: u64) -> Effects {
        let mut effects = Effects::default();
        self.locked_work(&mut effects, |queue, effects| {
            queue.settle(runs, now, effects);
        });
        effects
    }

    /// Hands in what was read for it.
    pub(super) fn install(self: &Arc<Self>, broker: &Broker, read: &Read, now: u64) {
        let taken = self.with(broker, |queue, effects| queue.install(read, now, effects));
        if taken == Some(false) {
            tracing::error!(
                "a page of the index of {} is not what was written: stop the broker and repair the \
                 store",
                self.subject()
            );
        }
    }

    /// What it has asked for could not be read: it is looked at again at `at`.
    pub(super) fn cannot_read(self: &Arc<Self>, broker: &Broker, at: u64) {
        self.with(broker, |queue, effects| {
            queue.give_up_reading();
            effects.wake_at = Some(at);
        });
    }

    /// Takes out messages whose records are damaged: see [`Queue::lose`].
    pub(super) fn lose(self: &Arc<Self>, broker: &Broker, damaged: &[(MessageId, Home)]) {
        self.with(broker, |queue, effects| queue.lose(damaged, effects));
    }

    /// Works on the messages themselves, for the keeper; nobody is served.
    pub(super) fn tend<R>(&self, work: impl FnOnce(&mut Contents) -> R) -> Option<R> {
        self.locked_work(&mut Effects::default(), |queue, _| {
            work(queue.contents_mut())
        })
    }

    /// Writes down at most `most` blocks of the index that nobody will want soon; `partial` takes
    /// those that still grow as well.
    pub(super) fn drafts(
        &self,
        partial: bool,
        most: usize,
    ) -> Vec<(u8, crate::queue::page::Draft)> {
        self.locked_work(&mut Effects::default(), |queue, _| {
            queue.drafts(partial, most)
        })
        .unwrap_or_default()
    }

    /// Lets go of a block that lies in the file of pages now.
    pub(super) fn put_away(&self, priority: u8, away: crate::queue::page::Away) {
        self.locked_work(&mut Effects::default(), |queue, _| {
            queue.put_away(priority, away);
        });
    }

    /// Lets go of bodies that lie in files as well.
    pub fn shed(&self, all: bool) {
        self.locked_work(&mut Effects::default(), |queue, _| queue.shed(all));
    }

    /// Shows the messages, for a checkpoint.
    pub fn look<R>(&self, look: impl FnOnce(&Queue<ConsumerPort>) -> R) -> R {
        look(&self.machine.lock())
    }

    /// Takes over messages that the store has found, before anybody connects.
    pub fn restore(&self, contents: Contents) {
        self.machine.lock().restore(contents);
    }

    /// Serves a consumer that was passed over.
    pub fn revisit(self: &Arc<Self>, broker: &Broker, key: ConsumerKey, now: u64) {
        self.with(broker, |queue, effects| queue.revisit(key, now, effects));
    }

    /// Changes a live consumer's prefetch limit.
    pub fn set_prefetch(self: &Arc<Self>, broker: &Broker, key: ConsumerKey, limit: u32, now: u64) {
        self.with(broker, |queue, effects| {
            queue.set_prefetch(key, limit, now, effects)
        });
    }

    /// Adds a consumer; refuses exclusive conflicts (403). `None`: the queue is deleted.
    pub fn consume(
        self: &Arc<Self>,
        broker: &Broker,
        spec: ConsumerSpec,
        port: ConsumerPort,
        now: u64,
    ) -> Option<Result<(), AmqpError>> {
        self.with(broker, |queue, effects| {
            let enforced = self.settings.kind == QueueKind::Classic;
            let single = enforced && self.settings.single_active_consumer && spec.exclusive;
            let conflict = queue.consumers().any_exclusive()
                || (spec.exclusive && !queue.consumers().is_empty());
            if single || (enforced && conflict) {
                let text = format!("{} in exclusive use", self.subject());
                return Err(AmqpError::access_refused(text));
            }
            let told = [
                ("consumer_tag", shown(&port.facts.tag)),
                ("queue", shown(&self.name)),
                ("vhost", shown(&self.vhost_name)),
                ("ack_required", (!spec.no_ack).into()),
                ("exclusive", spec.exclusive.into()),
                ("prefetch_count", spec.prefetch.into()),
            ];
            queue.add_consumer(port.key, spec, port, now, effects);
            Ok(told)
        })
        .map(|added| added.map(|told| broker.events().emit("consumer.created", told)))
    }

    /// Tells the event log that this consumer is no more.
    pub fn tell_of_end(&self, broker: &Broker, tag: &Name) {
        let told = [
            ("consumer_tag", shown(tag)),
            ("queue", shown(&self.name)),
            ("vhost", shown(&self.vhost_name)),
        ];
        broker.events().emit("consumer.deleted", told);
    }

    /// Removes a consumer. True when an auto-delete queue has lost its last one.
    pub fn cancel(self: &Arc<Self>, broker: &Broker, key: ConsumerKey, now: u64) -> bool {
        let last = self.with(broker, |queue, effects| {
            queue.remove_consumer(key, now, effects)
        });
        broker.note_lease(self);
        last == Some(true) && self.auto_delete
    }

    /// Has `act` act on messages by id, some of them at a time: as far as to one whose block is away.
    pub(super) fn act_on(
        self: &Arc<Self>,
        broker: &Broker,
        ids: &[MessageId],
        act: &mut impl FnMut(&mut Queue<ConsumerPort>, MessageId, &mut Effects) -> bool,
    ) -> Acted {
        let acted = self.with(broker, |queue, effects| {
            let mut acted = Acted::default();
            for id in ids.iter().take(ACTS_PER_HOLD) {
                acted.missing = queue.contents().away_at(*id);
                if acted.missing.is_some() {
                    break;
                }
                acted.seen += 1;
                acted.done += usize::from(act(queue, *id, effects));
            }
            acted
        });
        // Of a queue that is deleted nothing is left to act on.
        acted.unwrap_or_else(|| Acted {
            seen: ids.len(),
            ..Acted::default()
        })
    }

    /// Ends a hold: the message is gone, or back in its place.
    pub(super) fn end_hold(self: &Arc<Self>, broker: &Broker, id: MessageId, gone: bool, now: u64) {
        self.with(broker, |queue, effects| {
            queue.end_hold(id, gone, now, effects);
        });
    }

    /// `basic.get`. The outer `None`: the queue is deleted.
    pub fn get(self: &Arc<Self>, broker: &Broker, no_ack: bool, now: u64) -> Option<Option<Taken>> {
        loop {
            let mut effects = Effects::default();
            let gate = self.durable.then(|| broker.journal.enter());
            let taken = self.locked_work(&mut effects, |queue, effects| {
                queue.get(no_ack, now, effects)
            });
            let wanted = effects.wanted.take();
            if !effects.is_empty() {
                broker.carry_out(self, effects);
            }
            drop(gate);
            let Some(wanted) = wanted else {
                return taken;
            };
            // What comes next lies in a file: read it here, which is what the client waits for.
            match broker.read_wanted(self, &wanted) {
                Ok(read) => self.install(broker, &read, now),
                Err(error) => {
                    tracing::error!("{}: {error}", self.subject());
                    return Some(None);
                }
            }
        }
    }

    /// Drops every ready message.
    pub fn purge(self: &Arc<Self>, broker: &Broker) -> Option<u64> {
        self.with(broker, |queue, effects| queue.purge(effects))
    }

    /// A target has the dead letter that was held here.
    pub(super) fn buried(&self, id: MessageId) {
        self.locked_work(&mut Effects::default(), |queue, _| queue.buried(id));
    }

    /// Expires what is due.
    pub(super) fn tick(&self, now: u64, effects: &mut Effects) {
        self.locked_work(effects, |queue, effects| queue.tick(now, effects));
    }

    /// Notes a use for `x-expires`.
    pub fn touch(&self, now: u64) {
        self.locked_work(&mut Effects::default(), |queue, _| queue.touch(now));
    }

    /// When the queue ends for want of use.
    pub(super) fn lease_end(&self) -> Option<u64> {
        self.locked_work(&mut Effects::default(), |queue, _| queue.lease_end())
            .flatten()
    }

    /// Counts.
    pub fn status(&self) -> Status {
        self.machine.lock().status()
    }

    /// The tag of a consumer.
    pub fn consumer_tag(&self, key: ConsumerKey) -> Option<Name> {
        self.look(|queue| {
            let found = queue.consumers().iter().find(|(known, _)| *known == key);
            found.map(|(_, consumer)| consumer.port.facts.tag.clone())
        })
    }

    /// All counts. A deleted queue shows what it had done until then.
    pub fn survey(&self) -> Survey {
        let _guard = EndsProcess;
        self.machine.lock().survey()
    }

    /// True when deliveries show `x-delivery-count`.
    pub fn counts_deliveries(&self) -> bool {
        self.settings.kind == QueueKind::Quorum
            || self.in_force(|settings| settings.delivery_limit.is_some())
    }

    /// Marks it deleted if `allowed` says so of its status, empties it and returns its consumers
    /// and how many messages waited. `None` when it was deleted already.
    pub(super) fn delete_if<E>(
        &self,
        allowed: impl FnOnce(Status) -> Result<(), E>,
    ) -> Option<Result<Ended, E>> {
        let mut machine = self.machine.lock();
        if self.is_deleted() {
            return None;
        }
        let status = machine.status();
        if let Err(refusal) = allowed(status) {
            return Some(Err(refusal));
        }
        self.deleted.store(true, Ordering::Release);
        let counters = machine.counters();
        let consumers = machine
            .take_consumers()
            .into_iter()
            .map(|(_, port)| port)
            .collect();
        *machine = machine.ended();
        Some(Ok(Ended {
            ready: status.ready,
            consumers,
            counters,
        }))
    }
}
