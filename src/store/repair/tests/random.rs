//! Octets flipped anywhere: a repair always ends in a store that starts, with every message that was
//! not hit.

use std::fs;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::store::Store;

/// Octets before a message's record that belong to its entry, and those of both.
const BEFORE: u64 = 52;
const ENTRY: u64 = 176;

const SEEDS: u64 = 40;

#[test]
fn whatever_is_flipped_the_rest_is_kept() {
    let only = std::env::var("LEVERET_SEED")
        .ok()
        .and_then(|s| s.parse().ok());
    let first: u64 = rand::random::<u32>().into();
    let seeds = only.map_or(first..first + SEEDS, |seed: u64| seed..seed + 1);
    for seed in seeds {
        println!("LEVERET_SEED={seed} cargo test --lib whatever_is_flipped_the_rest_is_kept");
        run(seed);
    }
}

fn run(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let mut store = Store::new();
    let before = random.random_range(60..120);
    store.publish(0..before);
    if random.random_bool(0.7) {
        let paged = random.random_range(0..3) * 50;
        store.checkpoint(0..before, paged.min(before / 50 * 50));
    }
    let all = before + random.random_range(5..60);
    store.publish(before..all);
    let gone = random.random_range(0..20);
    store.settle(0, gone);
    store.publish(all..all + 2);
    let all = all + 2;
    store.kill();
    let last = store.homes[&(all - 1)].file.number;
    let mut hit: Vec<u64> = Vec::new();
    for _ in 0..random.random_range(1..6) {
        let file = match random.random_range(0..8) {
            0 => "index/checkpoint".to_owned(),
            1 => "index/index.pages".to_owned(),
            _ => format!("log/{:010}.log", random.random_range(1..=last)),
        };
        let Ok(octets) = fs::read(store.folder.path().join(&file)) else {
            continue;
        };
        let offset = random.random_range(0..octets.len() as u64);
        store.flip(&file, offset);
        let in_file = |number: &u32| file == format!("log/{number:010}.log");
        hit.extend(store.homes.iter().filter_map(|(number, home)| {
            let start = u64::from(home.offset) - BEFORE;
            let near = (start..start + ENTRY).contains(&offset);
            // A file of one batch whose header is not whole looks like one that was never synced.
            let torn = home.file.number == last && offset < 64;
            (in_file(&home.file.number) && (near || torn)).then_some(*number)
        }));
    }
    let checked = store.check();
    let repaired = store.repair();
    assert_eq!(checked.is_sound(), !repaired.repaired, "{checked:?}");
    assert!(store.check().is_sound(), "{:?}", store.check());
    let left = store.started();
    assert!(left.is_sorted());
    let kept = (u64::from(gone)..all).filter(|number| !hit.contains(number));
    let lost: Vec<u64> = kept.filter(|number| !left.contains(number)).collect();
    assert!(lost.is_empty(), "{lost:?} were not hit; {checked:?}");
}
