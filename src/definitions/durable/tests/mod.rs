//! Restarts with everything that can be wrong with a copy.

mod damage;
mod restart;
mod stage;
