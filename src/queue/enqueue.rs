//! Arrival: overflow, expiry, and the hand-over to consumers that wait.

use std::sync::Arc;

use super::arguments::{Overflow, QueueKind};
use super::block::Arriving;
use super::consumers::{Delivery, Port};
use super::effects::{DeadLetter, DeadReason, Effects};
use super::serving::Queue;
use crate::limits::DROPS_PER_HOLD;
use crate::message::{Body, Chunk};

/// One message of a batch, whose records lie in one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// Offset of its record.
    pub offset: u32,
    /// Octets of its body.
    pub size: u32,
    /// Its priority property; 0 without one.
    pub priority: u8,
    /// Its `expiration` in milliseconds; `u64::MAX` without one.
    pub ttl_ms: u64,
    /// The caller's number, named again if the queue refuses it.
    pub publish: u32,
    /// A durable queue keeps it over a restart.
    pub persistent: bool,
    /// It has been promised a place: only dropping the head may make room.
    pub forced: bool,
}

impl<P: Port> Queue<P> {
    /// Takes a batch in order and serves the consumers.
    pub fn enqueue(
        &mut self,
        chunk: &Arc<Chunk>,
        batch: &[Incoming],
        now: u64,
        effects: &mut Effects,
    ) {
        self.counters.published += batch.len() as u64;
        let due_at_once = batch.iter().any(|message| message.ttl_ms == 0);
        let mut rest = batch;
        // What the log has to know gets an id and a place, if only for a moment.
        let logs = self.logs && batch.iter().any(|message| self.is_logged(message));
        if self.plain && !due_at_once && !logs && chunk.is_away().is_none() {
            rest = self.pass_on(chunk, batch);
            if rest.is_empty() {
                self.consumers.flush();
                return;
            }
        }
        let one_by_one = due_at_once
            || self.settings.has_length_limit()
            || self.settings.message_ttl_ms == Some(0);
        if !one_by_one {
            for (item, message) in (0..).zip(rest) {
                self.push(chunk, item, message, now, effects);
            }
            self.note_writes(effects);
            self.dispatch(now, effects);
            return;
        }
        // Each arrival makes one leave, or several smaller ones; what a new limit makes too much does
        // not go in one hold of the lock.
        let mut drops = DROPS_PER_HOLD + batch.len();
        for (item, message) in (0..).zip(batch) {
            if self.refuses(message) {
                if self.settings.overflow == Overflow::RejectPublishDlx
                    && self.settings.dead_letter_exchange.is_some()
                {
                    effects.dead.push(DeadLetter {
                        reason: DeadReason::MaxLen,
                        body: Body::of(chunk, message.offset),
                        size: message.size,
                        logged: None,
                        count: 0,
                        held: None,
                        attempts: 0,
                        taken_by: Vec::new(),
                    });
                }
                effects.refused.push(message.publish);
                continue;
            }
            let expires_at = self.push(chunk, item, message, now, effects);
            self.dispatch(now, effects);
            if expires_at <= now {
                self.expire(now, effects);
            }
            self.trim_some(&mut drops, effects);
        }
        self.note_writes(effects);
    }

    /// Counts what the batch has the log told.
    #[inline]
    fn note_writes(&mut self, effects: &Effects) {
        if self.logs {
            let written: u64 = effects.placed.iter().map(|run| u64::from(run.len)).sum();
            self.rare.disk_writes += written;
        }
    }

    /// True for a message that is still there after a restart.
    #[inline]
    fn is_logged(&self, message: &Incoming) -> bool {
        self.logs && (message.persistent || self.settings.kind == QueueKind::Quorum)
    }

    /// Hands messages straight to a consumer that waits alone, acknowledges nothing and finds the queue
    /// empty: they leave as they come, without a place in between. Returns those that were not taken.
    #[inline]
    fn pass_on<'b>(&mut self, chunk: &Arc<Chunk>, batch: &'b [Incoming]) -> &'b [Incoming] {
        let mut rest = batch;
        if self.contents.ready() > 0 {
            return rest;
        }
        while !rest.is_empty() {
            let Some(turn) = self.consumers.careless_turn() else {
                break;
            };
            let (now, later) = rest.split_at(turn.most.min(rest.len()));
            let mut taken = 0;
            for message in now {
                let id = self.contents.pass();
                taken += 1;
                let delivery = Delivery::new(id, message.offset, false, 0);
                if !self.consumers.stage(turn, chunk, delivery, message.size) {
                    break;
                }
            }
            self.counters.delivered_no_ack += taken as u64;
            rest = if taken == now.len() {
                later
            } else {
                rest.get(taken..).unwrap_or_default()
            };
        }
        rest
    }

    /// True when the queue refuses publishes and this one would take it over its limit
    /// (RabbitMQ's `will_overflow`: what waits plus one, whoever is waiting for messages).
    fn refuses(&self, message: &Incoming) -> bool {
        if self.settings.overflow == Overflow::DropHead || message.forced {
            return false;
        }
        let totals = self.contents.totals();
        self.settings
            .max_length
            .is_some_and(|max| totals.ready + self.held + 1 > max)
            || self.settings.max_length_bytes.is_some_and(|max| {
                totals.ready_bytes + self.held_bytes + u64::from(message.size) > max
            })
    }

    /// True when none of the batch would be refused.
    pub fn has_room(&self, batch: &[Incoming]) -> bool {
        if self.settings.overflow == Overflow::DropHead {
            return true;
        }
        let totals = self.contents.totals();
        let bytes: u64 = batch.iter().map(|message| u64::from(message.size)).sum();
        let count = batch.len() as u64;
        self.settings
            .max_length
            .is_none_or(|max| totals.ready + self.held + count <= max)
            && self
                .settings
                .max_length_bytes
                .is_none_or(|max| totals.ready_bytes + self.held_bytes + bytes <= max)
    }

    #[inline]
    fn push(
        &mut self,
        chunk: &Arc<Chunk>,
        item: u32,
        message: &Incoming,
        now: u64,
        effects: &mut Effects,
    ) -> u64 {
        let ttl = message
            .ttl_ms
            .min(self.settings.message_ttl_ms.unwrap_or(u64::MAX));
        let expires_at = now.saturating_add(ttl);
        self.expiring |= ttl != u64::MAX;
        // Quorum queues have no priorities; classic ones cut at their maximum.
        let priority = match self.settings.kind {
            QueueKind::Classic => message.priority.min(self.settings.max_priority),
            QueueKind::Quorum => 0,
        };
        let logged = self.is_logged(message);
        let arriving = Arriving {
            offset: message.offset,
            size: message.size,
            expires_at,
            logged,
        };
        let id = self.contents.push(priority, chunk, arriving);
        if logged {
            effects.place(id, item, expires_at);
        } else if self.logs {
            self.count_transient(message.size, true);
        }
        if expires_at < self.wake_at {
            self.wake_at = expires_at;
            effects.wake(expires_at);
        }
        expires_at
    }
}
