//! The list of scenarios by name and group.

use anyhow::Result;

use super::persistence::persistence;
use super::stream::{Shape, Stream};
use super::{Options, backlog, connections, durable, held, objects, reply_queues};
use crate::consumer::Acks;
use crate::disk::Load;
use crate::durability::{self, Durability};
use crate::measurement::{Measurement, WRITTEN_EACH};
use crate::target::Target;

/// What a scenario does.
#[derive(Debug, Clone)]
pub(super) enum Work {
    Stream(Shape),
    ReplyQueues,
    Objects,
    Backlog,
    Idle,
    ConnectionChurn,
    ChannelChurn,
    Held,
    Deep { queues: usize },
    Unacked,
    SlowQueue,
    Restart,
}

/// One scenario.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Name, and name of its row unless it makes several.
    pub name: &'static str,
    /// Group that selects it too.
    pub group: &'static str,
    /// What it does, in one line.
    pub about: String,
    pub(super) work: Work,
}

impl Scenario {
    /// Whether the floor can do it: only what needs no queue.
    pub fn suits_floor(&self) -> bool {
        matches!(self.work, Work::Stream(_))
    }

    /// The durability it asks for.
    pub fn asks(&self) -> Durability {
        let durable = match &self.work {
            Work::Stream(shape) => shape.durable.is_some(),
            Work::Deep { .. } | Work::Unacked | Work::SlowQueue | Work::Restart => true,
            _ => false,
        };
        if durable {
            Durability::Sync
        } else {
            Durability::None
        }
    }

    /// What it asks of the disk itself, where the bare disk can be measured beside it.
    pub fn disk_load(&self) -> Option<Load> {
        match &self.work {
            Work::Stream(shape) if shape.durable.is_some() => Some(Load {
                size: shape.size,
                batch: shape.in_flight(),
                rate: shape.rate,
            }),
            _ => None,
        }
    }

    /// What the target lacks for it, if anything.
    pub fn lacks(&self, target: &Target) -> Option<&'static str> {
        match &self.work {
            Work::SlowQueue if target.data_dir.is_none() => Some("--data-dir or --vs-data-dir"),
            Work::Restart if target.start_cmd.is_none() => Some("--start-cmd or --vs-start-cmd"),
            _ => None,
        }
    }

    /// Runs it.
    pub fn run(&self, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
        let mut rows = self.measure(target, options)?;
        let class = |row: &Measurement| {
            let written = row.noted(WRITTEN_EACH);
            durability::of_row(self.asks(), target.durability, written, row.size)
        };
        // A drain is as durable as its fill was.
        let kept = rows
            .iter()
            .map(class)
            .reduce(Option::min)
            .unwrap_or_default();
        for row in &mut rows {
            row.durability = kept;
        }
        Ok(rows)
    }

    fn measure(&self, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
        match &self.work {
            Work::Stream(shape) => self.stream(shape, target, options),
            Work::ReplyQueues => reply_queues::run(target, options),
            Work::Objects => objects::run(target, options),
            Work::Backlog => backlog::run(target, options),
            Work::Idle => connections::idle(self.name, target, options),
            Work::ConnectionChurn => connections::churn(self.name, target, options),
            Work::ChannelChurn => connections::channel_churn(self.name, target, options),
            Work::Held => held::run(self.name, target, options),
            Work::Deep { queues } => durable::deep(self.name, *queues, target, options),
            Work::Unacked => durable::unacked(self.name, target, options),
            Work::SlowQueue => durable::slow_queue(self.name, target, options),
            Work::Restart => durable::restart(self.name, target, options),
        }
    }

    fn stream(
        &self,
        shape: &Shape,
        target: &Target,
        options: &Options,
    ) -> Result<Vec<Measurement>> {
        let mut stream = Stream::start(shape, target, options)?;
        let measured = stream
            .warm_up(options)
            .and_then(|()| stream.measure(options.seconds));
        let (reading, count) = match measured {
            Ok(measured) => measured,
            Err(error) => return Err(stream.abandon(error)),
        };
        let latencies = stream.finish()?;
        let row = reading.row(self.name, shape.size, count);
        if shape.durable.is_none() {
            return Ok(vec![row.with_latencies(&latencies.delivery)]);
        }
        // Where nobody consumes, the confirm is what there is to wait for.
        let waited = match latencies.delivery.is_empty() {
            true => &latencies.confirm,
            false => &latencies.delivery,
        };
        let row = row
            .with_latencies(waited)
            .note_confirms(&latencies.confirm)
            .note_if(WRITTEN_EACH, reading.written_each(count), "B");
        Ok(vec![row])
    }
}

