//! The serving half of the queue: settings, consumers, and the calls that belong to neither.

use std::sync::Arc;

use super::arguments::{Overflow, QueueArguments, QueueKind};
use super::block::State;
use super::consumers::{ConsumerKey, ConsumerSpec, Consumers, Port};
use super::contents::{Contents, MessageId};
use super::counters::{Hot, Rare};
use super::effects::{DeadLetter, DeadReason, Effects, Op};
use crate::limits::DROPS_PER_HOLD;
use crate::message::Chunk;

/// Blocks that are away are looked for due messages so often at most, in milliseconds.
const AWAY_EVERY_MS: u64 = 1_000;

/// Counts that a declare-ok, the API and the metrics show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Messages that wait.
    pub ready: u64,
    /// Messages with consumers.
    pub unacked: u64,
    /// Octets of the bodies that wait.
    pub ready_bytes: u64,
    /// Consumers.
    pub consumers: usize,
}

/// A message taken by `basic.get`.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its id, to acknowledge it by.
    pub id: MessageId,
    /// Where its record lies.
    pub chunk: Arc<Chunk>,
    /// Offset of the record.
    pub offset: u32,
    /// It has been delivered before.
    pub redelivered: bool,
    /// How often it came back.
    pub count: u32,
    /// Messages that still wait.
    pub ready: u64,
}

/// One queue. In memory it is laid out as it is written here: what each message touches comes
/// first and lies together, for of many queues each is found cold.
#[derive(Debug)]
#[repr(C)]
pub struct Queue<P> {
    /// Nothing can refuse, expire at once or reorder what arrives.
    pub(super) plain: bool,
    /// It is durable: the log is told what comes and goes.
    pub(super) logs: bool,
    /// Records are being read for it.
    pub(super) reading: bool,
    /// Some message has had an expiry: only then are expiries looked for.
    pub(super) expiring: bool,
    had_consumer: bool,
    pub(super) counters: Hot,
    pub(super) consumers: Consumers<P>,
    pub(super) contents: Contents,
    /// When the timer will look at this queue; `u64::MAX` when it will not.
    pub(super) wake_at: u64,
    /// Last use, for `x-expires`.
    used_at: u64,
    /// Dead letters that stay until a target has them; they count against the limit.
    pub(super) held: u64,
    /// Octets of their bodies.
    pub(super) held_bytes: u64,
    pub(super) settings: QueueArguments,
    pub(super) rare: Rare,
}

impl<P: Port> Queue<P> {
    /// An empty queue, used for the first time at `now`.
    pub fn new(settings: QueueArguments, durable: bool, now: u64) -> Self {
        Self {
            logs: durable,
            reading: false,
            plain: settings.is_plain(),
            consumers: Consumers::new(settings.single_active_consumer),
            settings,
            contents: Contents::default(),
            counters: Hot::default(),
            rare: Rare::default(),
            wake_at: u64::MAX,
            used_at: now,
            had_consumer: false,
            expiring: false,
            held: 0,
            held_bytes: 0,
        }
    }

    /// What its arguments set.
    pub fn settings(&self) -> &QueueArguments {
        &self.settings
    }

    /// Counts.
    pub fn status(&self) -> Status {
        let totals = self.contents.totals();
        Status {
            ready: totals.ready,
            unacked: totals.unacked - self.held.min(totals.unacked),
            ready_bytes: totals.ready_bytes,
            consumers: self.consumers.len(),
        }
    }

    /// The consumers.
    pub fn consumers(&self) -> &Consumers<P> {
        &self.consumers
    }

    /// True when returns of its messages are counted and shown as `x-delivery-count`.
    pub fn counts_deliveries(&self) -> bool {
        self.settings.kind == QueueKind::Quorum || self.settings.delivery_limit.is_some()
    }

    /// Adds a consumer and serves it.
    pub fn add_consumer(
        &mut self,
        key: ConsumerKey,
        spec: ConsumerSpec,
        port: P,
        now: u64,
        effects: &mut Effects,
    ) {
        self.had_consumer = true;
        self.used_at = now;
        self.consumers.add(key, spec, port);
        self.dispatch(now, effects);
    }

    /// Removes a consumer; its unacknowledged messages stay with its channel. True when it was the
    /// last one of a queue that has had some, which ends an auto-delete queue.
    pub fn remove_consumer(&mut self, key: ConsumerKey, now: u64, effects: &mut Effects) -> bool {
        if self.consumers.remove(key).is_none() {
            return false;
        }
        self.used_at = now;
        self.dispatch(now, effects);
        self.consumers.is_empty() && self.had_consumer
    }

    /// Removes every consumer, for a queue that is deleted.
    pub fn take_consumers(&mut self) -> Vec<(ConsumerKey, P)> {
        self.consumers
            .take_all()
            .into_iter()
            .map(|(key, c)| (key, c.port))
            .collect()
    }

    /// Serves a consumer that has room or channel credit again.
    pub fn revisit(&mut self, key: ConsumerKey, now: u64, effects: &mut Effects) {
        self.consumers.unpark(key);
        self.dispatch(now, effects);
    }

