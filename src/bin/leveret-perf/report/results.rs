//! All measurements of a run, side by side.

use serde_json::{Value, json};

use crate::measurement::Measurement;

/// Whose measurement it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The broker under measurement.
    Target,
    /// The broker it is compared with.
    Versus,
    /// The pass-through.
    Floor,
    /// The bare disk.
    Disk,
}

impl Side {
    /// All sides in their order.
    pub const ALL: [Self; 4] = [Self::Target, Self::Versus, Self::Floor, Self::Disk];
}

/// One row name, measured on up to four sides.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Row name.
    pub name: String,
    /// Measurements in the order of [`Side`], a side's several rounds by their cost.
    sides: [Vec<Measurement>; 4],
}

impl Row {
    /// The measurement of one side, unless it failed or was not made.
    pub fn on(&self, side: Side) -> Option<&Measurement> {
        self.any(side).filter(|found| found.failure.is_none())
    }

    /// The measurement of one side, failed or not: of several rounds a failed one, else the
    /// middle one by cost.
    pub fn any(&self, side: Side) -> Option<&Measurement> {
        let rounds = self.sides.get(side as usize)?;
        let failed = rounds.iter().find(|round| round.failure.is_some());
        failed.or_else(|| rounds.get(rounds.len().saturating_sub(1) / 2))
    }

    fn add(&mut self, side: Side, measurement: Measurement) {
        if let Some(rounds) = self.sides.get_mut(side as usize) {
            rounds.push(measurement);
            rounds.sort_by(|a, b| a.cpu_us.total_cmp(&b.cpu_us));
        }
    }

    /// Processor time of one side as a multiple of another's.
    pub fn cpu_ratio(&self, of: Side, to: Side) -> Option<f64> {
        let (of, to) = (self.on(of)?, self.on(to)?);
        (to.cpu_us > 0.0).then(|| of.cpu_us / to.cpu_us)
    }

    /// Messages a second of one side as a multiple of another's.
    pub fn rate_ratio(&self, of: Side, to: Side) -> Option<f64> {
        let (of, to) = (self.on(of)?, self.on(to)?);
        (to.rate() > 0.0).then(|| of.rate() / to.rate())
    }
}

/// A whole run.
#[derive(Debug, Default)]
pub struct Results {
    /// Names of the sides in the order of [`Side`]; empty for a side not measured.
    pub names: [String; 4],
    /// Rows in the order they were measured.
    pub rows: Vec<Row>,
}

impl Results {
    /// Adds a measurement to the row of its name.
    pub fn add(&mut self, side: Side, measurement: Measurement) {
        let found = self
            .rows
            .iter()
            .position(|row| row.name == measurement.name);
        let index = found.unwrap_or_else(|| {
            self.rows.push(Row {
                name: measurement.name.clone(),
                ..Row::default()
            });
            self.rows.len() - 1
        });
        if let Some(row) = self.rows.get_mut(index) {
            row.add(side, measurement);
        }
    }

    /// A row by name.
    pub fn row(&self, name: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.name == name)
    }

    /// The name of a side.
    pub fn name(&self, side: Side) -> &str {
        self.names.get(side as usize).map_or("", String::as_str)
    }

    /// Failures on any side, as sentences.
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for row in &self.rows {
            for side in Side::ALL {
                if let Some(why) = row.any(side).and_then(|found| found.failure.as_deref()) {
                    failures.push(format!("{} on {}: {why}", row.name, self.name(side)));
                }
            }
        }
        failures
    }

    /// Everything as JSON.
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(row_json).collect();
        json!({
            "target": self.name(Side::Target),
            "versus": self.name(Side::Versus),
            "floor": !self.name(Side::Floor).is_empty(),
            "disk": !self.name(Side::Disk).is_empty(),
            "processors": std::thread::available_parallelism().map_or(0, usize::from),
            "rows": rows,
        })
    }
}

fn row_json(row: &Row) -> Value {
    let side = |side| row.any(side).map(Measurement::to_json);
    json!({
        "name": row.name,
        "target": side(Side::Target),
        "versus": side(Side::Versus),
        "floor": side(Side::Floor),
        "disk": side(Side::Disk),
        "cpu_x_floor": row.cpu_ratio(Side::Target, Side::Floor),
        "versus_cpu_x_target": row.cpu_ratio(Side::Versus, Side::Target),
        "versus_cpu_x_floor": row.cpu_ratio(Side::Versus, Side::Floor),
    })
}

#[cfg(test)]
mod tests {
    use super::{Results, Side};
    use crate::measurement::Measurement;

    #[test]
    fn of_several_rounds_the_middle_one_counts_and_a_failure_is_never_hidden() {
        let mut results = Results::default();
        for cpu_us in [3.0, 9.0, 1.0] {
            let round = Measurement {
                name: "row".into(),
                cpu_us,
                ..Measurement::default()
            };
            results.add(Side::Target, round);
        }
        let row = results.row("row").unwrap();
        assert_eq!(row.on(Side::Target).unwrap().cpu_us, 3.0);
        assert!(row.on(Side::Floor).is_none());
        assert!(results.failures().is_empty());
        results.add(Side::Target, Measurement::failed("row", "lost".into()));
        assert!(results.row("row").unwrap().on(Side::Target).is_none());
        assert_eq!(results.failures().len(), 1);
    }
}
