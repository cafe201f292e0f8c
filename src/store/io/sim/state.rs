//! What a simulated disk holds: for every file what is safe, what is seen, and what lies between.

use std::collections::BTreeMap;
use std::io;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::faults::{Fault, Plan, bad_device, full, no_power};

/// A change of a file that is not safe yet.
#[derive(Debug, Clone)]
pub enum Change {
    Write { offset: usize, data: Vec<u8> },
    Grow(usize),
    Cut(usize),
}

impl Change {
    pub fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Write { offset, data } => {
                let end = offset + data.len();
                image.resize(image.len().max(end), 0);
                image[*offset..end].copy_from_slice(data);
            }
            Self::Grow(len) => image.resize(image.len().max(*len), 0),
            Self::Cut(len) => image.truncate(*len),
        }
    }
}

#[derive(Debug, Default)]
pub struct Inode {
    /// What a loss of power leaves for certain.
    pub safe: Vec<u8>,
    /// What the program reads.
    pub seen: Vec<u8>,
    /// In the order of the program.
    pub changes: Vec<Change>,
}

impl Inode {
    pub fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.changes.push(change);
    }
}

/// A change of the names that is not safe yet, of this file.
#[derive(Debug, Clone)]
pub enum Renaming {
    Create(String),
    Rename(String, String),
    Remove(String),
}

impl Renaming {
    pub fn apply(&self, inode: u64, names: &mut BTreeMap<String, u64>) {
        match self {
            Self::Create(name) => {
                names.insert(name.clone(), inode);
            }
            Self::Rename(from, to) => {
                if names.get(from) == Some(&inode) {
                    names.remove(from);
                    names.insert(to.clone(), inode);
                }
            }
            Self::Remove(name) => {
                if names.get(name) == Some(&inode) {
                    names.remove(name);
                }
            }
        }
    }
}

#[derive(Debug)]
pub struct State {
    pub inodes: BTreeMap<u64, Inode>,
    pub safe_names: BTreeMap<String, u64>,
    pub names: BTreeMap<String, u64>,
    pub renamings: Vec<(u64, Renaming)>,
    pub next_inode: u64,
    pub operations: u64,
    pub plan: Plan,
    pub powerless: bool,
    /// Files opened in an earlier life are gone.
    pub life: u64,
    pub limit: Option<u64>,
    pub rng: StdRng,
}

impl State {
    pub fn new(seed: u64) -> Self {
        Self {
            inodes: BTreeMap::new(),
            safe_names: BTreeMap::new(),
            names: BTreeMap::new(),
            renamings: Vec::new(),
            next_inode: 1,
            operations: 0,
            plan: Plan::default(),
            powerless: false,
            life: 0,
            limit: None,
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Counts an operation; gives the fault to act out, if there is one.
    pub fn begin(&mut self, what: &str) -> io::Result<Option<Fault>> {
        if self.powerless {
            return Err(no_power());
        }
        self.operations += 1;
        let fault = self.plan.take(self.operations, what);
        if fault == Some(Fault::Crash) {
            self.powerless = true;
        }
        Ok(fault)
    }

    /// For operations of which a fault leaves no half.
    pub fn begin_plain(&mut self, what: &str) -> io::Result<()> {
        self.begin(what)?
            .map_or(Ok(()), |fault| Err(error_of(fault)))
    }

    pub fn rename(&mut self, inode: u64, renaming: Renaming) {
        renaming.apply(inode, &mut self.names);
        self.renamings.push((inode, renaming));
    }

    pub fn used(&self) -> u64 {
        let named = self
            .names
            .values()
            .filter_map(|inode| self.inodes.get(inode));
        named.map(|inode| inode.seen.len() as u64).sum()
    }

    /// Refuses what would grow the disk past its limit.
    pub fn admit(&self, inode: u64, len: u64) -> io::Result<()> {
        let now = self.inodes.get(&inode).map_or(0, |i| i.seen.len() as u64);
        let more = len.saturating_sub(now);
        match self.limit {
            Some(limit) if self.used() + more > limit && more > 0 => Err(full()),
            _ => Ok(()),
        }
    }

    pub fn inode(&mut self, inode: u64, life: u64) -> io::Result<&mut Inode> {
        if life != self.life {
            return Err(io::Error::other("opened in an earlier life"));
        }
        self.inodes
            .get_mut(&inode)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound.max(1))
    }
}

pub fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Crash => no_power(),
        Fault::NoSpace => full(),
        Fault::Short => io::ErrorKind::WriteZero.into(),
        Fault::Io | Fault::Flip => bad_device(),
    }
}
