//! A block of a queue's index: up to 1,024 consecutive messages in 12 octets each.
//!
//! Expiries and delivery counts are kept beside the entries only where some message has one. A block
//! most of whose messages are settled is thinned: its survivors are copied into a chunk of their
//! own, so that one message that nobody acknowledges pins neither its neighbours' bodies nor their
//! entries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::limits::BLOCK_ENTRIES;
use crate::message::{Body, Chunk, Home};

mod stored;

pub(super) use stored::stored_bytes;

/// Octets held by the indexes of all queues of the process.
static HELD: AtomicI64 = AtomicI64::new(0);

/// Octets held by the indexes of all queues of the process.
pub fn index_bytes() -> u64 {
    u64::try_from(HELD.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Waits for a consumer.
    Ready,
    /// With a consumer, not acknowledged.
    Unacked,
    /// Gone.
    Settled,
}

const UNACKED: u8 = 1;
const SETTLED: u8 = 2;
const STATE: u8 = 3;
const REDELIVERED: u8 = 4;
const COUNTED: u8 = 8;
const LOGGED: u8 = 16;

#[derive(Debug, Clone, Copy)]
struct Entry {
    offset: u32,
    size: u32,
    slot: u16,
    flags: u8,
}

impl Entry {
    fn state(self) -> State {
        match self.flags & STATE {
            0 => State::Ready,
            UNACKED => State::Unacked,
            _ => State::Settled,
        }
    }
}

/// Where the records of some entries can be had.
#[derive(Debug)]
enum Source {
    /// Nobody asks any more.
    Gone,
    Held(Arc<Chunk>),
    /// Offsets are relative to this place.
    Stored(Home),
}

impl Source {
    fn held(&self) -> Option<&Arc<Chunk>> {
        match self {
            Self::Held(chunk) => Some(chunk),
            _ => None,
        }
    }

    fn is_chunk(&self, chunk: &Arc<Chunk>) -> bool {
        self.held().is_some_and(|held| Arc::ptr_eq(held, chunk))
    }

    /// The place of the record at `offset`, unless it is in memory only.
    fn home(&self, offset: u32) -> Option<Home> {
        match self {
            Self::Gone => None,
            Self::Held(chunk) => chunk.home().map(|home| home.at(offset)),
            Self::Stored(home) => Some(home.at(offset)),
        }
    }
}

/// One chunk, or one run of a file, that entries of the block point into.
#[derive(Debug)]
struct Slot {
    source: Source,
    live: u32,
}

impl Slot {
    /// One of its messages, of `size` octets, is gone.
    #[inline]
    fn settle(&mut self, size: u32) {
        self.live -= 1;
        if let Source::Stored(home) = &self.source {
            home.file.count_live(-stored_bytes(size));
        }
        if self.live == 0 {
            self.source = Source::Gone;
        }
    }
}

/// Records from here on are never copied out: a chunk of theirs holds hardly anything else, and
/// the copy of a whole block stays below 256 MiB, within the 32 bits of an offset.
const COPIED_SMALLER_THAN: usize = 64 * 1024;

/// Entries whose buffer an emptied block keeps: 12 KiB for a busy queue, nothing for an idle one's
/// first message.
const RECYCLED_ENTRIES: usize = 1024;

/// What the index knows about one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Offset of its record in its chunk.
    pub offset: u32,
    /// Octets of its body.
    pub size: u32,
    /// Where it stands.
    pub state: State,
    /// It has been delivered before.
    pub redelivered: bool,
    /// How often it was returned; 0 when never.
    pub count: u32,
    /// When it expires, in milliseconds since the epoch; `u64::MAX` is never.
    pub expires_at: u64,
    /// The log knows it, and is told what becomes of it.
    pub logged: bool,
}

/// What a message was that is now settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Where it stood.
    pub state: State,
    /// Octets of its body.
    pub size: u32,
    /// The log knows it.
    pub logged: bool,
}

/// A message that takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arriving {
    /// Offset of its record in its chunk.
    pub offset: u32,
    /// Octets of its body.
    pub size: u32,
    /// When it expires, in milliseconds since the epoch; `u64::MAX` is never.
    pub expires_at: u64,
    /// The log knows it.
    pub logged: bool,
}

