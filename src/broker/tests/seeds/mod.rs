//! A whole broker on disks that lose power, fail and fill, from seeds: queues of every kind,
//! transactions, dead letters, purges, definitions, checkpoints, pages and files used again, and after
//! every stop a ledger of what must be there.
//!
//! `LEVERET_SEEDS` is how many seeds are run, `LEVERET_SEED` runs that one.

mod acts;
mod ledger;
mod lives;
mod positions;
pub(super) mod world;
