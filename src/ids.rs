//! Names of exchanges, queues and routing keys as the broker keeps them.
//!
//! A name is octets (at most 255 on the wire, any value), shared by reference count: maps, routes
//! and messages hold the same bytes. Nothing here assumes UTF-8; only `Display` is for people.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// An immutable name: a cheap clone, ordered and hashed as its octets.
#[derive(PartialEq, Eq, Hash)]
pub struct Name(Arc<[u8]>);

impl Name {
    /// Copies `bytes` into a new name.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Arc::from(bytes))
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// True for the empty name (the default exchange, an empty routing key).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Clone for Name {
    fn clone(&self) -> Self {
        #[cfg(test)]
        counting::bump();
        Self(Arc::clone(&self.0))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        #[cfg(test)]
        counting::bump();
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Borrow<[u8]> for Name {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Name {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for Name {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

/// Counts the comparisons and copies of names on this thread, so that tests can bound the work of
/// a change by counting it, not by timing it.
#[cfg(test)]
pub(crate) mod counting {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn bump() {
        STEPS.with(|steps| steps.set(steps.get() + 1));
    }

    /// The comparisons and copies that `work` made.
    pub(crate) fn steps(work: impl FnOnce()) -> u64 {
        let before = STEPS.with(Cell::get);
        work();
        STEPS.with(Cell::get) - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_lookup_are_those_of_the_octets() {
        let mut names = [Name::from("b"), Name::new(b"\xff"), Name::from("a")];
        names.sort();
        assert_eq!(
            names.map(|name| name.as_bytes().to_vec()),
            [b"a".to_vec(), b"b".to_vec(), vec![255]]
        );
        let map = std::collections::HashMap::from([(Name::from("k"), 1)]);
        assert_eq!(map.get(b"k".as_slice()), Some(&1));
    }

    #[test]
    fn display_is_lossy_and_never_fails() {
        assert_eq!(Name::new(b"a\xff").to_string(), "a\u{fffd}");
        assert!(Name::new(b"").is_empty());
    }
}
