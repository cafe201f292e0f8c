//! The resources of the API, one file each: `routes` names the paths, below them the handlers.

pub mod aliveness;
pub mod auth_attempts;
mod certificates;
pub mod cluster;
pub mod definitions;
pub mod health;
pub mod limits;
pub mod login;
pub mod overview;
pub mod parameters;
pub mod permissions;
pub mod policies;
pub mod users;
pub mod vhosts;
pub mod whoami;
