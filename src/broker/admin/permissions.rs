//! What users may do in virtual hosts, and with the keys of topic exchanges.

use super::error::{AdminError, Created};
use crate::auth::{PatternError, Permissions, TopicPermission};
use crate::broker::core::Broker;
use crate::broker::define::{permission_row, topic_row};
use crate::definitions::Command;
use crate::ids::Name;

/// A user's permissions in a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields of the management API")]
pub struct PermissionView {
    pub vhost: String,
    pub user: String,
    pub configure: String,
    pub write: String,
    pub read: String,
}

/// A user's permission for a topic exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the fields of the management API")]
pub struct TopicPermissionView {
    pub vhost: String,
    pub user: String,
    pub exchange: String,
    pub write: String,
    pub read: String,
}

fn invalid(error: PatternError) -> AdminError {
    AdminError::Invalid(error.to_string())
}

/// RabbitMQ's one reason for either.
fn nobody() -> AdminError {
    AdminError::Invalid("vhost_or_user_not_found".to_owned())
}

impl Broker {
    /// Every permission, by host and user; of one host or one user, where given.
    pub fn admin_list_permissions(
        &self,
        vhost: Option<&str>,
        user: Option<&str>,
    ) -> Vec<PermissionView> {
        let tables = self.users.tables();
        let mut views: Vec<PermissionView> = tables
            .all_permissions()
            .filter(|(whose, ..)| user.is_none_or(|user| user == *whose))
            .filter(|(_, host, _)| vhost.is_none_or(|vhost| vhost == *host))
            .map(|(user, vhost, found)| PermissionView {
                vhost: vhost.to_owned(),
                user: user.to_owned(),
                configure: found.configure.as_str().to_owned(),
                write: found.write.as_str().to_owned(),
                read: found.read.as_str().to_owned(),
            })
            .collect();
        views.sort_unstable();
        views
    }

    /// Sets what a user may do in a host.
    pub fn admin_put_permissions(
        &self,
        vhost: &str,
        user: &str,
        [configure, write, read]: [&str; 3],
    ) -> Result<Created, AdminError> {
        let permissions = Permissions::new(configure, write, read).map_err(invalid)?;
        let _hosts_stay = self.vhost_change.lock();
        if self.vhost(vhost.as_bytes()).is_none() {
            return Err(nobody());
        }
        let created = self.users.change(|tables| {
            tables.user(user)?;
            let created = tables.permissions(user, vhost).is_none();
            let row = permission_row(user, vhost, &permissions);
            self.journal.define(Command::SetPermission(row));
            tables.put_permissions(user, vhost, permissions);
            Some(created)
        });
        let created = created.ok_or_else(nobody)?;
        tracing::info!(
            "Successfully set permissions for '{user}' in virtual host '{vhost}' to '{configure}', \
             '{write}', '{read}'"
        );
        Ok(Created(created))
    }

    /// Closes a host to a user. What its connections have open stays open and does nothing more.
    pub fn admin_delete_permissions(&self, vhost: &str, user: &str) -> Result<(), AdminError> {
        let found = self.users.change(|tables| {
            let found = tables.remove_permissions(user, vhost);
            if found {
                self.journal.define(Command::ClearPermission {
                    vhost: Name::from(vhost),
                    user: user.to_owned(),
                });
            }
            found
        });
        if !found {
            return Err(AdminError::NotFound);
        }
        tracing::info!("Successfully cleared permissions for '{user}' in virtual host '{vhost}'");
        Ok(())
    }

    /// Every permission for a topic exchange, by host, user and exchange; of one host or one user,
    /// where given.
    pub fn admin_list_topic_permissions(
        &self,
        vhost: Option<&str>,
        user: Option<&str>,
    ) -> Vec<TopicPermissionView> {
        let tables = self.users.tables();
        let mut views: Vec<TopicPermissionView> = tables
            .all_topics()
            .filter(|(whose, ..)| user.is_none_or(|user| user == *whose))
            .filter(|(_, host, _)| vhost.is_none_or(|vhost| vhost == *host))
            .map(|(user, vhost, row)| TopicPermissionView {
                vhost: vhost.to_owned(),
                user: user.to_owned(),
                exchange: row.exchange.clone(),
                write: row.write.as_str().to_owned(),
                read: row.read.as_str().to_owned(),
            })
            .collect();
        views.sort_unstable();
        views
    }

    /// Sets what keys a user may use with a topic exchange.
    pub fn admin_put_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: &str,
        [write, read]: [&str; 2],
    ) -> Result<Created, AdminError> {
        let row = TopicPermission::new(exchange, write, read, user, vhost).map_err(invalid)?;
        let _hosts_stay = self.vhost_change.lock();
        if self.vhost(vhost.as_bytes()).is_none() {
            return Err(nobody());
        }
        let created = self.users.change(|tables| {
            tables.user(user)?;
            self.journal
                .define(Command::SetTopicPermission(topic_row(user, vhost, &row)));
            Some(tables.put_topic(user, vhost, row))
        });
        let created = created.ok_or_else(nobody)?;
        tracing::info!(
            "Successfully set topic permissions on exchange '{exchange}' for '{user}' in virtual \
             host '{vhost}' to '{write}', '{read}'"
        );
        Ok(Created(created))
    }

    /// Removes a user's permission for one topic exchange or, without one, for all of the host.
    pub fn admin_delete_topic_permissions(
        &self,
        vhost: &str,
        user: &str,
        exchange: Option<&str>,
    ) -> Result<(), AdminError> {
        let found = self.users.change(|tables| {
            let found = tables.remove_topics(user, vhost, exchange);
            if found {
                self.journal.define(Command::ClearTopicPermission {
                    vhost: Name::from(vhost),
                    user: user.to_owned(),
                    exchange: exchange.map(Name::from),
                });
            }
            found
        });
        if !found {
            return Err(AdminError::NotFound);
        }
        tracing::info!(
            "Successfully cleared topic permissions for '{user}' in virtual host '{vhost}'"
        );
        Ok(())
    }
}
