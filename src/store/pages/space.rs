//! Which units of the file are free.

use std::collections::{BTreeMap, BTreeSet};

/// Runs of free units before the end of what is used. The lowest run that is long enough is taken, so
/// that the end becomes free by and by and the file can shrink.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Length of each free run, by its first unit. No two touch.
    runs: BTreeMap<u64, u64>,
    /// First units of the runs of a length: few lengths, however many runs.
    lengths: BTreeMap<u64, BTreeSet<u64>>,
    /// Units in free runs.
    free: u64,
    /// The first unit behind everything in use.
    end: u64,
}

impl Space {
    /// Everything below unit `end` is in use.
    pub fn new(end: u64) -> Self {
        Self {
            end,
            ..Self::default()
        }
    }

    /// The first unit behind everything in use.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Units in use.
    pub fn used(&self) -> u64 {
        self.end.saturating_sub(self.free)
    }

    /// Takes `units` consecutive units, of which there is at least one; gives the first.
    pub fn take(&mut self, units: u64) -> u64 {
        let lowest = self.lengths.range(units..);
        let lowest = lowest.filter_map(|(len, firsts)| Some((*firsts.first()?, *len)));
        let Some((first, len)) = lowest.min() else {
            let first = self.end;
            self.end += units;
            return first;
        };
        self.remove(first, len);
        if len > units {
            self.insert(first + units, len - units);
        }
        first
    }

    /// Frees `units` units from `first` on; they are in use.
    pub fn give(&mut self, first: u64, units: u64) {
        let (mut first, mut units) = (first, units);
        if let Some((before, len)) = self.runs.range(..first).next_back() {
            let (before, len) = (*before, *len);
            if before + len == first {
                self.remove(before, len);
                first = before;
                units += len;
            }
        }
        if let Some(len) = self.runs.get(&(first + units)).copied() {
            self.remove(first + units, len);
            units += len;
        }
        if first + units == self.end {
            self.end = first;
        } else {
            self.insert(first, units);
        }
    }

    fn insert(&mut self, first: u64, len: u64) {
        self.runs.insert(first, len);
        self.lengths.entry(len).or_default().insert(first);
        self.free += len;
    }

    fn remove(&mut self, first: u64, len: u64) {
        self.runs.remove(&first);
        self.free -= len;
        if let Some(firsts) = self.lengths.get_mut(&len) {
            firsts.remove(&first);
            if firsts.is_empty() {
                self.lengths.remove(&len);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One flag for each unit.
    #[derive(Default)]
    struct Naive(Vec<bool>);

    impl Naive {
        fn take(&mut self, units: usize) -> usize {
            let first = (0..)
                .find(|first| (*first..first + units).all(|unit| !self.used(unit)))
                .unwrap();
            self.0.resize(self.0.len().max(first + units), false);
            self.0[first..first + units].fill(true);
            first
        }

        fn used(&self, unit: usize) -> bool {
            self.0.get(unit) == Some(&true)
        }

        fn give(&mut self, first: usize, units: usize) {
            self.0[first..first + units].fill(false);
            let end = self.0.iter().rposition(|used| *used);
            self.0.truncate(end.map_or(0, |last| last + 1));
        }
    }

    proptest! {
        #[test]
        fn the_lowest_run_that_is_long_enough_is_taken(
            steps in prop::collection::vec((any::<bool>(), 1..20u64, any::<prop::sample::Index>()), 0..300),
        ) {
            let (mut space, mut naive) = (Space::new(0), Naive::default());
            let mut held: Vec<(u64, u64)> = Vec::new();
            for (give, units, which) in steps {
                if give && !held.is_empty() {
                    let (first, units) = held.swap_remove(which.index(held.len()));
                    space.give(first, units);
                    naive.give(first as usize, units as usize);
                } else {
                    let first = space.take(units);
                    prop_assert_eq!(first as usize, naive.take(units as usize));
                    held.push((first, units));
                }
                prop_assert_eq!(space.end() as usize, naive.0.len());
                let used = naive.0.iter().filter(|used| **used).count();
                prop_assert_eq!(space.used() as usize, used);
            }
            for (first, units) in held {
                space.give(first, units);
            }
            prop_assert_eq!((space.end(), space.used()), (0, 0));
            prop_assert!(space.runs.is_empty() && space.lengths.is_empty());
        }
    }
}
