//! Watches a broker's system calls under load: nothing is promised (confirm,
//! tx.commit-ok, declare-ok of a durable queue) before the sync that covers its
//! record has ended.
//!
//! Needs `strace` and the right to trace; exits with 77 where it lacks them.

mod judge;
mod trace;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use amqp_tests::client::{Channel, Publish, Queue, Url};
use amqp_tests::suite::{
    Broker, Brokers, Ending, Product, Result, Target, end_leftovers, fail, not_run, random_hex,
};
use amqp_tests::wire::Props;

use crate::judge::{PER_COMMIT, Verdict, judge, mark};

const USAGE: &str = "sync-order --broker-bin FILE | --oracle [--oracle-sbin DIR] [--keep FILE]
  --broker-bin FILE  the server binary to watch
  --oracle           watch a RabbitMQ instead
  --oracle-sbin DIR  where its scripts are, if not at a usual place
  --keep FILE        leave the trace there";

/// Calls that are of interest: syncs, and writes of any kind.
const CALLS: &str = "trace=fdatasync,fsync,pwritev,pwritev2,pwrite64,sendto,writev,write,sendmsg";
/// Longest time for a tracer to attach or to end.
const PATIENCE: Duration = Duration::from_secs(30);

const SINGLE: u64 = 100;
const BURST: u64 = 1_000;
const CONSUMED: u64 = 300;
const COMMITS: u64 = 40;
const DECLARES: u64 = 60;

#[derive(Default)]
struct Args {
    binary: Option<PathBuf>,
    oracle: bool,
    sbin: Option<PathBuf>,
    keep: Option<PathBuf>,
}

fn parse() -> Result<Args> {
    let mut args = Args::default();
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || match words.next() {
            Some(v) => Ok(PathBuf::from(v)),
            None => fail(format!("{word} needs a value")),
        };
        match word.as_str() {
            "--broker-bin" => args.binary = Some(value()?),
            "--oracle" => args.oracle = true,
            "--oracle-sbin" => args.sbin = Some(value()?),
            "--keep" => args.keep = Some(value()?),
            _ => return fail(format!("unknown argument {word}\n{USAGE}")),
        }
    }
    if args.oracle == args.binary.is_some() {
        return fail(USAGE);
    }
    Ok(args)
}

/// A tracer that follows all threads of a process.
struct Tracer {
    child: Child,
    messages: PathBuf,
}

