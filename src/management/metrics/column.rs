//! Columns: a metric of each object of a kind, and of all of them together.

use super::aggregate::Aggregate;
use super::exposition::{Exposition, Kind, Number};

/// A metric of objects of type `T`.
pub struct Column<T> {
    /// Its name without prefix.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
    /// An object's own.
    pub of: fn(&T) -> Number,
    /// That of all objects; none where a sum would say nothing.
    pub total: Option<fn(&Aggregate) -> Number>,
}

impl<T> Column<T> {
    /// Begins the family; returns the full name.
    pub fn begin(&self, prefix: &str, out: &mut Exposition) -> String {
        let name = format!("{prefix}{}", self.name);
        out.family(&name, self.kind, self.help);
        name
    }

    /// The family of the sum alone.
    pub fn write_total(&self, prefix: &str, all: &Aggregate, out: &mut Exposition) {
        let name = self.begin(prefix, out);
        if let Some(total) = self.total {
            out.sample(&name, &[], total(all));
        }
    }
}

/// A counter.
pub const fn counter<T>(
    name: &'static str,
    help: &'static str,
    of: fn(&T) -> Number,
    total: fn(&Aggregate) -> Number,
) -> Column<T> {
    Column {
        name,
        kind: Kind::Counter,
        help,
        of,
        total: Some(total),
    }
}

/// A gauge.
pub const fn gauge<T>(
    name: &'static str,
    help: &'static str,
    of: fn(&T) -> Number,
    total: fn(&Aggregate) -> Number,
) -> Column<T> {
    Column {
        name,
        kind: Kind::Gauge,
        help,
        of,
        total: Some(total),
    }
}

/// A gauge that cannot be summed.
pub const fn own_gauge<T>(
    name: &'static str,
    help: &'static str,
    of: fn(&T) -> Number,
) -> Column<T> {
    Column {
        name,
        kind: Kind::Gauge,
        help,
        of,
        total: None,
    }
}
