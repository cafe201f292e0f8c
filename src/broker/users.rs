//! Users and what they may do, as an immutable snapshot that connections read without a lock.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::auth::{Access, Permissions, TopicPermission, User};

/// One state of users and permissions.
#[derive(Debug, Clone, Default)]
pub struct UserTables {
    users: HashMap<String, Arc<User>>,
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

    /// Adds or replaces a user.
    pub fn put_user(&mut self, user: User) {
        self.users.insert(user.name.clone(), Arc::new(user));
    }

    /// Adds or replaces a user's permissions in a host.
    pub fn put_permissions(&mut self, user: &str, vhost: &str, permissions: Permissions) {
        self.permissions
            .insert((user.to_owned(), vhost.to_owned()), Arc::new(permissions));
    }

    /// Adds or replaces a user's row for a topic exchange.
    pub fn put_topic(&mut self, user: &str, vhost: &str, row: TopicPermission) {
        let rows = self
            .topics
            .entry((user.to_owned(), vhost.to_owned()))
            .or_default();
        rows.retain(|known| known.exchange != row.exchange);
        rows.push(row);
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
    pub fn change(&self, change: impl FnOnce(&mut UserTables)) {
        let _one_at_a_time = self.writing.lock();
        let mut tables = UserTables::clone(&self.tables.load());
        change(&mut tables);
        self.tables.store(Arc::new(tables));
        self.generation.fetch_add(1, Ordering::AcqRel);
    }
}
