//! Users and what they may do, as an immutable snapshot that connections read without a lock.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::auth::{Access, Permissions, TopicPermission, User};

/// What a user may have of something at most; `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserLimits {
    /// `max-connections`, as it was set: below 0 is no limit.
    pub connections: Option<i64>,
    /// `max-channels`, likewise.
    pub channels: Option<i64>,
}

impl UserLimits {
    /// The limits by the names they have in definitions, those that are set.
    pub fn named(self) -> Vec<(String, i64)> {
        let all = [
            ("max-connections", self.connections),
            ("max-channels", self.channels),
        ];
        let set = all.into_iter();
        set.filter_map(|(name, limit)| Some((name.to_owned(), limit?)))
            .collect()
    }

    /// Those of a definition; a name that there is no limit of is left out.
    pub fn of(named: &[(String, i64)]) -> Self {
        let mut limits = Self::default();
        for (name, limit) in named {
            if let Some(place) = limits.place(name) {
                *place = Some(*limit);
            }
        }
        limits
    }

    /// The limit that definitions call `name`; `None` where there is none of that name.
    pub fn place(&mut self, name: &str) -> Option<&mut Option<i64>> {
        match name {
            "max-connections" => Some(&mut self.connections),
            "max-channels" => Some(&mut self.channels),
            _ => None,
        }
    }

    /// Most connections.
    pub fn connections_max(self) -> Option<u64> {
        self.connections.and_then(|limit| u64::try_from(limit).ok())
    }

    /// Most channels.
    pub fn channels_max(self) -> Option<u64> {
        self.channels.and_then(|limit| u64::try_from(limit).ok())
    }
}

/// One state of users and permissions. The permissions are kept by user, then by host.
#[derive(Debug, Clone, Default)]
pub struct UserTables {
    users: BTreeMap<String, Arc<User>>,
    limits: HashMap<String, UserLimits>,
    permissions: HashMap<(String, String), Arc<Permissions>>,
    topics: HashMap<(String, String), Vec<TopicPermission>>,
}

impl UserTables {
    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<&Arc<User>> {
        self.users.get(name)
    }

    /// What `user` may do in `vhost`; `None` closes the host to it.
    pub fn permissions(&self, user: &str, vhost: &str) -> Option<&Arc<Permissions>> {
        self.permissions.get(&(user.to_owned(), vhost.to_owned()))
    }

    /// Whether `user` may use `key` with the topic exchange; without a row it may.
    pub fn topic_allows(
        &self,
        user: &str,
        vhost: &str,
        exchange: &[u8],
        access: Access,
        key: &[u8],
    ) -> bool {
        let rows = self.topics.get(&(user.to_owned(), vhost.to_owned()));
        rows.into_iter()
            .flatten()
            .filter(|row| row.exchange.as_bytes() == exchange)
            .all(|row| row.allows(access, key))
    }

    /// Every user, by name.
    pub fn users(&self) -> impl Iterator<Item = &Arc<User>> {
        self.users.values()
    }

    /// The limits of a user.
    pub fn limits(&self, user: &str) -> UserLimits {
        self.limits.get(user).copied().unwrap_or_default()
    }

    /// Sets the limits of a user.
    pub fn put_limits(&mut self, user: &str, limits: UserLimits) {
        if limits == UserLimits::default() {
            self.limits.remove(user);
        } else {
            self.limits.insert(user.to_owned(), limits);
        }
    }

    /// Every permission: user, host, patterns; in no order.
    pub fn all_permissions(&self) -> impl Iterator<Item = (&str, &str, &Permissions)> {
        let all = self.permissions.iter();
        all.map(|((user, vhost), found)| (user.as_str(), vhost.as_str(), &**found))
    }

    /// Every permission for a topic exchange: user, host, row; in no order.
    pub fn all_topics(&self) -> impl Iterator<Item = (&str, &str, &TopicPermission)> {
        let all = self.topics.iter();
        all.flat_map(|((user, vhost), rows)| {
            rows.iter()
                .map(move |row| (user.as_str(), vhost.as_str(), row))
        })
    }

    /// Removes a user with its permissions; false when there is none.
    pub fn remove_user(&mut self, name: &str) -> bool {
        self.limits.remove(name);
        self.permissions.retain(|(user, _), _| user != name);
        self.topics.retain(|(user, _), _| user != name);
        self.users.remove(name).is_some()
    }

    /// Removes what users may do in a host.
    pub fn remove_vhost(&mut self, vhost: &str) {
        self.permissions.retain(|(_, host), _| host != vhost);
        self.topics.retain(|(_, host), _| host != vhost);
    }

    /// Closes a host to a user; false when it was closed.
    pub fn remove_permissions(&mut self, user: &str, vhost: &str) -> bool {
        let key = (user.to_owned(), vhost.to_owned());
        self.permissions.remove(&key).is_some()
    }

    /// Removes a user's row for a topic exchange or, without one, for all of the host; false when
    /// there is none.
    pub fn remove_topics(&mut self, user: &str, vhost: &str, exchange: Option<&str>) -> bool {
        let key = (user.to_owned(), vhost.to_owned());
        let Some(rows) = self.topics.get_mut(&key) else {
            return false;
        };
        let before = rows.len();
        rows.retain(|row| exchange.is_some_and(|name| row.exchange != name));
        let removed = rows.len() < before;
        if rows.is_empty() {
            self.topics.remove(&key);
        }
        removed
    }

    /// Adds or replaces a user.
    pub fn put_user(&mut self, user: User) {
        self.users.insert(user.name.clone(), Arc::new(user));
    }

    /// Adds or replaces a user's permissions in a host.
    pub fn put_permissions(&mut self, user: &str, vhost: &str, permissions: Permissions) {
        self.permissions
            .insert((user.to_owned(), vhost.to_owned()), Arc::new(permissions));
    }

    /// Adds or replaces a user's row for a topic exchange; true when it is new.
    pub fn put_topic(&mut self, user: &str, vhost: &str, row: TopicPermission) -> bool {
        let rows = self
            .topics
            .entry((user.to_owned(), vhost.to_owned()))
            .or_default();
        let before = rows.len();
        rows.retain(|known| known.exchange != row.exchange);
        let new = rows.len() == before;
        rows.push(row);
        new
    }
}

/// The users of the broker.
#[derive(Debug, Default)]
pub struct Users {
    tables: ArcSwap<UserTables>,
    generation: AtomicU64,
    writing: Mutex<()>,
}

impl Users {
    /// The state of this moment.
    pub fn tables(&self) -> arc_swap::Guard<Arc<UserTables>> {
        self.tables.load()
    }

    /// Grows with every change; permission caches compare it.
    #[inline]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Changes the tables.
    pub fn change<R>(&self, change: impl FnOnce(&mut UserTables) -> R) -> R {
        let _one_at_a_time = self.writing.lock();
        let mut tables = UserTables::clone(&self.tables.load());
        let outcome = change(&mut tables);
        self.tables.store(Arc::new(tables));
        self.forget_grants();
        outcome
    }

    /// Makes connections ask again for what they have been granted, and for the routes of what they
    /// publish.
    pub(super) fn forget_grants(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
