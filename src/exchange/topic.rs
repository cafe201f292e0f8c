//! Topic patterns as a persistent trie.
//!
//! Words are separated by `.`; empty words count, but the empty key has no word at all (so `#`
//! matches it and `*` does not). `*` stands for one word, `#` for any number. Probed on RabbitMQ
//! 3.10.8. A pattern has at most 256 words because a key has at most 255 octets, which bounds the
//! depth of the trie and every recursion here.
//!
//! Matching visits each (node, position) at most once, so its cost is at most trie nodes x words
//! however many `#` there are. The reason: between one `#` and the next the number of words is
//! fixed, and a `#` node is spread over the positions in ascending order, so the first arrival at
//! the next `#` is the leftmost one and covers all later ones. Those are skipped.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::binding::Destination;
use super::small_map::{SmallMap, Targets};
use crate::ids::Name;

/// All patterns of one exchange; a clone is a snapshot.
#[derive(Debug, Clone, Default)]
pub(super) struct Topic {
    root: Node,
}

#[derive(Debug, Clone, Default)]
struct Node {
    /// Next words that are meant literally.
    literal: SmallMap<Name, Arc<Node>>,
    /// The `*` child.
    star: Option<Arc<Node>>,
    /// The `#` child.
    hash: Option<Arc<Node>>,
    /// Destinations of the patterns that end here.
    targets: Targets,
}

impl Topic {
    pub(super) fn add(&mut self, pattern: &[u8], destination: &Destination) {
        self.root.add(Words::of(pattern), destination);
    }

    pub(super) fn subtract(&mut self, pattern: &[u8], destination: &Destination) {
        self.root.subtract(Words::of(pattern), destination);
    }

    /// Visits the destinations of every pattern that matches `key`; a destination comes once for
    /// each of its patterns that match.
    pub(super) fn visit<'a>(&'a self, key: &[u8], visit: impl FnMut(&'a Destination)) {
        let mut walk = Walk::new(visit);
        walk.arrive(&self.root, Words::of(key), false);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_empty()
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.is_leaf()
    }

    fn is_leaf(&self) -> bool {
        self.literal.is_empty() && self.star.is_none() && self.hash.is_none()
    }

    fn add(&mut self, mut rest: Words<'_>, destination: &Destination) {
        let Some(word) = rest.next() else {
            return self.targets.add(destination);
        };
        match word {
            b"*" => Arc::make_mut(self.star.get_or_insert_default()).add(rest, destination),
            b"#" => Arc::make_mut(self.hash.get_or_insert_default()).add(rest, destination),
            word => {
                let word = Name::new(word);
                if let Some(child) = self.literal.get_mut(&word) {
                    Arc::make_mut(child).add(rest, destination);
                } else {
                    let mut child = Node::default();
                    child.add(rest, destination);
                    self.literal.insert(word, Arc::new(child));
                }
            }
        }
    }

    /// Takes one binding away and prunes the nodes that it leaves empty.
    fn subtract(&mut self, mut rest: Words<'_>, destination: &Destination) {
        let Some(word) = rest.next() else {
            return self.targets.subtract(destination);
        };
        match word {
            b"*" => subtract_from(&mut self.star, rest, destination),
            b"#" => subtract_from(&mut self.hash, rest, destination),
            word => {
                let word = Name::new(word);
                let Some(child) = self.literal.get_mut(&word) else {
                    return;
                };
                let child = Arc::make_mut(child);
                child.subtract(rest, destination);
                if child.is_empty() {
                    self.literal.remove(&word);
                }
            }
        }
    }
}

fn subtract_from(slot: &mut Option<Arc<Node>>, rest: Words<'_>, destination: &Destination) {
    if let Some(child) = slot {
        let child = Arc::make_mut(child);
        child.subtract(rest, destination);
        if child.is_empty() {
            *slot = None;
        }
    }
}

/// One match. Allocates only where a `#` lies below another `#`.
struct Walk<F> {
    /// `#` nodes below another `#` that were already spread.
    spread: BTreeSet<*const Node>,
    visit: F,
    #[cfg(test)]
    steps: usize,
}

impl<F> Walk<F> {
    fn new(visit: F) -> Self {
        Self {
            spread: BTreeSet::new(),
            visit,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// `node` is reached with `rest` still to match.
    fn arrive<'a>(&mut self, node: &'a Node, rest: Words<'_>, below_hash: bool)
    where
        F: FnMut(&'a Destination),
    {
        if rest.is_end() {
            node.targets
                .for_each(|destination, _| (self.visit)(destination));
        }
        self.descend(node, rest, below_hash);
    }

    fn descend<'a>(&mut self, node: &'a Node, mut rest: Words<'_>, below_hash: bool)
    where
        F: FnMut(&'a Destination),
    {
        #[cfg(test)]
        {
            self.steps += 1;
        }
        if let Some(hash) = &node.hash
            && (!below_hash || self.spread.insert(Arc::as_ptr(hash)))
        {
            self.spread_over(hash, rest);
        }
        if let Some(word) = rest.next() {
            if let Some(child) = node.literal.get(word) {
                self.arrive(child, rest, below_hash);
            }
            if let Some(child) = &node.star {
                self.arrive(child, rest, below_hash);
            }
        }
    }

    /// A `#` node stands at `rest` and at every later position.
    fn spread_over<'a>(&mut self, hash: &'a Node, mut rest: Words<'_>)
    where
        F: FnMut(&'a Destination),
    {
        hash.targets
            .for_each(|destination, _| (self.visit)(destination));
        if hash.is_leaf() {
            return;
        }
        loop {
            self.descend(hash, rest, true);
            if rest.next().is_none() {
                return;
            }
        }
    }
}

/// The words that are left of a key or pattern; `None` when there are none.
#[derive(Clone, Copy)]
struct Words<'k>(Option<&'k [u8]>);

impl<'k> Words<'k> {
    fn of(key: &'k [u8]) -> Self {
        Self((!key.is_empty()).then_some(key))
    }

    fn is_end(self) -> bool {
        self.0.is_none()
    }

    fn next(&mut self) -> Option<&'k [u8]> {
        let left = self.0?;
        match left.iter().position(|octet| *octet == b'.') {
            Some(dot) => {
                let (word, tail) = left.split_at(dot);
                self.0 = tail.get(1..);
                Some(word)
            }
            None => {
                self.0 = None;
                Some(left)
            }
        }
    }
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
