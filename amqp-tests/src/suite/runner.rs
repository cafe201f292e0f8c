//! Runs scenarios on several threads, each bounded in time, each alone in its
//! failure.

use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::ctx::clean_up;
use super::{Brokers, Ctx, Failure, Outcome, Product, Report, Result, Scenario, end_leftovers};
use crate::client::{Conn, Url};
use crate::http::Http;

/// A broker to run on.
#[derive(Clone, Debug)]
pub struct Target {
    /// The column's name.
    pub label: String,
    /// Where it listens.
    pub url: Url,
    /// Its management API; none where that is not to be tested.
    pub http: Option<Http>,
    /// What it is.
    pub product: Product,
    /// The server binary, for private instances of Leveret.
    pub binary: Option<PathBuf>,
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The brokers, one column each.
    pub targets: Vec<Target>,
    /// The scenarios.
    pub scenarios: Vec<Scenario>,
    /// Scenarios at a time.
    pub threads: usize,
    /// The folder of RabbitMQ's scripts, where it is not at a usual place.
    pub oracle_sbin: Option<PathBuf>,
}

/// Asks a broker what it is: `Leveret`, or else RabbitMQ.
pub fn detect(url: &Url) -> Result<(Product, String)> {
    let start = Conn::tcp(url)?.start()?;
    let properties = start.table("server-properties");
    let text = |key| {
        properties
            .get(key)
            .and_then(|v| v.as_str())
            .unwrap_or_default()
    };
    let product = match text("product").as_str() {
        "Leveret" => Product::Leveret,
        _ => Product::RabbitMq,
    };
    Ok((product, format!("{} {}", text("product"), text("version"))))
}

/// Runs everything and prints a line per scenario as it ends.
pub fn run_all(plan: &Plan) -> Report {
    panic::set_hook(Box::new(|_| {}));
    let brokers = Arc::new(Brokers::new(plan.oracle_sbin.clone()));
    let next = AtomicUsize::new(0);
    let report = Mutex::new(Report::new(plan));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = plan.scenarios.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let run = |t: &Target| run_one(scenario, t, &brokers);
                    let outcomes = plan.targets.iter().map(run).collect();
                    report
                        .lock()
                        .unwrap_or_else(|e| e.into_inner())
                        .add(scenario, outcomes);
                }
            });
        }
    });
    brokers.stop();
    drop(brokers);
    end_leftovers();
    let _ = panic::take_hook();
    report.into_inner().unwrap_or_else(|e| e.into_inner())
}

/// One scenario on one broker, on a thread of its own so that neither a panic
/// nor a hang reaches the others. A thread that hangs is left behind; all its
/// reads have deadlines.
fn run_one(scenario: &Scenario, target: &Target, brokers: &Arc<Brokers>) -> Outcome {
    let mut ctx = Ctx::new(target, brokers, scenario.id);
    let (booting, rubbish) = ctx.handles();
    let (done, result) = mpsc::channel();
    let run = scenario.run;
    let spawned = std::thread::Builder::new()
        .name(scenario.id.into())
        .spawn(move || {
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| run(&mut ctx)));
            let outcome = outcome.unwrap_or_else(|payload| {
                let text = payload.downcast_ref::<String>().cloned();
                let text = text.or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string()));
                Err(Failure(format!("panic: {}", text.unwrap_or_default())))
            });
            let _ = done.send(outcome);
        });
    if let Err(e) = spawned {
        return Outcome::new(Err(Failure(format!("no thread: {e}"))), Duration::ZERO);
    }
    let limit = Duration::from_secs(scenario.seconds);
    let tick = Duration::from_millis(100);
    let mut spent = Duration::ZERO;
    let outcome = loop {
        let start = Instant::now();
        match result.recv_timeout(tick) {
            Ok(outcome) => {
                spent += start.elapsed();
                break outcome;
            }
            Err(RecvTimeoutError::Disconnected) => break Err(Failure("thread vanished".into())),
            Err(RecvTimeoutError::Timeout) => {
                if !booting.load(Ordering::SeqCst) {
                    spent += start.elapsed();
                }
                if spent > limit {
                    break Err(Failure(format!("not done after {limit:?}")));
                }
            }
        }
    };
    clean_up(&target.url, &rubbish);
    Outcome::new(outcome, spent)
}
