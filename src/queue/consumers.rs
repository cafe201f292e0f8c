//! Who wants messages, in which order they get them, and who cannot take any now.
//!
//! Consumers that can take a message stand in line by priority and are served round robin; one that
//! has used its credit or whose connection does not read leaves the line until it is unparked.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use super::contents::MessageId;
use super::roster::Roster;
use crate::message::Chunk;

/// The way to a consumer's connection. Called under the queue's lock, so it takes leaf locks only.
pub trait Port {
    /// The connection, and the consumer's number there. Deliveries to one connection are handed
    /// over together, in the order of the queue, whichever of its consumers they are for.
    fn address(&self) -> (u64, u32);
    /// Octets of deliveries that it can take now; nothing fits at 0 or below.
    fn room(&self) -> isize;
    /// Takes one delivery from the limit that the channel's consumers share; false when it is used
    /// up. Deliveries without acknowledgement wait for it but do not count.
    fn take_channel_credit(&self, no_ack: bool) -> bool;
    /// Counts deliveries beyond the one that was taken, in a run without a limit.
    fn charge_channel(&self, count: u32);
    /// Gives back the delivery that was taken from the channel's limit.
    fn return_channel_credit(&self, no_ack: bool);
    /// True when the channel's consumers share no limit.
    fn channel_is_unlimited(&self) -> bool;
    /// Asks to be called back once there is room for more than `cost` octets, which are staged.
    /// False when there is already.
    fn park(&self, cost: isize) -> bool;
    /// Hands over what is staged and leaves it empty.
    fn deliver(&self, staged: &mut Staged);
}

/// A consumer of one queue; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey(pub u64);

/// One delivery on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// The message.
    pub id: MessageId,
    /// Offset of its record in its run's chunk.
    pub offset: u32,
    /// Returns so far in the low 31 bits, the redelivered flag in the top one.
    packed: u32,
}

impl Delivery {
    /// Packs the flag and the count; a count beyond 31 bits stays at its maximum.
    pub fn new(id: MessageId, offset: u32, redelivered: bool, count: u32) -> Self {
        Self {
            id,
            offset,
            packed: count.min(u32::MAX >> 1) | u32::from(redelivered) << 31,
        }
    }

    /// It has been delivered before.
    pub fn redelivered(self) -> bool {
        self.packed >> 31 != 0
    }

    /// How often it came back.
    pub fn count(self) -> u32 {
        self.packed & (u32::MAX >> 1)
    }
}

/// Deliveries to one consumer whose records lie in one chunk.
#[derive(Debug)]
pub struct StagedRun {
    /// The connection's number of the consumer.
    pub slot: u32,
    /// The consumer.
    pub key: ConsumerKey,
    /// Where the records lie.
    pub chunk: Arc<Chunk>,
    /// How many.
    pub count: u32,
}

/// Deliveries to one connection.
#[derive(Debug, Default)]
pub struct Staged {
    /// Runs, in order.
    pub runs: Vec<StagedRun>,
    /// The deliveries of all runs, in order.
    pub items: Vec<Delivery>,
    /// Octets they count against the room.
    pub cost: isize,
}

impl Staged {
    /// Adds one delivery.
    #[inline]
    pub fn push(
        &mut self,
        slot: u32,
        key: ConsumerKey,
        chunk: &Arc<Chunk>,
        item: Delivery,
        size: u32,
    ) {
        let last = self.runs.last_mut();
        match last.filter(|run| run.key == key && Arc::ptr_eq(&run.chunk, chunk)) {
            Some(run) => run.count += 1,
            None => self.runs.push(StagedRun {
                slot,
                key,
                chunk: Arc::clone(chunk),
                count: 1,
            }),
        }
        self.items.push(item);
        self.cost += size as isize + crate::limits::DELIVERY_COST as isize;
    }

