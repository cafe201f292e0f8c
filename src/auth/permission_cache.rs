//! A channel's memory of the permissions it was granted, so that a steady publisher does not run
//! a regular expression per message.
//!
//! Only grants are kept: a refusal closes the channel anyway. The definitions count a generation
//! up with every change of users or permissions; an entry of an older one is worth nothing, so a
//! revoked permission acts at once (in RabbitMQ it may act late on open channels).

use super::permission::Access;

/// Grants kept per cache, as many as RabbitMQ keeps per channel.
pub const ENTRIES_MAX: usize = 12;

/// What kind of object a name is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceKind {
    /// An exchange.
    Exchange,
    /// A queue.
    Queue,
}

/// One question to the permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request<'a> {
    /// What to do.
    pub access: Access,
    /// With what kind of object.
    pub kind: ResourceKind,
    /// Of which name.
    pub name: &'a [u8],
    /// Only for topic permissions: with which routing key or binding key.
    pub key: Option<&'a [u8]>,
}

#[derive(Debug, Clone)]
struct Grant {
    access: Access,
    kind: ResourceKind,
    name: Box<[u8]>,
    key: Option<Box<[u8]>>,
}

impl Grant {
    fn answers(&self, request: &Request<'_>) -> bool {
        self.access == request.access
            && self.kind == request.kind
            && *self.name == *request.name
            && self.key.as_deref() == request.key
    }
}

/// The latest grants of one channel. Keep ordinary and topic permissions in two caches, or many
/// routing keys push the exchanges out.
#[derive(Debug, Clone, Default)]
pub struct PermissionCache {
    generation: u64,
    /// Latest use first.
    grants: Vec<Grant>,
}

impl PermissionCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// The answer to `request` at `generation` of the definitions: from memory, or from `decide`,
    /// whose grant is then remembered.
    pub fn allows(
        &mut self,
        generation: u64,
        request: Request<'_>,
        decide: impl FnOnce() -> bool,
    ) -> bool {
        if self.generation != generation {
            self.grants.clear();
            self.generation = generation;
        }
        if let Some(at) = self.grants.iter().position(|grant| grant.answers(&request)) {
            // The common case is the first entry; the others move up.
            if let Some(used) = self.grants.get_mut(..=at) {
                used.rotate_right(1);
            }
            return true;
        }
        let granted = decide();
        if granted {
            self.grants.truncate(ENTRIES_MAX - 1);
            let grant = Grant {
                access: request.access,
                kind: request.kind,
                name: request.name.into(),
                key: request.key.map(Into::into),
            };
            self.grants.insert(0, grant);
        }
        granted
    }

    /// Forgets everything, as after a renewed secret.
    pub fn clear(&mut self) {
        self.grants.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &[u8]) -> Request<'_> {
        Request {
            access: Access::Read,
            kind: ResourceKind::Queue,
            name,
            key: None,
        }
    }

    /// Asks for `request` and says whether the permissions had to be consulted.
    fn consulted(cache: &mut PermissionCache, generation: u64, request: Request<'_>) -> bool {
        let mut asked = false;
        assert!(cache.allows(generation, request, || {
            asked = true;
            true
        }));
        asked
    }

    #[test]
    fn a_grant_is_decided_once_per_generation() {
        let mut cache = PermissionCache::new();
        assert!(consulted(&mut cache, 1, queue(b"q")));
        assert!(!consulted(&mut cache, 1, queue(b"q")));
        assert!(consulted(&mut cache, 2, queue(b"q")), "permissions changed");
        cache.clear();
        assert!(consulted(&mut cache, 2, queue(b"q")));
    }

    #[test]
    fn a_revoked_permission_acts_at_once() {
        let mut cache = PermissionCache::new();
        assert!(cache.allows(1, queue(b"q"), || true));
        assert!(!cache.allows(2, queue(b"q"), || false));
    }

    #[test]
    fn every_part_of_the_question_counts() {
        let mut cache = PermissionCache::new();
        let base = queue(b"q");
        assert!(consulted(&mut cache, 1, base));
        assert!(consulted(
            &mut cache,
            1,
            Request {
                access: Access::Write,
                ..base
            }
        ));
        assert!(consulted(
            &mut cache,
            1,
            Request {
                kind: ResourceKind::Exchange,
                ..base
            }
        ));
        assert!(consulted(
            &mut cache,
            1,
            Request {
                key: Some(b"k"),
                ..base
            }
        ));
        assert!(consulted(
            &mut cache,
            1,
            Request {
                key: Some(b""),
                ..base
            }
        ));
        assert!(consulted(&mut cache, 1, queue(b"q2")));
        assert!(!consulted(&mut cache, 1, base));
    }

    #[test]
    fn refusals_are_not_kept() {
        let mut cache = PermissionCache::new();
        assert!(!cache.allows(1, queue(b"q"), || false));
        assert!(consulted(&mut cache, 1, queue(b"q")));
    }

    #[test]
    fn the_least_recently_used_grant_leaves() {
        let mut cache = PermissionCache::new();
        let names: Vec<Vec<u8>> = (0..=ENTRIES_MAX)
            .map(|i| i.to_string().into_bytes())
            .collect();
        for name in &names[..ENTRIES_MAX] {
            assert!(consulted(&mut cache, 1, queue(name)));
        }
        assert!(
            !consulted(&mut cache, 1, queue(&names[0])),
            "now the latest used"
        );
        assert!(consulted(&mut cache, 1, queue(&names[ENTRIES_MAX])));
        assert!(!consulted(&mut cache, 1, queue(&names[0])));
        assert!(consulted(&mut cache, 1, queue(&names[1])), "pushed out");
        assert_eq!(cache.grants.len(), ENTRIES_MAX);
    }
}
