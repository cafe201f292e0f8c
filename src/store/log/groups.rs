//! The index of the groups' entries: where each lies, its term, how far each group is durable.
//!
//! Group 0 is this node's own and has no index. Every other group is a sequence of its own within
//! the log: its entries are numbered without holes, the last ones may be taken back, the first ones
//! are covered by a snapshot that somebody else keeps. Everything here follows from the log's own
//! records, in the order of the log, so that a replay ends with the same index.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::place::Position;
use crate::message::{Chunk, StoredFile};

/// Octets of an entry that is not written yet.
#[derive(Debug, Clone)]
pub(super) struct Unwritten {
    pub head: Vec<u8>,
    pub chunk: Option<Arc<Chunk>>,
}

/// Where an entry's octets are.
#[derive(Debug, Clone)]
pub(super) enum Octets {
    Memory(Arc<Unwritten>),
    File(Arc<StoredFile>),
}

/// One entry of a group.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub term: u64,
    pub kind: u8,
    pub at: Position,
    pub len: u32,
    /// 0 for an entry that was replayed.
    pub ticket: u64,
    pub octets: Octets,
}

/// One group.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// Index and term of the last entry that the snapshot covers; zeros before the first. During a
    /// replay that starts in the middle the term is 0 until a record tells it.
    pub covered: (u64, u64),
    /// The entries behind it.
    pub slots: VecDeque<Slot>,
    /// The highest index that is synced.
    pub durable: u64,
}

impl Group {
    /// Index of the newest entry, covered or not.
    pub fn last(&self) -> u64 {
        self.covered.0 + self.slots.len() as u64
    }

    /// The slot of `index`, if it is not covered and not in the future.
    pub fn slot(&self, index: u64) -> Option<&Slot> {
        let at = index.checked_sub(self.covered.0 + 1)?;
        self.slots.get(usize::try_from(at).ok()?)
    }

    fn slot_mut(&mut self, index: u64) -> Option<&mut Slot> {
        let at = index.checked_sub(self.covered.0 + 1)?;
        self.slots.get_mut(usize::try_from(at).ok()?)
    }

    /// The term of `index`, if it is known.
    pub fn term(&self, index: u64) -> Option<u64> {
        if index == self.covered.0 {
            return Some(self.covered.1).filter(|term| *term > 0);
        }
        self.slot(index).map(|slot| slot.term)
    }

    /// Takes back `index` and everything behind it. What was durable of it no longer is, before
    /// anything else happens: else a new entry of the same index would pass for durable.
    pub fn truncate(&mut self, index: u64) {
        let keep = index.saturating_sub(self.covered.0 + 1);
        self.slots
            .truncate(usize::try_from(keep).unwrap_or(usize::MAX));
        self.durable = self.durable.min(self.last());
    }

    /// A snapshot covers everything up to `index`. One that reaches beyond the newest entry, or
    /// disagrees with the entry it ends at, replaces all.
    pub fn cover(&mut self, index: u64, term: u64) {
        if index <= self.covered.0 {
            return;
        }
        if self.term(index) == Some(term) {
            let count = index - self.covered.0;
            self.slots.drain(..usize::try_from(count).unwrap_or(0));
        } else {
            self.slots.clear();
        }
        self.covered = (index, term);
        // Nobody asks the log for what the snapshot holds.
        self.durable = self.durable.max(index);
    }

    /// The entry of `index` with this ticket, if it is still the one, is synced in `file`.
    pub fn settle(&mut self, index: u64, ticket: u64, file: &Arc<StoredFile>) {
        // An entry that was taken back while it was written leaves its place to another.
        if let Some(slot) = self.slot_mut(index).filter(|slot| slot.ticket == ticket) {
            slot.octets = Octets::File(Arc::clone(file));
            self.durable = index;
        }
    }
}

/// All groups by number.
#[derive(Debug, Default)]
pub(super) struct Groups {
    pub map: BTreeMap<u32, Group>,
}

impl Groups {
    /// Where the oldest entry lies that no snapshot covers.
    pub fn oldest(&self) -> Option<Position> {
        let firsts = self.map.values().filter_map(|group| group.slots.front());
        firsts.map(|slot| slot.at).min()
    }

    /// Takes an entry from a replay; false if its index is not the next.
    pub fn replay(&mut self, group: u32, index: u64, slot: Slot) -> bool {
        let group = self.map.entry(group).or_default();
        // A replay that starts in the middle does not see what the snapshot of its checkpoint
        // covers, but may see records from before that snapshot. The entries begin where they
        // begin; the checkpoint's own record, further on, tells the term before them.
        if group.slots.is_empty() && index > group.last() + 1 {
            group.covered = (index - 1, 0);
        }
        if index != group.last() + 1 {
            return false;
        }
        group.slots.push_back(slot);
        group.durable = index;
        true
    }

    /// Takes back entries in a replay, perhaps more than the replay has seen.
    pub fn replay_truncate(&mut self, group: u32, index: u64) {
        let group = self.map.entry(group).or_default();
        if index <= group.covered.0 && group.covered.1 == 0 {
            group.slots.clear();
            group.covered.0 = index.saturating_sub(1);
            group.durable = group.covered.0;
        } else {
            group.truncate(index);
        }
    }

    /// Takes a snapshot's record from a replay.
    pub fn replay_cover(&mut self, group: u32, index: u64, term: u64) {
        let group = self.map.entry(group).or_default();
        if index == group.covered.0 {
            group.covered.1 = term;
        }
        group.cover(index, term);
    }
}
