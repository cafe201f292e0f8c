//! The bars of the durable scenarios: against RabbitMQ with the same durability, against the
//! floor and against the bare disk.
//!
//! Where the machine is met before the bar, that is said: 80 % of the bare disk's rate in the
//! same run, or all processors busy while the processor time per message is below the other's
//! by as much as the rate was to be above it.

use std::ops::RangeInclusive;

use super::bar::Bar;
use super::results::{Results, Row, Side};
use crate::durability::Durability;
use crate::measurement::{Measurement, WRITTEN_EACH};

/// Shares of the bare disk's rate at which the disk is the limit. Who is far above it was not
/// limited by it: then the disk was busy with something else while it was measured.
const DISK_LIMIT: RangeInclusive<f64> = 0.8..=1.2;
/// Share of all processors from which they are the limit.
const CORES_LIMIT: f64 = 0.95;
/// Throughput against RabbitMQ's.
const FASTER: f64 = 15.0;
/// Processor time for each message against RabbitMQ's.
const CHEAPER: f64 = 40.0;
/// Processor time for each message against the pass-through's.
const TIMES_FLOOR: f64 = 4.0;

/// Rows that the bars compare with the other broker's.
const COMPARED: [&str; 3] = ["durable", "durable-many", "durable-latency"];

/// Why rows are not compared though both brokers have them: they promise different things.
pub fn not_compared(results: &Results) -> Vec<String> {
    let words = |class: Option<Durability>| {
        class.map_or_else(|| "something unknown".to_owned(), |class| class.to_string())
    };
    let differing = |name: &str| {
        let row = results.row(name)?;
        let classes = [Side::Target, Side::Versus].map(|side| Some(row.on(side)?.durability));
        let [mine, theirs] = classes;
        let (mine, theirs) = (words(mine?), words(theirs?));
        let why = format!("{name} is not compared: it gives {mine}, the other {theirs}");
        comparable(results, name).is_none().then_some(why)
    };
    COMPARED.into_iter().filter_map(differing).collect()
}

/// Adds the bars whose rows are there.
pub fn add(results: &Results, bars: &mut Vec<Bar>) {
    for name in ["durable", "durable-many"] {
        bars.extend(comparable(results, name).and_then(throughput));
    }
    bars.extend(comparable(results, "durable").and_then(cost));
    bars.extend(multiple_of_floor(results));
    for (quantile, note) in [(0, "confirm p50"), (2, "confirm p99")] {
        let row = comparable(results, "durable-latency");
        bars.extend(row.and_then(|row| confirm_latency(row, quantile, note)));
    }
    written(results, bars);
    bounds(results, bars);
}

/// A row measured on both brokers with the same durability; others prove nothing.
fn comparable<'a>(results: &'a Results, name: &str) -> Option<&'a Row> {
    let row = results.row(name)?;
    let class = row.on(Side::Target)?.durability?;
    (row.on(Side::Versus)?.durability? == class).then_some(row)
}

fn throughput(row: &Row) -> Option<Bar> {
    Some(Bar {
        what: format!("throughput of {}", row.name),
        found: row.rate_ratio(Side::Target, Side::Versus)?,
        bound: FASTER,
        unit: "x the other",
        at_least: true,
        hardware: machine_limit(row),
    })
}

/// The limit of the machine that a side reached, in words.
fn machine_limit(row: &Row) -> Option<String> {
    let of_disk = row.rate_ratio(Side::Target, Side::Disk);
    if let Some(share) = of_disk.filter(|share| DISK_LIMIT.contains(share)) {
        return Some(format!("{:.0} % of the bare disk's rate", 100.0 * share));
    }
    let busy = row.on(Side::Target)?.host_busy;
    let cpu = row.cpu_ratio(Side::Target, Side::Versus)?;
    (busy >= CORES_LIMIT && cpu <= 1.0 / FASTER)
        .then(|| format!("processors {:.0} % busy", 100.0 * busy))
}