/// Consecutive messages of one level.
#[derive(Debug)]
pub struct Block {
    /// Sequence number of the first entry.
    base: u64,
    /// How many sequence numbers the block covers.
    span: u32,
    entries: Vec<Entry>,
    /// Offsets from `base`, once thinned; empty while every number has its entry.
    positions: Vec<u16>,
    slots: Vec<Slot>,
    live: u32,
    ready: u32,
    expiries: Vec<u64>,
    earliest_expiry: u64,
    counts: BTreeMap<u16, u32>,
    /// The many small chunks of a full block have been merged; once is enough.
    merged: bool,
    /// What this block adds to [`index_bytes`].
    counted: i64,
    /// It has changed since it was written down.
    touched: bool,
}

impl Block {
    /// An empty block whose first message will be number `base`.
    pub fn new(base: u64) -> Self {
        Self {
            base,
            span: 0,
            entries: Vec::new(),
            positions: Vec::new(),
            slots: Vec::new(),
            live: 0,
            ready: 0,
            expiries: Vec::new(),
            earliest_expiry: u64::MAX,
            counts: BTreeMap::new(),
            merged: false,
            counted: 0,
            touched: true,
        }
    }

    /// The number of its first message.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// One past the number of its last message.
    pub fn end(&self) -> u64 {
        self.base + u64::from(self.span)
    }

    /// True when it takes no more messages.
    pub fn is_full(&self) -> bool {
        self.span as usize >= BLOCK_ENTRIES
    }

    /// Messages that are not settled.
    pub fn live(&self) -> u32 {
        self.live
    }

    /// Messages that are ready.
    pub fn ready(&self) -> u32 {
        self.ready
    }

    /// The earliest expiry of a live message, or earlier; `u64::MAX` when none expires.
    pub fn earliest_expiry(&self) -> u64 {
        self.earliest_expiry
    }

    /// Appends a ready message; the block must not be full.
    #[inline]
    pub fn push(&mut self, chunk: &Arc<Chunk>, message: Arriving) {
        let current = self
            .slots
            .last_mut()
            .filter(|slot| slot.source.is_chunk(chunk));
        match current {
            Some(slot) => slot.live += 1,
            None => {
                if chunk.is_away().is_some()
                    && let Some(home) = chunk.home()
                {
                    return self.push_stored(&home.at(message.offset), message);
                }
                self.slots.push(Slot {
                    source: Source::Held(Arc::clone(chunk)),
                    live: 1,
                });
            }
        }
        self.append(message);
    }

    /// Leaves out numbers up to `number`: they were never used, or are settled.
    pub fn skip_to(&mut self, number: u64) {
        let Ok(span) = u32::try_from(number.saturating_sub(self.base)) else {
            return;
        };
        if self.entries.is_empty() {
            // It covers nothing yet: it may as well begin there.
            self.base = self.base.max(number);
            return;
        }
        if span > self.span && self.positions.is_empty() {
            self.positions = (0..self.entries.len() as u16).collect();
        }
        self.span = self.span.max(span);
    }

    #[inline]
    fn append(&mut self, message: Arriving) {
        let Arriving {
            offset,
            size,
            expires_at,
            logged,
        } = message;
        // At most BLOCK_ENTRIES slots, one per entry.
        let slot = (self.slots.len() - 1) as u16;
        if expires_at != u64::MAX || !self.expiries.is_empty() {
            self.expiries.resize(self.entries.len(), u64::MAX);
            self.expiries.push(expires_at);
            self.earliest_expiry = self.earliest_expiry.min(expires_at);
        }
        let grows = self.entries.len() == self.entries.capacity();
        self.entries.push(Entry {
            offset,
            size,
            slot,
            flags: if logged { LOGGED } else { 0 },
        });
        if !self.positions.is_empty() {
            // A block spans at most BLOCK_ENTRIES numbers.
            self.positions.push(self.span as u16);
        }
        if grows {
            self.count();
        }
        self.span += 1;
        self.live += 1;
        self.ready += 1;
        self.touched = true;
    }

    #[inline]
    fn index(&self, number: u64) -> Option<usize> {
        let position = number.checked_sub(self.base)?;
        if self.positions.is_empty() {
            usize::try_from(position).ok()
        } else {
            self.positions
                .binary_search(&u16::try_from(position).ok()?)
                .ok()
        }
    }

    fn position(&self, index: usize) -> u16 {
        // A block spans at most BLOCK_ENTRIES numbers.
        self.positions.get(index).copied().unwrap_or(index as u16)
    }

