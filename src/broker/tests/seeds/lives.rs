//! Lives of a broker, one after the other, and what they met.

use std::collections::BTreeMap;
use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::acts::{Actor, Planted};
use super::ledger::{Ledger, Window};
use super::world::{Rest, World};
use crate::store::io::Fault;

/// Operations of a seed, over all of its lives.
const OPERATIONS: u32 = 1_000;

/// Faults that a run of many seeds has to meet.
const FAULTS: [&str; 12] = [
    "Crash at write",
    "Crash at sync",
    "Crash at sync folder",
    "Crash at rename",
    "Crash at create",
    "Crash at allocate",
    "Io at write",
    "Io at sync",
    "NoSpace at write",
    "Short at write",
    "power lost between operations",
    "killed",
];

/// Counts of a run.
#[derive(Debug, Default)]
struct Met {
    lives: u64,
    operations: u64,
    faults: BTreeMap<String, u64>,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

fn seeds(usual: u64) -> Range<u64> {
    match number("LEVERET_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LEVERET_SEEDS").unwrap_or(usual),
    }
}

/// Plans what goes wrong in the coming life; mostly one thing, on one of the disks.
fn plan(rest: &Rest, rng: &mut StdRng) {
    // The index is written to by checkpoints alone.
    let (disk, within) = match rng.random_bool(0.6) {
        true => (&rest.log, 120),
        false => (&rest.index, 30),
    };
    let fault = match rng.random_range(0..20) {
        0..12 => Fault::Crash,
        12..14 => Fault::Io,
        14..16 => Fault::NoSpace,
        16 => Fault::Short,
        _ => return,
    };
    disk.plan(disk.operations() + rng.random_range(1..within), fault);
}

/// One broker from its start to its end. Returns the tickets that were durable.
fn live(
    world: &World,
    actor: &mut Actor,
    ledger: &mut Ledger,
    rest: &Rest,
    operations: u32,
) -> u64 {
    let mut above = world.broker.journal.last_ticket();
    let mut observe = |world: &World| {
        let up_to = world.broker.journal.last_ticket();
        ledger.observe(world, Window { above, up_to });
        above = up_to;
    };
    for operation in 0..=operations {
        match operation {
            0 => actor.declare_all(world),
            _ => actor.act(world, &mut observe),
        }
        observe(world);
        let power = rest.log.has_power() && rest.index.has_power();
        if !power || world.log.failure().is_some() {
            break;
        }
    }
    for (source, target) in [("ttl", "ttl.dead"), ("short", "short.dead")] {
        if let (Some(source), Some(target)) = (world.queue(source), world.queue(target)) {
            ledger.mortal.insert(source.id, target.id);
        }
    }
    match actor.planted {
        Planted::EarlyConfirm => world.broker.journal.last_ticket(),
        _ => world.log.durable(),
    }
}

fn run(seed: u64, planted: Planted, met: &mut Met) -> Result<(), String> {
    let mut rng = StdRng::seed_from_u64(seed);
    let rest = Rest::new(seed);
    let mut actor = Actor::new(StdRng::seed_from_u64(!seed), planted);
    let mut ledger = Ledger::default();
    let mut left = OPERATIONS;
    let mut world = World::open(&rest)?;
    while left > 0 {
        let operations = rng.random_range(1..=left.min(250));
        left -= operations;
        plan(&rest, &mut rng);
        actor.begin();
        let durable = live(&world, &mut actor, &mut ledger, &rest, operations);
        met.lives += 1;
        met.operations += u64::from(operations);
        let power = rest.log.has_power() && rest.index.has_power();
        // The process ends before anything else can be written.
        drop(world);
        if power && rng.random_bool(0.3) {
            *met.faults.entry("killed".to_owned()).or_default() += 1;
            rest.log.restart();
            rest.index.restart();
        } else {
            if power {
                let between = "power lost between operations".to_owned();
                *met.faults.entry(between).or_default() += 1;
            }
            rest.log.crash(rng.random());
            rest.index.crash(rng.random());
        }
        world = World::open(&rest)?;
        ledger.check(&world, durable)?;
    }
    for disk in [&rest.log, &rest.index] {
        for (fault, count) in disk.met() {
            *met.faults.entry(fault).or_default() += count;
        }
    }
    Ok(())
}

#[test]
fn nothing_that_was_safe_is_lost_and_nothing_is_invented() {
    let seeds = seeds(90);
    let all = seeds.end - seeds.start;
    let mut met = Met::default();
    for seed in seeds {
        if let Err(finding) = run(seed, Planted::Nothing, &mut met) {
            panic!(
                "{finding}\nrepeat with: LEVERET_SEED={seed} cargo test --lib broker::tests::seeds"
            );
        }
    }
    let Met {
        lives,
        operations,
        faults,
    } = met;
    println!("{all} seeds, {lives} lives, {operations} operations; met:");
    for (fault, count) in &faults {
        println!("{count:>8} {fault}");
    }
    // A run that met no fault tests nothing.
    for fault in FAULTS.iter().filter(|_| all >= 90) {
        assert!(faults.contains_key(*fault), "no seed met {fault}");
    }
}

#[test]
fn what_is_done_wrong_is_found() {
    for planted in [
        Planted::EarlyConfirm,
        Planted::SilentSettle,
        Planted::SilentPublish,
        Planted::SilentDelivery,
        Planted::SplitDeath,
        Planted::UnsyncedBody,
    ] {
        let found = (0..40).find_map(|seed| run(seed, planted, &mut Met::default()).err());
        assert!(found.is_some(), "{planted:?} was not found");
    }
}