fn cost(row: &Row) -> Option<Bar> {
    Some(Bar {
        what: format!("CPU of {}", row.name),
        found: row.cpu_ratio(Side::Target, Side::Versus)?,
        bound: 1.0 / CHEAPER,
        unit: "x the other",
        ..Bar::default()
    })
}

/// The target's measurement of a row, unless it kept nothing: then its figures prove nothing.
fn kept<'a>(results: &'a Results, name: &str) -> Option<&'a Measurement> {
    let found = results.row(name)?.on(Side::Target)?;
    (found.durability != Some(Durability::None)).then_some(found)
}

fn multiple_of_floor(results: &Results) -> Option<Bar> {
    kept(results, "durable")?;
    let row = results.row("durable")?;
    Some(Bar {
        what: "CPU of durable".to_owned(),
        found: row.cpu_ratio(Side::Target, Side::Floor)?,
        bound: TIMES_FLOOR,
        unit: "x floor",
        ..Bar::default()
    })
}

/// The confirm's latency: at most half of the other's, or twice the floor's. A durable floor is
/// the pass-through's confirm and the bare disk's sync after each other.
fn confirm_latency(row: &Row, quantile: usize, note: &str) -> Option<Bar> {
    let theirs = row.on(Side::Versus)?.noted(note)?;
    let disk = row
        .on(Side::Disk)
        .and_then(|disk| disk.latency_us?.get(quantile).copied());
    let pass = row.on(Side::Floor).and_then(|floor| floor.noted(note));
    let floor = disk.map(|disk| disk + pass.unwrap_or(0.0));
    let floor = floor.filter(|floor| *floor < theirs).unwrap_or(0.0);
    Some(Bar {
        what: format!("{note} at 2,000 durable msg/s"),
        found: row.on(Side::Target)?.noted(note)?,
        bound: f64::max(theirs / 2.0, 2.0 * floor),
        unit: "us",
        ..Bar::default()
    })
}

/// Octets written for each message: 1.2 times the payload and 100 when it is consumed early,
/// 2.2 times when it had to wait on the disk.
fn written(results: &Results, bars: &mut Vec<Bar>) {
    for (name, multiple) in [
        ("durable", 1.2),
        ("backlog-deep-fill", 2.2),
        ("backlog-deep-many-fill", 2.2),
    ] {
        let Some(found) = kept(results, name) else {
            continue;
        };
        if let Some(written) = found.noted(WRITTEN_EACH) {
            bars.push(Bar {
                what: format!("octets written for each message of {name}"),
                found: written,
                bound: multiple * found.size as f64 + 100.0,
                unit: "B",
                ..Bar::default()
            });
        }
    }
}

