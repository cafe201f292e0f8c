//! A scenario: a rule with its source, and the function that shows it.

use super::{Ctx, Result};

/// Which broker is being tested; deviations have an expectation for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    /// The oracle.
    RabbitMq,
    /// The broker under test.
    Leveret,
}

/// One rule and its test.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Unique id, dotted from the general to the particular.
    pub id: &'static str,
    /// The rule in one sentence.
    pub rule: &'static str,
    /// Where the rule comes from: specification section, RabbitMQ, trap number.
    pub source: &'static str,
    /// The test.
    pub run: fn(&mut Ctx) -> Result,
    /// Why the brokers may differ, where they do.
    pub deviation: Option<&'static str>,
    /// Seconds until it has failed.
    pub seconds: u64,
}

impl Scenario {
    /// A scenario whose expectation is the same for both brokers.
    pub const fn new(
        id: &'static str,
        rule: &'static str,
        source: &'static str,
        run: fn(&mut Ctx) -> Result,
    ) -> Self {
        Self {
            id,
            rule,
            source,
            run,
            deviation: None,
            seconds: 60,
        }
    }
    /// Says why the brokers differ here.
    pub const fn deviation(mut self, why: &'static str) -> Self {
        self.deviation = Some(why);
        self
    }
    /// Allows more than a minute.
    pub const fn seconds(mut self, seconds: u64) -> Self {
        self.seconds = seconds;
        self
    }
}