    /// The chunk of message `number`, if it is in memory.
    #[inline]
    pub fn chunk(&self, number: u64) -> Option<&Arc<Chunk>> {
        let entry = self.entries.get(self.index(number)?)?;
        self.slots.get(usize::from(entry.slot))?.source.held()
    }

    /// Where the record of message `number` can be had.
    pub fn body(&self, number: u64) -> Option<Body> {
        let entry = self.entries.get(self.index(number)?)?;
        match &self.slots.get(usize::from(entry.slot))?.source {
            Source::Gone => None,
            Source::Held(chunk) => Some(Body::Held(Arc::clone(chunk), entry.offset)),
            Source::Stored(home) => Some(Body::Stored(home.at(entry.offset))),
        }
    }

    /// Where the record of message `number` lies at rest.
    pub fn home(&self, number: u64) -> Option<Home> {
        let entry = self.entries.get(self.index(number)?)?;
        self.slots
            .get(usize::from(entry.slot))?
            .source
            .home(entry.offset)
    }

    /// Every live message in order.
    pub fn live_entries(&self) -> impl Iterator<Item = super::page::LiveEntry> {
        let live = (0..self.entries.len()).map(|index| self.base + u64::from(self.position(index)));
        live.filter_map(|number| Some((number, self.get(number)?, self.home(number))))
    }

    /// True when nothing has changed since the last call with `true`; such a call begins anew.
    pub fn is_untouched(&mut self, begin: bool) -> bool {
        let untouched = !self.touched;
        if begin {
            self.touched = false;
        }
        untouched
    }

    /// The facts of message `number`, unless it is settled.
    #[inline]
    pub fn get(&self, number: u64) -> Option<Meta> {
        let index = self.index(number)?;
        let entry = *self.entries.get(index)?;
        let state = entry.state();
        if state == State::Settled {
            return None;
        }
        let count = if entry.flags & COUNTED == 0 {
            0
        } else {
            self.counts.get(&self.position(index)).copied().unwrap_or(0)
        };
        Some(Meta {
            offset: entry.offset,
            size: entry.size,
            state,
            redelivered: entry.flags & REDELIVERED != 0,
            count,
            expires_at: self.expiries.get(index).copied().unwrap_or(u64::MAX),
            logged: entry.flags & LOGGED != 0,
        })
    }

    /// The first ready number at or after `from`.
    #[inline]
    pub fn next_ready(&self, from: u64) -> Option<u64> {
        if self.ready == 0 {
            return None;
        }
        let start = if self.positions.is_empty() {
            usize::try_from(from.saturating_sub(self.base)).ok()?
        } else {
            let position = u16::try_from(from.saturating_sub(self.base)).ok()?;
            self.positions.partition_point(|p| *p < position)
        };
        let found = self
            .entries
            .get(start..)?
            .iter()
            .position(|e| e.flags & STATE == 0)?;
        Some(self.base + u64::from(self.position(start + found)))
    }

    /// Marks a ready message as delivered. Returns its body's size.
    #[inline]
    pub fn deliver(&mut self, number: u64) -> Option<u32> {
        let index = self.index(number)?;
        let entry = self.entries.get_mut(index)?;
        if entry.state() != State::Ready {
            return None;
        }
        entry.flags |= UNACKED;
        self.ready -= 1;
        self.touched = true;
        Some(entry.size)
    }