fn bounds(results: &Results, bars: &mut Vec<Bar>) {
    for (name, note, bound, unit) in [
        ("backlog-deep-fill", "peak RSS", 100.0, "MiB"),
        ("backlog-deep-drain", "peak RSS", 100.0, "MiB"),
        ("backlog-deep-many-fill", "peak RSS", 100.0, "MiB"),
        ("backlog-deep-many-drain", "peak RSS", 100.0, "MiB"),
        ("unacked", "of the budget", 1.1, "x"),
        ("churn-slow", "beyond twice the live", 1.0, "x the budget"),
    ] {
        let row = kept(results, name);
        if let Some(found) = row.and_then(|row| row.noted(note)) {
            bars.push(Bar {
                what: format!("{note} of {name}"),
                found,
                bound,
                unit,
                ..Bar::default()
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bar, add, not_compared};
    use crate::durability::Durability;
    use crate::measurement::{Measurement, WRITTEN_EACH};
    use crate::report::{Results, Side};

    fn row(name: &str, rate: f64, cpu_us: f64) -> Measurement {
        Measurement {
            name: name.into(),
            size: 1000,
            count: rate as u64,
            seconds: 1.0,
            cpu_us,
            durability: Some(Durability::Sync),
            ..Measurement::default()
        }
    }

    fn bars(rows: impl IntoIterator<Item = (Side, Measurement)>) -> Vec<Bar> {
        let mut results = Results::default();
        for (side, row) in rows {
            results.add(side, row);
        }
        let mut bars = Vec::new();
        add(&results, &mut bars);
        bars
    }

    #[test]
    fn throughput_and_cost_are_judged_by_their_ratios() {
        let found = bars([
            (Side::Target, row("durable", 160_000.0, 1.0)),
            (Side::Versus, row("durable", 10_000.0, 50.0)),
        ]);
        let [throughput, cost] = found.as_slice() else {
            panic!("two bars: {found:?}");
        };
        assert_eq!((throughput.found, throughput.holds()), (16.0, true));
        assert_eq!((cost.found, cost.holds()), (0.02, true));
    }

    #[test]
    fn another_durability_is_not_compared() {
        let weaker = Measurement {
            durability: Some(Durability::PageCache),
            ..row("durable", 10_000.0, 50.0)
        };
        let mut results = Results::default();
        results.add(Side::Target, row("durable", 160_000.0, 1.0));
        assert!(not_compared(&results).is_empty(), "nobody to compare with");
        results.add(Side::Versus, weaker);
        let mut bars = Vec::new();
        add(&results, &mut bars);
        assert!(bars.is_empty());
        let why = "durable is not compared: it gives sync, the other page cache";
        assert_eq!(not_compared(&results), [why]);
    }

    #[test]
    fn a_bar_missed_at_the_disks_own_rate_names_the_disk() {
        let limit = |disk| {
            let found = bars([
                (Side::Target, row("durable-many", 81_000.0, 1.0)),
                (Side::Versus, row("durable-many", 10_000.0, 50.0)),
                (Side::Disk, row("durable-many", disk, 0.1)),
            ]);
            assert!(!found[0].holds());
            found[0].hardware.clone()
        };
        let share = "81 % of the bare disk's rate";
        assert_eq!(limit(100_000.0).as_deref(), Some(share));
        assert_eq!(limit(200_000.0), None);
        assert_eq!(limit(20_000.0), None, "a disturbed disk excuses nobody");
    }

    #[test]
    fn busy_processors_excuse_only_a_broker_that_is_cheap_enough() {
        let limit = |cpu_us| {
            let busy = Measurement {
                host_busy: 0.97,
                ..row("durable", 81_000.0, cpu_us)
            };
            let theirs = row("durable", 10_000.0, 50.0);
            let found = bars([(Side::Target, busy), (Side::Versus, theirs)]);
            found[0].hardware.clone()
        };
        assert_eq!(limit(3.0).as_deref(), Some("processors 97 % busy"));
        assert_eq!(limit(4.0), None);
    }

    #[test]
    fn the_confirms_bound_is_half_of_the_others_or_twice_the_floors() {
        let confirm = |p50| row("durable-latency", 2000.0, 1.0).note("confirm p50", p50, "us");
        let bound = |sync| {
            let disk = Measurement {
                latency_us: Some([sync, 0.0, 0.0, 0.0]),
                ..row("durable-latency", 2000.0, 0.1)
            };
            let found = bars([
                (Side::Target, confirm(300.0)),
                (Side::Versus, confirm(1000.0)),
                (Side::Floor, confirm(30.0)),
                (Side::Disk, disk),
            ]);
            found[0].bound
        };
        assert_eq!(bound(100.0), 500.0);
        assert_eq!(bound(400.0), 860.0);
        assert_eq!(bound(1200.0), 500.0, "no floor above the other broker");
    }

    #[test]
    fn octets_written_are_judged_by_the_payload() {
        let target = row("durable", 1.0, 1.0).note(WRITTEN_EACH, 1250.0, "B");
        let found = bars([(Side::Target, target)]);
        assert_eq!((found[0].bound, found[0].holds()), (1300.0, true));
    }

    #[test]
    fn a_broker_that_kept_nothing_passes_no_bar() {
        let target = Measurement {
            durability: Some(Durability::None),
            ..row("durable", 160_000.0, 1.0).note(WRITTEN_EACH, 0.0, "B")
        };
        let floor = row("durable", 160_000.0, 1.0);
        assert!(bars([(Side::Target, target), (Side::Floor, floor)]).is_empty());
    }
}
