//! Durable queues that were declared, filled and are to be drained: what the scenarios of this
//! folder share.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::{Client, consume_unanswered, declare_queue, delete_queue};
use crate::consumer::{Acks, Ledger};
use crate::flow::Flow;
use crate::publisher::Plan;
use crate::scenario::Options;
use crate::scenario::halves::{spawn_consumer, spawn_publisher};
use crate::scenario::stream::{drain, unique_prefix};
use crate::target::Target;
use crate::wire::id;

/// Unconfirmed publishes allowed while filling.
const WINDOW: u64 = 1000;
/// An acknowledgement for so many deliveries while draining.
const ACK_EVERY: u64 = 100;
/// Deliveries that may be unacknowledged for each consumer.
const PREFETCH: u16 = 1000;
/// What was confirmed must be counted by the queue within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Durable queues of one scenario.
pub struct Backlog {
    /// Names, all of one length.
    pub queues: Vec<String>,
    /// Octets of a body.
    pub size: usize,
    /// Messages published so far.
    pub count: u64,
    flow: Arc<Flow>,
}

impl Backlog {
    /// Declares the queues.
    pub fn declare(
        queues: usize,
        size: usize,
        control: &mut Client,
        options: &Options,
    ) -> Result<Self> {
        let prefix = unique_prefix();
        let queues: Vec<String> = (0..queues)
            .map(|number| format!("{prefix}{number:05}"))
            .collect();
        let declares = queues
            .iter()
            .map(|queue| declare_queue(queue, options.durable_kind()));
        control.call_all(declares, id::QUEUE_DECLARE_OK)?;
        Ok(Self {
            queues,
            size,
            count: 0,
            flow: Arc::new(Flow::new(u64::MAX / 2, 1)),
        })
    }

    /// Publishes so many persistent messages over the queues in turn and waits for all confirms.
    pub fn fill(&mut self, count: u64, target: &Target) -> Result<()> {
        let plan = Plan {
            exchange: String::new(),
            keys: self.queues.clone(),
            size: self.size,
            persistent: true,
            rate: None,
            confirm_window: Some(WINDOW),
            first: 0,
            limit: Some(count),
        };
        let mut client = target.connect()?;
        client.confirm()?;
        let publisher = spawn_publisher(&self.flow, vec![client], plan)?;
        publisher.join().ok().context("the publisher panicked")?;
        self.count = count;
        match self.flow.failure() {
            Some(failure) => bail!(failure),
            None => Ok(()),
        }
    }

    /// Ready messages in all queues.
    pub fn ready(&self, control: &mut Client) -> Result<u64> {
        let mut sum = 0;
        for queue in &self.queues {
            sum += control.queue_length(queue)?;
        }
        Ok(sum)
    }

    /// Waits until the queues count everything published; fails when they never do.
    pub fn wait_until_ready(&self, control: &mut Client) -> Result<()> {
        let began = Instant::now();
        loop {
            let ready = self.ready(control)?;
            if ready == self.count {
                return Ok(());
            }
            if ready > self.count || began.elapsed() > PATIENCE {
                let count = self.count;
                bail!("{count} messages were confirmed, the queues hold {ready}");
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Consumes and acknowledges everything, in order; after a restart it may be marked as
    /// redelivered.
    pub fn drain(&self, target: &Target, restarted: bool) -> Result<()> {
        let mut client = target.connect()?;
        client.prefetch(PREFETCH)?;
        let consumes = self
            .queues
            .iter()
            .enumerate()
            .flat_map(|(number, queue)| consume_unanswered(queue, number).frame(1));
        client.send(&consumes.collect::<Vec<u8>>())?;
        let turns = self.queues.len() as u64;
        let ledger = Ledger::new((0..turns).collect(), turns, self.size);
        let ledger = if restarted {
            ledger.after_restart()
        } else {
            ledger
        };
        let acks = Acks::Every(ACK_EVERY);
        let consumer = spawn_consumer(&self.flow, vec![client], acks, ledger)?;
        let drained = drain(&self.flow);
        self.flow.stop_consuming();
        let joined = consumer.join();
        drained?;
        joined.ok().context("the consumer panicked")?;
        Ok(())
    }

    /// Takes the queues away.
    pub fn remove(&self, control: &mut Client) -> Result<()> {
        let deletes = self.queues.iter().map(|queue| delete_queue(queue));
        control.call_all(deletes, id::QUEUE_DELETE_OK)?;
        Ok(())
    }
}
