//! See `leveret_fuzz::session_bytes`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::session_bytes(data));

#[cfg(not(fuzzing))]
fn main() {
    leveret_fuzz::replay_arguments(leveret_fuzz::session_bytes);
}