    /// Gives back buffers, empty now, that are far larger than the `used` deliveries which were in
    /// them: each queue keeps its own, and of a thousand that are drained each was once long.
    #[inline]
    fn give_back(&mut self, used: usize) {
        let keep = used.max(STAGED_KEPT);
        if self.items.capacity() > 4 * keep {
            self.items.shrink_to(keep);
        }
        if self.runs.capacity() > 4 * keep {
            self.runs.shrink_to(keep);
        }
    }
}

/// Deliveries that a queue keeps room for, whatever it had of late.
const STAGED_KEPT: usize = 16;

/// What a consumer asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConsumerSpec {
    /// Deliveries need no acknowledgement.
    pub no_ack: bool,
    /// Nobody else may consume.
    pub exclusive: bool,
    /// `x-priority`.
    pub priority: i32,
    /// Most unacknowledged deliveries; 0 is no limit.
    pub prefetch: u32,
}

/// A consumer and where it stands.
#[derive(Debug)]
pub struct Consumer<P> {
    /// What it asked for.
    pub spec: ConsumerSpec,
    /// The way to it.
    pub port: P,
    /// Its unacknowledged deliveries.
    pub unacked: u32,
    /// It left the line until it is unparked.
    pub parked: bool,
    /// Where the stage of its connection was last.
    stage: usize,
}

impl<P> Consumer<P> {
    fn has_credit(&self) -> bool {
        self.spec.no_ack || self.spec.prefetch == 0 || self.unacked < self.spec.prefetch
    }
}

#[derive(Debug)]
struct Line {
    priority: i32,
    keys: VecDeque<ConsumerKey>,
}

/// The consumers of one queue.
#[derive(Debug)]
pub struct Consumers<P> {
    all: Roster<P>,
    /// Highest priority first.
    lines: SmallVec<[Line; 1]>,
    single_active: bool,
    active: Option<ConsumerKey>,
    /// Deliveries to hand over before the lock is released, by connection, with a consumer of it.
    stages: Vec<Stage>,
}

#[derive(Debug)]
struct Stage {
    outlet: u64,
    through: ConsumerKey,
    staged: Staged,
}

impl<P: Port> Consumers<P> {
    /// No consumers; `single_active` lets only one of them receive.
    pub fn new(single_active: bool) -> Self {
        Self {
            all: Roster::default(),
            lines: SmallVec::new(),
            single_active,
            active: None,
            stages: Vec::new(),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.all.len() == 0
    }

    /// True when one of them is exclusive.
    pub fn any_exclusive(&self) -> bool {
        self.all.iter().any(|(_, consumer)| consumer.spec.exclusive)
    }

    /// The exclusive one.
    pub fn exclusive(&self) -> Option<ConsumerKey> {
        self.all
            .iter()
            .find(|(_, consumer)| consumer.spec.exclusive)
            .map(|(key, _)| key)
    }

    /// True when one of them could take a message now.
    pub fn any_in_line(&self) -> bool {
        !self.lines.is_empty()
    }

    /// The consumer that receives, where only one may.
    pub fn active(&self) -> Option<ConsumerKey> {
        self.active
    }

    /// Every consumer.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerKey, &Consumer<P>)> {
        self.all.iter()
    }

    /// Adds a consumer at the end of its priority's line.
    pub fn add(&mut self, key: ConsumerKey, spec: ConsumerSpec, port: P) {
        let consumer = Consumer {
            spec,
            port,
            unacked: 0,
            parked: true,
            stage: 0,
        };
        self.all.insert(key, consumer);
        if !self.single_active {
            self.unpark(key);
        } else if self.active.is_none() {
            self.active = Some(key);
            self.unpark(key);
        }
    }

    /// Removes a consumer; a single active one is succeeded by the next of highest priority.
    pub fn remove(&mut self, key: ConsumerKey) -> Option<Consumer<P>> {
        let consumer = self.all.remove(key)?;
        for line in &mut self.lines {
            line.keys.retain(|k| *k != key);
        }
        self.lines.retain(|line| !line.keys.is_empty());
        if self.active == Some(key) {
            self.active = None;
            let next = self
                .all
                .iter()
                .min_by_key(|(key, c)| (std::cmp::Reverse(c.spec.priority), *key))
                .map(|(key, _)| key);
            if let Some(next) = next {
                self.active = Some(next);
                self.unpark(next);
            }
        }
        Some(consumer)
    }

