//! A run: every chosen scenario on every side, one side right after the other.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::disk::{self, Load};
use crate::durability::Durability;
use crate::floor::ANNOUNCEMENT;
use crate::measurement::Measurement;
use crate::report::{self, Results, Side};
use crate::scenario::{Options, Scenario, catalogue};
use crate::target::Target;

/// What to run on whom.
#[derive(Debug)]
pub struct Order {
    /// The broker under measurement.
    pub target: Target,
    /// The one beside it.
    pub versus: Option<Target>,
    /// Whether the floor runs too.
    pub floor: bool,
    /// How often each scenario runs on each side; the middle one by cost is reported.
    pub rounds: usize,
    /// Names or groups; empty for all.
    pub scenarios: Vec<String>,
    /// Sizes.
    pub options: Options,
    /// Where the JSON goes.
    pub json: Option<PathBuf>,
    /// Where the chart goes.
    pub chart: Option<PathBuf>,
}

/// Runs, reports, and fails if any scenario failed.
pub fn run(order: &Order) -> Result<()> {
    let chosen = choose(order)?;
    let floor = order.floor.then(FloorProcess::start).transpose()?;
    let mut results = Results::default();
    let sides: Vec<(Side, &Target)> = [
        (Side::Target, Some(&order.target)),
        (Side::Versus, order.versus.as_ref()),
        (Side::Floor, floor.as_ref().map(|floor| &floor.target)),
    ]
    .into_iter()
    .filter_map(|(side, target)| Some((side, target?)))
    .collect();
    for (side, target) in &sides {
        if let Some(name) = results.names.get_mut(*side as usize) {
            name.clone_from(&target.name);
        }
    }
    if order.target.data_dir.is_some()
        && let Some(name) = results.names.get_mut(Side::Disk as usize)
    {
        "disk".clone_into(name);
    }
    for scenario in &chosen {
        // Rounds alternate between the sides, so that a busy minute hits all of them.
        for (side, target) in (0..order.rounds).flat_map(|_| &sides) {
            if target.is_floor && !scenario.suits_floor() {
                continue;
            }
            if let Some(missing) = scenario.lacks(target) {
                // Asked for by name it must run; of a group it may be left out.
                if order.scenarios.iter().any(|name| name == scenario.name) {
                    let why = format!("needs {missing}");
                    results.add(*side, Measurement::failed(scenario.name, why));
                } else {
                    eprintln!(
                        "{} on {}: left out, it needs {missing}",
                        scenario.name, target.name
                    );
                }
                continue;
            }
            eprintln!("{} on {}: {}", scenario.name, target.name, scenario.about);
            match scenario.run(target, &order.options) {
                Ok(rows) => {
                    for row in rows {
                        results.add(*side, row);
                    }
                }
                Err(error) => {
                    let why = format!("{error:#}");
                    eprintln!("  FAILED: {why}");
                    results.add(*side, Measurement::failed(scenario.name, why));
                }
            }
        }
        if let (Some(folder), Some(load)) = (&order.target.data_dir, scenario.disk_load()) {
            measure_disk(scenario, folder, &load, order, &mut results);
        }
    }
    report::print_table(&results);
    report::print_bars(&results);
    if let Some(path) = &order.json {
        let text = serde_json::to_string_pretty(&results.to_json())?;
        std::fs::write(path, text + "\n").with_context(|| format!("{}", path.display()))?;
    }
    if let Some(path) = &order.chart {
        let svg = report::svg(&results).context("nothing to draw")?;
        std::fs::write(path, svg).with_context(|| format!("{}", path.display()))?;
    }
    let failures = results.failures();
    if !failures.is_empty() {
        bail!("{} failed:\n{}", failures.len(), failures.join("\n"));
    }
    Ok(())
}

/// The bare disk beside a scenario, so often as the scenario ran.
fn measure_disk(
    scenario: &Scenario,
    folder: &Path,
    load: &Load,
    order: &Order,
    results: &mut Results,
) {
    for _ in 0..order.rounds {
        eprintln!("{} on the disk itself", scenario.name);
        let measured = disk::run(scenario.name, folder, load, order.options.seconds.min(3.0));
        let row = measured.map_or_else(
            |error| Measurement::failed(scenario.name, format!("{error:#}")),
            |mut row| {
                row.durability = Some(Durability::Sync);
                row
            },
        );
        results.add(Side::Disk, row);
    }
}

fn choose(order: &Order) -> Result<Vec<Scenario>> {
    let all = catalogue(&order.options);
    let matches = |scenario: &Scenario, name: &String| {
        scenario.name == name.as_str() || scenario.group == name.as_str()
    };
    for name in &order.scenarios {
        if !all.iter().any(|scenario| matches(scenario, name)) {
            bail!("no scenario or group is called {name}; `leveret-perf list` names them");
        }
    }
    Ok(all
        .into_iter()
        .filter(|scenario| {
            order.scenarios.is_empty() || order.scenarios.iter().any(|name| matches(scenario, name))
        })
        .collect())
}

/// The floor in a process of its own, so that its processor time is its own.
struct FloorProcess {
    child: Child,
    target: Target,
}

impl FloorProcess {
    fn start() -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["floor", "--listen", "127.0.0.1:0", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the floor")?;
        let announced = announced_address(&mut child);
        let target = announced.and_then(|address| {
            let mut target = Target::find(&format!("amqp://{address}"), Some(child.id()), false)?;
            target.name = "floor".to_owned();
            target.is_floor = true;
            Ok(target)
        });
        match target {
            Ok(target) => Ok(Self { child, target }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.context("the floor did not start"))
            }
        }
    }
}

fn announced_address(child: &mut Child) -> Result<String> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
    let address = line.trim().strip_prefix(ANNOUNCEMENT);
    Ok(address.context("no address announced")?.to_owned())
}

impl Drop for FloorProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
