//! Random lives of a log on a disk that loses power, fails and fills, from seeds.
//!
//! `LEVERET_SEEDS` is how many seeds are run, `LEVERET_SEED` runs that one.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::Rng;

use super::life::Lives;

/// Says how to repeat a seed of a test if it fails.
pub struct Repeat(pub u64, pub &'static str);

impl Drop for Repeat {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!(
                "repeat with: LEVERET_SEED={} cargo test --lib store::log::tests::{}",
                self.0, self.1
            );
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// The seeds to run, `usual` of them unless asked otherwise.
pub fn seeds(usual: u64) -> Range<u64> {
    match number("LEVERET_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LEVERET_SEEDS").unwrap_or(usual),
    }
}

#[test]
fn nothing_durable_is_lost_and_nothing_is_invented() {
    let seeds = seeds(300);
    let mut met: BTreeMap<String, u64> = BTreeMap::new();
    let (mut appended, mut lives) = (0, 0);
    let all = seeds.end - seeds.start;
    for seed in seeds {
        let _repeat = Repeat(seed, "seeds");
        let mut run = Lives::new(seed);
        // A thousand entries, whatever becomes of them.
        while run.appended < 1_000 {
            let actions = run.rng.random_range(1..300);
            run.live(actions);
            lives += 1;
        }
        run.finish();
        appended += run.appended;
        for (fault, count) in run.disk.met() {
            *met.entry(fault).or_default() += count;
        }
    }
    println!("{all} seeds, {lives} lives, {appended} entries; faults met:");
    for (fault, count) in &met {
        println!("{count:>8} {fault}");
    }
    // A run that met no fault tests nothing.
    if all >= 300 {
        for fault in [
            "Crash at write",
            "Crash at sync",
            "Crash at sync folder",
            "Crash at rename",
            "Crash at create",
            "Crash at allocate",
            "Crash at remove",
            "Io at write",
            "Io at sync",
            "NoSpace at write",
            "NoSpace at allocate",
            "Short at write",
        ] {
            assert!(met.contains_key(fault), "no seed met {fault}");
        }
    }
}