    /// Changes the prefetch limit of a live consumer and serves it.
    pub fn set_prefetch(&mut self, key: ConsumerKey, limit: u32, now: u64, effects: &mut Effects) {
        self.consumers.set_prefetch(key, limit);
        self.dispatch(now, effects);
    }

    /// `basic.get`: takes the head; with `no_ack` it is gone at once. `effects.wanted` says that the
    /// head has to be read first: [`Self::install`] it and call again.
    pub fn get(&mut self, no_ack: bool, now: u64, effects: &mut Effects) -> Option<Taken> {
        self.used_at = now;
        let Some(id) = self.live_head(now, usize::MAX, effects) else {
            self.rare.got_empty += 1;
            return None;
        };
        let (Some(meta), Some(chunk)) = (
            self.contents.get(id),
            self.contents.chunk(id).map(Arc::clone),
        ) else {
            self.reading = false;
            self.want(effects);
            return None;
        };
        if no_ack {
            self.settle_one(id, effects);
        } else {
            self.contents.deliver(id);
            if meta.logged && !meta.redelivered {
                effects.journal.push(Op::Delivered { up_to: id });
            }
        }
        let rare = &mut self.rare;
        *if no_ack {
            &mut rare.got_no_ack
        } else {
            &mut rare.got
        } += 1;
        self.counters.redelivered += u64::from(meta.redelivered);
        Some(Taken {
            id,
            chunk,
            offset: meta.offset,
            redelivered: meta.redelivered,
            count: meta.count,
            ready: self.contents.ready(),
        })
    }

    /// Takes a message out for good and tells the log. False when it was gone.
    #[inline]
    pub(super) fn settle_one(&mut self, id: MessageId, effects: &mut Effects) -> bool {
        let Some(settled) = self.contents.settle(id) else {
            return false;
        };
        if settled.logged {
            effects.settled(id);
        } else if self.logs {
            self.count_transient(settled.size, false);
        }
        true
    }

    /// Drops every ready message; returns how many there were.
    pub fn purge(&mut self, effects: &mut Effects) -> u64 {
        let mut purged = 0;
        while let Some(id) = self.contents.head() {
            if self.settle_one(id, effects) {
                purged += 1;
                continue;
            }
            let priority = id.priority();
            let Some((base, span, live)) = self.contents.level_made(priority).drop_away_head()
            else {
                break;
            };
            effects.journal.push(Op::Settled {
                first: MessageId::new(priority, base),
                len: span,
            });
            purged += u64::from(live);
        }
        // What went with a block is known by number only; what is left is with consumers.
        let unacked = self.contents.totals();
        self.rare.transient = self.rare.transient.min(unacked.unacked);
        self.rare.transient_bytes = self.rare.transient_bytes.min(unacked.unacked_bytes);
        purged
    }

    /// Notes a use (a declaration) for `x-expires`.
    pub fn touch(&mut self, now: u64) {
        self.used_at = now;
    }

    /// When `x-expires` ends the queue if nobody uses it before; `None` while it is in use.
    pub fn lease_end(&self) -> Option<u64> {
        let expires = self.settings.expires_ms?;
        self.consumers
            .is_empty()
            .then(|| self.used_at.saturating_add(expires))
    }

    /// Expires what is due, at most [`DROPS_PER_HOLD`] messages; `effects.more` asks for another
    /// call, `effects.wake_at` for one later.
    pub fn tick(&mut self, now: u64, effects: &mut Effects) {
        self.expire(now, effects);
        self.wake_at = self.next_expiry(now);
        effects.wake(self.wake_at);
        // What stood behind the expired may be wanted.
        self.dispatch(now, effects);
        self.want_due(now, effects);
        // What was with consumers before a restart waits since.
        self.trim(effects);
    }

    /// Drops what is due, and asks for a wake-up only when an earlier one than known is needed.
    pub(super) fn expire(&mut self, now: u64, effects: &mut Effects) {
        if self.contents.earliest_expiry() <= now {
            let due = self.contents.due(now, DROPS_PER_HOLD);
            effects.more |= due.len() >= DROPS_PER_HOLD;
            for id in due {
                self.drop_message(id, DeadReason::Expired, effects);
            }
        }
        let earliest = self.next_expiry(now);
        if earliest < self.wake_at && earliest > now {
            self.wake_at = earliest;
            effects.wake(earliest);
        }
    }

    /// When the queue has to be looked at again. What is due and away leaves when it is back, and if
    /// it cannot be had now, is asked for again.
    fn next_expiry(&self, now: u64) -> u64 {
        let again = now.saturating_add(AWAY_EVERY_MS);
        self.contents.next_expiry(now, again)
    }

