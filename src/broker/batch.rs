//! Publishes gathered until the end of a read batch: their records in one chunk, their places
//! grouped by queue, so that each queue is taken once.

use std::collections::HashMap;
use std::sync::Arc;

use super::core::Broker;
use super::inbox::Inbox;
use super::journal::{draft_ops, draft_placed};
use super::shared_queue::SharedQueue;
use crate::message::{Chunk, Record, record};
use crate::queue::{Effects, Incoming};
use crate::store::batch::Draft;

#[derive(Debug)]
struct Target {
    queue: Arc<SharedQueue>,
    items: Vec<Incoming>,
}

/// What a flush could not place.
#[derive(Debug, Default)]
pub struct Refusals {
    /// Publishes that a full queue refused.
    pub refused: Vec<u32>,
    /// Publishes to a queue that was deleted since they were routed.
    pub gone: Vec<u32>,
}

/// A batch under construction. Buffers are reused from one to the next.
#[derive(Debug, Default)]
pub struct Batch {
    data: Vec<u8>,
    /// The one record of a batch that lies in a file only.
    away: Option<Arc<Chunk>>,
    targets: Vec<Target>,
    /// Queue id to place in `targets`.
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
    last: Option<(u64, usize)>,
    /// Grows with every flush: a place remembered from an older batch is worth nothing.
    number: u64,
    spare: Vec<Vec<Incoming>>,
    messages: usize,
    /// Some queue keeps some message of it over a restart.
    logged: bool,
}

/// Where a queue stands in a batch, remembered beside a route.
#[derive(Debug, Clone, Copy, Default)]
pub struct Place {
    batch: u64,
    at: usize,
}

/// Buffers kept for the next batch; more queues than this in one batch allocate.
const SPARE_MAX: usize = 64;

impl Batch {
    /// True when nothing waits for a flush.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// True when a message of this kind may join: what is logged and what is not have chunks of their
    /// own, so that the log is not filled with what nobody will look for.
    #[inline]
    pub fn takes(&self, logged: bool) -> bool {
        self.messages == 0 || self.logged == logged
    }

    /// Says what kind of messages it has; before the first is appended.
    #[inline]
    pub fn set_logged(&mut self, logged: bool) {
        self.logged = logged;
    }

    /// Octets of records.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Appends a record and returns its offset; `expected` octets more are likely to follow.
    #[inline]
    pub fn append(&mut self, route: &[u8], properties: &[u8], body: &[u8], expected: usize) -> u32 {
        if self.data.capacity() == 0 {
            self.data.reserve(expected);
        }
        // A batch ends with the read that began it: it stays far below 4 GiB.
        let offset = self.data.len() as u32;
        record::start(&mut self.data, route, properties, &[], body.len());
        self.data.extend_from_slice(body);
        self.appended(offset);
        offset
    }

    /// A record was appended at `offset`: what goes to the log is sealed while it is in the cache.
    #[inline]
    fn appended(&mut self, offset: u32) {
        self.messages += 1;
        if self.logged {
            record::seal(&mut self.data, offset as usize);
        }
    }

    /// Appends a record whose part before the body is made already; returns its offset.
    #[inline]
    pub fn append_with_head(&mut self, head: &[u8], body: &[u8], expected: usize) -> u32 {
        if self.data.capacity() == 0 {
            self.data.reserve(expected);
        }
        let offset = self.data.len() as u32;
        self.data.extend_from_slice(head);
        self.data.extend_from_slice(body);
        self.appended(offset);
        offset
    }

    /// Appends a record with hidden keys and returns its offset.
    pub fn append_record(&mut self, record: &Record<'_>) -> u32 {
        let offset = self.data.len() as u32;
        record.write(&mut self.data);
        self.appended(offset);
        offset
    }

    /// Takes a finished record as the whole of the batch, which must be empty.
    pub fn adopt(&mut self, record: Vec<u8>) -> u32 {
        debug_assert!(self.is_empty());
        self.data = record;
        self.appended(0);
        0
    }

    /// Takes a record that is away as the whole of the batch, which must be empty; its offset is 0.
    pub fn adopt_away(&mut self, chunk: Arc<Chunk>) {
        debug_assert!(self.is_empty());
        self.away = Some(chunk);
        self.messages = 1;
    }

    /// Sends the message to `queue`, whose place the caller remembers.
    #[inline]
    pub fn push_at(
        &mut self,
        queue: &Arc<SharedQueue>,
        place: Option<&mut Place>,
        message: Incoming,
    ) {
        let Some(place) = place else {
            return self.push(queue, message);
        };
        if place.batch != self.number + 1 {
            self.push(queue, message);
            let at = self.last.map_or(0, |(_, at)| at);
            *place = Place {
                batch: self.number + 1,
                at,
            };
            return;
        }
        if let Some(target) = self.targets.get_mut(place.at) {
            target.items.push(message);
        }
    }

