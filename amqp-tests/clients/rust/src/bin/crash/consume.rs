//! Consumers: settle what they are given by their policy's chances, until the
//! connection is lost.

use std::collections::HashMap;
use std::time::Duration;

use futures_lite::StreamExt;
use lapin::{Channel, message::Delivery, options::*, types::FieldTable};

use crate::body::Id;
use crate::ledger::{Problem, Settled};
use crate::publish::{Shared, connect, lock};
use crate::random::Random;
use crate::topology::{LINES, Policy, place};

/// Deliveries on their way to a consumer.
const PREFETCH: u16 = 300;
/// What a consumer holds unsettled before it acknowledges it all.
const HOLD: usize = 100;
/// Settlements after which a round trip shows that they were received.
const ROUND: usize = 40;
/// How long a consumer waits for a delivery before that round trip.
const IDLE: Duration = Duration::from_millis(5);

struct Worker {
    channel: Channel,
    ledger: Shared,
    policy: Policy,
    random: Random,
    /// Unsettled on purpose.
    held: Vec<(Id, u64)>,
    /// To be acknowledged with `multiple`.
    collected: Vec<(Id, u64)>,
    /// Sent since the last round trip.
    sent: Vec<(Id, Settled)>,
    /// The last first delivery of each publisher and priority.
    last: HashMap<(u16, u8), Id>,
}

/// Consumes until the connection is lost.
pub async fn consume(url: String, ledger: Shared, policy: Policy, random: Random) {
    // The end of the connection is how every cycle ends.
    let _ = run(&url, ledger, policy, random).await;
}

async fn run(url: &str, ledger: Shared, policy: Policy, random: Random) -> lapin::Result<()> {
    let connection = connect(url).await?;
    let channel = connection.create_channel().await?;
    channel
        .basic_qos(PREFETCH, BasicQosOptions::default())
        .await?;
    let mut deliveries = channel
        .basic_consume(
            policy.queue.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await?;
    let mut worker = Worker {
        channel,
        ledger,
        policy,
        random,
        held: Vec::new(),
        collected: Vec::new(),
        sent: Vec::new(),
        last: HashMap::new(),
    };
    loop {
        match tokio::time::timeout(IDLE, deliveries.next()).await {
            Ok(Some(delivery)) => worker.take(&delivery?).await?,
            Ok(None) => return Ok(()),
            Err(_) => {
                worker.flush().await?;
                worker.round_trip().await?;
            }
        }
        if worker.sent.len() >= ROUND {
            worker.round_trip().await?;
        }
    }
}

impl Worker {
    async fn take(&mut self, delivery: &Delivery) -> lapin::Result<()> {
        let (queue, tag) = (self.policy.queue, delivery.delivery_tag);
        let id = match Id::read(&delivery.data) {
            Ok(id) => id,
            Err(damage) => {
                lock(&self.ledger).problem(Problem::Damaged, format!("{queue}: {damage}"));
                return Ok(());
            }
        };
        lock(&self.ledger).deliver(id, queue);
        if !delivery.redelivered {
            self.order(id);
        }
        let chance = self.random.below(100);
        let Policy {
            ack,
            requeue,
            reject,
            ..
        } = self.policy;
        if chance < ack {
            if self.policy.multiple {
                self.collected.push((id, tag));
                if self.collected.len() >= ROUND {
                    self.flush().await?;
                }
                return Ok(());
            }
            self.settle(id, Settled::Acked);
            self.channel
                .basic_ack(tag, BasicAckOptions::default())
                .await
        } else if chance < ack + requeue {
            let options = BasicNackOptions {
                requeue: true,
                ..Default::default()
            };
            self.channel.basic_nack(tag, options).await
        } else if chance < ack + requeue + reject {
            self.settle(id, Settled::Rejected);
            let options = BasicRejectOptions { requeue: false };
            self.channel.basic_reject(tag, options).await
        } else {
            self.held.push((id, tag));
            if self.held.len() < HOLD {
                return Ok(());
            }
            for (id, tag) in std::mem::take(&mut self.held) {
                self.settle(id, Settled::Acked);
                self.channel
                    .basic_ack(tag, BasicAckOptions::default())
                    .await?;
            }
            Ok(())
        }
    }
    fn settle(&mut self, id: Id, how: Settled) {
        lock(&self.ledger).settle(id, self.policy.queue, how);
        self.sent.push((id, how));
    }
    /// First deliveries of a publisher come in its order.
    fn order(&mut self, id: Id) {
        let (line, step) = place(self.policy.queue);
        if step > 0 {
            return;
        }
        let priority = if LINES[line].priorities {
            id.priority()
        } else {
            0
        };
        if let Some(before) = self.last.insert((id.publisher, priority), id)
            && before > id
        {
            let text = format!("{}: {id} first after {before}", self.policy.queue);
            lock(&self.ledger).problem(Problem::Disorder, text);
        }
    }
    /// Acknowledges what was collected, at once.
    async fn flush(&mut self) -> lapin::Result<()> {
        let collected = std::mem::take(&mut self.collected);
        let Some((_, last)) = collected.last() else {
            return Ok(());
        };
        for (id, _) in &collected {
            self.settle(*id, Settled::Acked);
        }
        let options = BasicAckOptions { multiple: true };
        self.channel.basic_ack(*last, options).await
    }
    /// Settlements are read in order with what follows on their channel.
    async fn round_trip(&mut self) -> lapin::Result<()> {
        if self.sent.is_empty() {
            return Ok(());
        }
        self.channel
            .basic_qos(PREFETCH, BasicQosOptions::default())
            .await?;
        lock(&self.ledger).received(&self.sent, self.policy.queue);
        self.sent.clear();
        Ok(())
    }
}
