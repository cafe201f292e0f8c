//! Users.

use std::sync::Arc;

use super::error::{AdminError, Created, Presence};
use super::password::hash_password;
use crate::auth::{PasswordHash, User};
use crate::broker::core::Broker;
use crate::broker::define::user_row;
use crate::broker::events::note_user;
use crate::broker::users::{UserLimits, UserTables};
use crate::definitions::Command;

/// A user as operators see it.
#[derive(Debug, Clone, PartialEq)]
pub struct UserView {
    /// Its name.
    pub name: String,
    /// Without one it cannot log in with a password.
    pub password: Option<PasswordHash>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its limits.
    pub limits: UserLimits,
}

/// What a user's password is to be.
#[derive(Debug, Clone, PartialEq)]
pub enum NewPassword {
    /// As it was; a new user has none.
    Unchanged,
    /// None: the user cannot log in with a password.
    None,
    /// This, in the clear; an empty one is [`Self::None`].
    Clear(String),
    /// A hash.
    Hash(PasswordHash),
}

fn view(user: &User, tables: &UserTables) -> UserView {
    UserView {
        name: user.name.clone(),
        password: user.password.clone(),
        tags: user.tags.clone(),
        limits: tables.limits(&user.name),
    }
}

impl Broker {
    /// Every user, by name.
    pub fn admin_list_users(&self) -> Vec<UserView> {
        let tables = self.users.tables();
        tables.users().map(|user| view(user, &tables)).collect()
    }

    /// One user.
    pub fn admin_get_user(&self, name: &str) -> Option<UserView> {
        let tables = self.users.tables();
        tables.user(name).map(|user| view(user, &tables))
    }

    /// The users that may open no virtual host.
    pub fn admin_users_without_permissions(&self) -> Vec<UserView> {
        let tables = self.users.tables();
        let allowed: std::collections::HashSet<&str> =
            tables.all_permissions().map(|(user, ..)| user).collect();
        tables
            .users()
            .filter(|user| !allowed.contains(user.name.as_str()))
            .map(|user| view(user, &tables))
            .collect()
    }

    /// Adds or changes a user. What it may do and its limits stay.
    pub fn admin_put_user(
        &self,
        name: &str,
        password: NewPassword,
        tags: Vec<String>,
    ) -> Result<Created, AdminError> {
        let created = self.change_user(name, password, Some(tags), Presence::Either)?;
        if created.0 {
            tracing::info!("Created user '{name}'");
        }
        Ok(created)
    }

    /// Adds a user; one that is there is left as it is.
    pub fn admin_add_user(
        &self,
        name: &str,
        password: NewPassword,
        tags: Vec<String>,
    ) -> Result<Created, AdminError> {
        match self.change_user(name, password, Some(tags), Presence::New) {
            Ok(created) => {
                tracing::info!("Created user '{name}'");
                Ok(created)
            }
            Err(AdminError::NotFound) => Ok(Created(false)),
            Err(error) => Err(error),
        }
    }

    /// Changes the password of a user that is there.
    pub fn admin_change_password(
        &self,
        name: &str,
        password: NewPassword,
    ) -> Result<(), AdminError> {
        self.change_user(name, password, None, Presence::Known)?;
        tracing::info!("Successfully changed password for user '{name}'");
        Ok(())
    }

    /// Replaces the tags of a user that is there.
    pub fn admin_set_user_tags(&self, name: &str, tags: Vec<String>) -> Result<(), AdminError> {
        let shown = tags.join(", ");
        self.change_user(name, NewPassword::Unchanged, Some(tags), Presence::Known)?;
        tracing::info!("Successfully set user tags for user '{name}' to [{shown}]");
        Ok(())
    }

    /// One change under the lock of users. A user whose presence is not as asked is left alone:
    /// `NotFound`. Without `tags` they stay.
    fn change_user(
        &self,
        name: &str,
        password: NewPassword,
        tags: Option<Vec<String>>,
        asked: Presence,
    ) -> Result<Created, AdminError> {
        let new = match password {
            NewPassword::Unchanged => None,
            NewPassword::None => Some(None),
            NewPassword::Clear(text) if text.is_empty() => Some(None),
            NewPassword::Clear(text) => {
                let hash = hash_password(self.options.hashing, text.as_bytes());
                Some(Some(hash.map_err(AdminError::Invalid)?))
            }
            NewPassword::Hash(hash) => Some(Some(hash)),
        };
        self.users.change(|tables| {
            let old = tables.user(name);
            let created = old.is_none();
            if !asked.allows(created) {
                return Err(AdminError::NotFound);
            }
            let kept = || old.and_then(|user| user.password.clone());
            let kept_tags = || old.map(|user| user.tags.clone()).unwrap_or_default();
            let user = User {
                name: name.to_owned(),
                password: new.unwrap_or_else(kept),
                tags: tags.unwrap_or_else(kept_tags),
            };
            note_user(self.events(), old.map(Arc::as_ref), &user);
            self.define_user(&user, tables.limits(name));
            tables.put_user(user);
            Ok(Created(created))
        })
    }

    /// Deletes a user with its permissions; its connections are closed with 320.
    pub fn admin_delete_user(&self, name: &str) -> Result<(), AdminError> {
        let found = self.users.change(|tables| {
            let found = tables.remove_user(name);
            if found {
                let name = name.to_owned();
                self.journal.define(Command::DeleteUser { name });
            }
            found
        });
        if !found {
            return Err(AdminError::NotFound);
        }
        tracing::info!("Deleted user '{name}'");
        let text = format!("user '{name}' is deleted");
        self.connections
            .close_where(&text, |connection| connection.user == name);
        Ok(())
    }

    /// Proposes a user as it is to be.
    pub(in crate::broker) fn define_user(&self, user: &User, limits: UserLimits) {
        let row = user_row(user, &limits.named());
        self.journal.define(Command::PutUser(row));
    }
}
