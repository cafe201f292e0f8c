//! A queue and its naive model side by side: every operation goes to both, then everything that
//! can be seen is compared.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::disk::Disk;
use super::invariants::Ledger;
use super::model::{Consumer, Model, Place, Published};
use super::outlet::{Connection, Given, Outlet, Seen, read_name, write_named};
use crate::message::Chunk;
use crate::queue::settle::{SettleRun, Settlement};
use crate::queue::{
    ConsumerKey, ConsumerSpec, Effects, Incoming, MessageId, Overflow, Queue, QueueArguments,
    QueueKind, Wanted,
};

/// Connections that consumers are spread over.
pub const CONNECTIONS: usize = 3;

pub struct Harness {
    pub(super) queue: Queue<Outlet>,
    pub model: Model,
    pub(super) ledger: Ledger,
    pub connections: Vec<Rc<Connection>>,
    /// What is out, in the order it went: message, id, to whom.
    pub(super) out: Vec<(String, MessageId, Option<u64>)>,
    pub(super) held: Vec<(String, MessageId)>,
    pub(super) durable: bool,
    /// What the log was told, and where bodies lie.
    pub(super) disk: Disk,
    /// What the queue has asked to be read.
    pub(super) wanted: Vec<Wanted>,
    priorities: BTreeMap<String, u8>,
    names: u64,
    keys: u64,
    /// When the queue will be visited, as far as it has asked for it.
    pub(super) alarm: u64,
}

impl Harness {
    pub fn new(settings: QueueArguments, durable: bool) -> Self {
        let model = Model::new(settings.clone(), CONNECTIONS);
        Self {
            queue: Queue::new(settings, durable, model.now),
            model,
            durable,
            disk: Disk::default(),
            wanted: Vec::new(),
            ledger: Ledger::default(),
            connections: (0..CONNECTIONS as u64).map(Connection::new).collect(),
            out: Vec::new(),
            held: Vec::new(),
            priorities: BTreeMap::new(),
            names: 0,
            keys: 0,
            alarm: u64::MAX,
        }
    }

    pub fn fresh_name(&mut self) -> String {
        self.names += 1;
        format!("m{}", self.names)
    }

    /// Runs `work` with the consumer at `at` among those there are, if there is one.
    pub fn with_consumer(&mut self, at: usize, work: impl FnOnce(&mut Self, u64)) {
        let count = self.model.consumers.len();
        if count > 0 {
            let key = self.model.consumers[at % count].key;
            work(self, key);
        }
    }

    pub fn publish(&mut self, batch: &[Published]) {
        let mut data = Vec::new();
        let incoming: Vec<Incoming> = batch
            .iter()
            .zip(0..)
            .map(|(message, publish)| Incoming {
                offset: write_named(&mut data, &message.name, message.size as usize),
                size: message.size,
                priority: message.priority,
                ttl_ms: message.ttl_ms,
                publish,
                persistent: message.persistent,
                forced: message.forced,
            })
            .collect();
        let mut effects = Effects::default();
        let room = self.queue.has_room(&incoming);
        let now = self.model.now;
        let chunk = Chunk::new(data);
        self.queue.enqueue(&chunk, &incoming, now, &mut effects);
        assert!(!room || effects.refused.is_empty(), "has_room was wrong");
        let settings = &self.model.settings;
        for (message, number) in batch.iter().zip(0..) {
            if effects.refused.contains(&number) {
                continue;
            }
            let ttl = message
                .ttl_ms
                .min(settings.message_ttl_ms.unwrap_or(u64::MAX));
            // Quorum queues have no priorities: one order for all.
            let priority = match settings.kind {
                QueueKind::Classic => message.priority.min(settings.max_priority),
                QueueKind::Quorum => 0,
            };
            self.priorities.insert(message.name.clone(), priority);
            self.ledger
                .accept(&message.name, priority, now.saturating_add(ttl));
        }
        self.model.publish(batch);
        self.note_batch(&mut effects, &incoming, &chunk);
        self.compare(effects);
    }

    pub fn consume(&mut self, no_ack: bool, priority: i32, prefetch: u32, connection: usize) {
        self.keys += 1;
        let key = ConsumerKey(self.keys);
        let outlet = Outlet {
            connection: Rc::clone(&self.connections[connection]),
            key,
        };
        let spec = ConsumerSpec {
            no_ack,
            exclusive: false,
            priority,
            prefetch,
        };
        let mut effects = Effects::default();
        let now = self.model.now;
        self.queue
            .add_consumer(key, spec, outlet, now, &mut effects);
        let consumer = Consumer::new(key.0, no_ack, priority, prefetch, connection);
        self.model.add_consumer(consumer);
        self.compare(effects);
    }

    pub fn cancel(&mut self, key: u64) {
        let mut effects = Effects::default();
        let now = self.model.now;
        let last = self
            .queue
            .remove_consumer(ConsumerKey(key), now, &mut effects);
        self.model.remove_consumer(key);
        assert_eq!(last, self.model.consumers.is_empty());
        self.compare(effects);
    }

