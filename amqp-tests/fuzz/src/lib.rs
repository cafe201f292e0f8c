//! Fuzz targets: each is a function of octets that panics where Leveret breaks a promise.
//!
//! cargo-fuzz drives them with new inputs (`amqp-tests/fuzz/run`); `tests/replay.rs` drives them
//! with the inputs under `corpus/` on the stable toolchain, as does a target's own binary with
//! file names as arguments.

mod files;
mod formats;
mod model;
mod ops;
mod peer;
mod play;
mod server_frames;
mod session_bytes;
mod wire;
mod world;

pub use files::{config, definitions};
pub use formats::{frames, methods, properties, tables};
pub use play::session_ops;
pub use session_bytes::session_bytes;

/// A target.
pub type Target = fn(&[u8]);

/// Every target with the name of its binary and of its corpus folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("frames", frames),
    ("tables", tables),
    ("methods", methods),
    ("properties", properties),
    ("config", config),
    ("definitions", definitions),
    ("session_bytes", session_bytes),
    ("session_ops", session_ops),
];

/// Runs `target` on each file named on the command line.
pub fn replay_arguments(target: Target) {
    let mut count = 0;
    for path in std::env::args_os().skip(1) {
        let data = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        target(&data);
        count += 1;
    }
    println!("{count} inputs replayed");
}
