//! Stores as the broker writes them, damaged, checked, repaired and started again.

mod damage;
mod random;
mod store;
