//! Dead-lettering: a message that left its queue goes to the queue's dead-letter exchange with an
//! account of its death in `x-death` (RabbitMQ 3.10's rules, features 1.7).
//!
//! Deaths are worked off first in, first out and without recursion; one death may cause others.

use std::collections::VecDeque;
use std::sync::Arc;

use super::batch::{Batch, Refusals};
use super::core::Broker;
use super::journal::draft_ops;
use super::route::{RoutedMessage, extra_keys};
use super::shared_queue::SharedQueue;
use super::vhost::Vhost;
use crate::amqp::hot::join_route;
use crate::amqp::properties::Properties;
use crate::amqp::table::Cursor;
use crate::amqp::{Table, Value};
use crate::limits::DEAD_LETTER_BURST;
use crate::message::Record;
use crate::queue::{DeadLetter, DeadReason, Effects, Incoming, MessageId};
use crate::store::StoreError;
use crate::store::batch::Draft;

/// Deaths turned into publishes before their targets are locked.
const ROUND: usize = 256;

/// Octets of records from which on a round takes no more: they become one chunk and one entry of the
/// log.
const ROUND_BYTES: usize = 1024 * 1024;

/// How often the body of a dead letter is tried to be read before it is given up. Waits double from
/// half a second.
const READ_TRIES: u32 = 5;

/// One round's places: the number of each is what a refusal names.
#[derive(Default)]
struct Round {
    /// Target queue, and whether it has taken the message.
    placed: Vec<(u64, bool)>,
    /// Deaths whose records are damaged.
    lost: Vec<(Arc<SharedQueue>, DeadLetter)>,
    /// Deaths that must not be lost, with the numbers of their places.
    held: Vec<(Arc<SharedQueue>, DeadLetter, std::ops::Range<usize>)>,
}

/// Deaths with the queues they happened in.
pub type Deaths = VecDeque<(Arc<SharedQueue>, DeadLetter)>;

impl Broker {
    /// Carries out what a queue asked for after its lock was released, and tells the log: within the
    /// gate, where the queue is durable.
    pub fn carry_out(&self, queue: &Arc<SharedQueue>, effects: Effects) {
        let mut draft = Draft::default();
        draft_ops(&mut draft, queue.id, &effects.journal);
        self.journal.append(draft, None);
        let mut deaths = Deaths::new();
        self.note(queue, effects, &mut deaths);
        self.bury(deaths);
    }

    fn note(&self, queue: &Arc<SharedQueue>, mut effects: Effects, deaths: &mut Deaths) {
        deaths.extend(
            effects
                .dead
                .into_iter()
                .map(|dead| (Arc::clone(queue), dead)),
        );
        if let Some(wanted) = effects.wanted.take() {
            self.reader.read_for(queue, wanted);
        }
        if effects.more {
            self.timer.wake_queue(queue, 0);
        } else if let Some(at) = effects.wake_at {
            self.timer.wake_queue(queue, at);
        }
    }

    /// Works deaths off; what exceeds a burst is left to the timer task.
    pub(super) fn bury(&self, mut deaths: Deaths) {
        if deaths.is_empty() {
            return;
        }
        // What targets drop in turn must not be seen by a checkpoint before the log knows of it.
        let _gate = self.journal.enter();
        let mut batch = Batch::default();
        let mut done = 0;
        let now = crate::time::unix_ms();
        while !deaths.is_empty() {
            if done >= DEAD_LETTER_BURST {
                self.timer.bury_later(deaths);
                return;
            }
            // A move is one entry: gone from its source, arrived at its targets.
            let mut draft = Draft::default();
            let mut round = Round::default();
            batch.set_logged(true);
            for _ in 0..ROUND {
                if batch.bytes() >= ROUND_BYTES {
                    break;
                }
                let Some((queue, dead)) = deaths.pop_front() else {
                    break;
                };
                done += 1;
                let (chunk, offset) = match self.journal.fetch(&dead.body, dead.size) {
                    Ok(found) => found,
                    Err(error) => {
                        self.unreadable(&error, queue, dead, now, &mut round);
                        continue;
                    }
                };
                let before = round.placed.len();
                let record = chunk.record(offset);
                self.publish_death(&queue, &dead, &record, now, &mut round, &mut batch);
                if dead.held.is_some() {
                    round.held.push((queue, dead, before..round.placed.len()));
                } else if let Some(id) = dead.logged {
                    draft.settled(queue.id, id.raw(), 1);
                }
            }
            // A refusal by a full queue is final for at-most-once dead-lettering.
            let mut refusals = Refusals::default();
            let asked = batch.flush_drafting(now, &mut refusals, &mut draft);
            for number in refusals.refused.into_iter().chain(refusals.gone) {
                if let Some((_, taken)) = round.placed.get_mut(number as usize) {
                    *taken = false;
                }
            }
            let buried = self.settle_held(round, now, &mut draft);
            self.journal.append(draft, None);
            for (queue, id) in buried {
                queue.buried(id);
            }
            for (queue, effects) in asked {
                self.note(&queue, effects, &mut deaths);
            }
        }
    }

