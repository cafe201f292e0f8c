//! `leveretctl top`: the broker's rates and the queues that hurt, live.

mod run;
mod snapshot;
mod view;

pub use run::COMMANDS;