    /// Delivers ready messages from number `from` on, in order, while they follow each other and none
    /// has expired; `settle` takes them out at once. `visit` is shown each and ends the run by false.
    /// Returns how many, and the octets of their bodies. A thinned block gives none: its messages
    /// go one by one.
    #[inline]
    pub fn take_run(
        &mut self,
        from: u64,
        most: usize,
        now: u64,
        settle: bool,
        mut visit: impl FnMut(u64, &Arc<Chunk>, Meta) -> bool,
    ) -> (u32, u64) {
        let Some(start) = from
            .checked_sub(self.base)
            .filter(|_| self.positions.is_empty())
        else {
            return (0, 0);
        };
        // A block spans at most BLOCK_ENTRIES numbers.
        let start = start as usize;
        let (mut count, mut bytes) = (0u32, 0u64);
        let run = self
            .entries
            .get_mut(start..)
            .unwrap_or_default()
            .iter_mut()
            .take(most);
        for (index, entry) in (start..).zip(run) {
            let expires_at = self.expiries.get(index).copied().unwrap_or(u64::MAX);
            if entry.flags & STATE != 0 || expires_at < now {
                break;
            }
            let Some(slot) = self.slots.get_mut(usize::from(entry.slot)) else {
                break;
            };
            let Source::Held(chunk) = &slot.source else {
                break;
            };
            let returns = if entry.flags & COUNTED == 0 {
                0
            } else {
                self.counts.get(&(index as u16)).copied().unwrap_or(0)
            };
            let more = visit(
                self.base + index as u64,
                chunk,
                Meta {
                    offset: entry.offset,
                    size: entry.size,
                    state: State::Ready,
                    redelivered: entry.flags & REDELIVERED != 0,
                    count: returns,
                    expires_at,
                    logged: entry.flags & LOGGED != 0,
                },
            );
            if settle {
                entry.flags = SETTLED;
                slot.settle(entry.size);
            } else {
                entry.flags |= UNACKED;
            }
            count += 1;
            bytes += u64::from(entry.size);
            if !more {
                break;
            }
        }
        self.ready -= count;
        self.touched = true;
        if settle {
            self.live -= count;
        }
        (count, bytes)
    }

    /// Puts an unacknowledged message back; `count` adds a return, `redelivered` sets the flag.
    pub fn give_back(&mut self, number: u64, redelivered: bool, count: bool) -> Option<u32> {
        let index = self.index(number)?;
        let position = self.position(index);
        let entry = self.entries.get_mut(index)?;
        if entry.state() != State::Unacked {
            return None;
        }
        entry.flags &= !UNACKED;
        if redelivered {
            entry.flags |= REDELIVERED;
        }
        if count {
            entry.flags |= COUNTED;
            let counter = self.counts.entry(position).or_insert(0);
            *counter = counter.saturating_add(1);
        }
        self.ready += 1;
        self.touched = true;
        Some(entry.size)
    }

    /// Sets the facts of a message that was moved here.
    pub fn mark(&mut self, number: u64, redelivered: bool, count: u32) {
        let Some(index) = self.index(number) else {
            return;
        };
        let position = self.position(index);
        let Some(entry) = self.entries.get_mut(index) else {
            return;
        };
        if redelivered {
            entry.flags |= REDELIVERED;
        }
        if count > 0 {
            entry.flags |= COUNTED;
            self.counts.insert(position, count);
        }
    }