impl Tracer {
    fn attach(pid: u32, out: &Path) -> Result<Self> {
        let messages = out.with_extension("messages");
        let child = Command::new("strace")
            .args(["-f", "-yy", "-xx", "-s", "4194304", "-e", CALLS, "-o"])
            .arg(out)
            .args(["-p", &pid.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&messages)?)
            .spawn();
        let Ok(child) = child else {
            return not_run("needs strace");
        };
        let mut tracer = Self { child, messages };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let said = std::fs::read_to_string(&tracer.messages)?;
            if said.contains(" attached") {
                return Ok(tracer);
            }
            if tracer.child.try_wait()?.is_some() {
                return not_run(&format!("needs the right to trace a process: {said}"));
            }
            if Instant::now() > deadline {
                let _ = tracer.child.kill();
                return fail(format!("strace does not attach: {said}"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    /// Waits for its end, which follows the end of what it traces.
    fn wait(mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                return fail("strace does not end");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// A persistent message to `queue` with the mark of its record in the body.
fn marked(queue: &str, kind: char, channel: u16, number: u64) -> Publish {
    let body = format!("{}{}", mark(kind, channel, number), "x".repeat(100));
    Publish::to_queue(queue)
        .body(body)
        .props(Props::persistent())
}

/// A confirming channel of a connection of its own.
fn confirming(broker: &Broker, id: u16) -> Result<Channel> {
    let ch = broker.connect()?.channel(id)?;
    ch.confirm_select()?;
    Ok(ch)
}

fn all_acked(confirms: &[bool]) -> Result<()> {
    match confirms.iter().all(|ack| *ack) {
        true => Ok(()),
        false => fail("a publish was nacked"),
    }
}

/// One at a time: each waits for its own sync.
fn singly(broker: &Broker) -> Result<()> {
    let ch = confirming(broker, 10)?;
    ch.declare_with(Queue::new("singly").durable())?;
    for number in 1..=SINGLE {
        ch.publish_with(&marked("singly", 'c', 10, number))?;
        all_acked(&ch.confirms(number, number)?)?;
    }
    ch.conn.close()
}

/// Many at a time, to several queues at once.
fn bursts(broker: &Broker) -> Result<()> {
    let ch = confirming(broker, 11)?;
    for queue in ["burst.1", "burst.2"] {
        ch.declare_with(Queue::new(queue).durable())?;
        ch.bind(queue, "amq.fanout", "")?;
    }
    for first in (1..=BURST).step_by(100) {
        let mut bytes = Vec::new();
        for number in first..first + 100 {
            let mut publish = marked("", 'c', 11, number);
            let body = std::mem::take(&mut publish.body);
            let publish = Publish::new("amq.fanout", "k")
                .body(body)
                .props(publish.props);
            bytes.extend(ch.publish_bytes(&publish));
        }
        ch.conn.send_raw(&bytes)?;
        all_acked(&ch.confirms(first, first + 99)?)?;
    }
    ch.conn.close()
}

/// Consumed and acknowledged at once, perhaps before their records are synced.
fn consumed(broker: &Broker) -> Result<()> {
    let ch = confirming(broker, 12)?;
    ch.declare_with(Queue::new("consumed").durable())?;
    let consumer = broker.connect()?.channel(13)?;
    consumer.consume("consumed")?;
    for number in 1..=CONSUMED {
        ch.publish_with(&marked("consumed", 'c', 12, number))?;
        let d = consumer.delivery()?;
        consumer.ack(d.tag)?;
        all_acked(&ch.confirms(number, number)?)?;
    }
    ch.conn.close()?;
    consumer.conn.close()
}

fn transactions(broker: &Broker) -> Result<()> {
    let ch = broker.connect()?.channel(14)?;
    for queue in ["tx.0", "tx.1"] {
        ch.declare_with(Queue::new(queue).durable())?;
    }
    ch.tx_select()?;
    for commit in 0..COMMITS {
        for number in commit * PER_COMMIT + 1..=(commit + 1) * PER_COMMIT {
            let queue = format!("tx.{}", number % 2);
            ch.publish_with(&marked(&queue, 't', 14, number))?;
        }
        ch.tx_commit()?;
    }
    ch.conn.close()
}

fn declarations(broker: &Broker) -> Result<()> {
    let ch = broker.connect()?.channel(15)?;
    for number in 1..=DECLARES {
        ch.declare_with(Queue::new(mark('q', 15, number)).durable())?;
    }
    ch.conn.close()
}

/// All loads at once, so that their records share syncs.
fn load(broker: &Broker) -> Result<()> {
    let loads = [singly, bursts, consumed, transactions, declarations];
    std::thread::scope(|scope| {
        let threads = loads.map(|load| scope.spawn(move || load(broker)));
        for thread in threads {
            match thread.join() {
                Ok(result) => result?,
                Err(_) => return fail("a load panicked"),
            }
        }
        Ok(())
    })
}

fn watch(args: &Args, trace: &Path) -> Result<Verdict> {
    let target = Target {
        http: None,
        label: "sync-order".into(),
        url: Url::local(0),
        product: if args.oracle {
            Product::RabbitMq
        } else {
            Product::Leveret
        },
        binary: args.binary.clone(),
    };
    let brokers = Brokers::new(args.sbin.clone());
    let broker = brokers.start(&target, "", "")?;
    let tracer = Tracer::attach(broker.pid(), trace)?;
    load(&broker)?;
    broker.end(Ending::Clean)?;
    tracer.wait()?;
    let text = std::fs::read(trace)?;
    Ok(judge(&trace::read(&String::from_utf8_lossy(&text))))
}

fn run() -> Result<bool> {
    let args = parse()?;
    let name = format!("sync-order-{}.trace", random_hex());
    let trace = args.keep.clone();
    let trace = trace.unwrap_or_else(|| std::env::temp_dir().join(name));
    let verdict = watch(&args, &trace);
    if args.keep.is_none() {
        let _ = std::fs::remove_file(&trace);
    }
    let _ = std::fs::remove_file(trace.with_extension("messages"));
    let verdict = verdict?;
    println!(
        "{} confirms, {} commits and {} declarations, {} syncs: {} promises before their sync",
        verdict.confirms,
        verdict.commits,
        verdict.declares,
        verdict.syncs,
        verdict.broken.len()
    );
    for sentence in verdict.broken.iter().take(20) {
        println!("  {sentence}");
    }
    let seen = (verdict.confirms, verdict.commits, verdict.declares);
    let sent = (
        (SINGLE + BURST + CONSUMED) as usize,
        COMMITS as usize,
        DECLARES as usize,
    );
    if seen != sent {
        return fail(format!("the trace shows {seen:?} of {sent:?} promises"));
    }
    Ok(verdict.broken.is_empty())
}

fn main() -> ExitCode {
    let result = run();
    end_leftovers();
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(e) => {
            println!("{e}");
            ExitCode::from(if e.not_run() { 77 } else { 1 })
        }
    }
}
