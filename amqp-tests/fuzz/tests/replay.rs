//! Every input under `corpus/` once, without a fuzzer.

use std::fs;
use std::path::Path;

use leveret_fuzz::{TARGETS, Target};

/// Inputs of a folder by name.
fn inputs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut inputs: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("a folder that can be listed").path();
            let data = fs::read(&path).expect("an input that can be read");
            (path.display().to_string(), data)
        })
        .collect();
    inputs.sort();
    inputs
}

fn replay(name: &str) {
    let (_, target): &(&str, Target) = TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a target");
    let inputs = inputs(
        &Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("corpus")
            .join(name),
    );
    assert!(!inputs.is_empty(), "no corpus for {name}");
    for (path, data) in inputs {
        let outcome = std::panic::catch_unwind(|| target(&data));
        assert!(
            outcome.is_ok(),
            "{path} fails; repeat with: cargo run --bin {name} -- {path}"
        );
    }
}

macro_rules! replayed {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($name)),*];
            let all: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(replayed[..], all[..]);
        }
    };
}

replayed!(frames tables methods properties config definitions session_bytes session_ops);
