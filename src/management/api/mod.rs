//! The resources of the API, one file each: `routes` names the paths, below them the handlers.

pub mod aliveness;
pub mod auth_attempts;
pub mod bindings;
mod certificates;
pub mod channels;
pub mod cluster;
pub mod connections;
pub mod consumers;
pub mod definitions;
pub mod exchanges;
pub mod health;
pub mod limits;
pub mod login;
pub mod logs;
pub mod messages;
pub mod nodes;
pub mod overview;
pub mod parameters;
pub mod permissions;
pub mod policies;
pub mod queues;
pub mod users;
pub mod vhosts;
pub mod whoami;
