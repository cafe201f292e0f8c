//! Kills a broker under load, again and again, and compares what it holds
//! afterwards with a ledger of what it promised.
//!
//! Publishers with confirms and consumers work on several topologies until
//! SIGKILL. After each restart every queue is read: no confirmed message may be
//! missing unless it was acknowledged, none may be there twice or again, none
//! may be damaged or out of its publisher's order, no dead letter may be lost
//! between its queues, and only settlements of the last 200 ms may be undone.

mod body;
mod consume;
mod damage;
mod ledger;
mod publish;
mod random;
mod read;
mod topology;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use amqp_tests::client::Url;
use amqp_tests::suite::{Broker, Brokers, Ending, Product, Target, end_leftovers};
use tokio::task::JoinSet;

use crate::damage::{Tail, damage};
use crate::ledger::{Counts, Problem};
use crate::publish::{Shared, connect, lock};
use crate::random::Random;

const USAGE: &str = "crash --broker-bin FILE | --oracle [--oracle-sbin DIR]
  --broker-bin FILE       the server binary to kill
  --oracle                kill a RabbitMQ instead, for comparison
  --oracle-sbin DIR       where its scripts are, if not at a usual place
  --cycles N              kills (3)
  --seconds-per-cycle S   longest load before a kill (2)
  --seed N                of the choices (random)
  --tail torn|truncate|zero|mixed
                          damage the end of the newest log file after each kill
  --conf LINE             a line of the broker's configuration (several)
  --keep-going            go on after a cycle with problems
AMQP_TESTS_KEEP=1 leaves the data folder behind. Exit status 1: something was
lost, invented, damaged, out of order or came back, or the broker did not start.";

/// Longest time for tasks to notice that the broker is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Confirms without which a broker is not killed yet.
const ENOUGH: u64 = 100;
/// Problems printed of a cycle.
const SHOWN: usize = 40;

struct Args {
    binary: Option<PathBuf>,
    oracle: bool,
    sbin: Option<PathBuf>,
    cycles: u32,
    longest: Duration,
    seed: u64,
    tail: Option<String>,
    conf: String,
    keep_going: bool,
}

fn parse() -> Result<Args, String> {
    let clock = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    let mut args = Args {
        binary: None,
        oracle: false,
        sbin: None,
        cycles: 3,
        longest: Duration::from_secs(2),
        seed: random::mix(clock.as_nanos() as u64) >> 32,
        tail: None,
        conf: String::new(),
        keep_going: false,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        let bad = |what: &str| format!("{word}: {what}");
        match word.as_str() {
            "--broker-bin" => args.binary = Some(value()?.into()),
            "--oracle" => args.oracle = true,
            "--oracle-sbin" => args.sbin = Some(value()?.into()),
            "--cycles" => args.cycles = value()?.parse().map_err(|_| bad("no number"))?,
            "--seed" => args.seed = value()?.parse().map_err(|_| bad("no number"))?,
            "--seconds-per-cycle" => {
                let seconds: f64 = value()?.parse().map_err(|_| bad("no number"))?;
                args.longest = Duration::try_from_secs_f64(seconds).map_err(|_| bad("too long"))?;
            }
            "--tail" => {
                let name = value()?;
                if name != "mixed" && Tail::named(&name).is_none() {
                    return Err(bad("unknown kind"));
                }
                args.tail = Some(name);
            }
            "--conf" => args.conf += &format!("{}\n", value()?),
            "--keep-going" => args.keep_going = true,
            _ => return Err(format!("unknown argument {word}\n{USAGE}")),
        }
    }
    if args.oracle == args.binary.is_some() || (args.oracle && args.tail.is_some()) {
        return Err(USAGE.into());
    }
    Ok(args)
}

/// The run: its broker and what is known so far.
struct Run {
    args: Args,
    broker: Broker,
    ledger: Shared,
    random: Random,
    total: Counts,
    starts: Vec<Duration>,
    problems: BTreeMap<Problem, usize>,
    bad_cycles: u32,
}

fn url(broker: &Broker) -> String {
    let Url { host, port, .. } = &broker.url;
    format!("amqp://guest:guest@{host}:{port}/%2f")
}

