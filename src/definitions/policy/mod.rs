//! Policies: what they may say, which of them an object is under, and how an operator's policy
//! narrows a user's. Pure; putting the outcome into force is the broker's.

mod rule;
mod set;
mod validate;

pub use rule::{ApplyTo, Kind, Policy};
pub use set::{Matched, PolicySet};
pub use validate::{Author, term, validation_failed};