    /// What is damaged is lost; what cannot be read now is tried again: without end as long as it
    /// still has its place in its queue.
    fn unreadable(
        &self,
        error: &StoreError,
        queue: Arc<SharedQueue>,
        dead: DeadLetter,
        now: u64,
        round: &mut Round,
    ) {
        tracing::error!(
            "a dead letter of {} cannot be read: {error}",
            queue.subject()
        );
        let hopeless = error.is_damage() || (dead.held.is_none() && dead.attempts >= READ_TRIES);
        match hopeless {
            true => round.lost.push((queue, dead)),
            false => self.timer.bury_again(queue, dead, now),
        }
    }

    /// Drafts the end of the dead letters that every target has, and returns them; the others are
    /// tried again where they are still wanted.
    fn settle_held(
        &self,
        round: Round,
        now: u64,
        draft: &mut Draft,
    ) -> Vec<(Arc<SharedQueue>, MessageId)> {
        let mut buried = Vec::new();
        for (queue, dead) in round.lost {
            if let Some(id) = dead.logged {
                draft.settled(queue.id, id.raw(), 1);
            }
            buried.extend(dead.held.map(|id| (queue, id)));
        }
        for (queue, mut dead, numbers) in round.held {
            let mine = round.placed.get(numbers).unwrap_or_default();
            let complete = mine.iter().all(|(_, taken)| *taken);
            dead.taken_by
                .extend(mine.iter().filter(|(_, taken)| *taken).map(|(id, _)| *id));
            // A policy may have taken the exchange away: then nobody waits for the message any more.
            let wanted = queue.in_force(|settings| settings.dead_letter_exchange.is_some());
            match dead.held {
                Some(id) if !wanted || (complete && !dead.taken_by.is_empty()) => {
                    if let Some(id) = dead.logged {
                        draft.settled(queue.id, id.raw(), 1);
                    }
                    buried.push((queue, id));
                }
                _ => self.timer.bury_again(queue, dead, now),
            }
        }
        buried
    }

    /// Puts a death into the batch, for every target that has not taken it before.
    fn publish_death(
        &self,
        queue: &Arc<SharedQueue>,
        dead: &DeadLetter,
        record: &Record<'_>,
        now: u64,
        round: &mut Round,
        batch: &mut Batch,
    ) {
        let (exchange, key) = queue.in_force(|settings| {
            (
                settings.dead_letter_exchange.clone(),
                settings.dead_letter_routing_key.clone(),
            )
        });
        let Some(exchange) = exchange.as_deref() else {
            return;
        };
        let Some(vhost) = queue.vhost.upgrade() else {
            return;
        };
        let Ok(properties) = Properties::read(record.properties) else {
            return;
        };
        let mut headers = properties.headers_table();
        let override_key = key.as_deref();
        let carbon = extra_keys(&headers).unwrap_or_default();
        describe_death(
            &mut headers,
            queue,
            dead.reason,
            record,
            &properties,
            now / 1000,
        );
        if override_key.is_some() {
            headers.remove(b"CC");
        }
        headers.remove(b"BCC");
        let routing_key = override_key.unwrap_or_else(|| record.routing_key());
        let mut keys = vec![routing_key];
        if override_key.is_none() {
            keys.extend(carbon.iter().map(Vec::as_slice));
            let mut hidden = Cursor::new(record.hidden);
            while let Ok(key) = hidden.short_string() {
                keys.push(key);
            }
        }
        let properties = Properties {
            expiration: None,
            ..properties
        };
        let message = RoutedMessage {
            keys: &keys,
            headers: Some(&headers),
            properties: &properties,
            random: rand::random(),
        };
        let targets = targets(&vhost, exchange, message);
        let mut raw = Vec::new();
        properties.write(&mut raw, Some(&headers));
        let mut offset = None;
        for target in targets {
            if dead.reason != DeadReason::Rejected && is_cycle(&headers, target.name.as_bytes()) {
                continue;
            }
            if dead.taken_by.contains(&target.id) {
                continue;
            }
            let publish = round.placed.len() as u32;
            round.placed.push((target.id, true));
            let offset = *offset.get_or_insert_with(|| {
                batch.append_record(&Record {
                    route: &join_route(exchange, routing_key),
                    properties: &raw,
                    hidden: if override_key.is_some() {
                        &[]
                    } else {
                        record.hidden
                    },
                    body: record.body,
                })
            });
            batch.push(
                &target,
                Incoming {
                    offset,
                    size: u32::try_from(record.body.len()).unwrap_or(u32::MAX),
                    priority: properties.priority.unwrap_or(0),
                    ttl_ms: u64::MAX,
                    publish,
                    persistent: properties.delivery_mode == Some(2),
                    forced: false,
                },
            );
        }
    }
}

