//! Deliveries of a queue that nobody has acknowledged yet, as the connections that hold them tell.
//!
//! Only a connection's own task knows them. It is asked through its inbox and answers when it next
//! looks there; whoever asks waits a bounded time for all.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::core::Broker;
use super::inbox::Event;
use super::shared_queue::SharedQueue;
use crate::queue::MessageId;
use crate::queue::browse::is_redelivered;

/// Runs of deliveries that one answer holds.
const RUNS_MAX: usize = 10_000;

/// How long connections have to answer: one that is busy is looked at by its clock.
const PATIENCE: Duration = Duration::from_secs(2);

/// Consecutive deliveries that one consumer, or `basic.get`, holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRun {
    /// The connection.
    pub connection: u64,
    /// The channel.
    pub channel: u16,
    /// The consumer; empty for `basic.get`, or when it was cancelled.
    pub consumer_tag: String,
    /// The first delivery tag.
    pub tag: u64,
    /// The first message.
    pub message: MessageId,
    /// How many.
    pub len: u32,
    /// Seconds since the epoch at which the first was delivered.
    pub at_s: u64,
}

#[derive(Debug, Default)]
struct Answers {
    runs: Vec<HeldRun>,
    waiting: usize,
}

/// A question on its way to connections.
#[derive(Debug)]
pub struct Inquiry {
    /// The queue it is about.
    pub queue: u64,
    answers: Mutex<Answers>,
    done: Notify,
}

impl Inquiry {
    /// A connection's answer.
    pub fn answer(&self, runs: impl Iterator<Item = HeldRun>) {
        let mut answers = self.answers.lock();
        let room = RUNS_MAX.saturating_sub(answers.runs.len());
        answers.runs.extend(runs.take(room));
        answers.waiting = answers.waiting.saturating_sub(1);
        if answers.waiting == 0 {
            self.done.notify_one();
        }
    }
}

/// What is known of a queue's deliveries.
#[derive(Debug, Default)]
pub struct Held {
    /// The runs, the oldest first.
    pub runs: Vec<HeldRun>,
    /// Connections that did not answer in time.
    pub silent: usize,
}

impl Broker {
    /// Asks every connection of the queue's host that holds deliveries.
    pub async fn held_of(&self, queue: &Arc<SharedQueue>) -> Held {
        let host = queue.vhost_name.to_string();
        let holds = |handle: &super::connections::ConnectionHandle| {
            let mut channels = handle.traffic.channels().into_iter();
            handle.vhost == host && channels.any(|stats| stats.unacked.get() > 0)
        };
        let asked: Vec<_> = self
            .connections
            .all()
            .into_iter()
            .filter(|handle| holds(handle))
            .collect();
        let inquiry = Arc::new(Inquiry {
            queue: queue.id,
            answers: Mutex::new(Answers {
                runs: Vec::new(),
                waiting: asked.len(),
            }),
            done: Notify::new(),
        });
        for handle in &asked {
            handle.inbox.post(Event::Inquire(Arc::clone(&inquiry)));
        }
        if !asked.is_empty() {
            // What has come until then is told.
            let _ = tokio::time::timeout(PATIENCE, inquiry.done.notified()).await;
        }
        let mut answers = inquiry.answers.lock();
        let mut runs = std::mem::take(&mut answers.runs);
        runs.sort_by_key(|run| (run.at_s, run.connection, run.channel, run.tag));
        Held {
            runs,
            silent: answers.waiting,
        }
    }

    /// Whether messages with consumers were delivered before.
    pub fn redelivered(&self, queue: &Arc<SharedQueue>, ids: &[MessageId]) -> Vec<bool> {
        queue.look(|machine| {
            let contents = machine.contents();
            ids.iter().map(|id| is_redelivered(contents, *id)).collect()
        })
    }
}
