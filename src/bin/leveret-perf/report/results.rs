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
}

/// One row name, measured on up to three sides.
#[derive(Debug, Clone, Default)]
pub struct Row {
    /// Row name.
    pub name: String,
    /// Measurements in the order of [`Side`].
    sides: [Option<Measurement>; 3],
}

impl Row {
    /// The measurement of one side, unless it failed or was not made.
    pub fn on(&self, side: Side) -> Option<&Measurement> {
        self.any(side).filter(|found| found.failure.is_none())
    }

    /// The measurement of one side, failed or not.
    pub fn any(&self, side: Side) -> Option<&Measurement> {
        self.sides.get(side as usize)?.as_ref()
    }

    /// Processor time of one side as a multiple of another's.
    pub fn cpu_ratio(&self, of: Side, to: Side) -> Option<f64> {
        let (of, to) = (self.on(of)?, self.on(to)?);
        (to.cpu_us > 0.0).then(|| of.cpu_us / to.cpu_us)
    }
}

/// A whole run.
#[derive(Debug, Default)]
pub struct Results {
    /// Names of the sides in the order of [`Side`]; empty for a side not measured.
    pub names: [String; 3],
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
        let row = self.rows.get_mut(index);
        if let Some(place) = row.and_then(|row| row.sides.get_mut(side as usize)) {
            *place = Some(measurement);
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
        let sides = [Side::Target, Side::Versus, Side::Floor];
        let mut failures = Vec::new();
        for row in &self.rows {
            for side in sides {
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
        "cpu_x_floor": row.cpu_ratio(Side::Target, Side::Floor),
        "versus_cpu_x_target": row.cpu_ratio(Side::Versus, Side::Target),
        "versus_cpu_x_floor": row.cpu_ratio(Side::Versus, Side::Floor),
    })
}
