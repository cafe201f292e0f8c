//! The resources of the API, one file each: `routes` names the paths, below them the handlers.

pub mod overview;
pub mod whoami;
