//! What the broker is told to have, one row each: the part of a definition that names it is its
//! key, the rest its value.
//!
//! Keys and values are octets (see [`super::codec`]); log, snapshot and tables hold nothing else.
//! A key begins with the virtual host where there is one, so that everything of a host is one
//! range. Only what outlives a restart has a row: durable exchanges and queues, bindings between
//! such. Texts that mean something elsewhere (patterns, JSON, exchange types) are kept as texts.

mod access;
mod row;
mod settings;
mod topology;

pub use access::{PermissionRow, TopicPermissionRow, UserRow, VhostRow};
pub use row::{KINDS, Kind, Row, key_of};
pub use settings::{GlobalParameterRow, ParameterRow, PolicyRow};
pub(super) use topology::destination_number;
pub use topology::{BindingRow, ExchangeRow, QueueRow};
