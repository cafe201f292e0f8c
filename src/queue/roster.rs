//! A queue's consumers by key.
//!
//! Most queues have one, which then lies within the queue itself: a broker with many queues
//! touches each of them seldom, and every block of memory it need not fetch counts.

use smallvec::SmallVec;

use super::consumers::{Consumer, ConsumerKey};

/// Consumers in order of their keys.
#[derive(Debug)]
pub(super) struct Roster<P> {
    entries: SmallVec<[(ConsumerKey, Consumer<P>); 1]>,
}

impl<P> Default for Roster<P> {
    fn default() -> Self {
        Self {
            entries: SmallVec::new(),
        }
    }
}

impl<P> Roster<P> {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Every consumer, in order of age.
    pub fn iter(&self) -> impl Iterator<Item = (ConsumerKey, &Consumer<P>)> {
        self.entries.iter().map(|(key, consumer)| (*key, consumer))
    }

    /// The key of the only one.
    #[inline]
    pub fn only(&self) -> Option<ConsumerKey> {
        match self.entries.as_slice() {
            [(key, _)] => Some(*key),
            _ => None,
        }
    }

    #[inline]
    fn place(&self, key: ConsumerKey) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&key, |(key, _)| *key)
    }

    /// The consumer of that key.
    #[inline]
    pub fn get(&self, key: ConsumerKey) -> Option<&Consumer<P>> {
        let at = self.place(key).ok()?;
        self.entries.get(at).map(|(_, consumer)| consumer)
    }

    /// The consumer of that key.
    #[inline]
    pub fn get_mut(&mut self, key: ConsumerKey) -> Option<&mut Consumer<P>> {
        let at = self.place(key).ok()?;
        self.entries.get_mut(at).map(|(_, consumer)| consumer)
    }

    /// Adds a consumer. Keys grow, so its place is at the end or close to it.
    pub fn insert(&mut self, key: ConsumerKey, consumer: Consumer<P>) {
        match self.place(key) {
            Ok(at) => {
                if let Some(entry) = self.entries.get_mut(at) {
                    entry.1 = consumer;
                }
            }
            Err(at) => self.entries.insert(at, (key, consumer)),
        }
    }

    /// Takes a consumer out.
    pub fn remove(&mut self, key: ConsumerKey) -> Option<Consumer<P>> {
        let at = self.place(key).ok()?;
        Some(self.entries.remove(at).1)
    }

    /// Takes all out.
    pub fn take(&mut self) -> Vec<(ConsumerKey, Consumer<P>)> {
        std::mem::take(&mut self.entries).into_vec()
    }
}