    /// Removes all and returns them with their keys.
    pub fn take_all(&mut self) -> Vec<(ConsumerKey, Consumer<P>)> {
        self.lines.clear();
        self.active = None;
        self.all.take()
    }

    /// Lets a consumer back into the line when it may receive and has credit.
    pub fn unpark(&mut self, key: ConsumerKey) {
        if self.single_active && self.active != Some(key) {
            return;
        }
        let Some(consumer) = self.all.get_mut(key) else {
            return;
        };
        if !consumer.parked || !consumer.has_credit() {
            return;
        }
        consumer.parked = false;
        let priority = consumer.spec.priority;
        match self
            .lines
            .binary_search_by(|line| priority.cmp(&line.priority))
        {
            Ok(at) => {
                if let Some(line) = self.lines.get_mut(at) {
                    line.keys.push_back(key);
                }
            }
            Err(at) => self.lines.insert(
                at,
                Line {
                    priority,
                    keys: VecDeque::from([key]),
                },
            ),
        }
    }

    /// Gives `count` deliveries back to a consumer's credit.
    pub fn credit(&mut self, key: ConsumerKey, count: u32) {
        if let Some(consumer) = self.all.get_mut(key) {
            consumer.unacked = consumer.unacked.saturating_sub(count);
            if consumer.parked {
                self.unpark(key);
            }
        }
    }

    /// Sets a consumer's prefetch limit, at once.
    pub fn set_prefetch(&mut self, key: ConsumerKey, prefetch: u32) {
        if let Some(consumer) = self.all.get_mut(key) {
            consumer.spec.prefetch = prefetch;
            self.unpark(key);
        }
    }

    /// The turn of a consumer that stands in line alone, without acknowledgements and without limits:
    /// whatever comes is its own, as far as its connection has room. `None` otherwise; nobody is
    /// parked or charged by asking.
    #[inline]
    pub fn careless_turn(&mut self) -> Option<Turn> {
        let line = self.lines.first().filter(|line| line.keys.len() == 1)?;
        let key = self.all.only().or_else(|| line.keys.front().copied())?;
        let consumer = self.all.get(key)?;
        let careless = consumer.spec.no_ack && consumer.port.channel_is_unlimited();
        let (outlet, _) = consumer.port.address();
        let cost = self.cost_at(self.stage_of(consumer.stage, outlet));
        if !careless || consumer.port.room() <= cost {
            return None;
        }
        self.begin_turn(key, RUN_MAX)
    }

    /// The consumer whose turn it is; those before it that can take nothing have been parked. `None`
    /// when nobody is in line.
    #[inline]
    pub fn next_turn(&mut self) -> Option<Turn> {
        loop {
            let line = self.lines.first()?;
            let alone = line.keys.len() == 1;
            let Some(key) = self.all.only().or_else(|| line.keys.front().copied()) else {
                self.lines.remove(0);
                continue;
            };
            let consumer = self.all.get(key)?;
            let (outlet, _) = consumer.port.address();
            let cost = self.cost_at(self.stage_of(consumer.stage, outlet));
            let no_ack = consumer.spec.no_ack;
            let ready = consumer.has_credit()
                && (consumer.port.room() > cost || !consumer.port.park(cost))
                && consumer.port.take_channel_credit(no_ack);
            let most = match (alone && consumer.port.channel_is_unlimited(), no_ack) {
                (false, _) => 1,
                (true, true) => RUN_MAX,
                (true, false) => match consumer.spec.prefetch {
                    0 => RUN_MAX,
                    limit => RUN_MAX.min(limit.saturating_sub(consumer.unacked) as usize),
                },
            };
            if ready {
                return self.begin_turn(key, most);
            }
            if let Some(consumer) = self.all.get_mut(key) {
                consumer.parked = true;
            }
            self.leave_line();
        }
    }

