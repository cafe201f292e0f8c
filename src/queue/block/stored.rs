//! Messages of a block that lie in files: how they are put in, read again and let go of, and what
//! they count in their files meanwhile. Called by the level; never reads or writes itself.

use std::sync::Arc;

use super::{Arriving, Block, Slot, Source, State};
use crate::message::{Chunk, Home};

/// Slots from which on a block lets go of what was read for it before more is: scattered records
/// are read in a chunk each, and a thousand queues that are drained have a block each.
const LOADED_SLOTS: usize = 32;

/// What a stored message counts in its file: its body, and about as much around it as usual.
pub(in crate::queue) fn stored_bytes(size: u32) -> i64 {
    i64::from(size) + 64
}

impl Block {
    /// Appends a ready message that lies in a file; the block must not be full.
    pub fn push_stored(&mut self, home: &Home, message: Arriving) {
        home.file.count_live(stored_bytes(message.size));
        let near = |slot: &Slot| match &slot.source {
            Source::Stored(known) if Arc::ptr_eq(&known.file, &home.file) => {
                home.offset.checked_sub(known.offset)
            }
            _ => None,
        };
        let offset = match self.slots.last_mut() {
            Some(slot) if near(slot).is_some() => {
                slot.live += 1;
                near(slot).unwrap_or(0)
            }
            _ => {
                self.slots.push(Slot {
                    source: Source::Stored(home.clone()),
                    live: 1,
                });
                0
            }
        };
        self.append(Arriving { offset, ..message });
    }

    /// Lets go of what was read before, where that were many chunks: what is read next comes in
    /// chunks of its own, and of what was delivered nobody asks here again.
    pub fn make_room(&mut self) {
        if self.slots.len() > LOADED_SLOTS {
            self.shed();
        }
    }

    /// Gives message `number`, which lies in a file, the chunk that was read from there.
    pub fn install(&mut self, number: u64, chunk: &Arc<Chunk>) {
        let Some(index) = self.index(number) else {
            return;
        };
        let (Some(entry), Some(read)) = (self.entries.get(index).copied(), chunk.home()) else {
            return;
        };
        let Some(slot) = self.slots.get_mut(usize::from(entry.slot)) else {
            return;
        };
        let Source::Stored(home) = &slot.source else {
            return;
        };
        if entry.state() == State::Settled || !Arc::ptr_eq(&home.file, &read.file) {
            return;
        }
        let Some(offset) = (home.offset + entry.offset).checked_sub(read.offset) else {
            return;
        };
        slot.settle(entry.size);
        let found = self.slots.iter().rposition(|s| s.source.is_chunk(chunk));
        let free = || self.slots.iter().position(|s| s.live == 0);
        let at = match found.or_else(free) {
            Some(at) => at,
            None => {
                self.slots.push(Slot {
                    source: Source::Gone,
                    live: 0,
                });
                self.slots.len() - 1
            }
        };
        if let Some(slot) = self.slots.get_mut(at) {
            slot.source = Source::Held(Arc::clone(chunk));
            slot.live += 1;
        }
        if let Some(entry) = self.entries.get_mut(index) {
            entry.offset = offset;
            // Live entries have a slot each at most, and others' slots are used again.
            entry.slot = at as u16;
        }
    }

    /// Shows the chunks that lie in memory only.
    pub fn unwritten(&self, visit: &mut dyn FnMut(&Arc<Chunk>)) {
        for chunk in self.slots.iter().filter_map(|slot| slot.source.held()) {
            if chunk.home().is_none() {
                visit(chunk);
            }
        }
    }

    /// Says where message `number` lies now, if it is alive and lay in file `from` until now.
    pub fn relocate(&mut self, number: u64, from: u32, to: &Home) {
        let Some(index) = self.index(number) else {
            return;
        };
        let Some(entry) = self.entries.get(index).copied() else {
            return;
        };
        let Some(slot) = self.slots.get_mut(usize::from(entry.slot)) else {
            return;
        };
        let there = slot.source.home(entry.offset);
        if entry.state() == State::Settled || there.is_none_or(|home| home.file.number != from) {
            return;
        }
        slot.settle(entry.size);
        to.file.count_live(stored_bytes(entry.size));
        // Survivors are copied in their order: the run that was begun last mostly goes on.
        let begun = self.slots.iter().rposition(|slot| match &slot.source {
            Source::Stored(home) => {
                Arc::ptr_eq(&home.file, &to.file) && home.offset <= to.offset && slot.live > 0
            }
            _ => false,
        });
        let at = begun.or_else(|| self.slots.iter().position(|slot| slot.live == 0));
        let at = at.unwrap_or_else(|| {
            self.slots.push(Slot {
                source: Source::Gone,
                live: 0,
            });
            self.slots.len() - 1
        });
        let Some(slot) = self.slots.get_mut(at) else {
            return;
        };
        let offset = match &slot.source {
            Source::Stored(home) if slot.live > 0 => to.offset - home.offset,
            _ => {
                slot.source = Source::Stored(to.clone());
                0
            }
        };
        slot.live += 1;
        if let Some(entry) = self.entries.get_mut(index) {
            entry.offset = offset;
            // Live entries have a slot each at most, and others' slots are used again.
            entry.slot = at as u16;
        }
        self.touched = true;
    }

    /// Lets go of every chunk that lies in a file as well. Afterwards there is one slot for each
    /// file, however many chunks there were: in a deep backlog of many queues each message comes in
    /// a chunk of its own.
    pub fn shed(&mut self) {
        let sheds = |slot: &Slot| {
            slot.source
                .held()
                .is_some_and(|chunk| chunk.home().is_some())
        };
        if !self.slots.iter().any(sheds) {
            return;
        }
        let mut slots: Vec<Slot> = Vec::new();
        // For each old slot its new one and what its offsets grow by; `None` for those without use.
        let mut moved = Vec::with_capacity(self.slots.len());
        let mut was_held = Vec::with_capacity(self.slots.len());
        for old in std::mem::take(&mut self.slots) {
            was_held.push(old.source.held().is_some());
            let home = match &old.source {
                Source::Gone => {
                    moved.push(None);
                    continue;
                }
                Source::Held(chunk) => chunk.home().cloned(),
                Source::Stored(home) => Some(home.clone()),
            };
            let Some(home) = home else {
                moved.push(Some((slots.len(), 0)));
                slots.push(old);
                continue;
            };
            let known = slots.iter().position(|slot| {
                matches!(&slot.source, Source::Stored(base) if Arc::ptr_eq(&base.file, &home.file))
            });
            let at = known.unwrap_or_else(|| {
                slots.push(Slot {
                    source: Source::Stored(Home {
                        file: Arc::clone(&home.file),
                        offset: 0,
                    }),
                    live: 0,
                });
                slots.len() - 1
            });
            if let Some(slot) = slots.get_mut(at) {
                slot.live += old.live;
            }
            moved.push(Some((at, home.offset)));
        }
        for entry in &mut self.entries {
            let old = usize::from(entry.slot);
            if entry.state() == State::Settled {
                continue;
            }
            let Some(Some((at, by))) = moved.get(old).copied() else {
                continue;
            };
            entry.offset += by;
            // No more slots than there were.
            entry.slot = at as u16;
            let held = was_held.get(old).copied().unwrap_or_default();
            if let Some(Source::Stored(home)) = slots.get(at).map(|slot| &slot.source)
                && held
            {
                home.file.count_live(stored_bytes(entry.size));
            }
        }
        slots.shrink_to_fit();
        self.slots = slots;
        self.count();
    }
}
