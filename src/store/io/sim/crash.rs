//! What a loss of power leaves.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::state::{Change, State};

/// What a device writes as a whole.
const SECTOR: usize = 512;

/// How much of what was not synced is there.
#[derive(Debug, Clone, Copy)]
enum Style {
    Nothing,
    Everything,
    /// The first changes, and a part of the next.
    Prefix,
    /// Any changes, in any order, any sectors of each.
    Any,
}

fn style(rng: &mut StdRng) -> Style {
    match rng.random_range(0..8) {
        0 => Style::Nothing,
        1 => Style::Everything,
        2 | 3 => Style::Prefix,
        _ => Style::Any,
    }
}

/// The pieces of `change` that lie in one sector each.
fn sectors(change: &Change) -> Vec<Change> {
    let Change::Write { offset, data } = change else {
        return vec![change.clone()];
    };
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let len = (SECTOR - (offset + at) % SECTOR).min(data.len() - at);
        pieces.push(Change::Write {
            offset: offset + at,
            data: data[at..at + len].to_vec(),
        });
        at += len;
    }
    pieces
}

fn survivors(changes: Vec<Change>, rng: &mut StdRng) -> Vec<Change> {
    let mut pieces: Vec<Change> = changes.iter().flat_map(sectors).collect();
    match style(rng) {
        Style::Nothing => Vec::new(),
        Style::Everything => changes,
        Style::Prefix => {
            let keep = rng.random_range(0..=pieces.len());
            pieces.truncate(keep);
            pieces
        }
        Style::Any => {
            let share = rng.random_range(0.0..1.0);
            pieces.retain(|_| rng.random_bool(share));
            if rng.random() {
                pieces.shuffle(rng);
            }
            pieces
        }
    }
}

impl State {
    /// The power goes and comes again.
    pub fn lose_power(&mut self, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        for inode in self.inodes.values_mut() {
            let changes = std::mem::take(&mut inode.changes);
            for change in survivors(changes, &mut rng) {
                change.apply(&mut inode.safe);
            }
            inode.seen = inode.safe.clone();
        }
        // Of each file the first few changes of its name are safe: one does not overtake another of
        // the same file, but files do not wait for each other.
        let mut left: BTreeMap<u64, usize> = BTreeMap::new();
        for (inode, _) in &self.renamings {
            *left.entry(*inode).or_default() += 1;
        }
        for count in left.values_mut() {
            *count = rng.random_range(0..=*count);
        }
        for (inode, renaming) in std::mem::take(&mut self.renamings) {
            if let Some(count) = left.get_mut(&inode)
                && *count > 0
            {
                *count -= 1;
                renaming.apply(inode, &mut self.safe_names);
            }
        }
        self.names = self.safe_names.clone();
        self.restart();
    }

    /// The program ends and is started again; the system goes on.
    pub fn restart(&mut self) {
        // A file has gone when no name leads to it, and none would after a loss of power.
        let kept: BTreeSet<u64> = (self.names.values())
            .chain(self.safe_names.values())
            .chain(self.renamings.iter().map(|(inode, _)| inode))
            .copied()
            .collect();
        self.inodes.retain(|inode, _| kept.contains(inode));
        self.powerless = false;
        self.plan.faults.clear();
        self.life += 1;
    }
}
