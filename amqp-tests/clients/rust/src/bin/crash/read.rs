//! Reads everything that a restarted broker holds, and leaves a part of it for
//! the next cycle.

use std::time::{Duration, Instant};

use futures_lite::StreamExt;
use lapin::{Channel, Connection, Consumer, options::*, types::FieldTable};

use crate::body::Id;
use crate::ledger::{Found, Problem, Settled};
use crate::publish::{Shared, lock};
use crate::topology::{LINES, Moves};

/// Bound of every wait here.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long to wait for what must still be on its way between queues.
const ON_ITS_WAY: Duration = Duration::from_secs(15);
/// Above this many messages, what was read is not left for the next cycle.
const LEAVE_AT_MOST: usize = 5_000;

/// A reader of one queue; its messages stay unsettled until it says so.
pub struct Reader {
    queue: &'static str,
    channel: Channel,
    consumer: Consumer,
    /// Ids and delivery tags, in order.
    read: Vec<(Id, u64)>,
}

/// Reads all queues: their readers, and what was found in each.
pub async fn read_all(
    connection: &Connection,
    ledger: &Shared,
) -> Result<(Vec<Reader>, Found), String> {
    let probe = channel(connection).await?;
    let mut readers = Vec::new();
    for (at, line) in LINES.iter().enumerate() {
        if line.moves == Moves::Expiry {
            // What expires is read where its way ends.
            if let Some((last, before)) = line.queues.split_last() {
                for queue in before {
                    drained(&probe, queue).await?;
                }
                let mut reader = Reader::new(connection, last).await?;
                reader.read_ready(&probe, ledger).await?;
                reader.read_missing(at, ledger).await?;
                readers.push(reader);
            }
            continue;
        }
        for queue in line.queues {
            let mut reader = Reader::new(connection, queue).await?;
            reader.read_ready(&probe, ledger).await?;
            readers.push(reader);
        }
    }
    let ids = |reader: &Reader| reader.read.iter().map(|(id, _)| *id).collect();
    let found = readers.iter().map(|r| (r.queue, ids(r))).collect();
    Ok((readers, found))
}

async fn channel(connection: &Connection) -> Result<Channel, String> {
    let channel = connection.create_channel().await;
    channel.map_err(|e| format!("channel: {e}"))
}

async fn depth(probe: &Channel, queue: &str) -> Result<u32, String> {
    let options = QueueDeclareOptions {
        passive: true,
        ..Default::default()
    };
    let declared = probe.queue_declare(queue.into(), options, FieldTable::default());
    let queue = declared.await.map_err(|e| format!("{queue}: {e}"))?;
    Ok(queue.message_count())
}

async fn drained(probe: &Channel, queue: &str) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = depth(probe, queue).await?;
        if left == 0 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{queue}: {left} messages do not expire"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

impl Reader {
    async fn new(connection: &Connection, queue: &'static str) -> Result<Self, String> {
        let channel = channel(connection).await?;
        let consumer = channel
            .basic_consume(
                queue.into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .map_err(|e| format!("{queue}: {e}"))?;
        Ok(Self {
            queue,
            channel,
            consumer,
            read: Vec::new(),
        })
    }
    /// One delivery; false when none came within `limit`.
    async fn next(&mut self, limit: Duration, ledger: &Shared) -> Result<bool, String> {
        match tokio::time::timeout(limit, self.consumer.next()).await {
            Ok(Some(Ok(delivery))) => {
                match Id::read(&delivery.data) {
                    Ok(id) => self.read.push((id, delivery.delivery_tag)),
                    Err(e) => {
                        lock(ledger).problem(Problem::Damaged, format!("{}: {e}", self.queue))
                    }
                }
                Ok(true)
            }
            Ok(Some(Err(e))) => Err(format!("{}: {e}", self.queue)),
            Ok(None) => Err(format!("{}: the consumer was ended", self.queue)),
            Err(_) => Ok(false),
        }
    }
    /// Reads until nothing is ready any more and what was sent has come: a
    /// passive declaration on the same channel is answered after it.
    async fn read_ready(&mut self, probe: &Channel, ledger: &Shared) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        while depth(probe, self.queue).await? > 0 {
            while self.next(Duration::from_millis(20), ledger).await? {}
            if Instant::now() > deadline {
                return Err(format!("{}: not read within {PATIENCE:?}", self.queue));
            }
        }
        let own = self.channel.clone();
        depth(&own, self.queue).await?;
        while self.next(Duration::from_millis(50), ledger).await? {}
        Ok(())
    }
    /// Reads on while something of the line is missing, within reason.
    async fn read_missing(&mut self, line: usize, ledger: &Shared) -> Result<(), String> {
        let deadline = Instant::now() + ON_ITS_WAY;
        while Instant::now() < deadline {
            while self.next(Duration::from_millis(50), ledger).await? {}
            let seen: Vec<Id> = self.read.iter().map(|(id, _)| *id).collect();
            if lock(ledger).missing(line, &seen) == 0 {
                break;
            }
        }
        Ok(())
    }
    /// Acknowledges what was read, all of it or every second message; closing
    /// the channel gives the rest back.
    async fn finish(self, ledger: &Shared, all: bool) -> Result<(), String> {
        let all = all || self.read.len() > LEAVE_AT_MOST;
        let error = |e| format!("{}: {e}", self.queue);
        let mut sent = Vec::new();
        for (id, tag) in &self.read {
            if all || id.hash() % 2 == 0 {
                lock(ledger).put_away(*id, self.queue);
                sent.push((*id, Settled::Acked));
                let ack = self.channel.basic_ack(*tag, BasicAckOptions::default());
                ack.await.map_err(error)?;
            }
        }
        let qos = self.channel.basic_qos(0, BasicQosOptions::default());
        qos.await.map_err(error)?;
        lock(ledger).received(&sent, self.queue);
        let closed = self.channel.close(200, "read".into());
        closed.await.map_err(error)
    }
}

/// Ends all readers; `all` acknowledges everything they read.
pub async fn finish(readers: Vec<Reader>, ledger: &Shared, all: bool) -> Result<(), String> {
    for reader in readers {
        reader.finish(ledger, all).await?;
    }
    Ok(())
}