    /// Settles up to `count` of what is out, from the one at `at` on.
    pub fn settle(&mut self, at: usize, count: usize, how: Settlement) {
        if self.out.is_empty() {
            return;
        }
        let at = at % self.out.len();
        let end = self.out.len().min(at + count);
        let settled: Vec<_> = self.out.drain(at..end).collect();
        let mut runs: Vec<SettleRun> = Vec::new();
        for (name, id, consumer) in &settled {
            let consumer = consumer.map(ConsumerKey);
            match runs.last_mut().filter(|run| {
                run.consumer == consumer && run.first.raw() + u64::from(run.len) == id.raw()
            }) {
                Some(run) => run.len += 1,
                None => runs.push(SettleRun {
                    first: *id,
                    len: 1,
                    consumer,
                    how,
                }),
            }
            self.ledger.returned(name);
            if matches!(how, Settlement::Ack) {
                self.ledger.left(name);
            }
            self.give_credit_back(consumer.map(|key| key.0));
        }
        let mut effects = Effects::default();
        self.queue.settle(&runs, self.model.now, &mut effects);
        let names: Vec<String> = settled.into_iter().map(|(name, ..)| name).collect();
        self.model.settle(&names, how);
        self.compare(effects);
    }

    /// A channel counts an acknowledged delivery off before the queue hears of it.
    fn give_credit_back(&mut self, consumer: Option<u64>) {
        let consumers = &self.model.consumers;
        if let Some(consumer) = consumers.iter().find(|c| Some(c.key) == consumer) {
            let at = consumer.connection;
            let credit = self.model.credit[at].map(|left| left + 1);
            self.model.credit[at] = credit;
            self.connections[at].credit.set(credit);
        }
    }

    pub fn get(&mut self, no_ack: bool) {
        let now = self.model.now;
        let mut effects = Effects::default();
        let mut taken = self.queue.get(no_ack, now, &mut effects);
        while let Some(wanted) = effects.wanted.take() {
            assert!(taken.is_none());
            assert!(self.model.head_is_away(), "read for nothing");
            self.compare(std::mem::take(&mut effects));
            self.fetch(&wanted, 0);
            taken = self.queue.get(no_ack, now, &mut effects);
        }
        let expected = self.model.get(no_ack);
        assert_eq!(taken.is_some(), expected.is_some());
        if let (Some(taken), Some(expected)) = (taken, expected) {
            let name = read_name(&taken.chunk, taken.offset);
            assert_eq!(name, expected.name);
            assert_eq!(taken.redelivered, expected.redelivered);
            assert_eq!(taken.count, expected.count);
            assert_eq!(taken.ready, self.model.ready().count() as u64);
            self.ledger.delivered(&name, None, no_ack, now);
            if !no_ack {
                self.out.push((name, taken.id, None));
            }
        }
        self.compare(effects);
    }

    pub fn purge(&mut self) {
        let mut effects = Effects::default();
        assert_eq!(self.queue.purge(&mut effects), self.model.purge());
        let model = &self.model;
        self.ledger.left_unseen(|name| model.has(name));
        self.compare(effects);
    }

    pub fn tick(&mut self) {
        let now = self.model.now;
        if self.alarm <= now {
            self.alarm = u64::MAX;
        }
        let mut effects = Effects::default();
        self.queue.tick(now, &mut effects);
        self.model.visit();
        self.compare(effects);
    }

    pub fn set_prefetch(&mut self, key: u64, limit: u32) {
        let mut effects = Effects::default();
        let now = self.model.now;
        self.queue
            .set_prefetch(ConsumerKey(key), limit, now, &mut effects);
        self.model.set_prefetch(key, limit);
        self.compare(effects);
    }

    pub fn revisit(&mut self, key: u64) {
        let mut effects = Effects::default();
        self.queue
            .revisit(ConsumerKey(key), self.model.now, &mut effects);
        self.model.revisit(key);
        self.compare(effects);
    }

    pub fn bury(&mut self, at: usize) {
        if self.held.is_empty() {
            return;
        }
        let (name, id) = self.held.remove(at % self.held.len());
        self.note_buried(id);
        self.queue.buried(id);
        self.model.buried(&name);
        self.ledger.left(&name);
        self.compare(Effects::default());
    }

