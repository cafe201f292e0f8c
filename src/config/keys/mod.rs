//! The table of every key this broker honours: name, default, what it allows, what it is for.
//!
//! `conf/leveret.conf` documents each of them, and a test holds the two together.

mod broker;
mod listeners;
mod login;
mod logs;
mod management;
mod prometheus;
mod row;

pub use row::{Default, Key};

/// Every honoured key, in the order of the documented file.
pub fn all_keys() -> impl Iterator<Item = &'static Key> {
    [
        listeners::KEYS,
        login::KEYS,
        broker::KEYS,
        logs::KEYS,
        prometheus::KEYS,
        management::KEYS,
    ]
    .into_iter()
    .flatten()
}
