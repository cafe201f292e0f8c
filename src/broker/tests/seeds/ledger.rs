//! What must be there after a stop, and what must not.
//!
//! What the queues did in memory is taken as what happened; the store has to show the same as far as
//! some place of the log, not before what was durable. Each change is known by the tickets between
//! which its entries lie, so that one place has to fit all of them.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{Shown, World};

/// The entries of a change: above the first ticket, up to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub above: u64,
    pub up_to: u64,
}

/// A message in a queue.
#[derive(Debug, Clone)]
struct Copy {
    name: u64,
    logged: bool,
    placed: Window,
    gone: Option<Window>,
    redelivered: bool,
    count: u32,
    /// With these entries it was given out, or came back, for the last time.
    marked: u64,
}

/// Queue and raw id.
type Key = (u64, u64);

#[derive(Debug, Default)]
pub struct Ledger {
    copies: BTreeMap<Key, Copy>,
    /// Ready, unacknowledged and the sum of the next numbers, when a queue was last looked at.
    prints: BTreeMap<u64, (u64, u64, u64)>,
    /// A queue that dead-letters, and the only one that gets its dead letters.
    pub mortal: BTreeMap<u64, u64>,
}

impl Ledger {
    /// Looks at what changed since the last look; `window` is what the log was told meanwhile.
    pub fn observe(&mut self, world: &World, window: Window) {
        let queues = world.queues();
        let known: BTreeSet<u64> = queues.iter().map(|queue| queue.id).collect();
        for ((queue, _), copy) in &mut self.copies {
            if !known.contains(queue) && copy.gone.is_none() {
                copy.gone = Some(window);
            }
        }
        for queue in queues {
            let print = world.print(&queue);
            if self.prints.insert(queue.id, print) != Some(print) {
                let known = |raw| Some(self.copies.get(&(queue.id, raw))?.name);
                let shown = world.show(&queue, known);
                self.compare(queue.id, &shown, window);
            }
        }
    }

    fn compare(&mut self, queue: u64, shown: &Shown, window: Window) {
        let gone = |(_, raw): &(u64, u64), copy: &Copy| {
            let away = shown.away.iter().any(|range| range.contains(raw));
            copy.gone.is_none() && !away && !shown.messages.contains_key(raw)
        };
        // The only one that can stand elsewhere without its body being in memory.
        let mut all = self.copies.range((queue, 0)..=(queue, u64::MAX));
        let moved = all
            .find(|(key, copy)| gone(key, copy))
            .map(|(_, copy)| copy.name);
        for (raw, seen) in &shown.messages {
            let marked = seen.redelivered || seen.unacked;
            let name = seen.name.or(moved).unwrap();
            let copy = self.copies.entry((queue, *raw)).or_insert(Copy {
                name,
                logged: seen.logged,
                placed: window,
                gone: None,
                redelivered: false,
                count: 0,
                marked: 0,
            });
            assert_eq!(copy.name, name, "a message changed in memory");
            if marked != copy.redelivered || seen.count != copy.count {
                (copy.redelivered, copy.count) = (marked, seen.count);
                copy.marked = window.up_to;
            }
        }
        for (key, copy) in self.copies.range_mut((queue, 0)..=(queue, u64::MAX)) {
            if gone(key, copy) {
                copy.gone = Some(window);
            }
        }
    }

    /// Compares what came back with what happened; everything up to ticket `durable` must have. Then
    /// begins anew with what is there.
    pub fn check(&mut self, world: &World, durable: u64) -> Result<(), String> {
        let mut found: BTreeMap<Key, (u64, bool, u32)> = BTreeMap::new();
        for queue in world.queues() {
            world.bring_back(&queue);
            for (raw, seen) in world.show(&queue, |_| None).messages {
                let name = seen.name.ok_or("a message cannot be read")?;
                found.insert((queue.id, raw), (name, seen.redelivered, seen.count));
            }
        }
        self.check_flags(&found, durable)?;
        let least = self.check_cut(&found, durable)?;
        self.check_moves(&found, least)?;
        self.begin(world);
        Ok(())
    }

