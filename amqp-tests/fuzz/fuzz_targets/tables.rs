//! See `leveret_fuzz::tables`.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| leveret_fuzz::tables(data));

#[cfg(not(fuzzing))]
fn main() {
    leveret_fuzz::replay_arguments(leveret_fuzz::tables);
}
