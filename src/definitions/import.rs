//! Reads a definitions file that RabbitMQ (3.10 to 4.x) or this broker exported.
//!
//! Pure: JSON text in, typed definitions out, or everything that is wrong with the text, each with
//! its path. It creates nothing; whether a name exists already, or an exchange type is known, is
//! for whoever applies the result, in the order of the fields of [`ImportedDefinitions`].

mod arguments;
mod reader;
mod sections;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::amqp::value::Table;
use crate::auth::{PasswordHash, Permissions, TopicPermission};

use reader::Reader;

/// What a file is imported into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// The whole broker; objects that name no virtual host go into this one.
    Broker {
        /// That virtual host.
        default_vhost: &'a str,
    },
    /// One virtual host, whatever the file names; users and permissions in it are left out.
    Vhost(&'a str),
}

/// The password of an imported user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportedPassword {
    /// Cannot log in with a password.
    None,
    /// A hash.
    Hash(PasswordHash),
    /// A password in the clear, still to be hashed; never blank.
    Clear(String),
}

/// A user.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedUser {
    /// Its name.
    pub name: String,
    /// How it logs in.
    pub password: ImportedPassword,
    /// Its tags.
    pub tags: Vec<String>,
    /// `max-connections` and `max-channels`, where set; -1 is no limit.
    pub limits: Vec<(String, i64)>,
}

/// A virtual host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedVhost {
    /// Its name.
    pub name: String,
    /// Its description; `None` where the file says nothing (RabbitMQ 3.10 leaves it out).
    pub description: Option<String>,
    /// Its tags; `None` where the file says nothing.
    pub tags: Option<Vec<String>>,
    /// The type of queues declared without one; `None` where the file says nothing.
    pub default_queue_type: Option<String>,
    /// Whether it may not be deleted; `None` where the file says nothing (RabbitMQ before 4.1).
    pub protected: Option<bool>,
}

/// A user's permissions in a virtual host.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPermission {
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// The three patterns.
    pub permissions: Permissions,
}

/// A user's permission on the routing keys of a topic exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedTopicPermission {
    /// The user.
    pub user: String,
    /// The virtual host.
    pub vhost: String,
    /// The exchange and its patterns.
    pub permission: TopicPermission,
}

/// A parameter of a virtual host: limits, operator policies, shovels, federation.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedParameter {
    /// The virtual host.
    pub vhost: String,
    /// Whose parameter it is (`vhost-limits`, `operator_policy`, ...).
    pub component: String,
    /// Its name.
    pub name: String,
    /// Its value, as it came.
    pub value: serde_json::Value,
}

/// A parameter of the whole broker.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedGlobalParameter {
    /// Its name.
    pub name: String,
    /// Its value, as it came.
    pub value: serde_json::Value,
}

/// A policy.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedPolicy {
    /// The virtual host.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// Which names it applies to.
    pub pattern: String,
    /// Which kind of object: `queues`, `exchanges`, `all`, `classic_queues`, `quorum_queues`,
    /// `streams`.
    pub apply_to: String,
    /// Its keys, as they came.
    pub definition: serde_json::Map<String, serde_json::Value>,
    /// The highest of those that match wins.
    pub priority: i64,
}

/// A queue.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedQueue {
    /// The virtual host.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with its last consumer.
    pub auto_delete: bool,
    /// Its arguments.
    pub arguments: Table,
}

/// An exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedExchange {
    /// The virtual host.
    pub vhost: String,
    /// Its name.
    pub name: String,
    /// Its type, known or not.
    pub kind: String,
    /// Survives a restart.
    pub durable: bool,
    /// Goes with the last binding from it.
    pub auto_delete: bool,
    /// Clients cannot publish to it.
    pub internal: bool,
    /// Its arguments.
    pub arguments: Table,
}

/// What a binding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationKind {
    /// A queue.
    Queue,
    /// An exchange.
    Exchange,
}

/// A binding.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedBinding {
    /// The virtual host of both ends.
    pub vhost: String,
    /// The exchange it leads from.
    pub source: String,
    /// The name it leads to.
    pub destination: String,
    /// What that is.
    pub destination_kind: DestinationKind,
    /// The routing key.
    pub routing_key: String,
    /// The arguments.
    pub arguments: Table,
}

/// Everything a file holds, in the order in which it is applied.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ImportedDefinitions {
    /// Users.
    pub users: Vec<ImportedUser>,
    /// Virtual hosts.
    pub vhosts: Vec<ImportedVhost>,
    /// Permissions.
    pub permissions: Vec<ImportedPermission>,
    /// Topic permissions.
    pub topic_permissions: Vec<ImportedTopicPermission>,
    /// Parameters of virtual hosts, limits and operator policies among them.
    pub parameters: Vec<ImportedParameter>,
    /// Parameters of the broker.
    pub global_parameters: Vec<ImportedGlobalParameter>,
    /// Policies.
    pub policies: Vec<ImportedPolicy>,
    /// Queues.
    pub queues: Vec<ImportedQueue>,
    /// Exchanges.
    pub exchanges: Vec<ImportedExchange>,
    /// Bindings.
    pub bindings: Vec<ImportedBinding>,
    /// What was kept or left out without effect, in sentences for the log.
    pub warnings: Vec<String>,
}

/// One fault of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// Where: `queues[3].name`; empty for the whole text.
    pub path: String,
    /// What is wrong there, and what is allowed.
    pub reason: String,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

/// The faults of a file, at most [`ERRORS_MAX`], one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportErrors(pub Vec<ImportError>);

/// Faults that are reported; a file that is wrong throughout says nothing more after so many.
pub const ERRORS_MAX: usize = 50;

impl fmt::Display for ImportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ImportErrors {}

/// Reads a definitions file.
pub fn parse(text: &str, target: Target<'_>) -> Result<ImportedDefinitions, ImportErrors> {
    let whole = |reason: String| {
        ImportErrors(vec![ImportError {
            path: String::new(),
            reason,
        }])
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| whole(format!("is not JSON: {error}")))?;
    let serde_json::Value::Object(top) = &json else {
        return Err(whole(
            "must be a JSON object with lists such as \"queues\"".to_owned(),
        ));
    };
    let mut reader = Reader::new(target);
    let definitions = sections::read(&mut reader, top);
    if reader.errors.is_empty() {
        Ok(definitions)
    } else {
        Err(ImportErrors(reader.errors))
    }
}
