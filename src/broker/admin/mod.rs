//! What operators do to a running broker: virtual hosts, users, permissions, parameters, policies,
//! limits, definitions. One file per noun; the functions belong to [`super::Broker`] and are called by
//! the management API, by the operator's tool and at the start.
//!
//! Each checks with RabbitMQ's rules and texts, changes what runs, and proposes the change to the
//! definitions in the same order. Whoever promises a change to somebody waits for
//! [`super::Broker::definitions_durable`] first. Who may call is not asked here.

mod apply;
mod check;
mod durable;
mod error;
mod export;
mod firehose;
mod import;
mod limits;
pub(super) mod parameters;
mod password;
mod permissions;
pub(super) mod policies;
mod users;
mod vhosts;

pub use error::{AdminError, Created};
pub use export::{Scope, Writer, arguments_json};
pub use firehose::{Tap, Told};
pub use import::{ImportFailure, Imports, Progress, UnderWay};
pub use limits::VhostLimits;
pub use parameters::{
    COMPONENTS_OF_ADMINISTRATORS, GLOBAL_CLUSTER_ID, GLOBAL_CLUSTER_NAME,
    GLOBALS_OF_ADMINISTRATORS, Parameter,
};
pub use password::hash_password;
pub use permissions::{PermissionView, TopicPermissionView};
pub use policies::PolicyView;
pub use users::{NewPassword, UserView};
pub use vhosts::{VhostChange, VhostView};