    /// The head, after what expired before it has left, of which `most` may go in this call;
    /// `effects.more` then brings the timer.
    #[inline]
    pub(super) fn live_head(
        &mut self,
        now: u64,
        most: usize,
        effects: &mut Effects,
    ) -> Option<MessageId> {
        let mut dropped = 0;
        loop {
            let id = self.contents.head()?;
            // A block that is away says for itself when its first message expires; one that is due
            // comes back before it is looked at.
            let Some(meta) = self.contents.get(id) else {
                return Some(id);
            };
            if meta.expires_at >= now {
                return Some(id);
            }
            dropped += 1;
            if dropped > most {
                effects.more = true;
                return None;
            }
            self.drop_message(id, DeadReason::Expired, effects);
        }
    }

    /// Takes a message out and, where the queue has a dead-letter exchange, hands it over. With
    /// at-least-once dead-lettering it stays until [`Self::buried`].
    pub(super) fn drop_message(
        &mut self,
        id: MessageId,
        reason: DeadReason,
        effects: &mut Effects,
    ) {
        self.rare.dropped.note(reason);
        if self.settings.dead_letter_exchange.is_none() {
            self.settle_one(id, effects);
            return;
        }
        let (Some(meta), Some(body)) = (self.contents.get(id), self.contents.body(id)) else {
            return;
        };
        let (size, count) = (meta.size, meta.count);
        let held = if self.holds_dead() {
            if meta.state == State::Ready {
                self.contents.deliver(id);
            }
            self.held += 1;
            self.held_bytes += u64::from(size);
            Some(id)
        } else {
            if self.contents.settle(id).is_some() && self.logs && !meta.logged {
                self.count_transient(size, false);
            }
            None
        };
        effects.dead.push(DeadLetter {
            reason,
            body,
            size,
            logged: meta.logged.then_some(id),
            count,
            held,
            attempts: 0,
            taken_by: Vec::new(),
        });
    }

    /// RabbitMQ's condition of at-least-once dead-lettering: without it the source could overflow.
    fn holds_dead(&self) -> bool {
        self.settings.at_least_once && self.settings.overflow == Overflow::RejectPublish
    }

    /// A target has the dead letter that was held here. The log has been told by whoever moved it.
    pub fn buried(&mut self, id: MessageId) {
        if let Some(settled) = self.contents.settle(id) {
            self.held = self.held.saturating_sub(1);
            self.held_bytes = self.held_bytes.saturating_sub(u64::from(settled.size));
            if self.logs && !settled.logged {
                self.count_transient(settled.size, false);
            }
        }
    }

    /// The messages, for a checkpoint.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The messages, for whoever moves their bodies.
    pub fn contents_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }

    /// Takes over messages that the store has found; [`Self::tick`] then drops what is too much or too
    /// old.
    pub fn restore(&mut self, contents: Contents) {
        self.expiring |= contents.earliest_expiry() != u64::MAX;
        self.contents = contents;
    }

    /// Lets go of bodies that lie in files as well: of all where nobody consumes, otherwise see
    /// [`super::level::Level::shed`].
    pub fn shed(&mut self, all: bool) {
        self.contents.shed(all || self.consumers.is_empty());
    }

    /// Writes down blocks of the index that nobody will want soon; `partial` takes those that still
    /// grow as well.
    pub fn drafts(&mut self, partial: bool, most: usize) -> Vec<(u8, super::page::Draft)> {
        let all = self.consumers.is_empty();
        let mut drafts = Vec::new();
        for priority in self.contents.priorities() {
            let level = self.contents.level_made(priority);
            let room = most.saturating_sub(drafts.len());
            drafts.extend(
                level
                    .drafts(all, partial, room)
                    .into_iter()
                    .map(|draft| (priority, draft)),
            );
        }
        drafts
    }

    /// Lets go of a block that lies in the file of pages now.
    pub fn put_away(&mut self, priority: u8, away: super::page::Away) {
        self.contents.level_made(priority).put_away(away);
    }

    /// Drops from the head until the queue is within its limits, at most [`DROPS_PER_HOLD`] messages;
    /// `effects.more` asks for the rest.
    pub(super) fn trim(&mut self, effects: &mut Effects) {
        let mut most = DROPS_PER_HOLD;
        self.trim_some(&mut most, effects);
    }

    /// As [`Self::trim`], but at most `most` messages, from which what left is taken.
    pub(super) fn trim_some(&mut self, most: &mut usize, effects: &mut Effects) {
        // A queue that refuses publishes takes returns beyond its limit, as RabbitMQ's do.
        if !self.settings.has_length_limit() || self.settings.overflow != Overflow::DropHead {
            return;
        }
        let (length, bytes) = (self.settings.max_length, self.settings.max_length_bytes);
        loop {
            let totals = self.contents.totals();
            let over = length.is_some_and(|max| totals.ready > max)
                || bytes.is_some_and(|max| totals.ready_bytes > max);
            let Some(id) = self.contents.head().filter(|_| over) else {
                return;
            };
            if self.contents.get(id).is_none() {
                // It has to come back first.
                self.want(effects);
                return;
            }
            if *most == 0 {
                effects.more = true;
                return;
            }
            *most -= 1;
            self.drop_message(id, DeadReason::MaxLen, effects);
        }
    }
}
