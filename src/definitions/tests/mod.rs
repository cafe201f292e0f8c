//! Tests of the pure half, and what the tests of the files share with it.

mod command;
pub(crate) mod random;
mod snapshot;
mod state;
