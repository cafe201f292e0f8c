//! The queue machine without a broker around it: scripts, a naive queue beside it, long backlogs,
//! the replay of its contents, and what its index keeps.

mod backlog;
mod block;
mod deep;
mod disk;
mod durable;
mod found;
mod harness;
mod index;
mod invariants;
mod level;
mod model;
mod outlet;
mod properties;
mod replay;
mod script;
mod scripts;