    /// Sends the message to `queue`.
    #[inline]
    pub fn push(&mut self, queue: &Arc<SharedQueue>, message: Incoming) {
        let place = match self.last {
            Some((id, place)) if id == queue.id => place,
            _ => {
                let next = self.targets.len();
                let place = *self.places.entry(queue.id).or_insert(next);
                if place == next {
                    let items = self.spare.pop().unwrap_or_default();
                    self.targets.push(Target {
                        queue: Arc::clone(queue),
                        items,
                    });
                }
                self.last = Some((queue.id, place));
                place
            }
        };
        if let Some(target) = self.targets.get_mut(place) {
            target.items.push(message);
        }
    }

    /// Hands the messages to their queues, each queue once, in the order they were first named.
    /// `effects` collects what each queue asks for; what the log must know goes to `draft`, the rest
    /// to `carry_out` with its queue.
    pub fn flush_into(
        &mut self,
        now: u64,
        refusals: &mut Refusals,
        draft: &mut Draft,
        mut carry_out: impl FnMut(&Arc<SharedQueue>, Effects),
    ) {
        self.messages = 0;
        if self.targets.is_empty() {
            self.data.clear();
            self.away = None;
            return;
        }
        self.number += 1;
        // A buffer that is mostly full becomes the chunk; else it is copied and kept.
        let chunk = if let Some(away) = self.away.take() {
            away
        } else if self.data.len() >= self.data.capacity() / 4 * 3 {
            Chunk::new(std::mem::take(&mut self.data))
        } else {
            let chunk = Chunk::copied(&self.data);
            self.data.clear();
            chunk
        };
        self.places.clear();
        self.last = None;
        for mut target in self.targets.drain(..) {
            let mut effects = Effects::default();
            // A queue deleted since it was routed to takes nothing, as if it had come first.
            if !target
                .queue
                .enqueue(&chunk, &target.items, now, &mut effects)
            {
                refusals
                    .gone
                    .extend(target.items.iter().map(|item| item.publish));
            }
            refusals.refused.append(&mut effects.refused);
            if !effects.placed.is_empty() {
                draft.set_chunk(&chunk);
                draft_placed(draft, target.queue.id, &effects.placed, &target.items);
                effects.placed.clear();
            }
            if !effects.journal.is_empty() {
                draft_ops(draft, target.queue.id, &effects.journal);
                effects.journal.clear();
            }
            if !effects.is_empty() {
                carry_out(&target.queue, effects);
            }
            if self.spare.len() < SPARE_MAX {
                target.items.clear();
                self.spare.push(target.items);
            }
        }
    }

    /// Hands the messages to their queues and carries out what these ask for. Returns the log's
    /// ticket, which `waiter` is woken for; 0 when nothing is logged.
    pub fn flush(
        &mut self,
        broker: &Broker,
        now: u64,
        refusals: &mut Refusals,
        waiter: Option<&Arc<Inbox>>,
    ) -> u64 {
        let mut draft = Draft::default();
        let gate = self.logged.then(|| broker.journal.enter());
        let asked = self.flush_drafting(now, refusals, &mut draft);
        let ticket = broker.journal.append(draft, waiter);
        for (queue, effects) in asked {
            broker.carry_out(&queue, effects);
        }
        drop(gate);
        ticket
    }

    /// As [`Self::flush`], but what the log must know and what the queues ask for is left to the
    /// caller, who is within the gate.
    pub fn flush_drafting(
        &mut self,
        now: u64,
        refusals: &mut Refusals,
        draft: &mut Draft,
    ) -> Vec<(Arc<SharedQueue>, Effects)> {
        let mut asked = Vec::new();
        self.flush_into(now, refusals, draft, |queue, effects| {
            asked.push((Arc::clone(queue), effects));
        });
        self.logged = false;
        asked
    }

    /// True when no queue of the batch would refuse its share now. Each is asked under its own
    /// lock, in order of id.
    pub fn has_room(&mut self) -> bool {
        self.targets.sort_by_key(|target| target.queue.id);
        self.number += 1;
        self.places.clear();
        self.last = None;
        self.targets
            .iter()
            .all(|target| target.queue.has_room(&target.items))
    }

    /// Lets queues take what they are given even where that exceeds a limit that others have used up
    /// since [`Self::has_room`].
    pub fn force(&mut self) {
        for target in &mut self.targets {
            for item in &mut target.items {
                item.forced = true;
            }
        }
    }

    /// Gives back what an idle connection should not hold.
    pub fn release(&mut self) {
        if self.is_empty() {
            self.data = Vec::new();
            self.spare = Vec::new();
            self.targets = Vec::new();
            self.places = HashMap::default();
        }
    }
}