    /// Takes the message out. Returns what it was.
    #[inline]
    pub fn settle(&mut self, number: u64) -> Option<Settled> {
        let index = self.index(number)?;
        let entry = self.entries.get_mut(index)?;
        let state = entry.state();
        match state {
            State::Settled => return None,
            State::Ready => self.ready -= 1,
            State::Unacked => {}
        }
        let logged = entry.flags & LOGGED != 0;
        entry.flags = SETTLED;
        self.touched = true;
        self.live -= 1;
        let (slot, size) = (usize::from(entry.slot), entry.size);
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.settle(size);
        }
        Some(Settled {
            state,
            size,
            logged,
        })
    }

    /// Numbers of ready messages that expire at or before `now`; tightens the earliest expiry.
    pub fn due(&mut self, now: u64, most: usize, out: &mut Vec<u64>) {
        let mut earliest = u64::MAX;
        for (index, (entry, expiry)) in self.entries.iter().zip(&self.expiries).enumerate() {
            match entry.state() {
                State::Settled => {}
                State::Ready if *expiry <= now && out.len() < most => {
                    let position = self.positions.get(index).copied().unwrap_or(index as u16);
                    out.push(self.base + u64::from(position));
                }
                // An unacknowledged message expires only once it is back.
                State::Unacked => {}
                State::Ready => earliest = earliest.min(*expiry),
            }
        }
        self.earliest_expiry = earliest;
    }

    /// Lets an expiry that came back with its message be seen again.
    pub fn note_expiry(&mut self, expires_at: u64) {
        self.earliest_expiry = self.earliest_expiry.min(expires_at);
    }

    /// Copies the live messages into chunks of their own where that frees most of what they pin:
    /// when under a quarter of the block lives, or when the block is made of many small chunks.
    pub fn thin(&mut self) {
        self.merged = true;
        let mut data = Vec::new();
        let mut kept_slots: Vec<Slot> = Vec::new();
        let mut moved: BTreeMap<u16, u16> = BTreeMap::new();
        let mut entries = Vec::with_capacity(self.live as usize);
        let mut positions = Vec::with_capacity(self.live as usize);
        let mut expiries = Vec::new();
        // What lies in a file need not be copied to be let go.
        self.shed();
        // Slot 0 of the new list is the copy; chunks that are large for what they hold stay shared.
        kept_slots.push(Slot {
            source: Source::Gone,
            live: 0,
        });
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.state() == State::Settled {
                continue;
            }
            let Some(slot) = self.slots.get(usize::from(entry.slot)) else {
                continue;
            };
            let mut entry = *entry;
            // A logged message will have a home: its chunk is shed then, while a copy has none.
            let chunk = slot.source.held().filter(|_| entry.flags & LOGGED == 0);
            let copied = chunk
                .map(|chunk| chunk.record(entry.offset))
                .filter(|record| {
                    let len = record.len();
                    let whole = chunk.map_or(0, |chunk| chunk.bytes().len());
                    len < COPIED_SMALLER_THAN && (len < 4096 || len * 4 < whole)
                });
            if let Some(record) = copied {
                entry.offset = u32::try_from(data.len()).unwrap_or(u32::MAX);
                entry.slot = 0;
                record.write(&mut data);
            } else {
                let fresh = kept_slots.len() as u16;
                let place = *moved.entry(entry.slot).or_insert(fresh);
                if place == fresh {
                    let source = match &slot.source {
                        Source::Gone => continue,
                        Source::Held(chunk) => Source::Held(Arc::clone(chunk)),
                        Source::Stored(home) => Source::Stored(home.clone()),
                    };
                    kept_slots.push(Slot { source, live: 0 });
                }
                entry.slot = place;
            }
            if let Some(slot) = kept_slots.get_mut(usize::from(entry.slot)) {
                slot.live += 1;
            }
            positions.push(self.position(index));
            if let Some(expiry) = self.expiries.get(index) {
                expiries.push(*expiry);
            }
            entries.push(entry);
        }
        if let Some(first) = kept_slots.first_mut().filter(|slot| slot.live > 0) {
            first.source = Source::Held(Chunk::new(data));
        }
        self.counts
            .retain(|position, _| positions.binary_search(position).is_ok());
        let whole = entries.len() == self.span as usize;
        self.positions = if whole { Vec::new() } else { positions };
        self.entries = entries;
        self.expiries = expiries;
        self.slots = kept_slots;
        if whole {
            self.entries.shrink_to_fit();
        }
        self.count();
    }

    /// Empties the block, in which nothing lives, and lets it start again at `base`. Keeps a small
    /// buffer, so that a queue whose messages pass straight through does not allocate.
    pub fn recycle(&mut self, base: u64) {
        let mut entries = std::mem::take(&mut self.entries);
        let mut slots = std::mem::take(&mut self.slots);
        entries.clear();
        slots.clear();
        entries.shrink_to(RECYCLED_ENTRIES);
        slots.shrink_to(RECYCLED_ENTRIES / 16);
        let counted = self.counted;
        self.counted = 0;
        *self = Self::new(base);
        self.counted = counted;
        self.entries = entries;
        self.slots = slots;
        self.count();
    }

    /// Brings [`index_bytes`] up to date; called when the buffers may have changed.
    fn count(&mut self) {
        let entries = self.entries.capacity() * size_of::<Entry>() + self.positions.capacity() * 2;
        let others = self.slots.capacity() * size_of::<Slot>() + self.expiries.capacity() * 8;
        let now = i64::try_from(entries + others).unwrap_or(i64::MAX);
        if now != self.counted {
            HELD.fetch_add(now - self.counted, Ordering::Relaxed);
            self.counted = now;
        }
    }

    /// True when thinning would free most of the block.
    pub fn wants_thinning(&self) -> bool {
        self.is_full()
            && self.live > 0
            && ((self.live as usize) < self.entries.len() / 4
                || (self.slots.len() > BLOCK_ENTRIES / 16 && !self.merged))
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        for entry in &self.entries {
            if entry.state() != State::Settled
                && let Some(slot) = self.slots.get_mut(usize::from(entry.slot))
            {
                slot.settle(entry.size);
            }
        }
        HELD.fetch_sub(self.counted, Ordering::Relaxed);
    }
}
