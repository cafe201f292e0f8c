//! The chart: processor time for each message on a logarithmic scale, as an SVG.

use std::fmt::Write;

use super::results::{Results, Side};
use super::table::figure;

const LABELS: f64 = 190.0;
const PLOT: f64 = 640.0;
const FIGURES: f64 = 90.0;
const BAR: f64 = 15.0;
const GAP: f64 = 12.0;
const TOP: f64 = 92.0;

const SIDES: [(Side, &str); 3] = [
    (Side::Target, "#2563a8"),
    (Side::Versus, "#d9822b"),
    (Side::Floor, "#8a8f98"),
];

/// Draws all rows that have a cost; `None` when there are none.
pub fn svg(results: &Results) -> Option<String> {
    let costs: Vec<f64> = results
        .rows
        .iter()
        .flat_map(|row| SIDES.map(|(side, _)| row.on(side).map(|found| found.cpu_us)))
        .flatten()
        .filter(|cost| *cost > 0.0)
        .collect();
    let low = costs.iter().copied().reduce(f64::min)?.log10().floor();
    let high = costs.iter().copied().reduce(f64::max)?.log10().ceil();
    let high = high.max(low + 1.0);
    let across = |cost: f64| PLOT * (cost.max(1e-9).log10() - low) / (high - low);

    let mut body = String::new();
    let mut y = TOP;
    for row in &results.rows {
        let found: Vec<_> = SIDES
            .iter()
            .filter_map(|(side, colour)| Some((row.on(*side)?.cpu_us, colour)))
            .filter(|(cost, _)| *cost > 0.0)
            .collect();
        if found.is_empty() {
            continue;
        }
        let middle = y + BAR * found.len() as f64 / 2.0 + 4.0;
        text(&mut body, LABELS - 10.0, middle, "end", &row.name);
        for (cost, colour) in found {
            let width = across(cost).max(1.0);
            let _ = write!(
                body,
                r#"<rect x="{LABELS}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}"/>"#,
                height = BAR - 2.0,
            );
            text(
                &mut body,
                LABELS + width + 5.0,
                y + 11.0,
                "start",
                &figure(cost),
            );
            y += BAR;
        }
        y += GAP;
    }
    let bottom = y;
    let mut out = String::new();
    let (width, height) = (LABELS + PLOT + FIGURES, bottom + 34.0);
    let _ = write!(
        out,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height:.0}" viewBox="0 0 {width} {height:.0}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="#1b1f24"><rect width="100%" height="100%" fill="#ffffff"/>"##,
    );
    let _ = write!(
        out,
        r#"<text x="16" y="28" font-size="17" font-weight="bold">Broker CPU for each message, microseconds</text>"#,
    );
    legend(&mut out, results);
    let mut exponent = low;
    while exponent <= high {
        let x = LABELS + across(10f64.powf(exponent));
        let _ = write!(
            out,
            r##"<line x1="{x:.1}" y1="{from}" x2="{x:.1}" y2="{bottom:.1}" stroke="#d5d9de"/>"##,
            from = TOP - 8.0,
        );
        text(&mut out, x, bottom + 18.0, "middle", &tick(exponent));
        exponent += 1.0;
    }
    out.push_str(&body);
    out.push_str("</svg>\n");
    Some(out)
}

fn legend(out: &mut String, results: &Results) {
    let mut x = 16.0;
    for (side, colour) in SIDES {
        let name = results.name(side);
        if name.is_empty() {
            continue;
        }
        let _ = write!(
            out,
            r#"<rect x="{x:.1}" y="46" width="13" height="13" fill="{colour}"/>"#,
        );
        text(out, x + 19.0, 57.0, "start", name);
        x += 50.0 + 8.0 * name.chars().count() as f64;
    }
    text(
        out,
        x,
        57.0,
        "start",
        "logarithmic scale, shorter is cheaper",
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let words = words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let _ = write!(
        out,
        r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#,
    );
}

/// A power of ten without noise digits.
fn tick(exponent: f64) -> String {
    let decimals = (-exponent).max(0.0) as usize;
    format!("{:.decimals$}", 10f64.powf(exponent))
}
