//! The log as a replicated group sees it: numbered entries of its own within the one log.
//!
//! Appending, taking back and covering take effect in memory at once and in the log in the same
//! order. A crash may undo the last ones, never one without all that came after it.

use std::ops::Range;
use std::sync::Arc;

use super::buffer::Pending;
use super::commit::Log;
use super::format::{KIND_COVERED, KIND_GONE, KIND_TRUNCATE, PREFIX_LEN, Prefix, log_name};
use super::groups::{Groups, Octets, Slot, Unwritten};
use super::options::Entry;
use super::place::Position;
use super::replay::Replayed;
use crate::message::StoredFile;
use crate::store::StoreError;

/// An entry of a group as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupEntry {
    /// Its number within the group.
    pub index: u64,
    /// The term it was appended in.
    pub term: u64,
    /// The caller's kind.
    pub kind: u8,
    /// Head and chunk in one.
    pub payload: Vec<u8>,
}

/// What a group's log holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupState {
    /// The last index that a snapshot covers, and its term.
    pub covered: (u64, u64),
    /// The newest index, and its term; those of `covered` if there is no entry.
    pub last: (u64, u64),
    /// The highest index that is synced.
    pub durable: u64,
}

impl Log {
    /// Appends `entry` to its group; its index must be the next one. Gives the ticket.
    ///
    /// # Errors
    /// [`StoreError::Refused`] for an index that is not the next.
    pub fn append_to_group(&self, entry: Entry) -> Result<u64, StoreError> {
        let mut groups = self.groups.lock();
        let group = groups.map.entry(entry.group).or_default();
        let next = group.last() + 1;
        if entry.group == 0 || entry.index != next {
            return Err(StoreError::Refused(format!(
                "group {} expects entry {next}, not {}",
                entry.group, entry.index
            )));
        }
        let unwritten = Unwritten {
            head: entry.head.clone(),
            chunk: entry.chunk.clone(),
        };
        let len = entry.head.len() + entry.tail().len();
        let (term, kind) = (entry.term, entry.kind);
        // The lock of the groups is kept, so that the log has their entries in the same order.
        let (ticket, at) = self.append_placed(entry, None);
        group.slots.push_back(Slot {
            term,
            kind,
            at,
            len: u32::try_from(len).unwrap_or(u32::MAX),
            ticket,
            octets: Octets::Memory(Arc::new(unwritten)),
        });
        Ok(ticket)
    }

    /// Takes back entry `from` of a group and all behind it. They are no longer durable from now on;
    /// the ticket is that of the record that makes this so after a restart.
    pub fn truncate_suffix(&self, group: u32, from: u64) -> u64 {
        let mut groups = self.groups.lock();
        groups.map.entry(group).or_default().truncate(from);
        self.append_record(KIND_TRUNCATE, group, from, 0)
    }

    /// Says that a snapshot, which the caller keeps and has made durable, holds everything of a group
    /// up to `index` of `term`: the entries up to it are no longer needed.
    pub fn cover(&self, group: u32, index: u64, term: u64) -> u64 {
        let mut groups = self.groups.lock();
        groups.map.entry(group).or_default().cover(index, term);
        self.append_record(KIND_COVERED, group, index, term)
    }

    /// Forgets a group and all of its entries.
    pub fn remove_group(&self, group: u32) -> u64 {
        let mut groups = self.groups.lock();
        groups.map.remove(&group);
        self.append_record(KIND_GONE, group, 0, 0)
    }

    fn append_record(&self, kind: u8, group: u32, index: u64, term: u64) -> u64 {
        let record = Entry {
            kind,
            group,
            index,
            term,
            ..Entry::default()
        };
        self.append_placed(record, None).0
    }

    /// What a group holds; `None` if there is no such group.
    pub fn group(&self, group: u32) -> Option<GroupState> {
        let groups = self.groups.lock();
        let group = groups.map.get(&group)?;
        let last = group.last();
        Some(GroupState {
            covered: group.covered,
            last: (last, group.term(last).unwrap_or(0)),
            durable: group.durable,
        })
    }

    /// The numbers of all groups.
    pub fn groups(&self) -> Vec<u32> {
        self.groups.lock().map.keys().copied().collect()
    }

    /// The term of an entry, if the log knows it: that of an entry it holds or of the last covered.
    pub fn term_of(&self, group: u32, index: u64) -> Option<u64> {
        self.groups.lock().map.get(&group)?.term(index)
    }

