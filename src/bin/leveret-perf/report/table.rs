//! The aligned table.

use super::results::{Results, Row, Side};
use crate::measurement::Measurement;

const HEADINGS: [&str; 14] = [
    "scenario", "broker", "survives", "bytes", "per s", "CPU us", "x floor", "x first", "p50 us",
    "p99 us", "p99.9", "cores", "busy", "RSS MiB",
];
/// Columns that hold words.
const WORDS: usize = 3;

/// Prints the table; below a row its further figures or its failure.
pub fn print(results: &Results) {
    let mut lines: Vec<(Vec<String>, Option<String>)> = Vec::new();
    for row in &results.rows {
        for side in Side::ALL {
            if let Some(found) = row.any(side) {
                lines.push((cells(results, row, side, found), remark(found)));
            }
        }
    }
    let mut widths: Vec<usize> = HEADINGS.iter().map(|heading| heading.len()).collect();
    for (cells, _) in &lines {
        for (width, cell) in widths.iter_mut().zip(cells) {
            *width = (*width).max(cell.chars().count());
        }
    }
    println!("{}", align(&HEADINGS.map(str::to_owned), &widths));
    for (cells, remark) in &lines {
        println!("{}", align(cells, &widths));
        if let Some(remark) = remark {
            println!("    {remark}");
        }
    }
    println!(
        "survives: what a message survives once its publisher knows it safe (none, page cache: the \
         broker's end, sync: the machine's). CPU us: the broker's processor time for each message, \
         delivery or operation. x floor: as a multiple of the floor's. x first: of the first \
         broker's. cores: processors the broker kept busy; busy: share of the whole machine."
    );
}

fn align(cells: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        if column > 0 {
            line.push_str("  ");
        }
        if column < WORDS {
            line.push_str(&format!("{cell:<width$}"));
        } else {
            line.push_str(&format!("{cell:>width$}"));
        }
    }
    line.trim_end().to_owned()
}

fn cells(results: &Results, row: &Row, side: Side, found: &Measurement) -> Vec<String> {
    let mut cells = vec![row.name.clone(), results.name(side).to_owned()];
    if found.failure.is_some() {
        cells.resize(HEADINGS.len(), "-".to_owned());
        return cells;
    }
    let ratio = |to: Side| {
        let ratio = (side != to).then(|| row.cpu_ratio(side, to)).flatten();
        ratio.map_or_else(String::new, |value| format!("{}x", figure(value)))
    };
    let [p50, _, p99, p999] = found.latency_us.map_or_else(
        || [const { String::new() }; 4],
        |latencies| latencies.map(figure),
    );
    let size = match found.size {
        0 => String::new(),
        size => size.to_string(),
    };
    let survives = found
        .durability
        .map_or_else(|| "unknown".to_owned(), |class| class.to_string());
    cells.extend([
        survives,
        size,
        grouped(found.rate()),
        figure(found.cpu_us),
        ratio(Side::Floor),
        ratio(Side::Target),
        p50,
        p99,
        p999,
        format!("{:.2}", found.broker_cores),
        format!("{:.0}%", found.host_busy * 100.0),
        format!("{:.1}", found.resident_kib as f64 / 1024.0),
    ]);
    cells
}

fn remark(found: &Measurement) -> Option<String> {
    if let Some(failure) = &found.failure {
        return Some(format!("FAILED: {failure}"));
    }
    let notes: Vec<String> = found
        .notes
        .iter()
        .map(|note| format!("{} {} {}", note.name, figure(note.value), note.unit))
        .collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Three significant digits.
pub fn figure(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || size == 0.0 {
        grouped(value)
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

/// A whole number with its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value <= -0.5 {
        format!("-{text}")
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{figure, grouped};

    #[test]
    fn figures_keep_three_digits() {
        let shown = [0.01234, 0.5, 2.345, 34.56, 345.6, 1_234_567.0, -1500.0];
        let shown = shown.map(figure);
        assert_eq!(
            shown,
            [
                "0.012",
                "0.500",
                "2.35",
                "34.6",
                "346",
                "1,234,567",
                "-1,500"
            ]
        );
        assert_eq!(grouped(0.2), "0");
    }
}
