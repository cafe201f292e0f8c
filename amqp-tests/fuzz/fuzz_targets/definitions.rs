//! See `leveret_fuzz::definitions`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::definitions(data));

#[cfg(not(fuzzing))]
fn main() {
    leveret_fuzz::replay_arguments(leveret_fuzz::definitions);
}
