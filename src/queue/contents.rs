//! The half of the queue that a log can replay: its messages.
//!
//! It executes pushes, deliveries, settles, returns and drops, and decides nothing. A message is
//! known by its [`MessageId`] until it is settled; acknowledgements name it by that.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::block::{Arriving, Meta, Settled};
use super::counters::Totals;
use super::level::Level;
use crate::message::{Body, Chunk, Home, StoredPage};

/// A message of a queue: its priority in the top eight bits, its number within the priority below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u64);

const NUMBER_BITS: u32 = 56;

impl MessageId {
    /// The id of number `number` of a priority.
    pub fn new(priority: u8, number: u64) -> Self {
        Self(u64::from(priority) << NUMBER_BITS | number)
    }

    /// The priority level.
    pub fn priority(self) -> u8 {
        (self.0 >> NUMBER_BITS) as u8
    }

    /// The number within the priority.
    pub fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    /// The id as one number; ids that were pushed behind each other are consecutive.
    pub fn raw(self) -> u64 {
        self.0
    }

    /// The id that [`Self::raw`] gave.
    pub fn from_raw(raw: u64) -> Self {
        Self(raw)
    }
}

/// The messages of a queue, by priority.
#[derive(Debug, Default)]
pub struct Contents {
    /// Priority 0, which is all there is in most queues.
    base: Level,
    /// Higher priorities, made when first used.
    higher: BTreeMap<u8, Level>,
}

impl Contents {
    /// The messages of one priority, if there ever was one.
    pub fn level(&self, priority: u8) -> Option<&Level> {
        if priority == 0 {
            Some(&self.base)
        } else {
            self.higher.get(&priority)
        }
    }

    #[inline]
    fn level_mut(&mut self, priority: u8) -> Option<&mut Level> {
        if priority == 0 {
            Some(&mut self.base)
        } else {
            self.higher.get_mut(&priority)
        }
    }

    /// Counts over all priorities.
    pub fn totals(&self) -> Totals {
        self.higher
            .values()
            .map(Level::totals)
            .fold(self.base.totals(), |sum, t| Totals {
                ready: sum.ready + t.ready,
                ready_bytes: sum.ready_bytes + t.ready_bytes,
                unacked: sum.unacked + t.unacked,
                unacked_bytes: sum.unacked_bytes + t.unacked_bytes,
            })
    }

    /// Messages whose index lies in a file, and octets of their bodies.
    pub fn away(&self) -> (u64, u64) {
        self.levels()
            .map(|(_, level)| level.away())
            .fold((0, 0), |(n, octets), (m, more)| (n + m, octets + more))
    }

    /// Ready messages.
    #[inline]
    pub fn ready(&self) -> u64 {
        if self.higher.is_empty() {
            return self.base.ready();
        }
        self.base.ready() + self.higher.values().map(Level::ready).sum::<u64>()
    }

    /// The id of a message that comes and goes at once; the queue must be empty of ready ones.
    #[inline]
    pub fn pass(&self) -> MessageId {
        MessageId::new(0, self.base.pass())
    }

    /// Appends a message to its priority.
    #[inline]
    pub fn push(&mut self, priority: u8, chunk: &Arc<Chunk>, message: Arriving) -> MessageId {
        let level = if priority == 0 {
            &mut self.base
        } else {
            self.higher.entry(priority).or_default()
        };
        MessageId::new(priority, level.push(chunk, message))
    }

    /// The message that leaves next: highest priority first.
    #[inline]
    pub fn head(&mut self) -> Option<MessageId> {
        for (priority, level) in self.higher.iter_mut().rev() {
            if let Some(number) = level.head() {
                return Some(MessageId::new(*priority, number));
            }
        }
        self.base.head().map(|number| MessageId::new(0, number))
    }

    /// The facts of a live message.
    #[inline]
    pub fn get(&self, id: MessageId) -> Option<Meta> {
        self.level(id.priority())?.get(id.number())
    }

    /// The chunk of a live message, if it is in memory.
    #[inline]
    pub fn chunk(&self, id: MessageId) -> Option<&Arc<Chunk>> {
        self.level(id.priority())?.chunk(id.number())
    }

    /// Where the record of a live message can be had.
    pub fn body(&self, id: MessageId) -> Option<Body> {
        self.level(id.priority())?.body(id.number())
    }

    /// The levels in use, by priority.
    pub fn levels(&self) -> impl Iterator<Item = (u8, &Level)> {
        let higher = self
            .higher
            .iter()
            .map(|(priority, level)| (*priority, level));
        std::iter::once((0, &self.base)).chain(higher)
    }

    /// The priorities in use.
    pub fn priorities(&self) -> Vec<u8> {
        self.levels().map(|(priority, _)| priority).collect()
    }

    /// The level of a priority, made if it is not there.
    pub fn level_made(&mut self, priority: u8) -> &mut Level {
        if priority == 0 {
            &mut self.base
        } else {
            self.higher.entry(priority).or_default()
        }
    }

