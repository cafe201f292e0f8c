//! Messages from publishers through queues to consumers, for as long as it is watched: the
//! scenarios of throughput, rate and latency.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Options;
use super::halves::{ledger, publishing, spawn, spawn_consumer};
use crate::client::{
    Client, QueueKind, bind_queue, consume, declare_exchange, declare_queue, delete_exchange,
    delete_queue,
};
use crate::consumer::Acks;
use crate::crowd::Published;
use crate::flow::Flow;
use crate::histogram::Histogram;
use crate::measurement::{Meter, Reading};
use crate::target::Target;
use crate::wire::id;

/// In flight at most, in octets: more falls out of the processor's caches, and then the cost
/// of memory would be measured and not that of the broker.
const WINDOW_BYTES: u64 = 2 * 1024 * 1024;
/// Unacknowledged deliveries allowed to a consumer that acknowledges.
const PREFETCH: u16 = 1000;
/// Deliveries may pause this long before what is missing counts as lost.
const DRAIN_PATIENCE: Duration = Duration::from_secs(60);

/// Who publishes what to whom.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Octets of a body.
    pub size: usize,
    /// Queues, each with one consumer.
    pub queues: usize,
    /// Publishing connections, and as many consuming ones.
    pub links: usize,
    /// Every message goes to every queue; otherwise the queues take turns.
    pub fan_out: bool,
    /// Messages a second in all.
    pub rate: Option<u64>,
    /// Acknowledgements.
    pub acks: Acks,
    /// Unconfirmed publishes allowed.
    pub confirm_window: Option<u64>,
    /// Durable queues and persistent messages; how many publishers share them.
    pub durable: Option<Durable>,
}

/// What is particular to durable streams, whose confirms are always timed.
#[derive(Debug, Clone, Copy)]
pub struct Durable {
    /// Which publisher sends to which queue.
    pub spread: Spread,
    /// Whether somebody consumes; otherwise confirms are counted.
    pub consumed: bool,
}

/// Which publisher sends to which queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Each to all in turn, every one beginning with another.
    All,
    /// Each to its own, or to the one of its turn where there are fewer queues.
    Own,
}

impl Shape {
    /// Whether somebody consumes.
    pub fn is_consumed(&self) -> bool {
        self.durable.is_none_or(|durable| durable.consumed)
    }

    /// Publishes that may be unconfirmed in all.
    pub fn in_flight(&self) -> u64 {
        self.links as u64 * self.confirm_window.unwrap_or(1)
    }
}

/// A running stream.
pub struct Stream {
    target: Target,
    flow: Arc<Flow>,
    control: Client,
    queues: Vec<String>,
    exchange: String,
    publisher: JoinHandle<Published>,
    consumer: Option<JoinHandle<Histogram>>,
}

/// Latencies of a finished stream.
#[derive(Debug, Default)]
pub struct Latencies {
    /// From publisher to consumer.
    pub delivery: Histogram,
    /// From publisher to its confirm; timed in durable streams only.
    pub confirm: Histogram,
}

/// A name for this process and moment, all of one length.
pub fn unique_prefix() -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("lp.{:x}.{number:x}.", std::process::id())
}

impl Stream {
    /// Declares, subscribes and lets the messages flow.
    pub fn start(shape: &Shape, target: &Target, options: &Options) -> Result<Self> {
        let prefix = unique_prefix();
        let queues: Vec<String> = (0..shape.queues)
            .map(|number| format!("{prefix}{number:04}"))
            .collect();
        let exchange = if shape.fan_out {
            prefix.clone()
        } else {
            String::new()
        };
        let control = declare(shape, target, &queues, &exchange, options)?;
        let consumers = if shape.is_consumed() {
            subscribe(shape, target, &queues)?
        } else {
            Vec::new()
        };
        let mut publishers = Vec::with_capacity(shape.links);
        for _ in 0..shape.links {
            let mut client = target.connect()?;
            if shape.confirm_window.is_some() {
                client.confirm()?;
            }
            publishers.push(client);
        }
        let copies = if shape.fan_out { shape.queues } else { 1 };
        let window = match shape.durable {
            None => options.window.min(WINDOW_BYTES / shape.size as u64),
            // The windows of the confirms are the bound, and consumers may lag once as much.
            Some(_) => options.window.max(2 * shape.in_flight()),
        };
        let flow = Arc::new(Flow::new(window, copies as u64));
        let consumer = match consumers.is_empty() {
            true => None,
            false => Some(spawn_consumer(&flow, consumers, shape.acks, ledger(shape))?),
        };
        let plan = publishing(shape, &queues, &exchange);
        Ok(Self {
            target: target.clone(),
            control,
            queues,
            exchange,
            consumer,
            publisher: spawn(&flow, "publisher", move |flow| plan.run(publishers, flow))?,
            flow,
        })
    }

