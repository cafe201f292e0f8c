//! A queue as one would write it without a thought for time or memory: one list of messages that
//! is searched from end to end, one list of consumers in line. It decides what [`crate::queue::Queue`]
//! has to decide.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::limits::{DELIVERY_COST, DROPS_PER_HOLD};
use crate::queue::settle::Settlement;
use crate::queue::{DeadReason, Overflow, QueueArguments, QueueKind};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Ready,
    /// With this consumer; `None` is `basic.get`.
    Out(Option<u64>),
    /// Dead, and kept until a target has it.
    Held,
}

#[derive(Debug, Clone)]
pub struct Message {
    pub name: String,
    pub size: u32,
    pub priority: u8,
    pub expires_at: u64,
    pub place: Place,
    pub redelivered: bool,
    pub count: u32,
    /// Its body lies in a file only.
    pub away: bool,
    /// Its place among those of its priority.
    order: u64,
}

#[derive(Debug, Clone)]
pub struct Consumer {
    pub key: u64,
    pub no_ack: bool,
    pub priority: i32,
    pub prefetch: u32,
    pub connection: usize,
    pub unacked: u32,
    in_line: bool,
}

/// What the queue is expected to have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Connection, consumer, message, redelivered, count.
    pub deliveries: Vec<(usize, u64, String, bool, u32)>,
    /// Message and reason.
    pub dead: Vec<(String, &'static str)>,
    pub refused: Vec<u32>,
    /// Somebody can take the head, but its body has to be read first.
    pub waits: bool,
}

/// What is published.
#[derive(Debug, Clone)]
pub struct Published {
    pub name: String,
    pub size: u32,
    pub priority: u8,
    pub ttl_ms: u64,
    pub persistent: bool,
    pub forced: bool,
}

#[derive(Debug)]
pub struct Model {
    pub settings: QueueArguments,
    pub messages: Vec<Message>,
    /// In the order in which they came.
    pub consumers: Vec<Consumer>,
    /// Keys, whose turn it is first; any order between priorities.
    line: Vec<u64>,
    active: Option<u64>,
    pub room: Vec<isize>,
    pub credit: Vec<Option<u32>>,
    pub now: u64,
    orders: u64,
    pub expected: Expected,
}

impl Model {
    pub fn new(settings: QueueArguments, connections: usize) -> Self {
        Self {
            settings,
            messages: Vec::new(),
            consumers: Vec::new(),
            line: Vec::new(),
            active: None,
            room: vec![isize::MAX / 2; connections],
            credit: vec![None; connections],
            // An expiry of 0 stands for none in the log; no real clock shows it.
            now: 1,
            orders: 0,
            expected: Expected::default(),
        }
    }

    pub fn ready(&self) -> impl Iterator<Item = &Message> {
        self.messages.iter().filter(|m| m.place == Place::Ready)
    }

    pub fn held(&self) -> usize {
        let held = self.messages.iter().filter(|m| m.place == Place::Held);
        held.count()
    }

    fn ready_bytes(&self) -> u64 {
        self.ready().map(|m| u64::from(m.size)).sum()
    }

    fn held_bytes(&self) -> u64 {
        let held = self.messages.iter().filter(|m| m.place == Place::Held);
        held.map(|m| u64::from(m.size)).sum()
    }

    fn head(&self) -> Option<usize> {
        (0..self.messages.len())
            .filter(|at| self.messages[*at].place == Place::Ready)
            .min_by_key(|at| {
                (
                    Reverse(self.messages[*at].priority),
                    self.messages[*at].order,
                )
            })
    }

    fn live_head(&mut self) -> Option<usize> {
        loop {
            let at = self.head()?;
            if self.messages[at].expires_at >= self.now {
                return Some(at);
            }
            self.die(at, DeadReason::Expired);
        }
    }

    fn die(&mut self, at: usize, reason: DeadReason) {
        let holds =
            self.settings.at_least_once && self.settings.overflow == Overflow::RejectPublish;
        let dlx = self.settings.dead_letter_exchange.is_some();
        let message = &mut self.messages[at];
        if dlx {
            let dead = (message.name.clone(), reason.name());
            self.expected.dead.push(dead);
        }
        if dlx && holds {
            message.place = Place::Held;
        } else {
            self.messages.remove(at);
        }
    }

    pub fn tick(&mut self) {
        let mut due: Vec<_> = self
            .ready()
            .filter(|m| m.expires_at <= self.now)
            .map(|m| (m.priority, m.order, m.name.clone()))
            .collect();
        assert!(due.len() < DROPS_PER_HOLD, "the model has no second visits");
        due.sort_unstable();
        for (.., name) in due {
            self.die(self.position(&name), DeadReason::Expired);
        }
    }

    /// What happens when the queue is visited at a time it has asked for.
    pub fn visit(&mut self) {
        self.tick();
        self.dispatch();
        self.trim();
    }

