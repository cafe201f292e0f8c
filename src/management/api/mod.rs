//! The resources of the API, one file each: `routes` names the paths, below them the handlers.

pub mod aliveness;
pub mod bindings;
mod certificates;
pub mod channels;
pub mod cluster;
pub mod connections;
pub mod consumers;
pub mod exchanges;
pub mod health;
pub mod login;
pub mod messages;
pub mod nodes;
pub mod overview;
pub mod queues;
pub mod whoami;
