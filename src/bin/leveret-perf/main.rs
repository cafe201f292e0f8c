//! `leveret-perf`: what a broker costs.
//!
//! Drives any AMQP 0-9-1 broker by URL through a catalogue of scenarios, reads the broker's
//! processor time and memory from the kernel, checks that no message is lost, repeated or out
//! of order, and prints everything as a table, also as a multiple of the floor: the framing
//! pass-through that is this machine's limit. Uses nothing of the `leveret` library, so that a
//! mistake in the broker's codec cannot hide in the tool that measures it.

#![expect(
    clippy::print_stdout,
    reason = "a command-line tool whose product is what it prints"
)]
mod client;
mod confirms;
mod consumer;
mod crowd;
mod disk;
mod durability;
mod floor;
mod flow;
mod histogram;
mod measurement;
mod paced;
mod pacer;
mod process;
mod publisher;
mod report;
mod ring;
mod run;
mod scenario;
mod target;
mod url;
mod watch;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};

use crate::client::QueueKind;
use crate::durability::Durability;
use crate::run::Order;
use crate::scenario::{DurableSizes, Options};
use crate::target::Target;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Load generator for AMQP 0-9-1 brokers.
#[derive(Debug, Parser)]
#[command(name = "leveret-perf", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios against a broker, beside another one or the floor.
    Run(Box<RunArgs>),
    /// Serve as the floor: the framing pass-through that is this machine's limit.
    Floor {
        /// Address and port; port 0 takes a free one, which is printed.
        #[arg(long, default_value = "127.0.0.1:5670")]
        listen: String,
        /// End when standard input ends.
        #[arg(long, hide = true)]
        until_stdin_closes: bool,
    },
    /// List the scenarios.
    List(Sizes),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// The broker.
    #[arg(long, default_value = "amqp://guest:guest@127.0.0.1:5672/")]
    url: String,
    /// Its process; found by the port it listens on unless given.
    #[arg(long)]
    pid: Option<u32>,
    /// Another broker, measured right after the first in every scenario.
    #[arg(long)]
    vs: Option<String>,
    /// The other broker's process.
    #[arg(long, requires = "vs")]
    vs_pid: Option<u32>,
    /// Its data folder: disk use is measured there, and the bare disk beside the durable scenarios.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// The other broker's data folder.
    #[arg(long, requires = "vs")]
    vs_data_dir: Option<PathBuf>,
    /// Shell command that starts the broker: `restart` kills it (SIGKILL) and starts it so. It
    /// runs on when this tool has ended.
    #[arg(long)]
    start_cmd: Option<String>,
    /// Shell command that starts the other broker.
    #[arg(long, requires = "vs")]
    vs_start_cmd: Option<String>,
    /// What the broker gives a confirmed persistent message; known by product and version
    /// unless given.
    #[arg(long, value_enum)]
    durability: Option<Durability>,
    /// What the other broker gives.
    #[arg(long, value_enum, requires = "vs")]
    vs_durability: Option<Durability>,
    /// Multiplies the other broker's backlog, held, object and idle counts, also of the durable
    /// scenarios.
    #[arg(long, default_value_t = 0.1, requires = "vs")]
    vs_scale: f64,
    /// Measure the floor too and print multiples of it.
    #[arg(long)]
    floor: bool,
    /// Scenarios or groups, separated by commas; all unless given.
    #[arg(long, value_delimiter = ',')]
    scenario: Vec<String>,
    /// Run each scenario so often on each side and report the middle one by cost.
    #[arg(long, default_value_t = 1)]
    rounds: usize,
    /// Write everything measured to this file.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Draw a chart into this SVG file.
    #[arg(long)]
    chart: Option<PathBuf>,
    #[command(flatten)]
    sizes: Sizes,
}

#[derive(Debug, Args)]
struct Sizes {
    /// Seconds measured in each scenario that goes on for a time.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Deliveries in flight at most.
    #[arg(long, default_value_t = 20_000)]
    window: u64,
    /// Messages a second of the queues, connections and reply-queues scenarios.
    #[arg(long, default_value_t = 10_000)]
    rate: u64,
    /// Messages of the backlog.
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Messages that pass the held one.
    #[arg(long, default_value_t = 10_000_000)]
    held: u64,
    /// Object counts at which declaring and binding is measured.
    #[arg(long, value_delimiter = ',', default_value = "100,10000,100000")]
    objects: Vec<u64>,
    /// Idle connections weighed.
    #[arg(long, default_value_t = 1000)]
    idle: u64,
    /// Connections of the connections scenario, half of them publishing.
    #[arg(long, default_value_t = 1000)]
    connections: usize,
    /// Queues of the queues scenario.
    #[arg(long, default_value_t = 1000)]
    queues: usize,
    #[command(flatten)]
    durable: DurableSizes,
}

impl From<Sizes> for Options {
    fn from(sizes: Sizes) -> Self {
        Self {
            seconds: sizes.seconds.max(0.5),
            window: sizes.window.max(100),
            rate: sizes.rate.max(1),
            backlog: sizes.backlog.max(1),
            held: sizes.held.max(100),
            objects: sizes.objects,
            idle: sizes.idle.max(1),
            connections: sizes.connections.max(2),
            queues: sizes.queues.clamp(1, 9999),
            durable: sizes.durable.checked(),
        }
    }
}

fn main() -> ExitCode {
    match execute() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leveret-perf: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute() -> Result<()> {
    match Cli::parse().command {
        Command::Run(arguments) => run(*arguments),
        Command::Floor {
            listen,
            until_stdin_closes,
        } => {
            raise_file_limit();
            floor::serve(&listen, until_stdin_closes)
        }
        Command::List(sizes) => {
            for scenario in scenario::catalogue(&sizes.into()) {
                println!(
                    "{:<18} {:<12} {}",
                    scenario.name, scenario.group, scenario.about
                );
            }
            Ok(())
        }
    }
}

fn run(arguments: RunArgs) -> Result<()> {
    raise_file_limit();
    let options = Options::from(arguments.sizes);
    let quorum = options.durable_kind() == QueueKind::Quorum;
    let mut target = Target::find(&arguments.url, arguments.pid, quorum).context("the broker")?;
    target.durability = arguments.durability.or(target.durability);
    target.data_dir = arguments.data_dir;
    target.start_cmd = arguments.start_cmd;
    let versus = match &arguments.vs {
        None => None,
        Some(url) => {
            let mut versus =
                Target::find(url, arguments.vs_pid, quorum).context("the other broker")?;
            versus.scale = arguments.vs_scale.clamp(0.0, 1.0);
            versus.durability = arguments.vs_durability.or(versus.durability);
            versus.data_dir = arguments.vs_data_dir;
            versus.start_cmd = arguments.vs_start_cmd;
            Some(versus)
        }
    };
    run::run(&Order {
        target,
        versus,
        floor: arguments.floor,
        rounds: arguments.rounds.max(1),
        scenarios: arguments.scenario,
        options,
        json: arguments.json,
        chart: arguments.chart,
    })
}

/// A thousand connections need more files than the usual soft limit; what is missing then shows
/// as the failure to connect.
fn raise_file_limit() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}
