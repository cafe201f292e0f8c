//! Placeholder replaced by the harness.
fn main() {}
