//! A set of numbers kept as runs: returned messages, confirm numbers. Contiguous numbers, which is
//! what clients produce, cost one entry whatever their count.

use std::collections::BTreeMap;

/// Disjoint runs, each from its key to its value inclusive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Runs {
    runs: BTreeMap<u64, u64>,
    count: u64,
}

impl Runs {
    /// Numbers in the set.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The lowest number.
    #[inline]
    pub fn first(&self) -> Option<u64> {
        self.runs.first_key_value().map(|(first, _)| *first)
    }

    /// Adds `number`; false when it is there already.
    pub fn insert(&mut self, number: u64) -> bool {
        let before = self
            .runs
            .range(..=number)
            .next_back()
            .map(|(f, l)| (*f, *l));
        if before.is_some_and(|(_, last)| last >= number) {
            return false;
        }
        let joins_before = before.filter(|(_, last)| last.checked_add(1) == Some(number));
        let after = number
            .checked_add(1)
            .and_then(|next| self.runs.remove(&next));
        let last = after.unwrap_or(number);
        let first = joins_before.map_or(number, |(first, _)| first);
        self.runs.insert(first, last);
        self.count += 1;
        true
    }

    /// True when `number` is there.
    pub fn contains(&self, number: u64) -> bool {
        let before = self.runs.range(..=number).next_back();
        before.is_some_and(|(_, last)| *last >= number)
    }

    /// True when some number from `first` to below `end` is there.
    pub fn meets(&self, first: u64, end: u64) -> bool {
        let before = self.runs.range(..end).next_back();
        before.is_some_and(|(_, last)| *last >= first)
    }

    /// True when every number from `first` to below `end` is there.
    pub fn covers(&self, first: u64, end: u64) -> bool {
        let before = self.runs.range(..=first).next_back();
        first >= end || before.is_some_and(|(_, last)| *last >= end - 1)
    }

    /// Adds every number from `first` to `last`.
    pub fn insert_run(&mut self, first: u64, last: u64) {
        if last < first {
            return;
        }
        let (mut from, mut to) = (first, last);
        if let Some((f, l)) = self.runs.range(..first).next_back().map(|(f, l)| (*f, *l))
            && l.saturating_add(1) >= first
        {
            from = f;
            to = to.max(l);
        }
        // Those it swallows, and the one it touches behind.
        while let Some((f, l)) = self.runs.range(from..=to.saturating_add(1)).next() {
            let (f, l) = (*f, *l);
            to = to.max(l);
            self.runs.remove(&f);
            self.count -= l - f + 1;
        }
        self.runs.insert(from, to);
        self.count = self.count.saturating_add((to - from).saturating_add(1));
    }

    /// Removes `number`; false when it is not there.
    pub fn remove(&mut self, number: u64) -> bool {
        let Some((first, last)) = self
            .runs
            .range(..=number)
            .next_back()
            .map(|(f, l)| (*f, *l))
        else {
            return false;
        };
        if last < number {
            return false;
        }
        self.runs.remove(&first);
        if first < number {
            self.runs.insert(first, number - 1);
        }
        if number < last {
            self.runs.insert(number + 1, last);
        }
        self.count -= 1;
        true
    }

    /// Removes and returns the lowest number.
    pub fn pop_first(&mut self) -> Option<u64> {
        let first = self.first()?;
        self.remove(first);
        Some(first)
    }

    /// Removes everything and returns the runs in order.
    pub fn take(&mut self) -> Vec<(u64, u64)> {
        self.count = 0;
        std::mem::take(&mut self.runs).into_iter().collect()
    }

    /// The runs in order, each with its first and last number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.runs.iter().map(|(f, l)| (*f, *l))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn whole_runs_are_added_as_their_numbers(steps in prop::collection::vec((0u64..60, 0u64..9), 0..60)) {
            let mut runs = Runs::default();
            let mut model = BTreeSet::new();
            for (first, more) in steps {
                runs.insert_run(first, first + more);
                model.extend(first..=first + more);
                prop_assert_eq!(runs.len(), model.len() as u64);
            }
            let flat: Vec<u64> = runs.iter().flat_map(|(f, l)| f..=l).collect();
            prop_assert_eq!(flat, model.iter().copied().collect::<Vec<_>>());
            prop_assert!((0..80).all(|number| runs.contains(number) == model.contains(&number)));
            let ends: Vec<_> = runs.iter().collect();
            prop_assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "runs that touch are one");
        }

        #[test]
        fn runs_are_a_set(steps in prop::collection::vec((any::<bool>(), 0u64..40), 0..300)) {
            let mut runs = Runs::default();
            let mut model = BTreeSet::new();
            for (add, number) in steps {
                if add {
                    prop_assert_eq!(runs.insert(number), model.insert(number));
                } else {
                    prop_assert_eq!(runs.remove(number), model.remove(&number));
                }
                prop_assert_eq!(runs.len(), model.len() as u64);
                prop_assert_eq!(runs.first(), model.first().copied());
            }
            let flat: Vec<u64> = runs.iter().flat_map(|(f, l)| f..=l).collect();
            prop_assert_eq!(flat, model.into_iter().collect::<Vec<_>>());
            let ends: Vec<_> = runs.iter().collect();
            prop_assert!(ends.windows(2).all(|w| w[0].1 + 1 < w[1].0), "runs that touch are one");
        }
    }
}
