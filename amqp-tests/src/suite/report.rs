//! What came out: lines, columns, JSON.

use std::fmt::Write;
use std::time::Duration;

use super::{Plan, Result, Scenario};

/// One scenario on one broker.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Passed, or why not.
    pub result: Result,
    /// Time it took.
    pub spent: Duration,
}

impl Outcome {
    /// An outcome.
    pub fn new(result: Result, spent: Duration) -> Self {
        Self { result, spent }
    }
    fn word(&self) -> &'static str {
        match &self.result {
            Ok(()) => "ok",
            Err(e) if e.not_run() => "not run",
            Err(_) => "FAILED",
        }
    }
}

/// All outcomes so far.
pub struct Report {
    labels: Vec<String>,
    width: usize,
    rows: Vec<(Scenario, Vec<Outcome>)>,
}

impl Report {
    /// An empty report; prints the head of the columns.
    pub fn new(plan: &Plan) -> Self {
        let width = plan
            .scenarios
            .iter()
            .map(|s| s.id.len())
            .max()
            .unwrap_or(10);
        let labels: Vec<String> = plan.targets.iter().map(|t| t.label.clone()).collect();
        let mut head = format!("{:width$}", "scenario");
        for label in &labels {
            let _ = write!(head, "  {label:>10}");
        }
        println!("{head}");
        Self {
            labels,
            width,
            rows: Vec::new(),
        }
    }
    /// Adds and prints a row.
    pub fn add(&mut self, scenario: &Scenario, outcomes: Vec<Outcome>) {
        println!("{}", self.line(scenario, &outcomes));
        self.rows.push((*scenario, outcomes));
    }
    /// The rows that failed, once more: a long run's end is what is read.
    pub fn print_failures(&self) {
        let failed = |o: &Outcome| o.result.as_ref().is_err_and(|e| !e.not_run());
        for (scenario, outcomes) in &self.rows {
            if outcomes.iter().any(failed) {
                println!("{}", self.line(scenario, outcomes));
            }
        }
    }
    fn line(&self, scenario: &Scenario, outcomes: &[Outcome]) -> String {
        let mut line = format!("{:width$}", scenario.id, width = self.width);
        for outcome in outcomes {
            let _ = write!(line, "  {:>10}", outcome.word());
        }
        if scenario.deviation.is_some() {
            line.push_str("  (deviation)");
        }
        for (label, outcome) in self.labels.iter().zip(outcomes) {
            if let Err(e) = &outcome.result {
                let _ = write!(line, "\n    {label}: {e}\n    rule: {}", scenario.rule);
            }
        }
        line
    }
    /// Scenarios that passed on every broker, that failed on any, and that
    /// could not be run.
    pub fn counts(&self) -> (usize, usize, usize) {
        let failed = |o: &Outcome| o.result.as_ref().is_err_and(|e| !e.not_run());
        let any_failed = self
            .rows
            .iter()
            .filter(|(_, o)| o.iter().any(failed))
            .count();
        let good = |o: &[Outcome]| o.iter().all(|o| o.result.is_ok());
        let passed = self.rows.iter().filter(|(_, o)| good(o)).count();
        (passed, any_failed, self.rows.len() - passed - any_failed)
    }
    /// How many passed in each column.
    pub fn by_column(&self) -> Vec<(String, usize)> {
        let count = |at: usize| {
            self.rows
                .iter()
                .filter(|(_, o)| o.get(at).is_some_and(|o| o.result.is_ok()))
                .count()
        };
        self.labels
            .iter()
            .enumerate()
            .map(|(at, l)| (l.clone(), count(at)))
            .collect()
    }
    /// The report as a JSON array.
    pub fn json(&self) -> String {
        let mut rows: Vec<String> = self.rows.iter().map(|(s, o)| self.json_row(s, o)).collect();
        rows.sort();
        format!("[\n{}\n]\n", rows.join(",\n"))
    }
    fn json_row(&self, s: &Scenario, outcomes: &[Outcome]) -> String {
        let results = self.labels.iter().zip(outcomes).map(|(label, o)| {
            let error = o
                .result
                .as_ref()
                .err()
                .map_or("null".into(), |e| quote(&e.0));
            let (name, ms) = (quote(label), o.spent.as_millis());
            format!(
                "{name}:{{\"passed\":{},\"ms\":{ms},\"error\":{error}}}",
                o.result.is_ok()
            )
        });
        format!(
            "{{\"id\":{},\"rule\":{},\"source\":{},\"deviation\":{},\"results\":{{{}}}}}",
            quote(s.id),
            quote(s.rule),
            quote(s.source),
            s.deviation.map_or("null".into(), quote),
            results.collect::<Vec<_>>().join(",")
        )
    }
}

/// Prints ids, rules and sources.
pub fn print_list(scenarios: &[Scenario]) {
    for s in scenarios {
        println!("{}\n    {} [{}]", s.id, s.rule, s.source);
        if let Some(why) = s.deviation {
            println!("    deviation: {why}");
        }
    }
}

fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c if (c as u32) < 32 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
