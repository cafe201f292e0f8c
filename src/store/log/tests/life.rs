//! Lives of one log on a simulated disk, and what must be found when the next one begins.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::message::Chunk;
use crate::store::io::{Fault, SimDisk};
use crate::store::{Entry, Log, LogOptions, Position, StoreError, Wake};

/// Small, so that a life goes through several.
pub const SEGMENT: u32 = 8 * 1024;

pub fn options() -> LogOptions {
    LogOptions {
        segment_bytes: SEGMENT,
        buffer_bytes: 1024 * 1024,
        reserve_bytes: 0,
    }
}

/// What was found: position and payload.
pub type Seen = Vec<(Position, Vec<u8>)>;

pub fn open(disk: &SimDisk, from: Position) -> Result<(Arc<Log>, Seen), StoreError> {
    let mut seen = Vec::new();
    let disk = Arc::new(disk.clone());
    let log = Log::open(disk, options(), from, &mut |_, _| {}, &mut |entry| {
        seen.push((entry.position, entry.payload.to_vec()));
        Ok(())
    })?;
    Ok((log, seen))
}

/// One of many numbers that follow from `number` (the finaliser of splitmix64): a generator of its
/// own for each entry would take most of the time of a test.
fn scatter(number: u64) -> u64 {
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// The payload of entry number `id`: its number, and octets that tell little. Many have the same
/// length, so that what is torn and what is written over it end in the same places.
pub fn payload(seed: u64, id: u64) -> Vec<u8> {
    let draw = scatter(scatter(seed ^ 1) ^ id);
    let pick = (draw >> 16) as usize;
    let len = match draw % 100 {
        0..60 => [0, 8, 24, 88, 472][pick % 5],
        60..90 => pick % 600,
        90..98 => pick % 4_000,
        _ => pick % (SEGMENT as usize * 3),
    };
    let filler = [b'x', 0, (draw >> 8) as u8][(draw >> 40) as usize % 3];
    let mut payload = id.to_le_bytes().to_vec();
    payload.resize(8 + len, filler);
    payload
}

#[derive(Default)]
struct Waiter(AtomicBool);

impl Wake for Waiter {
    fn wake(&self) {
        assert!(!self.0.swap(true, Ordering::Relaxed), "woken twice");
    }
}

pub struct Lives {
    seed: u64,
    pub rng: StdRng,
    pub disk: SimDisk,
    /// Every entry that is or may be in the log, in order.
    history: Vec<u64>,
    /// So many of them must be there.
    durable: usize,
    next_id: u64,
    /// The checkpoint, and the first entry behind it.
    from: Position,
    base: usize,
    pub appended: u64,
}

/// What one life holds in memory.
struct Life {
    log: Arc<Log>,
    /// Length of the history when the first ticket was given.
    start: usize,
    waiters: Vec<(u64, Arc<Waiter>)>,
    held: Vec<(u64, Arc<Chunk>)>,
}

impl Lives {
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: StdRng::seed_from_u64(seed),
            disk: SimDisk::new(seed),
            history: Vec::new(),
            durable: 0,
            next_id: 1,
            from: Position::ZERO,
            base: 0,
            appended: 0,
        }
    }

    /// Opens the log, however often the power goes meanwhile, and checks what is found.
    fn begin(&mut self) -> Life {
        loop {
            let faulty = self.rng.random_bool(0.3);
            if faulty {
                let at = self.disk.operations() + self.rng.random_range(0..40);
                let fault = if self.rng.random_bool(0.7) {
                    Fault::Crash
                } else {
                    Fault::Io
                };
                self.disk.plan(at, fault);
            }
            match open(&self.disk, self.from) {
                Ok((log, seen)) => {
                    self.disk.plan_nothing();
                    self.check(&seen);
                    // The last thing that is asked, how much is free, needs no answer.
                    if !self.disk.has_power() {
                        self.end();
                        continue;
                    }
                    return Life {
                        log,
                        start: self.history.len(),
                        waiters: Vec::new(),
                        held: Vec::new(),
                    };
                }
                Err(StoreError::Io { .. }) if faulty => self.end(),
                Err(error) => panic!("not opened: {error}"),
            }
        }
    }

    fn end(&mut self) {
        if self.rng.random_bool(0.7) {
            self.disk.crash(self.rng.random());
        } else {
            self.disk.restart();
        }
    }

    /// Everything that was durable is there, intact and in order; what else is there was appended
    /// behind it, without a hole.
    fn check(&mut self, seen: &Seen) {
        let ids = self.ids(seen);
        let expected = &self.history[self.base..];
        assert!(
            expected.starts_with(&ids),
            "{ids:?} instead of {expected:?}"
        );
        let found = self.base + ids.len();
        assert!(found >= self.durable, "{found} of {}", self.durable);
        self.history.truncate(found);
        self.durable = found;
    }

    fn ids(&self, seen: &Seen) -> Vec<u64> {
        assert!(seen.is_sorted_by(|a, b| a.0 < b.0));
        let ids = seen.iter().map(|(_, found)| {
            let id = u64::from_le_bytes(*found.first_chunk().unwrap());
            assert_eq!(*found, payload(self.seed, id), "entry {id}");
            id
        });
        ids.collect()
    }

    fn append(&mut self, life: &mut Life) {
        let id = self.next_id;
        self.next_id += 1;
        self.appended += 1;
        let mut head = payload(self.seed, id);
        let chunk = self.rng.random_bool(0.5).then(|| {
            let at = self.rng.random_range(0..=head.len());
            Chunk::new(head.split_off(at))
        });
        if let Some(chunk) = chunk.clone().filter(|_| self.rng.random_bool(0.1)) {
            life.held.push((id, chunk));
        }
        let entry = Entry::local(1, head, chunk);
        let ticket = if self.rng.random_bool(0.3) {
            let waiter = Arc::new(Waiter::default());
            let ticket = life.log.append_and_wake(entry, waiter.clone());
            life.waiters.push((ticket, waiter));
            ticket
        } else {
            life.log.append(entry)
        };
        self.history.push(id);
        assert_eq!(life.start + ticket as usize, self.history.len());
    }

    fn step(&mut self, life: &Life) -> Result<bool, StoreError> {
        let before = life.log.durable();
        let done = life.log.step();
        let now = life.log.durable();
        assert_eq!(now > before, done.as_ref().is_ok_and(|did| *did));
        self.durable = life.start + now as usize;
        for (ticket, waiter) in &life.waiters {
            assert_eq!(waiter.0.load(Ordering::Relaxed), *ticket <= now);
        }
        done
    }

    /// What a chunk at home says lies where it says.
    fn read_back(&mut self, life: &Life) -> Result<(), StoreError> {
        let Some((_, chunk)) = life.held.choose(&mut self.rng) else {
            return Ok(());
        };
        let Some(home) = chunk.home() else {
            return Ok(());
        };
        let found = life
            .log
            .read(&home.file, home.offset, chunk.bytes().len())?;
        assert_eq!(found, chunk.bytes());
        Ok(())
    }

    /// Makes everything durable and recycles what lies before.
    fn checkpoint(&mut self, life: &mut Life) -> Result<(), StoreError> {
        let (position, base) = (life.log.position(), self.history.len());
        while self.step(life)? {}
        (self.from, self.base) = (position, base);
        if self.rng.random_bool(0.5) {
            life.held.clear();
        }
        life.log.recycle(position, &BTreeSet::new())
    }

    fn act(&mut self, life: &mut Life) -> Result<(), StoreError> {
        match self.rng.random_range(0..100) {
            0..75 => self.append(life),
            75..92 => drop(self.step(life)?),
            92..96 => self.read_back(life)?,
            96..98 => self.checkpoint(life)?,
            _ => while self.step(life)? {},
        }
        Ok(())
    }

    /// One life: up to `actions`, with a fault in most.
    pub fn live(&mut self, actions: usize) {
        let mut life = self.begin();
        let fault = match self.rng.random_range(0..100) {
            0..50 => Some(Fault::Crash),
            50..60 => Some(Fault::Io),
            60..67 => Some(Fault::NoSpace),
            67..73 => Some(Fault::Short),
            _ => None,
        };
        if let Some(fault) = fault {
            let at = self.disk.operations() + self.rng.random_range(0..80);
            self.disk.plan(at, fault);
        }
        let end = (0..actions).try_for_each(|_| self.act(&mut life));
        match end {
            Ok(()) if self.rng.random_bool(0.2) => drop(life.log.stop()),
            Ok(()) => {}
            Err(error) => {
                assert!(
                    fault.is_some() && matches!(error, StoreError::Io { .. }),
                    "{error}"
                );
                self.poisoned(&mut life);
            }
        }
        // A stop adds a mark, which is not of the history.
        let durable = life.start + life.log.durable() as usize;
        self.durable = durable.min(self.history.len());
        self.end();
    }

    /// A log that failed to write or sync stays as it was, whatever is asked of it. (One that only
    /// failed to read or recycle goes on.)
    fn poisoned(&mut self, life: &mut Life) {
        if life.log.failure().is_none() {
            return;
        }
        let durable = life.log.durable();
        self.append(life);
        assert!(self.step(life).is_err());
        assert_eq!(life.log.durable(), durable);
    }

    /// Opens the log from its first file on: what was recycled may be missing, nothing comes back
    /// that was lost, nothing that was not appended.
    pub fn finish(&mut self) {
        drop(self.begin());
        self.end();
        let (_, seen) = open(&self.disk, Position::ZERO).unwrap();
        let ids = self.ids(&seen);
        assert!(ids.ends_with(&self.history[self.base..]), "{ids:?}");
        let mut known = self.history.iter();
        for id in &ids {
            assert!(known.any(|known| known == id), "entry {id} came back");
        }
    }
}