    fn check_flags(
        &self,
        found: &BTreeMap<Key, (u64, bool, u32)>,
        durable: u64,
    ) -> Result<(), String> {
        for (key, (name, redelivered, count)) in found {
            let Some(copy) = self.copies.get(key) else {
                return Err(format!("message {name} at {key:?} was invented"));
            };
            if copy.name != *name {
                return Err(format!("{name} stands where {} was: {copy:?}", copy.name));
            }
            if copy.redelivered && copy.marked <= durable && !redelivered {
                return Err(format!("{key:?} is not called redelivered: {copy:?}"));
            }
            if copy.count > *count && copy.marked <= durable {
                return Err(format!("{key:?} came back {count} times only: {copy:?}"));
            }
        }
        Ok(())
    }

    /// One place of the log must fit everything: above `least`, which is returned, below `most`.
    fn check_cut(
        &self,
        found: &BTreeMap<Key, (u64, bool, u32)>,
        durable: u64,
    ) -> Result<u64, String> {
        let (mut least, mut most) = (durable, u64::MAX);
        let mut because = (None, None);
        for (key, copy) in &self.copies {
            let (mut low, mut high) = (0, u64::MAX);
            match (found.contains_key(key), copy.gone) {
                (true, _) if !copy.logged => {
                    return Err(format!("{key:?} was transient: {copy:?}"));
                }
                (false, _) if !copy.logged => {}
                (true, None) => low = copy.placed.above + u64::from(copy.placed.up_to > 0),
                (true, Some(gone)) => {
                    low = copy.placed.above + u64::from(copy.placed.up_to > 0);
                    high = gone.up_to;
                }
                (false, None) => high = copy.placed.up_to,
                // It never came, or it is gone.
                (false, Some(_)) => {}
            }
            if low > least {
                (least, because.0) = (low, Some((key, copy)));
            }
            if high < most {
                (most, because.1) = (high, Some((key, copy)));
            }
        }
        let durable = format!("everything up to {durable} is durable");
        if least >= most {
            return Err(format!("{durable}, yet: {because:#?}"));
        }
        // What is gone from where it was has to be gone, or not come, at some place that is left.
        let between = |(key, copy): &(&Key, &Copy)| {
            let gone = copy.gone.map_or(u64::MAX, |gone| gone.above);
            !found.contains_key(*key)
                && copy.logged
                && least >= copy.placed.up_to
                && most - 1 <= gone
        };
        match self.copies.iter().find(between) {
            Some(lost) => Err(format!("{durable}, {lost:?} is lost: {because:#?}")),
            None => Ok(least),
        }
    }

    /// A message that moved, to the end of its queue or to the dead letters, is in one place.
    /// What is known to have come before `least` is in one of them.
    fn check_moves(
        &self,
        found: &BTreeMap<Key, (u64, bool, u32)>,
        least: u64,
    ) -> Result<(), String> {
        let home = |queue: u64| {
            let of = self.mortal.iter().find(|(_, dead)| **dead == queue);
            of.map_or(queue, |(source, _)| *source)
        };
        let mut places: BTreeMap<(u64, u64), u32> = BTreeMap::new();
        for ((queue, _), (name, ..)) in found {
            *places.entry((home(*queue), *name)).or_default() += 1;
        }
        if let Some((place, _)) = places.iter().find(|(_, count)| **count > 1) {
            return Err(format!("queue and message {place:?} are there twice"));
        }
        let absent = self
            .copies
            .iter()
            .filter(|(key, copy)| copy.logged && !found.contains_key(*key));
        let mut left: BTreeMap<(u64, u64), Vec<&Copy>> = BTreeMap::new();
        for ((queue, _), copy) in absent {
            left.entry((home(*queue), copy.name))
                .or_default()
                .push(copy);
        }
        for (place, copies) in left {
            let arrived = copies.iter().filter(|copy| copy.gone.is_none());
            let torn = arrived.into_iter().any(|arrived| {
                let from = |copy: &&&Copy| copy.gone == Some(arrived.placed);
                let from = copies.iter().find(from);
                from.is_some_and(|from| from.placed.up_to <= least)
            });
            if torn {
                return Err(format!(
                    "queue and message {place:?} are lost on the way: {copies:?}"
                ));
            }
        }
        Ok(())
    }

    fn begin(&mut self, world: &World) {
        self.copies.clear();
        self.prints.clear();
        self.observe(world, Window { above: 0, up_to: 0 });
    }
}