/// Every scenario, in the order they run.
pub fn catalogue(options: &Options) -> Vec<Scenario> {
    let mut all = in_memory(options);
    all.extend(persistence(options));
    all
}

/// Scenarios of transient messages, and of objects.
fn in_memory(options: &Options) -> Vec<Scenario> {
    let base = Shape {
        size: 16,
        queues: 1,
        links: 1,
        fan_out: false,
        rate: None,
        acks: Acks::Auto,
        confirm_window: None,
        durable: None,
    };
    let confirmed = Shape {
        size: 1024,
        confirm_window: Some(1000),
        acks: Acks::Every(100),
        ..base
    };
    let paced = Shape {
        rate: Some(options.rate),
        ..base
    };
    let links = (options.connections / 2).max(1);
    let (rate, queues) = (options.rate, options.queues);
    let stream = |name, group, about: String, shape| Scenario {
        name,
        group,
        about,
        work: Work::Stream(shape),
    };
    let other = |name, about: &str, work| Scenario {
        name,
        group: name,
        about: about.to_owned(),
        work,
    };
    vec![
        stream(
            "transient-16",
            "transient",
            "one to one, auto-ack, 16 B".into(),
            base,
        ),
        stream(
            "transient-1k",
            "transient",
            "one to one, auto-ack, 1 KiB".into(),
            Shape { size: 1024, ..base },
        ),
        stream(
            "confirms-1k",
            "confirms",
            "confirms (window 1,000), an ack for every 100, 1 KiB".into(),
            confirmed,
        ),
        stream(
            "confirms-each-1k",
            "confirms",
            "confirms (window 1,000), every message acked, 1 KiB".into(),
            Shape {
                acks: Acks::Each,
                ..confirmed
            },
        ),
        stream(
            "fan-out-10",
            "fan-out",
            "a fanout exchange with 10 queues, one consuming connection, 128 B, per delivery"
                .into(),
            Shape {
                size: 128,
                queues: 10,
                fan_out: true,
                ..base
            },
        ),
        stream(
            "queues-one",
            "queues",
            format!("one queue at {rate} msg/s, 16 B"),
            paced,
        ),
        stream(
            "queues-many",
            "queues",
            format!("{queues} queues at {rate} msg/s in all, 16 B"),
            Shape { queues, ..paced },
        ),
        stream(
            "queues-one-full",
            "queues",
            "one queue as fast as it goes, 16 B".into(),
            base,
        ),
        stream(
            "queues-many-full",
            "queues",
            format!("{queues} queues as fast as it goes, 16 B"),
            Shape { queues, ..base },
        ),
        stream(
            "connections-one",
            "connections",
            format!("one publishing and one consuming connection at {rate} msg/s, 16 B"),
            paced,
        ),
        stream(
            "connections-many",
            "connections",
            format!(
                "{} connections, a queue for each two, at {rate} msg/s in all, 16 B",
                2 * links
            ),
            Shape {
                queues: links,
                links,
                ..paced
            },
        ),
        stream(
            "latency-2000",
            "latency",
            "2,000 msg/s, 16 B: latency and processor time".into(),
            Shape {
                rate: Some(2000),
                ..base
            },
        ),
        // Memory is weighed before what makes a broker grow.
        other(
            "idle",
            "memory of idle connections with one channel and one consumer",
            Work::Idle,
        ),
        other(
            "reply-queues",
            "1,000 exclusive queues a second come and go beside a steady publisher",
            Work::ReplyQueues,
        ),
        other(
            "connection-churn",
            "log in, open a channel, close",
            Work::ConnectionChurn,
        ),
        other(
            "channel-churn",
            "open and close channels on one connection",
            Work::ChannelChurn,
        ),
        other(
            "objects",
            "declaring and binding with many queues there already",
            Work::Objects,
        ),
        other(
            "held",
            "many messages pass through a queue while one is held unacked",
            Work::Held,
        ),
        other(
            "backlog",
            "fill a queue with 16 B messages, then drain it",
            Work::Backlog,
        ),
    ]
}