fn targets(vhost: &Vhost, exchange: &[u8], message: RoutedMessage<'_>) -> Vec<Arc<SharedQueue>> {
    if exchange.is_empty() {
        return vhost.route_default(message.keys).queues;
    }
    // A dead-letter exchange need not exist; what it would have taken is gone.
    vhost
        .exchange(exchange)
        .map(|x| vhost.route(&x, message).queues)
        .unwrap_or_default()
}

/// Adds this death to the headers: newest first, one entry per queue and reason.
fn describe_death(
    headers: &mut Table,
    queue: &SharedQueue,
    reason: DeadReason,
    record: &Record<'_>,
    properties: &Properties<'_>,
    now_s: u64,
) {
    let queue_name = Value::LongString(queue.name.as_bytes().to_vec());
    let reason_name = Value::text(reason.name());
    let exchange = Value::LongString(record.exchange().to_vec());
    // A client's own x-death makes this no first death.
    let first = headers.get(b"x-death").is_none();
    let mut deaths = match headers.remove(b"x-death") {
        Some(Value::Array(deaths)) => deaths,
        _ => Vec::new(),
    };
    let same = |death: &Value| match death {
        Value::Table(t) => {
            t.get(b"queue") == Some(&queue_name) && t.get(b"reason") == Some(&reason_name)
        }
        _ => false,
    };
    let entry = match deaths.iter().position(same) {
        Some(at) => match deaths.remove(at) {
            Value::Table(mut death) => {
                let count = death.get(b"count").and_then(Value::as_int).unwrap_or(0);
                death.set(b"count", Value::I64(count.saturating_add(1)));
                death
            }
            _ => Table::default(),
        },
        None => {
            let mut keys = vec![Value::LongString(record.routing_key().to_vec())];
            if let Some(Value::Array(carbon)) = headers.get(b"CC") {
                keys.extend(carbon.iter().cloned());
            }
            let mut death = Table(vec![
                (b"count".to_vec(), Value::I64(1)),
                (b"reason".to_vec(), reason_name.clone()),
                (b"queue".to_vec(), queue_name.clone()),
                (b"time".to_vec(), Value::Timestamp(now_s)),
                (b"exchange".to_vec(), exchange.clone()),
                (b"routing-keys".to_vec(), Value::Array(keys)),
            ]);
            if let Some(expiration) = properties.expiration {
                death.set(
                    b"original-expiration",
                    Value::LongString(expiration.to_vec()),
                );
            }
            death
        }
    };
    // Each further death turns the older ones round (RabbitMQ 3.10 builds the list by folding).
    deaths.reverse();
    deaths.insert(0, Value::Table(entry));
    headers.set(b"x-death", Value::Array(deaths));
    if first {
        headers.set(b"x-first-death-reason", reason_name);
        headers.set(b"x-first-death-queue", queue_name);
        headers.set(b"x-first-death-exchange", exchange);
    }
}

/// RabbitMQ's cycle rule: the message has died in `target` before, and no rejection, which is a
/// client's deliberate act, has taken part since.
fn is_cycle(headers: &Table, target: &[u8]) -> bool {
    let Some(Value::Array(deaths)) = headers.get(b"x-death") else {
        return false;
    };
    let mut rejected = false;
    for death in deaths {
        let Value::Table(death) = death else { continue };
        rejected |=
            death.get(b"reason").and_then(Value::as_long_string) == Some(b"rejected".as_slice());
        if death.get(b"queue").and_then(Value::as_long_string) == Some(target) {
            return !rejected;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(deaths: &[(&str, &str)]) -> Table {
        let deaths = deaths
            .iter()
            .map(|(queue, reason)| {
                Value::Table(Table(vec![
                    (b"queue".to_vec(), Value::text(queue)),
                    (b"reason".to_vec(), Value::text(reason)),
                ]))
            })
            .collect();
        Table(vec![(b"x-death".to_vec(), Value::Array(deaths))])
    }

    #[test]
    fn a_cycle_is_one_without_rejection() {
        assert!(is_cycle(&headers(&[("q", "expired")]), b"q"));
        assert!(!is_cycle(&headers(&[("q", "rejected")]), b"q"));
        assert!(!is_cycle(
            &headers(&[("p", "rejected"), ("q", "expired")]),
            b"q"
        ));
        assert!(is_cycle(
            &headers(&[("p", "expired"), ("q", "expired")]),
            b"q"
        ));
        assert!(is_cycle(
            &headers(&[("q", "expired"), ("p", "rejected")]),
            b"q"
        ));
        assert!(!is_cycle(&headers(&[("p", "expired")]), b"q"));
    }
}