    /// Takes the first consumer out of the first line.
    fn leave_line(&mut self) {
        if let Some(line) = self.lines.first_mut() {
            line.keys.pop_front();
            if line.keys.is_empty() {
                self.lines.remove(0);
            }
        }
    }

    /// The stage of a connection, which was last at `hint`.
    #[inline]
    fn stage_of(&self, hint: usize, outlet: u64) -> Option<usize> {
        match self.stages.get(hint) {
            Some(known) if known.outlet == outlet => Some(hint),
            _ => self.stages.iter().position(|known| known.outlet == outlet),
        }
    }

    #[inline]
    fn cost_at(&self, stage: Option<usize>) -> isize {
        stage
            .and_then(|at| self.stages.get(at))
            .map_or(0, |stage| stage.staged.cost)
    }

    /// Starts the turn of the first consumer in line, which may take up to `most` messages.
    #[inline]
    fn begin_turn(&mut self, key: ConsumerKey, most: usize) -> Option<Turn> {
        if let Some(line) = self.lines.first_mut().filter(|line| line.keys.len() > 1) {
            line.keys.rotate_left(1);
        }
        let consumer = self.all.get(key)?;
        let (outlet, slot) = consumer.port.address();
        let stage = self.stage_of(consumer.stage, outlet).unwrap_or_else(|| {
            self.stages.push(Stage {
                outlet,
                through: key,
                staged: Staged::default(),
            });
            self.stages.len() - 1
        });
        // Whoever is staged last is there when the stage is flushed.
        if let Some(known) = self.stages.get_mut(stage) {
            known.through = key;
        }
        let consumer = self.all.get_mut(key)?;
        consumer.stage = stage;
        let room = consumer.port.room();
        Some(Turn {
            key,
            slot,
            stage,
            no_ack: consumer.spec.no_ack,
            most,
            room,
        })
    }

    /// Stages one delivery of a turn; false when the connection has no room for another.
    #[inline]
    pub fn stage(&mut self, turn: Turn, chunk: &Arc<Chunk>, item: Delivery, size: u32) -> bool {
        let Some(stage) = self.stages.get_mut(turn.stage) else {
            return false;
        };
        stage.staged.push(turn.slot, turn.key, chunk, item, size);
        stage.staged.cost < turn.room
    }

    /// The turn comes to nothing: what it took from the channel's limit goes back, and it is its
    /// consumer's turn again.
    pub fn decline(&mut self, turn: Turn) {
        if let Some(line) = self
            .lines
            .first_mut()
            .filter(|line| line.keys.back() == Some(&turn.key))
        {
            line.keys.rotate_right(1);
        }
        if let Some(consumer) = self.all.get(turn.key) {
            consumer.port.return_channel_credit(turn.no_ack);
        }
    }

    /// The turn took `count` messages, which its consumer has to acknowledge.
    #[inline]
    pub fn owe(&mut self, turn: Turn, count: u32) {
        if let Some(consumer) = self.all.get_mut(turn.key) {
            consumer.unacked += count;
            consumer.port.charge_channel(count.saturating_sub(1));
        }
    }

    /// Hands everything staged to the connections.
    #[inline]
    pub fn flush(&mut self) {
        for stage in &mut self.stages {
            if let Some(consumer) = self.all.get(stage.through) {
                let used = stage.staged.items.len();
                consumer.port.deliver(&mut stage.staged);
                stage.staged.give_back(used);
            }
        }
        // The buffers of one connection are kept: the common case has no other.
        self.stages.truncate(1);
    }
}

/// Messages that a lone consumer takes before its room and credit are looked at again.
const RUN_MAX: usize = 256;

/// A consumer's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    key: ConsumerKey,
    slot: u32,
    stage: usize,
    /// Its deliveries need no acknowledgement.
    pub no_ack: bool,
    /// Messages it may take in a row: more than one where nobody else of its priority is in line.
    pub most: usize,
    /// Octets of deliveries that its connection can take.
    room: isize,
}
