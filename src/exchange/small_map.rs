//! An ordered map that is nearly always empty or of one entry.
//!
//! A routing key mostly leads to one queue and a topic word to one next word; a B-tree node for
//! each would cost half a kilobyte. From two entries on this is a structure-sharing `OrdMap`, so a
//! clone is cheap at every size and a change costs O(log n).

use std::borrow::Borrow;

use imbl::OrdMap;

use super::binding::Destination;

/// Ordered map with its small sizes inline.
#[derive(Debug, Clone, Default)]
pub(super) enum SmallMap<K: Ord, V> {
    /// No entry.
    #[default]
    Empty,
    /// One entry.
    One(K, V),
    /// Two entries or more (one may remain after removals).
    Many(OrdMap<K, V>),
}

impl<K: Ord + Clone, V: Clone> SmallMap<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::One(..) => false,
            Self::Many(map) => map.is_empty(),
        }
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Empty => None,
            Self::One(k, v) => (<K as Borrow<Q>>::borrow(k) == key).then_some(v),
            Self::Many(map) => map.get(key),
        }
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::Empty => None,
            Self::One(k, v) => (k == key).then_some(v),
            Self::Many(map) => map.get_mut(key),
        }
    }

    /// Inserts an entry, replacing the value of an equal key.
    pub(super) fn insert(&mut self, key: K, value: V) {
        match self {
            Self::Empty => *self = Self::One(key, value),
            Self::One(k, v) if *k == key => *v = value,
            Self::One(k, v) => {
                *self = Self::Many(OrdMap::from_iter([(k.clone(), v.clone()), (key, value)]));
            }
            Self::Many(map) => {
                map.insert(key, value);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K) {
        match self {
            Self::One(k, _) if k == key => *self = Self::Empty,
            Self::Many(map) => {
                map.remove(key);
                if map.is_empty() {
                    *self = Self::Empty;
                }
            }
            _ => {}
        }
    }

    /// Visits the entries in key order. Allocates nothing up to 16 entries.
    pub(super) fn for_each<'a>(&'a self, mut visit: impl FnMut(&'a K, &'a V)) {
        match self {
            Self::Empty => {}
            Self::One(k, v) => visit(k, v),
            Self::Many(map) => map.iter().for_each(|(k, v)| visit(k, v)),
        }
    }
}

/// Destinations with the number of bindings that lead to each.
pub(super) type Targets = SmallMap<Destination, u64>;

impl Targets {
    /// One more binding leads to `destination`.
    pub(super) fn add(&mut self, destination: &Destination) {
        match self.get_mut(destination) {
            Some(count) => *count += 1,
            None => self.insert(destination.clone(), 1),
        }
    }

    /// One binding fewer leads to `destination`.
    pub(super) fn subtract(&mut self, destination: &Destination) {
        match self.get_mut(destination) {
            Some(count) if *count > 1 => *count -= 1,
            _ => self.remove(destination),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_and_shrinks_through_its_sizes_in_order() {
        let mut map = SmallMap::<u32, u32>::default();
        assert!(map.is_empty());
        for key in [2, 1, 3, 1] {
            map.insert(key, key * 10);
        }
        let mut seen = vec![];
        map.for_each(|k, v| seen.push((*k, *v)));
        assert_eq!(seen, [(1, 10), (2, 20), (3, 30)]);
        for key in [1, 3, 9] {
            map.remove(&key);
        }
        assert_eq!(map.get(&2), Some(&20));
        assert_eq!(map.get(&1), None);
        map.remove(&2);
        assert!(map.is_empty());
    }

    #[test]
    fn a_clone_is_a_snapshot() {
        let mut map = SmallMap::<u32, u32>::default();
        map.insert(1, 1);
        map.insert(2, 2);
        let snapshot = map.clone();
        map.remove(&1);
        map.insert(3, 3);
        assert_eq!(snapshot.get(&1), Some(&1));
        assert_eq!(snapshot.get(&3), None);
    }

    #[test]
    fn targets_are_counted() {
        let q = Destination::queue(b"q");
        let mut targets = Targets::default();
        targets.add(&q);
        targets.add(&q);
        targets.subtract(&q);
        assert!(!targets.is_empty());
        targets.subtract(&q);
        targets.subtract(&q);
        assert!(targets.is_empty());
    }
}
