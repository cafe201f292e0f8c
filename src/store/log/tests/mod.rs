//! The log on the real disk, and on one that fails.

mod basic;
mod damage;
mod failures;
mod groups;
mod life;
mod seeds;
