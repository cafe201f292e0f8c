//! The resources of the API, one file each: `routes` names the paths, below them the handlers.

pub mod aliveness;
mod certificates;
pub mod cluster;
pub mod health;
pub mod login;
pub mod overview;
pub mod whoami;