    /// Everything leaves: what is out is acknowledged, what is held is buried, and a consumer
    /// without limits takes the rest.
    pub fn drain(&mut self) {
        for connection in &self.connections {
            connection.room.set(isize::MAX / 2);
            connection.credit.set(None);
        }
        self.model.room = vec![isize::MAX / 2; CONNECTIONS];
        self.model.credit = vec![None; CONNECTIONS];
        while !self.model.consumers.is_empty() {
            self.with_consumer(0, Self::cancel);
        }
        self.consume(true, 0, 0, 0);
        self.settle(0, usize::MAX / 2, Settlement::Ack);
        while !self.wanted.is_empty() {
            self.read(0, 1 << 20);
        }
        while !self.held.is_empty() {
            self.bury(0);
        }
        let status = self.queue.status();
        assert_eq!((status.ready, status.unacked), (0, 0), "something stays");
        assert!(self.model.messages.is_empty());
        assert_eq!(self.ledger.census(), (0, 0, 0));
    }

    /// Compares what both did, and enters it into the ledger.
    pub(super) fn compare(&mut self, mut effects: Effects) {
        self.note(&mut effects);
        let expected = std::mem::take(&mut self.model.expected);
        let mut given: Vec<Given> = Vec::new();
        for (at, connection) in self.connections.iter().enumerate() {
            let seen = connection.take_seen().into_iter();
            let got: Vec<Given> = seen
                .filter_map(|seen| match seen {
                    Seen::Given(given) => Some(given),
                    Seen::Parked(_) => None,
                })
                .collect();
            let got_here: Vec<_> = got
                .iter()
                .map(|g| (at, g.consumer.0, g.name.clone(), g.redelivered, g.count))
                .collect();
            let here = expected.deliveries.iter().filter(|d| d.0 == at);
            let here: Vec<_> = here.cloned().collect();
            assert_eq!(got_here, here, "deliveries to connection {at}");
            let room = connection.room.get();
            assert_eq!(room, self.model.room[at], "room of connection {at}");
            assert_eq!(connection.credit.get(), self.model.credit[at]);
            given.extend(got);
        }
        assert_eq!(effects.refused, expected.refused);
        let reading = !self.wanted.is_empty();
        assert!(
            reading || !expected.waits,
            "nobody reads what is waited for"
        );
        self.compare_dead(&effects, expected.dead);
        self.enter(&given, &effects);
        self.alarm = self.alarm.min(effects.wake_at.unwrap_or(u64::MAX));
        self.check_state();
    }

    /// Dead letters are the same, in the same order within a priority.
    fn compare_dead(&self, effects: &Effects, mut expected: Vec<(String, &'static str)>) {
        let level = |name: &str| self.priorities.get(name).copied().unwrap_or(0);
        let dead = effects.dead.iter();
        let mut dead: Vec<_> = dead
            .map(|dead| (self.disk.name_of(&dead.body), dead.reason.name()))
            .collect();
        dead.sort_by_key(|(name, _)| level(name));
        expected.sort_by_key(|(name, _)| level(name));
        assert_eq!(dead, expected, "dead letters");
    }

    fn enter(&mut self, given: &[Given], effects: &Effects) {
        let now = self.model.now;
        for each in given {
            let key = each.consumer.0;
            let consumer = self.model.consumers.iter().find(|c| c.key == key);
            let consumer = consumer.expect("deliveries go to consumers that are there");
            self.ledger
                .delivered(&each.name, Some(key), consumer.no_ack, now);
            if consumer.no_ack {
                continue;
            }
            self.out.push((each.name.clone(), each.id, Some(key)));
            let within =
                consumer.prefetch == 0 || self.ledger.out_of(key) <= u64::from(consumer.prefetch);
            assert!(within, "prefetch of consumer {key} exceeded");
        }
        for dead in &effects.dead {
            let name = self.disk.name_of(&dead.body);
            if let Some(id) = dead.held {
                self.ledger.held(&name);
                self.held.push((name, id));
            } else if self.priorities.contains_key(&name) {
                self.ledger.left(&name);
            }
        }
        if self.model.settings.dead_letter_exchange.is_none() {
            let model = &self.model;
            self.ledger.left_unseen(|name| model.has(name));
        }
        for each in given {
            self.ledger.check_order(&each.name, now);
        }
    }

    fn check_state(&self) {
        let (ready, out, held) = self.ledger.census();
        let status = self.queue.status();
        assert_eq!((status.ready, status.unacked), (ready, out));
        assert_eq!(held, self.model.held() as u64);
        assert_eq!(status.ready, self.model.ready().count() as u64);
        let bytes: u64 = self.model.ready().map(|m| u64::from(m.size)).sum();
        assert_eq!(status.ready_bytes, bytes);
        assert_eq!(status.consumers, self.model.consumers.len());
        let settings = &self.model.settings;
        if settings.overflow == Overflow::DropHead {
            assert!(settings.max_length.is_none_or(|max| ready <= max));
            assert!(settings.max_length_bytes.is_none_or(|max| bytes <= max));
        }
        let asked = self.alarm <= self.ledger.first_expiry();
        assert!(asked, "nobody will come when the next one expires");
        let out = self.model.messages.iter();
        let out = out.filter(|m| matches!(m.place, Place::Out(_))).count();
        assert_eq!(out, self.out.len());
    }
}
