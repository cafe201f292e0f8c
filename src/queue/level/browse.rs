//! Looking at ready messages where they are, without taking them.

use std::sync::Arc;

use super::{Level, Place};
use crate::message::StoredPage;

/// A block that is away and has to come back before it can be looked into.
pub type Missing = (u64, Arc<StoredPage>);

impl Level {
    /// Visits ready numbers from `from` on in the order in which they leave, after the first `skip`
    /// of them, until `visit` returns false. Counts `skip` down. Returns the block that stands in
    /// the way, if one is away.
    pub fn browse(
        &self,
        from: u64,
        skip: &mut u64,
        mut visit: impl FnMut(u64) -> bool,
    ) -> Option<Missing> {
        let first = self.blocks.partition_point(|place| place.end() <= from);
        for place in self.blocks.iter().skip(first) {
            let block = match place {
                Place::Here(block) => block,
                // Everything in it is ready.
                Place::Away(away) if from <= away.base && u64::from(away.live) <= *skip => {
                    *skip -= u64::from(away.live);
                    continue;
                }
                Place::Away(away) => return Some((away.base, Arc::clone(&away.page))),
            };
            if from <= block.base() && u64::from(block.ready()) <= *skip {
                *skip -= u64::from(block.ready());
                continue;
            }
            let mut next = block.next_ready(from.max(block.base()));
            while let Some(number) = next {
                if *skip > 0 {
                    *skip -= 1;
                } else if !visit(number) {
                    return None;
                }
                next = block.next_ready(number + 1);
            }
        }
        None
    }

    /// The block that this number stands in, if it is away.
    pub fn away_at(&self, number: u64) -> Option<Missing> {
        let at = self.blocks.partition_point(|place| place.end() <= number);
        match self.blocks.get(at)? {
            Place::Away(away) if away.base <= number => Some((away.base, Arc::clone(&away.page))),
            _ => None,
        }
    }
}
