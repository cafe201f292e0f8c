//! Scenarios: queue behaviour.

use crate::Scenario;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[];
