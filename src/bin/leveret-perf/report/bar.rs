//! One bar: what, what was found and what it may be.

use std::fmt;

use super::table::figure;

/// A figure that is to stay at or below its bound, or at or above it.
#[derive(Debug, Clone, Default)]
pub struct Bar {
    /// What is judged.
    pub what: String,
    /// What was found.
    pub found: f64,
    /// What it may be.
    pub bound: f64,
    /// Unit of both.
    pub unit: &'static str,
    /// Whether the bound is the least and not the most.
    pub at_least: bool,
    /// The limit of the machine that was met first, which counts as met.
    pub hardware: Option<String>,
}

impl Bar {
    /// Whether the figure itself is within its bound.
    pub fn holds(&self) -> bool {
        if self.at_least {
            self.found >= self.bound
        } else {
            self.found <= self.bound
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (self.holds(), &self.hardware) {
            (true, _) => "ok    ",
            (false, Some(_)) => "LIMIT ",
            (false, None) => "MISSED",
        };
        let (found, bound) = (figure(self.found), figure(self.bound));
        let side = if self.at_least { "at least" } else { "at most" };
        let (what, unit) = (&self.what, self.unit);
        write!(
            formatter,
            "{verdict} {what}: {found} {unit}, {side} {bound}"
        )?;
        match &self.hardware {
            Some(limit) if !self.holds() => write!(formatter, " (met by the machine: {limit})"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bar;

    #[test]
    fn a_bar_holds_on_its_side_of_the_bound_and_names_the_machines_limit_otherwise() {
        let bar = Bar {
            what: "rate".into(),
            found: 12.0,
            bound: 15.0,
            unit: "x",
            ..Bar::default()
        };
        assert_eq!(bar.to_string(), "ok     rate: 12.0 x, at most 15.0");
        let bar = Bar {
            at_least: true,
            ..bar
        };
        assert_eq!(bar.to_string(), "MISSED rate: 12.0 x, at least 15.0");
        let bar = Bar {
            hardware: Some("disk".into()),
            ..bar
        };
        assert!(bar.to_string().starts_with("LIMIT "), "{bar}");
        assert!(bar.to_string().ends_with("(met by the machine: disk)"));
    }
}
