//! A queue as it is.

use std::sync::Arc;

use super::super::message_counts::MessageCounts;
use super::super::observer::Step;
use crate::broker::shared_queue::QUEUE_SERIES;
use crate::broker::{Broker, SharedQueue, Vhost};
use crate::ids::Name;
use crate::queue::{ConsumerKey, Counters, Survey};

/// A queue, its counts of this moment, and its last two rounds.
#[derive(Debug, Clone)]
pub struct QueueView {
    /// The queue: its name, what it was declared with.
    pub queue: Arc<SharedQueue>,
    /// Its counts.
    pub survey: Survey,
    /// Its series in the last two rounds of the sampler.
    pub step: Step<QUEUE_SERIES>,
    /// The tag of the exclusive consumer.
    pub exclusive_tag: Option<Name>,
    /// The tag of the single active consumer.
    pub active_tag: Option<Name>,
    /// When its counts last changed, in milliseconds since the epoch; 0 when they never have.
    pub changed_at: u64,
}

/// The series of a queue's history.
pub fn series(survey: &Survey) -> [u64; QUEUE_SERIES] {
    let Counters {
        published,
        delivered,
        delivered_no_ack,
        acknowledged,
        redelivered,
        got,
        got_no_ack,
        got_empty,
        disk_reads,
        disk_writes,
        dropped: _,
    } = survey.counters;
    [
        survey.depth.ready,
        survey.depth.unacked,
        published,
        delivered,
        delivered_no_ack,
        acknowledged,
        redelivered,
        got,
        got_no_ack,
        got_empty,
        disk_reads,
        disk_writes,
    ]
}

/// The counts in a queue's series.
pub fn counts_of(series: &[u64; QUEUE_SERIES]) -> MessageCounts {
    let [
        _,
        _,
        published,
        delivered,
        delivered_no_ack,
        acknowledged,
        redelivered,
        got,
        got_no_ack,
        got_empty,
        disk_reads,
        disk_writes,
    ] = *series;
    MessageCounts {
        publish: published,
        deliver: delivered,
        deliver_no_ack: delivered_no_ack,
        ack: acknowledged,
        redeliver: redelivered,
        get: got,
        get_no_ack: got_no_ack,
        get_empty: got_empty,
        disk_reads,
        disk_writes,
        ..MessageCounts::default()
    }
}

impl QueueView {
    /// Looks at a queue.
    pub fn of(broker: &Broker, queue: &Arc<SharedQueue>) -> Self {
        let survey = queue.survey();
        let tag = |key: Option<ConsumerKey>| key.and_then(|key| queue.consumer_tag(key));
        Self {
            exclusive_tag: tag(survey.exclusive),
            active_tag: tag(survey.active),
            survey,
            step: broker.observer.step(&queue.history),
            changed_at: queue.history.changed_at(),
            queue: Arc::clone(queue),
        }
    }

    /// Messages that wait or are with consumers.
    pub fn messages(&self) -> u64 {
        self.survey.depth.messages()
    }

    /// What has happened to its messages.
    pub fn counts(&self) -> MessageCounts {
        MessageCounts::from(self.survey.counters)
    }
}

/// The queues of one virtual host, or of all of them, by host and name.
pub fn queues(broker: &Broker, vhost: Option<&Vhost>) -> Vec<Arc<SharedQueue>> {
    let mut queues = match vhost {
        Some(vhost) => vhost.all_queues(),
        None => broker
            .vhosts()
            .iter()
            .flat_map(|vhost| vhost.all_queues())
            .collect(),
    };
    queues.sort_unstable_by(|a, b| {
        (a.vhost_name.as_bytes(), a.name.as_bytes())
            .cmp(&(b.vhost_name.as_bytes(), b.name.as_bytes()))
    });
    queues
}