async fn begin(args: Args, brokers: &Brokers) -> Result<Run, String> {
    let product = if args.oracle {
        Product::RabbitMq
    } else {
        Product::Leveret
    };
    let target = Target {
        label: "crash".into(),
        url: Url::local(0),
        http: None,
        product,
        binary: args.binary.clone(),
    };
    let broker = brokers.start(&target, &args.conf, "");
    let broker = broker.map_err(|e| e.to_string())?;
    let connection = connect(&url(&broker)).await.map_err(|e| e.to_string())?;
    let channel = connection
        .create_channel()
        .await
        .map_err(|e| e.to_string())?;
    let declared = topology::declare(&channel).await;
    declared.map_err(|e| format!("declare: {e}"))?;
    Ok(Run {
        random: Random::part(args.seed, 0),
        args,
        broker,
        ledger: Arc::default(),
        total: Counts::default(),
        starts: Vec::new(),
        problems: BTreeMap::new(),
        bad_cycles: 0,
    })
}

impl Run {
    /// Publishers and consumers until the kill; the moment before it.
    async fn load_and_kill(&mut self, cycle: u32) -> Result<Instant, String> {
        let (url, mut tasks) = (url(&self.broker), JoinSet::new());
        for publisher in 0..topology::publishers() {
            let ledger = self.ledger.clone();
            tasks.spawn(publish::publish(url.clone(), ledger, publisher, cycle));
        }
        for (at, policy) in topology::POLICIES.into_iter().enumerate() {
            let part = u64::from(cycle) << 8 | at as u64;
            let random = Random::part(self.args.seed, part);
            let ledger = self.ledger.clone();
            tasks.spawn(consume::consume(url.clone(), ledger, policy, random));
        }
        let longest = self.args.longest.as_millis() as u64;
        let length = 300.min(longest) + self.random.below(longest.saturating_sub(300).max(1));
        // The load lasts until a random moment, which is when it is killed.
        tokio::time::sleep(Duration::from_millis(length)).await;
        // A loaded machine may take longer to have anything to lose.
        let deadline = Instant::now() + PATIENCE;
        while lock(&self.ledger).counts.confirmed < ENOUGH {
            if Instant::now() > deadline {
                let log = self.broker.log_tail();
                return Err(format!("under {ENOUGH} confirms in {PATIENCE:?}: {log}"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if let Ok(code) = self.broker.wait_exit(Duration::ZERO) {
            let log = self.broker.log_tail();
            return Err(format!("the broker ended by itself, exit {code}: {log}"));
        }
        let killed = Instant::now();
        let ended = self.broker.end(Ending::Kill);
        ended.map_err(|e| e.to_string())?;
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            return Err("a client did not notice that its broker is gone".into());
        }
        Ok(killed)
    }
    fn damage(&mut self) -> Result<(), String> {
        let Some(name) = &self.args.tail else {
            return Ok(());
        };
        let kinds = [Tail::Torn, Tail::Truncate, Tail::Zero];
        let tail = Tail::named(name).unwrap_or(kinds[self.random.below(3) as usize]);
        let done = damage(&self.broker.data(), tail, &mut self.random);
        println!("  {}", done.map_err(|e| format!("damage: {e}"))?);
        Ok(())
    }
    /// One cycle: how long the start took; all else is in the ledger.
    async fn cycle(&mut self, cycle: u32) -> Result<Duration, String> {
        let killed = self.load_and_kill(cycle).await?;
        self.damage()?;
        let started = self.broker.start_again();
        let start = started.map_err(|e| format!("the broker does not start: {e}"))?;
        self.starts.push(start);
        let connection = connect(&url(&self.broker)).await.map_err(|e| {
            let log = self.broker.log_tail();
            format!("no connection after the restart: {e}: {log}")
        })?;
        let (readers, found) = read::read_all(&connection, &self.ledger).await?;
        lock(&self.ledger).verify(&found, killed);
        // Every other cycle starts with what the one before left.
        read::finish(readers, &self.ledger, cycle.is_multiple_of(2)).await?;
        let closed = connection.close(200, "verified".into()).await;
        closed.map_err(|e| e.to_string())?;
        Ok(start)
    }
    async fn cycles(&mut self) -> bool {
        println!("{HEAD}");
        for cycle in 1..=self.args.cycles {
            let done = self.cycle(cycle).await;
            let counts = std::mem::take(&mut lock(&self.ledger).counts);
            self.total = sum(self.total, counts);
            let problems = lock(&self.ledger).problems.len();
            let start = done.as_ref().map_or(0, |start| start.as_millis());
            println!("{cycle:>5} {} {start:>8} {problems:>7}", columns(&counts));
            if let Err(e) = done {
                println!("cycle {cycle}: {e}");
                self.problems();
                self.bad_cycles = self.bad_cycles.max(1);
                return false;
            }
            if self.problems() && !self.args.keep_going {
                return false;
            }
        }
        true
    }
    /// Prints the cycle's problems; whether there were any.
    fn problems(&mut self) -> bool {
        let problems = std::mem::take(&mut lock(&self.ledger).problems);
        for (kind, _) in &problems {
            *self.problems.entry(*kind).or_default() += 1;
        }
        for (kind, text) in problems.iter().take(SHOWN) {
            println!("  {kind:?}: {text}");
        }
        if problems.len() > SHOWN {
            println!("  and {} more", problems.len() - SHOWN);
        }
        self.bad_cycles += u32::from(!problems.is_empty());
        !problems.is_empty()
    }
    fn summary(&mut self) {
        self.starts.sort();
        let at = |share: usize| {
            self.starts
                .get((self.starts.len() * share / 100).min(self.starts.len().saturating_sub(1)))
        };
        let ms = |share| at(share).map_or(0, |d| d.as_millis());
        println!("\n{HEAD}\n  all {} {:>8}", columns(&self.total), "");
        println!(
            "{} kills; start-up p50 {} ms, p90 {} ms, longest {} ms; \
             oldest acknowledgement undone {} ms; {} messages left; {} cycles with problems",
            self.starts.len(),
            ms(50),
            ms(90),
            ms(100),
            self.total.oldest_undone.as_millis(),
            lock(&self.ledger).len(),
            self.bad_cycles
        );
        for (kind, count) in &self.problems {
            println!("{kind:?}: {count}");
        }
    }
}

const HEAD: &str = "cycle published confirmed delivered    acked rejected    found  unconf. partial undone oldest/ms start/ms problem";

fn columns(c: &Counts) -> String {
    format!(
        "{:>9} {:>9} {:>9} {:>8} {:>8} {:>8} {:>8} {:>7} {:>6} {:>9}",
        c.published,
        c.confirmed,
        c.delivered,
        c.acked,
        c.rejected,
        c.found,
        c.unconfirmed_gone,
        c.partial,
        c.acks_undone,
        c.oldest_undone.as_millis()
    )
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        published: a.published + b.published,
        confirmed: a.confirmed + b.confirmed,
        nacked: a.nacked + b.nacked,
        delivered: a.delivered + b.delivered,
        acked: a.acked + b.acked,
        rejected: a.rejected + b.rejected,
        found: a.found + b.found,
        unconfirmed_gone: a.unconfirmed_gone + b.unconfirmed_gone,
        acks_undone: a.acks_undone + b.acks_undone,
        oldest_undone: a.oldest_undone.max(b.oldest_undone),
        partial: a.partial + b.partial,
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    let args = match parse() {
        Ok(args) => args,
        Err(e) => {
            eprintln!("{e}");
            return ExitCode::from(2);
        }
    };
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if let Some(at) = words.iter().position(|w| w == "--seed") {
        words.drain(at..words.len().min(at + 2));
    }
    println!(
        "seed {}; to repeat: crash {} --seed {}",
        args.seed,
        words.join(" "),
        args.seed
    );
    let brokers = Brokers::new(args.sbin.clone());
    let ok = match begin(args, &brokers).await {
        Ok(mut run) => {
            let ok = run.cycles().await;
            run.summary();
            ok && run.bad_cycles == 0
        }
        Err(e) => {
            println!("{e}");
            false
        }
    };
    end_leftovers();
    if ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