    /// The entries of `range` that there are, in order, durable or not; after the first only as many
    /// as have `octets_max` octets together. `None` if the first is covered by a snapshot.
    ///
    /// # Errors
    /// A disk that fails, and [`StoreError::Damaged`] for an entry that is not what was written.
    pub fn entries(
        &self,
        group: u32,
        range: Range<u64>,
        octets_max: usize,
    ) -> Result<Option<Vec<GroupEntry>>, StoreError> {
        let mut slots = Vec::new();
        {
            let groups = self.groups.lock();
            let Some(group) = groups.map.get(&group) else {
                return Ok(Some(Vec::new()));
            };
            if range.start <= group.covered.0 {
                return Ok(None);
            }
            let mut octets = 0usize;
            for index in range {
                let Some(slot) = group.slot(index) else {
                    break;
                };
                octets = octets.saturating_add(slot.len as usize);
                if octets > octets_max && !slots.is_empty() {
                    break;
                }
                slots.push((index, slot.clone()));
            }
        }
        let entries = slots.into_iter().map(|(index, slot)| {
            Ok(GroupEntry {
                index,
                term: slot.term,
                kind: slot.kind,
                payload: self.payload_of(&slot)?,
            })
        });
        entries.collect::<Result<_, _>>().map(Some)
    }

    fn payload_of(&self, slot: &Slot) -> Result<Vec<u8>, StoreError> {
        let file = match &slot.octets {
            Octets::Memory(unwritten) => {
                let mut payload = unwritten.head.clone();
                if let Some(chunk) = &unwritten.chunk {
                    payload.extend_from_slice(chunk.bytes());
                }
                return Ok(payload);
            }
            Octets::File(file) => file,
        };
        let len = PREFIX_LEN as usize + slot.len as usize;
        let mut octets = self.read(file, slot.at.offset, len)?;
        let checked = Prefix::decode(&octets, slot.at).is_some_and(|mut checked| {
            checked.add(octets.get(PREFIX_LEN as usize..).unwrap_or_default());
            checked.holds()
        });
        if !checked {
            return Err(StoreError::Damaged {
                file: log_name(slot.at.file),
                offset: slot.at.offset.into(),
                reason: "the entry is not what was written".to_owned(),
            });
        }
        octets.drain(..PREFIX_LEN as usize);
        Ok(octets)
    }

    /// Appends what a replay must know of the groups and gives the position that it may start from
    /// at the latest, once everything appended up to now is durable.
    pub fn checkpoint_groups(&self) -> Position {
        let groups = self.groups.lock();
        let start = self.position();
        for (number, group) in &groups.map {
            let (index, term) = group.covered;
            self.append_record(KIND_COVERED, *number, index, term);
        }
        groups.oldest().map_or(start, |oldest| oldest.min(start))
    }

    /// Notes which entries of groups are synced with this batch.
    pub(super) fn settle_groups<'a>(
        &self,
        batch: impl Iterator<Item = &'a Pending>,
        file: &Arc<StoredFile>,
    ) {
        let mut batch = batch.filter(|pending| pending.entry.group > 0).peekable();
        if batch.peek().is_none() {
            return;
        }
        let mut groups = self.groups.lock();
        for pending in batch {
            let entry = &pending.entry;
            if let Some(group) = groups.map.get_mut(&entry.group) {
                group.settle(entry.index, pending.ticket, file);
            }
        }
    }
}

/// Brings `groups` up to date with an entry that was replayed.
pub(super) fn replay(groups: &mut Groups, entry: &Replayed<'_>) -> Result<(), StoreError> {
    let (number, index) = (entry.group, entry.index);
    match entry.kind {
        _ if number == 0 => {}
        KIND_TRUNCATE => groups.replay_truncate(number, index),
        KIND_COVERED => groups.replay_cover(number, index, entry.term),
        KIND_GONE => drop(groups.map.remove(&number)),
        kind => {
            let slot = Slot {
                term: entry.term,
                kind,
                at: entry.position,
                len: u32::try_from(entry.payload.len()).unwrap_or(u32::MAX),
                ticket: 0,
                octets: Octets::File(Arc::clone(entry.file)),
            };
            if !groups.replay(number, index, slot) {
                return Err(StoreError::Damaged {
                    file: log_name(entry.position.file),
                    offset: entry.position.offset.into(),
                    reason: format!("entry {index} of group {number} follows another than its own"),
                });
            }
        }
    }
    Ok(())
}
