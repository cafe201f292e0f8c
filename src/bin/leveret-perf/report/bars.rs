//! The bars that Leveret sets itself, judged from the rows that were measured.
//!
//! A bar whose rows are missing is left out. A verdict is a figure to look at, never an exit
//! code: a busy machine misses bars.

use super::bar::Bar;
use super::durable_bars;
use super::results::{Results, Side};

/// Prints the bars and whether they hold.
pub fn print(results: &Results) {
    let mut bars = Vec::new();
    floor_itself(results, &mut bars);
    multiples_of_floor(results, &mut bars);
    latency(results, &mut bars);
    growth_of_cost(results, &mut bars);
    memory(results, &mut bars);
    durable_bars::add(results, &mut bars);
    let left_out = durable_bars::not_compared(results);
    if bars.is_empty() && left_out.is_empty() {
        return;
    }
    println!("\nBars of {}:", results.name(Side::Target));
    for bar in bars {
        println!("  {bar}");
    }
    for why in left_out {
        println!("  -      {why}");
    }
}

/// A floor that is not far below RabbitMQ is no floor.
fn floor_itself(results: &Results, bars: &mut Vec<Bar>) {
    let rabbit = [Side::Target, Side::Versus]
        .into_iter()
        .find(|side| results.name(*side).starts_with("RabbitMQ"));
    let Some(rabbit) = rabbit else { return };
    for (name, divisor) in [("transient-16", 250.0), ("transient-1k", 50.0)] {
        let ratio = results
            .row(name)
            .and_then(|row| row.cpu_ratio(Side::Floor, rabbit));
        if let Some(ratio) = ratio {
            bars.push(Bar {
                what: format!(
                    "the floor itself, {name}, as a share of RabbitMQ (else it is broken)"
                ),
                found: ratio,
                bound: 1.0 / divisor,
                unit: "x RabbitMQ",
                ..Bar::default()
            });
        }
    }
}

fn multiples_of_floor(results: &Results, bars: &mut Vec<Bar>) {
    let bounds = [
        ("transient-16", 4.0),
        ("transient-1k", 2.5),
        ("confirms-1k", 2.5),
        ("confirms-each-1k", 2.5),
    ];
    for (name, bound) in bounds {
        let ratio = results
            .row(name)
            .and_then(|row| row.cpu_ratio(Side::Target, Side::Floor));
        if let Some(found) = ratio {
            bars.push(Bar {
                what: format!("CPU of {name}"),
                found,
                bound,
                unit: "x floor",
                ..Bar::default()
            });
        }
    }
    let floor_1k = results
        .row("transient-1k")
        .and_then(|row| Some(row.on(Side::Floor)?.cpu_us));
    let confirms = results
        .row("confirms-1k")
        .and_then(|row| Some(row.on(Side::Target)?.cpu_us));
    if let (Some(floor), Some(confirms)) = (floor_1k, confirms)
        && floor > 0.0
    {
        bars.push(Bar {
            what: "CPU of confirms-1k against the unconfirmed floor".to_owned(),
            found: confirms / floor,
            bound: 2.5,
            unit: "x floor",
            ..Bar::default()
        });
    }
    if let Some(row) = results.row("fan-out-10")
        && let Some(target) = row.on(Side::Target)
    {
        let floor = row.on(Side::Floor).map_or(0.0, |floor| floor.cpu_us);
        bars.push(Bar {
            what: "CPU of fan-out-10 per delivery".to_owned(),
            found: target.cpu_us,
            bound: f64::max(0.3, 4.0 * floor),
            unit: "us",
            ..Bar::default()
        });
    }
}

fn latency(results: &Results, bars: &mut Vec<Bar>) {
    let Some(row) = results.row("latency-2000") else {
        return;
    };
    let (Some(target), Some(versus)) = (row.on(Side::Target), row.on(Side::Versus)) else {
        return;
    };
    let floor = row.on(Side::Floor).and_then(|floor| floor.latency_us);
    let (Some(mine), Some(theirs)) = (target.latency_us, versus.latency_us) else {
        return;
    };
    let floor = floor.unwrap_or_default();
    let pairs = mine.into_iter().zip(theirs).zip(floor);
    for (label, ((mine, theirs), floor)) in ["p50", "p95", "p99"].into_iter().zip(pairs) {
        if label != "p95" {
            bars.push(Bar {
                what: format!("latency {label} at 2,000 msg/s"),
                found: mine,
                bound: f64::max(theirs / 4.0, 2.0 * floor),
                unit: "us",
                ..Bar::default()
            });
        }
    }
    bars.push(Bar {
        what: "CPU per message at 2,000 msg/s".to_owned(),
        found: target.cpu_us,
        bound: versus.cpu_us / 4.0,
        unit: "us",
        ..Bar::default()
    });
}

/// Cost with much of something, against the cost with little.
fn growth_of_cost(results: &Results, bars: &mut Vec<Bar>) {
    let cpu = |name: &str| {
        let row = results.row(name)?;
        row.on(Side::Target).map(|found| found.cpu_us)
    };
    let multiple = |name: &str| {
        let row = results.row(name)?;
        row.cpu_ratio(Side::Target, Side::Floor)
    };
    let mut compare = |what: &str, many: Option<f64>, one: Option<f64>, bound: f64| {
        if let (Some(many), Some(one)) = (many, one)
            && one > 0.0
        {
            bars.push(Bar {
                what: what.to_owned(),
                found: many / one,
                bound,
                unit: "x",
                ..Bar::default()
            });
        }
    };
    for (many, one) in [
        ("queues-many", "queues-one"),
        ("queues-many-full", "queues-one-full"),
    ] {
        compare(
            &format!("CPU of {many} against {one}"),
            cpu(many),
            cpu(one),
            1.5,
        );
    }
    compare(
        "multiple of the floor, connections-many against connections-one",
        multiple("connections-many"),
        multiple("connections-one"),
        1.5,
    );
    let churn = results
        .row("reply-queues-with")
        .and_then(|row| row.on(Side::Target)?.noted("ratio"));
    compare(
        "publisher's cost beside reply queues",
        churn,
        Some(1.0),
        1.3,
    );
    for verb in ["declare", "bind"] {
        let prefix = format!("{verb}-at-");
        let mut levels = results
            .rows
            .iter()
            .filter(|row| row.name.starts_with(&prefix));
        let first = levels.next();
        let last = levels.rfind(|row| row.on(Side::Target).is_some());
        if let (Some(first), Some(last)) = (first, last) {
            let what = format!("CPU of {} against {}", last.name, first.name);
            compare(&what, cpu(&last.name), cpu(&first.name), 2.0);
        }
    }
}

fn memory(results: &Results, bars: &mut Vec<Bar>) {
    let bounds = [
        ("idle", "each", 16.0, "KiB"),
        ("backlog-fill", "above idle", 64.0, "MiB"),
    ];
    for (name, note, bound, unit) in bounds {
        let found = results
            .row(name)
            .and_then(|row| row.on(Side::Target)?.noted(note));
        if let Some(found) = found {
            bars.push(Bar {
                what: format!("memory of {name}, {note}"),
                found,
                bound,
                unit,
                ..Bar::default()
            });
        }
    }
}
