//! Pages and the checkpoints that name them, over losses of power and kills at any operation.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::message::StoredPage;
use crate::store::checkpoint::{self, AwayRow, CheckpointWriter, Row};
use crate::store::io::{Fault, SimDisk};
use crate::store::pages::Pages;
use crate::store::{Position, StoreError};

/// Content of a page, from which it can be told which it is.
fn content(id: u64) -> Vec<u8> {
    let mixed = (id + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let len = match mixed >> 62 {
        0 => mixed % 100,
        1 => 4_085 + mixed % 15,
        _ => mixed % 10_000,
    };
    let mut octets = mixed.to_le_bytes().repeat(len as usize / 8 + 1);
    octets.truncate(len as usize);
    octets
}

/// The ids of the pages, as a checkpoint names them: that of a page stands in its `base`.
type Named = Vec<u64>;

struct Run {
    disk: SimDisk,
    rng: StdRng,
    pages: Arc<Pages>,
    held: BTreeMap<u64, Arc<StoredPage>>,
    next: u64,
    /// Of every checkpoint that was begun, by the file of its position.
    checkpoints: BTreeMap<u32, Named>,
    /// The last that was finished.
    safe: u32,
    begun: u32,
    reads: u64,
}

impl Run {
    fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        let (pages, _) = Pages::open(Arc::new(disk.clone()), &[]).unwrap();
        Self {
            disk,
            rng: StdRng::seed_from_u64(seed),
            pages,
            held: BTreeMap::new(),
            next: 1,
            checkpoints: BTreeMap::from([(0, Vec::new())]),
            safe: 0,
            begun: 0,
            reads: 0,
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        let id = self.next;
        self.next += 1;
        let page = self.pages.write(&content(id))?;
        self.held.insert(id, page);
        Ok(())
    }

    fn any(&mut self) -> Option<u64> {
        let at = self.rng.random_range(0..self.held.len().max(1));
        self.held.keys().nth(at).copied()
    }

    fn read(&mut self, id: u64) -> Result<(), StoreError> {
        assert_eq!(self.pages.read(&self.held[&id])?, content(id), "page {id}");
        self.reads += 1;
        Ok(())
    }

    /// As the broker does it, with writes and losses between the rows.
    fn checkpoint(&mut self) -> Result<(), StoreError> {
        let freed = self.pages.freed_so_far();
        self.begun += 1;
        let number = self.begun;
        let disk = Arc::new(self.disk.clone());
        let mut writer = CheckpointWriter::new(disk, Position::new(number, 0))?;
        writer.queue(1)?;
        let named: Named = self.held.keys().copied().collect();
        for id in &named {
            let page = &self.held[id];
            writer.away(&AwayRow {
                base: *id,
                span: 1,
                live: 1,
                bytes: 0,
                first: *id,
                earliest_expiry: u64::MAX,
                page: (page.place, page.len),
                files: Vec::new(),
            })?;
        }
        self.checkpoints.insert(number, named);
        for _ in 0..self.rng.random_range(0..4) {
            self.step(false)?;
        }
        self.pages.sync()?;
        writer.finish()?;
        self.safe = number;
        self.pages.reuse(freed);
        Ok(())
    }

    fn step(&mut self, checkpoints: bool) -> Result<(), StoreError> {
        let most = if self.held.len() > 30 { 9 } else { 4 };
        match self.rng.random_range(0..12) {
            0 if checkpoints => self.checkpoint(),
            1 => match self.any() {
                Some(id) => self.read(id),
                None => Ok(()),
            },
            roll if roll < 2 + most => {
                if let Some(id) = self.any() {
                    self.held.remove(&id);
                }
                Ok(())
            }
            _ => self.write(),
        }
    }

    /// The operation that the disk was told to end with ended the program: by a loss of power, or by a
    /// kill, after which what was done is there, safe or not.
    fn ends(&mut self, met: &mut BTreeMap<String, u64>) {
        let kill = self.rng.random_bool(0.4);
        let what = if kill { "killed" } else { "power lost" };
        *met.entry(what.to_owned()).or_default() += 1;
        if kill {
            self.disk.restart();
        } else {
            let seed = self.rng.random();
            self.disk.crash(seed);
        }
    }

    /// Starts again; everything that the checkpoint names must be as it was written.
    fn reopen(&mut self) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        let position = checkpoint::read(&self.disk, &mut |row| {
            if let Row::Away(row) = row {
                rows.push(row);
            }
            Ok(())
        })?;
        let number = position.map_or(0, |position| position.file);
        assert!(
            number >= self.safe,
            "{number} came back, {} was safe",
            self.safe
        );
        // It was relied upon: the one before must not come back from now on.
        self.safe = number;
        let found: Named = rows.iter().map(|row| row.base).collect();
        assert_eq!(
            found, self.checkpoints[&number],
            "rows of checkpoint {number}"
        );
        let live: Vec<_> = rows.iter().map(|row| row.page).collect();
        let (pages, stored) = Pages::open(Arc::new(self.disk.clone()), &live)?;
        self.held = found.iter().copied().zip(stored).collect();
        self.pages = pages;
        for id in found {
            self.read(id)?;
        }
        Ok(())
    }
}

fn run(seed: u64, met: &mut BTreeMap<String, u64>) -> u64 {
    let mut run = Run::new(seed);
    for _ in 0..12 {
        let soon = run.disk.operations() + run.rng.random_range(1..120);
        run.disk.plan(soon, Fault::Crash);
        let mut steps = 0;
        let kill_after = run.rng.random_range(0..300);
        let ended = loop {
            if steps == kill_after {
                break None;
            }
            steps += 1;
            if let Err(error) = run.step(true) {
                break Some(error);
            }
        };
        if let Some(error) = ended {
            assert!(error.to_string().contains("power"), "{error}");
            run.ends(met);
        } else {
            run.disk.restart();
        }
        // The start may be interrupted as well, at any operation.
        while run.rng.random_bool(0.4) {
            let soon = run.disk.operations() + run.rng.random_range(1..12);
            run.disk.plan(soon, Fault::Crash);
            let ended = run.reopen();
            if let Err(error) = &ended {
                assert!(error.to_string().contains("power"), "{error}");
            }
            run.ends(met);
        }
        run.reopen().unwrap();
    }
    for (what, count) in run.disk.met() {
        *met.entry(what).or_default() += count;
    }
    run.reads
}

#[test]
fn pages_that_a_checkpoint_names_survive_everything() {
    let number = |name: &str| -> Option<u64> { std::env::var(name).ok()?.parse().ok() };
    let seeds = match number("LEVERET_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LEVERET_SEEDS").unwrap_or(300),
    };
    let (mut met, mut reads) = (BTreeMap::new(), 0);
    let many = seeds.end - seeds.start >= 300;
    for seed in seeds {
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            reads += run(seed, &mut met);
        }));
        assert!(
            ended.is_ok(),
            "seed {seed}; again with: LEVERET_SEED={seed} cargo test --lib \
             pages_that_a_checkpoint_names_survive_everything"
        );
    }
    println!("{reads} pages read; {met:?}");
    if many {
        for what in [
            "write",
            "sync",
            "rename",
            "sync folder",
            "truncate",
            "remove",
        ] {
            let what = format!("Crash at {what}");
            assert!(met.contains_key(&what), "never met: {what}; {met:?}");
        }
        assert!(met["killed"] > 0 && met["power lost"] > 0 && reads > 1_000);
    }
}
