//! Bodies over losses of power at any operation: what was said to be safe is whole, whatever was being
//! written besides.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::life::{begin, open, record};
use crate::message::Chunk;
use crate::store::StoreError;
use crate::store::bodies::{Bodies, Progress, Spool, Step};
use crate::store::io::{Disk, Fault, SimDisk};

/// What a publisher does to its body.
struct Publisher {
    spool: Spool,
    rest: Vec<u8>,
    finished: bool,
}

fn act(
    bodies: &Arc<Bodies>,
    publishers: &mut Vec<Publisher>,
    rng: &mut StdRng,
) -> Result<(), StoreError> {
    match rng.random_range(0..10) {
        0 if publishers.len() < 4 => {
            let body = vec![rng.random(); rng.random_range(1..4_000)];
            publishers.push(Publisher {
                spool: begin(bodies, &body),
                rest: record(&body),
                finished: false,
            });
        }
        1..5 if !publishers.is_empty() => {
            let at = rng.random_range(0..publishers.len());
            let publisher = &mut publishers[at];
            let most = publisher.rest.len().min(rng.random_range(1..1_500));
            let later = publisher.rest.split_off(most);
            publisher
                .spool
                .push(std::mem::replace(&mut publisher.rest, later));
            if publisher.rest.is_empty() && !publisher.finished {
                publisher.finished = true;
                publisher.spool.finish(rng.random());
                publisher.spool.finish(true);
            }
        }
        5 if !publishers.is_empty() && rng.random_bool(0.2) => {
            publishers.swap_remove(rng.random_range(0..publishers.len()));
        }
        6 => bodies.sweep()?,
        7 => bodies.remove(&bodies.unneeded())?,
        _ => {
            bodies.step()?;
        }
    }
    Ok(())
}

fn run(seed: u64) -> u64 {
    let mut rng = StdRng::seed_from_u64(seed);
    let disk = SimDisk::new(seed);
    let bodies = open(&disk);
    let mut publishers = Vec::new();
    let mut safe: Vec<(Arc<Chunk>, u32)> = Vec::new();
    disk.plan(disk.operations() + rng.random_range(1..80), Fault::Crash);
    for _ in 0..400 {
        if act(&bodies, &mut publishers, &mut rng).is_err() {
            break;
        }
        let done = publishers
            .extract_if(.., |p| p.finished && p.spool.progress() == Progress::Synced)
            .map(|p| (p.spool.chunk(), p.spool.size()));
        safe.extend(done);
        // Some are taken and acknowledged.
        if safe.len() > 3 {
            safe.remove(0);
        }
    }
    disk.crash(rng.random());
    drop(publishers);
    let again = open(&disk);
    for (chunk, size) in &safe {
        let home = chunk.home().unwrap();
        let found = again.verify(home.file.number, *size);
        found.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let sum = chunk.is_away().unwrap().sum;
        assert!(
            again.is_there(home.file.number, sum).unwrap(),
            "seed {seed}"
        );
    }
    // What nobody names after the start goes, torn or not.
    again.remove(&again.unneeded()).unwrap();
    let left = disk.list().unwrap();
    assert!(
        !left.iter().any(|name| name.ends_with(".body")),
        "seed {seed}"
    );
    while again.step().unwrap() == Step::Done {}
    safe.len() as u64
}

#[test]
fn what_was_said_to_be_safe_is_there_after_a_loss_of_power() {
    let safe: u64 = (0..300).map(run).sum();
    assert!(safe > 200, "{safe} bodies only");
}