    /// Lets it run unmeasured until the broker is in its stride.
    pub fn warm_up(&self, options: &Options) -> Result<()> {
        self.watch((options.seconds / 4.0).clamp(0.5, 2.0))
    }

    /// Measures for a while: the reading, and the deliveries in it.
    pub fn measure(&mut self, seconds: f64) -> Result<(Reading, u64)> {
        self.flow.set_measuring(true);
        let meter = Meter::start(&self.target)?;
        let before = self.flow.received();
        let watched = self.watch(seconds);
        // A broker that died is better explained by what its peers saw than by its absence.
        watched?;
        let after = self.flow.received();
        let reading = meter.stop()?;
        self.flow.set_measuring(false);
        if after == before {
            let sent = self.flow.sent();
            bail!("stalled: {sent} published, {after} delivered, none in {seconds} s");
        }
        Ok((reading, after - before))
    }

    fn watch(&self, seconds: f64) -> Result<()> {
        let end = Instant::now() + Duration::from_secs_f64(seconds);
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            self.check()?;
            thread::sleep(left.min(Duration::from_millis(100)));
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        match self.flow.failure() {
            Some(failure) => bail!(failure),
            None => Ok(()),
        }
    }

    /// Ends a stream that failed, without waiting for what will not come; its queues go too.
    pub fn abandon(self, why: anyhow::Error) -> anyhow::Error {
        self.flow.fail(&why);
        let _ = self.finish();
        why
    }

    /// Stops publishing, waits for everything that is under way, and takes the queues away.
    pub fn finish(mut self) -> Result<Latencies> {
        self.flow.stop_publishing();
        let published = self.publisher.join();
        let drained = drain(&self.flow);
        self.flow.stop_consuming();
        let consumed = self.consumer.map(JoinHandle::join).transpose();
        let removal = remove(&mut self.control, &self.queues, &self.exchange);
        drained?;
        removal.context("deleting what was declared")?;
        self.control.close()?;
        let published = published.ok().context("the publisher panicked")?;
        Ok(Latencies {
            delivery: consumed
                .ok()
                .context("the consumer panicked")?
                .unwrap_or_default(),
            confirm: published.confirms,
        })
    }
}

/// Waits until every delivery has arrived; fails when they stop coming.
pub fn drain(flow: &Flow) -> Result<()> {
    let mut last = (flow.received(), Instant::now());
    while !flow.is_drained() {
        if let Some(failure) = flow.failure() {
            bail!(failure);
        }
        let received = flow.received();
        if received != last.0 {
            last = (received, Instant::now());
        } else if last.1.elapsed() > DRAIN_PATIENCE {
            let sent = flow.sent();
            bail!("loss: {sent} messages were published, {received} deliveries came");
        }
        thread::sleep(Duration::from_millis(5));
    }
    match flow.failure() {
        Some(failure) => bail!(failure),
        None => Ok(()),
    }
}

fn declare(
    shape: &Shape,
    target: &Target,
    queues: &[String],
    exchange: &str,
    options: &Options,
) -> Result<Client> {
    let kind = match shape.durable {
        Some(_) => options.durable_kind(),
        None => QueueKind::Transient,
    };
    let mut control = target.connect()?;
    let declares = queues.iter().map(|queue| declare_queue(queue, kind));
    control.call_all(declares, id::QUEUE_DECLARE_OK)?;
    if !exchange.is_empty() {
        control.call_all(
            [declare_exchange(exchange, "fanout")],
            id::EXCHANGE_DECLARE_OK,
        )?;
        let binds = queues.iter().map(|queue| bind_queue(queue, exchange, ""));
        control.call_all(binds, id::QUEUE_BIND_OK)?;
    }
    Ok(control)
}

fn remove(control: &mut Client, queues: &[String], exchange: &str) -> Result<()> {
    if !exchange.is_empty() {
        control.call_all([delete_exchange(exchange)], id::EXCHANGE_DELETE_OK)?;
    }
    let deletes = queues.iter().map(|queue| delete_queue(queue));
    control.call_all(deletes, id::QUEUE_DELETE_OK)?;
    Ok(())
}

fn subscribe(shape: &Shape, target: &Target, queues: &[String]) -> Result<Vec<Client>> {
    let auto = shape.acks == Acks::Auto;
    let mut clients = Vec::with_capacity(shape.links);
    for link in 0..shape.links {
        let mut client = target.connect()?;
        if !auto {
            client.prefetch(PREFETCH)?;
        }
        let mine = queues.iter().enumerate().skip(link).step_by(shape.links);
        let consumes = mine.map(|(number, queue)| consume(queue, number, auto));
        client.call_all(consumes, id::BASIC_CONSUME_OK)?;
        clients.push(client);
    }
    Ok(clients)
}