    /// The body of a message is in memory again.
    pub fn fetched(&mut self, name: &str) {
        if let Some(message) = self.messages.iter_mut().find(|m| m.name == name) {
            message.away = false;
        }
    }

    /// Everybody has gone and what is not in `kept` as well; the rest waits, with the flag that it
    /// has there.
    pub fn restart(&mut self, kept: &BTreeMap<String, bool>) {
        self.messages.retain(|m| kept.contains_key(&m.name));
        for message in &mut self.messages {
            message.place = Place::Ready;
            message.redelivered = kept[&message.name];
            message.away = true;
        }
        self.consumers.clear();
        self.line.clear();
        self.active = None;
    }

    pub fn position(&self, name: &str) -> usize {
        let found = self.messages.iter().position(|m| m.name == name);
        found.expect("a message that the model has")
    }

    pub fn has(&self, name: &str) -> bool {
        self.messages.iter().any(|m| m.name == name)
    }

    fn consumer(&mut self, key: u64) -> Option<&mut Consumer> {
        self.consumers.iter_mut().find(|c| c.key == key)
    }

    fn has_credit(consumer: &Consumer) -> bool {
        consumer.no_ack || consumer.prefetch == 0 || consumer.unacked < consumer.prefetch
    }

    fn stand_in_line(&mut self, key: u64) {
        if self.settings.single_active_consumer && self.active != Some(key) {
            return;
        }
        if let Some(consumer) = self.consumer(key)
            && !consumer.in_line
            && Self::has_credit(consumer)
        {
            consumer.in_line = true;
            self.line.push(key);
        }
    }

    /// Whose turn it is, to be given a message or only to be asked. Those before it who can take
    /// nothing leave the line.
    fn next_consumer(&mut self, given: bool) -> Option<usize> {
        loop {
            let priority = |key: &u64| {
                let found = self.consumers.iter().find(|c| c.key == *key);
                found.map(|c| c.priority)
            };
            let highest = self.line.iter().filter_map(priority).max()?;
            let at = self
                .line
                .iter()
                .position(|k| priority(k) == Some(highest))?;
            let key = self.line.remove(at);
            let index = self.consumers.iter().position(|c| c.key == key)?;
            let consumer = &self.consumers[index];
            let (connection, no_ack) = (consumer.connection, consumer.no_ack);
            let able = Self::has_credit(consumer)
                && self.room[connection] > 0
                && self.credit[connection] != Some(0);
            if !able {
                self.consumers[index].in_line = false;
                continue;
            }
            if !given {
                self.line.insert(at, key);
                return Some(index);
            }
            self.line.push(key);
            if !no_ack {
                self.consumers[index].unacked += 1;
                let credit = &mut self.credit[connection];
                *credit = credit.map(|left| left - 1);
            }
            return Some(index);
        }
    }

    pub fn dispatch(&mut self) {
        while let Some(at) = self.live_head() {
            let away = self.messages[at].away;
            let Some(index) = self.next_consumer(!away) else {
                return;
            };
            if away {
                self.expected.waits = true;
                return;
            }
            let Consumer {
                key,
                no_ack,
                connection,
                ..
            } = self.consumers[index];
            let message = &mut self.messages[at];
            self.room[connection] -= message.size as isize + DELIVERY_COST as isize;
            self.expected.deliveries.push((
                connection,
                key,
                message.name.clone(),
                message.redelivered,
                message.count,
            ));
            if no_ack {
                self.messages.remove(at);
            } else {
                message.place = Place::Out(Some(key));
            }
        }
    }

    fn trim(&mut self) {
        if self.settings.overflow != Overflow::DropHead {
            return;
        }
        let (length, bytes) = (self.settings.max_length, self.settings.max_length_bytes);
        while length.is_some_and(|max| self.ready().count() as u64 > max)
            || bytes.is_some_and(|max| self.ready_bytes() > max)
        {
            let head = self.head().expect("a limit is exceeded by something");
            self.die(head, DeadReason::MaxLen);
        }
    }

    fn refuses(&self, message: &Published) -> bool {
        let waiting = self.ready().count() + self.held();
        let (length, bytes) = (self.settings.max_length, self.settings.max_length_bytes);
        self.settings.overflow != Overflow::DropHead
            && !message.forced
            && (length.is_some_and(|max| waiting as u64 + 1 > max)
                || bytes.is_some_and(|max| {
                    self.ready_bytes() + self.held_bytes() + u64::from(message.size) > max
                }))
    }

