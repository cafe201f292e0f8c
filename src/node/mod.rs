//! The node: builds every part, starts and stops them in order, and answers its operator.

mod app;
mod banner;
pub mod control;
pub mod data_dir;
mod lifecycle;
pub mod logging;
mod management;
pub mod memory;
mod operate;
pub mod options;
mod reset;
pub mod start;
mod store;
#[cfg(test)]
mod tests;

pub use options::{Command, load_settings};
pub use start::run;
