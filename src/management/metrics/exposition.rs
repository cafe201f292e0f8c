//! Prometheus' text format, version 0.0.4.

use std::fmt::{self, Display, Write};

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows, and begins anew at a restart.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Says something by its labels alone.
    Untyped,
    /// Counts by upper bounds.
    Histogram,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
            Self::Histogram => "histogram",
        }
    }
}

/// A number of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A count.
    Whole(u64),
    /// A share, a time.
    Real(f64),
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(value) => value.fmt(f),
            Self::Real(value) if value.is_infinite() && *value > 0.0 => f.write_str("+Inf"),
            Self::Real(value) if value.is_infinite() => f.write_str("-Inf"),
            Self::Real(value) => value.fmt(f),
        }
    }
}

/// Text in the making. Writing to a String cannot fail, so results are let go of.
#[derive(Debug, Default)]
pub struct Exposition(pub String);

impl Exposition {
    /// Begins a family: samples of `name` follow until the next.
    pub fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = kind.name();
        let _ = writeln!(self.0, "# TYPE {name} {kind}\n# HELP {name} {help}");
    }

    /// A sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Into<Number>) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            self.0.push(if place == 0 { '{' } else { ',' });
            self.0.push_str(label);
            self.0.push_str("=\"");
            escape(text, &mut self.0);
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
        let value = value.into();
        let _ = writeln!(self.0, " {value}");
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Into<Number>) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    /// A family of one histogram: `counts` of what was at most each of `bounds`, not cumulated, and
    /// one more for what was above the last; `sum` of all of it.
    pub fn histogram(&mut self, name: &str, help: &str, bounds: &[f64], counts: &[u64], sum: f64) {
        self.family(name, Kind::Histogram, help);
        let bucket = format!("{name}_bucket");
        let mut total = 0;
        let ends = bounds.iter().copied().chain([f64::INFINITY]);
        for (end, count) in ends.zip(counts) {
            total += count;
            let end = Number::Real(end).to_string();
            self.sample(&bucket, &[("le", &end)], total);
        }
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], total);
    }
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_escaped() {
        let mut out = Exposition::default();
        out.family("a", Kind::Gauge, "What it is.");
        out.sample("a", &[("x", "q\"\\\n"), ("y", "ü")], 7_u64);
        out.sample("a", &[], 0.5);
        out.sample("a", &[], f64::NAN);
        let expected = "# TYPE a gauge\n# HELP a What it is.\na{x=\"q\\\"\\\\\\n\",y=\"ü\"} 7\n\
                        a 0.5\na NaN\n";
        assert_eq!(out.0, expected);
    }

    #[test]
    fn histograms_are_cumulated() {
        let mut out = Exposition::default();
        out.histogram("h", "H.", &[0.5, 1.0], &[1, 2, 3], 9.5);
        let lines: Vec<&str> = out.0.lines().skip(2).collect();
        let expected = [
            "h_bucket{le=\"0.5\"} 1",
            "h_bucket{le=\"1\"} 3",
            "h_bucket{le=\"+Inf\"} 6",
            "h_sum 9.5",
            "h_count 6",
        ];
        assert_eq!(lines, expected);
    }
}
