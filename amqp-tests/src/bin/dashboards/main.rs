//! Evaluates every query of RabbitMQ's Overview and Quorum dashboards for
//! Grafana on a Prometheus server that scrapes a broker under traffic: none may
//! fail, each must have data where the broker can have any.
//!
//! Needs `prometheus`; exits with 77 without it.

mod queries;
mod traffic;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use amqp_tests::client::Url;
use amqp_tests::http::{Http, Json};
use amqp_tests::suite::{
    Brokers, Process, Product, Result, Target, end_leftovers, fail, free_ports, not_run, random_hex,
};

use crate::queries::{CLUSTER, NAMESPACE, Query};
use crate::traffic::Traffic;

const USAGE: &str = "dashboards --broker-bin FILE [--prometheus FILE]
  --broker-bin FILE  the server binary to look at
  --prometheus FILE  the Prometheus server (default: prometheus)";

/// Longest time until every query has data.
const PATIENCE: Duration = Duration::from_secs(120);

struct Args {
    broker: PathBuf,
    prometheus: PathBuf,
}

fn parse() -> Result<Args> {
    let (mut broker, mut prometheus) = (None, PathBuf::from("prometheus"));
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().map(PathBuf::from);
        match (word.as_str(), value) {
            ("--broker-bin", Some(value)) => broker = Some(value),
            ("--prometheus", Some(value)) => prometheus = value,
            _ => return fail(USAGE),
        }
    }
    match broker {
        Some(broker) => Ok(Args { broker, prometheus }),
        None => fail(USAGE),
    }
}

/// A folder that goes with its owner.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A Prometheus server that scrapes `target` every second.
struct Prometheus {
    http: Http,
    process: Process,
    log: PathBuf,
    _folder: Folder,
}

impl Prometheus {
    fn start(program: &Path, target: u16) -> Result<Self> {
        let known = Command::new(program).arg("--version").output();
        if !known.is_ok_and(|out| out.status.success()) {
            return not_run("needs prometheus");
        }
        let folder = std::env::temp_dir().join(format!("dashboards-{}", random_hex()));
        std::fs::create_dir_all(&folder)?;
        let folder = Folder(folder);
        let config = folder.0.join("prometheus.yml");
        std::fs::write(
            &config,
            format!(
                "global:\n  scrape_interval: 1s\nscrape_configs:\n- job_name: broker\n  \
                 static_configs:\n  - targets: ['127.0.0.1:{target}']\n    labels:\n      \
                 namespace: {NAMESPACE}\n"
            ),
        )?;
        let port = free_ports(1)?[0];
        let log = folder.0.join("prometheus.log");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.0.join("data").display()
            ))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"));
        Ok(Self {
            http: Http::local(port).anonymous(),
            process: Process::start(&mut command, &log)?,
            log,
            _folder: folder,
        })
    }
    /// The result of an instant query: its samples' values, or why there are none yet.
    fn query(&mut self, text: &str) -> Result<std::result::Result<Vec<f64>, String>> {
        if let Some(code) = self.process.exited() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            return fail(format!("prometheus ended with {code}: {log}"));
        }
        let path = format!("/api/v1/query?query={}", amqp_tests::http::segment(text));
        let answer = match self.http.get(&path) {
            Ok(answer) => answer,
            // It does not listen yet.
            Err(e) => return Ok(Err(e.to_string())),
        };
        if answer.status == 503 {
            return Ok(Err("not ready".into()));
        }
        let json = answer.expect(200)?.json()?;
        if json["status"].text() != "success" {
            return fail(format!("{text}: {}", json["error"].text()));
        }
        let value = |sample: &Json| sample["value"].items().get(1)?.text().parse().ok();
        Ok(Ok(json["data"]["result"]
            .items()
            .iter()
            .filter_map(value)
            .collect()))
    }
}

/// What a query still lacks; none when it is as it should be.
fn lacks(prometheus: &mut Prometheus, query: &Query) -> Result<Option<String>> {
    let text = query.text();
    let values = match prometheus.query(&text)? {
        Ok(values) => values,
        Err(why) => return Ok(Some(why)),
    };
    Ok(if query.may_be_empty().is_some() {
        None
    } else if values.is_empty() {
        Some(format!("no data: {text}"))
    } else if query.moves() && !values.iter().any(|value| *value > 0.0) {
        Some(format!("nothing above 0: {text}"))
    } else {
        None
    })
}

fn run() -> Result<()> {
    let args = parse()?;
    let target = Target {
        http: None,
        label: "dashboards".into(),
        url: Url::local(0),
        product: Product::Leveret,
        binary: Some(args.broker),
    };
    let brokers = Brokers::new(None);
    let broker = brokers.start(&target, &format!("cluster_name = {CLUSTER}\n"), "")?;
    let mut prometheus = Prometheus::start(&args.prometheus, broker.metrics_port())?;
    let mut traffic = Traffic::start(&broker.url)?;
    let queries = queries::all();
    let deadline = Instant::now() + PATIENCE;
    let mut missing: Vec<String>;
    loop {
        missing = Vec::new();
        for query in &queries {
            if let Some(why) = lacks(&mut prometheus, query)? {
                missing.push(format!("{}: {why}", query.title));
            }
        }
        if missing.is_empty() || Instant::now() > deadline {
            break;
        }
        traffic.check()?;
        std::thread::sleep(Duration::from_millis(500));
    }
    traffic.stop()?;
    let mut excused = 0;
    for query in &queries {
        if let Some(reason) = query.may_be_empty() {
            excused += 1;
            println!(
                "may be empty: {} ({}): {reason}",
                query.title, query.dashboard
            );
        }
    }
    println!("{} queries, {excused} of them may be empty", queries.len());
    match missing.is_empty() {
        true => Ok(()),
        false => fail(missing.join("\n")),
    }
}

fn main() -> ExitCode {
    let result = run();
    end_leftovers();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            println!("{e}");
            ExitCode::from(if e.not_run() { 77 } else { 1 })
        }
    }
}
