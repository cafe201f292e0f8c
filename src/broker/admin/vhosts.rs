//! Virtual hosts.

use std::sync::Arc;

use super::error::{AdminError, Created, Presence};
use crate::broker::core::Broker;
use crate::broker::vhost::{Description, Vhost, queue_kind};
use crate::definitions::rows::VhostRow;
use crate::ids::Name;

/// A virtual host as operators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VhostView {
    /// Its name.
    pub name: String,
    /// For people.
    pub description: String,
    /// For people.
    pub tags: Vec<String>,
    /// The type of queues declared without one, where one was chosen.
    pub default_queue_type: Option<String>,
    /// Publishes and deliveries are told of.
    pub tracing: bool,
    /// It is not to be deleted.
    pub protected: bool,
}

/// What is to be said of a virtual host; `None` leaves what was said, or takes the default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VhostChange {
    /// For people.
    pub description: Option<String>,
    /// For people.
    pub tags: Option<Vec<String>>,
    /// `classic` or `quorum`; `undefined` takes the choice back.
    pub default_queue_type: Option<String>,
    /// Publishes and deliveries are told of; not kept over a restart.
    pub tracing: Option<bool>,
    /// It is not to be deleted.
    pub protected: Option<bool>,
}

fn view(vhost: &Vhost) -> VhostView {
    let description = vhost.description();
    VhostView {
        name: vhost.name.to_string(),
        description: description.text.clone(),
        tags: description.tags.clone(),
        default_queue_type: description.default_queue_type.clone(),
        tracing: vhost.is_traced(),
        protected: description.protected,
    }
}

/// The row of a host.
fn vhost_row(name: &Name, description: &Description) -> VhostRow {
    VhostRow {
        name: name.clone(),
        description: description.text.clone(),
        tags: description.tags.clone(),
        default_queue_type: description.default_queue_type.clone(),
        protected: description.protected,
    }
}

impl Broker {
    /// Every host, by name.
    pub fn admin_list_vhosts(&self) -> Vec<VhostView> {
        self.vhosts().iter().map(|vhost| view(vhost)).collect()
    }

    /// One host.
    pub fn admin_get_vhost(&self, name: &str) -> Option<VhostView> {
        self.vhost(name.as_bytes()).map(|vhost| view(&vhost))
    }

    /// The host that something is put into.
    pub(in crate::broker) fn admin_vhost(&self, name: &str) -> Result<Arc<Vhost>, AdminError> {
        self.vhost(name.as_bytes()).ok_or(AdminError::NoVhost)
    }

    /// Adds a host or changes what is said of it.
    pub fn admin_put_vhost(&self, name: &str, change: VhostChange) -> Result<Created, AdminError> {
        self.change_vhost(name, change, Presence::Either)
    }

    /// Adds a host; one that is there is left as it is.
    pub fn admin_add_vhost(&self, name: &str, change: VhostChange) -> Result<Created, AdminError> {
        match self.change_vhost(name, change, Presence::New) {
            Err(AdminError::NotFound) => Ok(Created(false)),
            ended => ended,
        }
    }

    /// Changes what is said of a host that is there.
    pub fn admin_amend_vhost(&self, name: &str, change: VhostChange) -> Result<(), AdminError> {
        self.change_vhost(name, change, Presence::Known).map(|_| ())
    }

    /// One change under the lock of hosts. A host whose presence is not as asked is left alone:
    /// `NotFound`.
    fn change_vhost(
        &self,
        name: &str,
        change: VhostChange,
        asked: Presence,
    ) -> Result<Created, AdminError> {
        if let Some(kind) = change.default_queue_type.as_deref()
            && queue_kind(kind).is_none()
            && !kind.is_empty()
            && kind != "undefined"
        {
            let text = format!("unsupported queue type '{kind}'");
            return Err(AdminError::Invalid(text));
        }
        let _one_at_a_time = self.vhost_change.lock();
        let known = self.vhost(name.as_bytes());
        if !asked.allows(known.is_none()) {
            return Err(AdminError::NotFound);
        }
        let old = known.as_ref().map(|vhost| vhost.description());
        let mut description = old.as_deref().cloned().unwrap_or_default();
        if let Some(text) = change.description {
            description.text = text;
        }
        if let Some(tags) = change.tags {
            description.tags = tags;
        }
        if let Some(kind) = change.default_queue_type {
            description.default_queue_type = queue_kind(&kind).map(|_| kind);
        }
        if let Some(protected) = change.protected {
            description.protected = protected;
        }
        let vhost = self.describe_vhost(name, description);
        if let Some(on) = change.tracing {
            self.trace(&vhost, on);
        }
        if known.is_none() {
            tracing::info!("Adding vhost '{name}'");
        }
        Ok(Created(known.is_none()))
    }

    /// Puts a host into force as described, and proposes it. The caller holds the lock of changes.
    fn describe_vhost(&self, name: &str, mut description: Description) -> Arc<Vhost> {
        let chosen = description.default_queue_type.as_deref();
        description.default_kind = chosen
            .and_then(queue_kind)
            .unwrap_or(self.options.default_kind);
        let name = Name::from(name);
        let row = vhost_row(&name, &description);
        self.insert_vhost(&name, description, Some(row))
    }

    /// Protects a host that is there from being deleted, or takes that back.
    pub fn admin_protect_vhost(&self, name: &str, protected: bool) -> Result<(), AdminError> {
        let _one_at_a_time = self.vhost_change.lock();
        let vhost = self.vhost(name.as_bytes()).ok_or(AdminError::NotFound)?;
        let description = Description {
            protected,
            ..(*vhost.description()).clone()
        };
        self.describe_vhost(name, description);
        Ok(())
    }

    /// Deletes a host with everything in it, unless it is protected; its connections are closed
    /// with 320.
    pub fn admin_delete_vhost(&self, name: &str) -> Result<(), AdminError> {
        let _one_at_a_time = self.vhost_change.lock();
        let known = self.vhost(name.as_bytes());
        if known.is_some_and(|vhost| vhost.description().protected) {
            let text = format!(
                "Refusing to delete virtual host '{name}' because it is protected from deletion"
            );
            tracing::error!("{text}");
            return Err(AdminError::Precondition(text));
        }
        let vhost = self
            .remove_vhost(name.as_bytes())
            .ok_or(AdminError::NotFound)?;
        tracing::info!("Deleting vhost '{name}'");
        self.users.change(|tables| tables.remove_vhost(name));
        self.parameters.lock().remove_vhost(name);
        let text = format!("vhost '{name}' is deleted");
        self.connections
            .close_where(&text, |connection| connection.vhost == name);
        vhost.clear();
        self.observer.vhost_deleted(vhost);
        Ok(())
    }
}