    pub fn publish(&mut self, batch: &[Published]) {
        // Where nothing can overflow or die on arrival, a batch arrives as one.
        let as_one = self.settings.max_length.is_none()
            && self.settings.max_length_bytes.is_none()
            && self.settings.message_ttl_ms != Some(0)
            && batch.iter().all(|message| message.ttl_ms != 0);
        for (message, number) in batch.iter().zip(0..) {
            if self.refuses(message) {
                if self.settings.overflow == Overflow::RejectPublishDlx
                    && self.settings.dead_letter_exchange.is_some()
                {
                    let reason = DeadReason::MaxLen.name();
                    self.expected.dead.push((message.name.clone(), reason));
                }
                self.expected.refused.push(number);
                continue;
            }
            self.append(message);
            if !as_one {
                self.dispatch();
                if message.ttl_ms == 0 || self.settings.message_ttl_ms == Some(0) {
                    self.tick();
                }
                self.trim();
            }
        }
        if as_one {
            self.dispatch();
        }
    }

    fn append(&mut self, message: &Published) {
        let ttl = match self.settings.message_ttl_ms {
            Some(ttl) => ttl.min(message.ttl_ms),
            None => message.ttl_ms,
        };
        self.orders += 1;
        self.messages.push(Message {
            name: message.name.clone(),
            size: message.size,
            priority: match self.settings.kind {
                QueueKind::Classic => message.priority.min(self.settings.max_priority),
                QueueKind::Quorum => 0,
            },
            expires_at: self.now.saturating_add(ttl),
            place: Place::Ready,
            redelivered: false,
            count: 0,
            away: false,
            order: self.orders,
        });
    }

    pub fn settle(&mut self, names: &[String], how: Settlement) {
        for name in names {
            let at = self.position(name);
            let Place::Out(consumer) = self.messages[at].place else {
                panic!("{name} is not out");
            };
            self.settle_one(at, how);
            if let Some(key) = consumer
                && let Some(consumer) = self.consumer(key)
            {
                consumer.unacked -= 1;
                self.stand_in_line(key);
            }
        }
        if how != Settlement::Ack {
            self.tick();
        }
        self.dispatch();
        self.trim();
    }

    fn settle_one(&mut self, at: usize, how: Settlement) {
        let quorum = self.settings.kind == QueueKind::Quorum;
        let limit = self.settings.delivery_limit;
        let message = &mut self.messages[at];
        match how {
            Settlement::Ack => drop(self.messages.remove(at)),
            Settlement::Reject => self.die(at, DeadReason::Rejected),
            Settlement::Undeliver => message.place = Place::Ready,
            Settlement::Requeue if limit.is_some_and(|limit| message.count >= limit) => {
                self.die(at, DeadReason::DeliveryLimit);
            }
            Settlement::Requeue => {
                message.place = Place::Ready;
                message.redelivered = true;
                message.count += u32::from(quorum || limit.is_some());
                if quorum {
                    self.orders += 1;
                    message.order = self.orders;
                }
            }
        }
    }

    /// True when the head has to be read before `basic.get` can have it.
    pub fn head_is_away(&mut self) -> bool {
        self.live_head().is_some_and(|at| self.messages[at].away)
    }

    /// The message that `basic.get` gets.
    pub fn get(&mut self, no_ack: bool) -> Option<Message> {
        let at = self.live_head()?;
        let taken = self.messages[at].clone();
        if no_ack {
            self.messages.remove(at);
        } else {
            self.messages[at].place = Place::Out(None);
        }
        Some(taken)
    }

    pub fn purge(&mut self) -> u64 {
        let before = self.messages.len();
        self.messages.retain(|m| m.place != Place::Ready);
        (before - self.messages.len()) as u64
    }

    pub fn add_consumer(&mut self, consumer: Consumer) {
        let key = consumer.key;
        self.consumers.push(consumer);
        if self.settings.single_active_consumer {
            self.active = self.active.or(Some(key));
        }
        self.stand_in_line(key);
        self.dispatch();
    }

    pub fn remove_consumer(&mut self, key: u64) {
        self.consumers.retain(|c| c.key != key);
        self.line.retain(|k| *k != key);
        if self.active == Some(key) {
            // The first to come among those of the highest priority.
            let next = self
                .consumers
                .iter()
                .min_by_key(|c| (Reverse(c.priority), c.key));
            self.active = next.map(|c| c.key);
            if let Some(next) = self.active {
                self.stand_in_line(next);
            }
        }
        self.dispatch();
    }

    pub fn revisit(&mut self, key: u64) {
        self.stand_in_line(key);
        self.dispatch();
    }

    pub fn set_prefetch(&mut self, key: u64, limit: u32) {
        if let Some(consumer) = self.consumer(key) {
            consumer.prefetch = limit;
        }
        self.revisit(key);
    }

    pub fn buried(&mut self, name: &str) {
        self.messages.remove(self.position(name));
    }
}

impl Consumer {
    pub fn new(key: u64, no_ack: bool, priority: i32, prefetch: u32, connection: usize) -> Self {
        Self {
            key,
            no_ack,
            priority,
            prefetch,
            connection,
            unacked: 0,
            in_line: false,
        }
    }
}