    /// Lets go of what lies in files as well: see [`Level::shed`].
    pub fn shed(&mut self, all: bool) {
        self.base.shed(all);
        self.higher.values_mut().for_each(|level| level.shed(all));
    }

    /// Ready messages that leave next and lie in files: at most `octets`, at most `most`.
    pub fn wanted(&mut self, octets: u64, most: usize) -> Vec<(MessageId, Home, u32)> {
        let mut found = Vec::new();
        let mut ids = Vec::new();
        let levels = self
            .higher
            .iter_mut()
            .rev()
            .map(|(priority, level)| (*priority, level))
            .chain(std::iter::once((0, &mut self.base)));
        for (priority, level) in levels {
            level.wanted(octets, most - ids.len(), &mut found);
            ids.extend(
                found
                    .drain(..)
                    .map(|(number, home, size)| (MessageId::new(priority, number), home, size)),
            );
            if !ids.is_empty() {
                break;
            }
        }
        ids
    }

    /// The block that the head waits for, if it is away.
    pub fn missing(&mut self) -> Option<(u8, u64, Arc<StoredPage>)> {
        let priority = self.head()?.priority();
        let (base, page) = self.level_mut(priority)?.missing()?;
        Some((priority, base, page))
    }

    /// A block that is away and has a message that is due at `now`.
    pub fn due_away(&self, now: u64) -> Option<(u8, u64, Arc<StoredPage>)> {
        self.levels().find_map(|(priority, level)| {
            let (base, page) = level.due_away(now)?;
            Some((priority, base, page))
        })
    }

    /// Makes room for what was read from a message on: see [`super::block::Block::make_room`].
    pub fn make_room(&mut self, id: MessageId) {
        if let Some(level) = self.level_mut(id.priority()) {
            level.make_room(id.number());
        }
    }

    /// Gives a message the chunk that was read for it.
    pub fn install(&mut self, id: MessageId, chunk: &Arc<Chunk>) {
        if let Some(level) = self.level_mut(id.priority()) {
            level.install(id.number(), chunk);
        }
    }

    /// Delivers a run of ready messages in order, where there are no priorities to look at; returns
    /// how many. See [`super::block::Block::take_run`].
    #[inline]
    pub fn take_run(
        &mut self,
        most: usize,
        now: u64,
        settle: bool,
        mut visit: impl FnMut(MessageId, &Arc<Chunk>, Meta) -> bool,
    ) -> u32 {
        if !self.higher.is_empty() {
            return 0;
        }
        self.base
            .take_run(most, now, settle, |number, chunk, meta| {
                visit(MessageId::new(0, number), chunk, meta)
            })
    }

    /// Marks a ready message as delivered and not yet acknowledged.
    #[inline]
    pub fn deliver(&mut self, id: MessageId) {
        if let Some(level) = self.level_mut(id.priority()) {
            level.deliver(id.number());
        }
    }

    /// Takes a message out for good: acknowledged, expired, dropped. `None` when it was gone.
    #[inline]
    pub fn settle(&mut self, id: MessageId) -> Option<Settled> {
        self.level_mut(id.priority())?.settle(id.number())
    }

    /// Puts an unacknowledged message back to its place. `redelivered` sets the flag, `count` adds a
    /// return.
    pub fn give_back(&mut self, id: MessageId, redelivered: bool, count: bool) -> bool {
        self.level_mut(id.priority())
            .is_some_and(|level| level.give_back(id.number(), redelivered, count))
    }

    /// Puts an unacknowledged message behind everything that is there now, under a new id.
    pub fn give_back_at_end(
        &mut self,
        id: MessageId,
        redelivered: bool,
        count: bool,
    ) -> Option<MessageId> {
        let level = self.level_mut(id.priority())?;
        let number = level.give_back_at_end(id.number(), redelivered, count)?;
        Some(MessageId::new(id.priority(), number))
    }

    /// Ready messages due at `now`, at most `most`.
    pub fn due(&mut self, now: u64, most: usize) -> Vec<MessageId> {
        let mut ids = Vec::new();
        let mut numbers = Vec::new();
        let levels = std::iter::once((0, &mut self.base)).chain(
            self.higher
                .iter_mut()
                .map(|(priority, level)| (*priority, level)),
        );
        for (priority, level) in levels {
            level.due(now, most - ids.len(), &mut numbers);
            ids.extend(
                numbers
                    .drain(..)
                    .map(|number| MessageId::new(priority, number)),
            );
            if ids.len() >= most {
                break;
            }
        }
        ids
    }

    /// When the next message may be due: see [`Level::next_expiry`].
    pub fn next_expiry(&self, now: u64, away: u64) -> u64 {
        let levels = self.levels();
        let next = levels.map(|(_, level)| level.next_expiry(now, away)).min();
        next.unwrap_or(u64::MAX)
    }

    /// When the next message may be due; `u64::MAX` when none expires.
    pub fn earliest_expiry(&self) -> u64 {
        let higher = self
            .higher
            .values()
            .map(Level::earliest_expiry)
            .min()
            .unwrap_or(u64::MAX);
        self.base.earliest_expiry().min(higher)
    }
}
