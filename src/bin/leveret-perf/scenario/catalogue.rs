//! The list of scenarios by name and group.

use anyhow::Result;

use super::stream::{Shape, Stream};
use super::{backlog, connections, held, objects, reply_queues};
use crate::consumer::Acks;
use crate::measurement::Measurement;
use crate::target::Target;

/// Sizes of the scenarios.
#[derive(Debug, Clone)]
pub struct Options {
    /// Seconds measured, for scenarios that go on for a time.
    pub seconds: f64,
    /// Deliveries in flight at most.
    pub window: u64,
    /// Total rate of the many-queues, many-connections and reply-queues scenarios.
    pub rate: u64,
    /// Messages of the backlog.
    pub backlog: u64,
    /// Messages that pass a held one.
    pub held: u64,
    /// Object counts at which declaring and binding is measured.
    pub objects: Vec<u64>,
    /// Idle connections.
    pub idle: u64,
    /// Connections of the many-connections scenario, publishers and consumers together.
    pub connections: usize,
    /// Queues of the many-queues scenario.
    pub queues: usize,
}

/// What a scenario does.
#[derive(Debug, Clone)]
enum Work {
    Stream(Shape),
    ReplyQueues,
    Objects,
    Backlog,
    Idle,
    ConnectionChurn,
    ChannelChurn,
    Held,
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
    work: Work,
}

impl Scenario {
    /// Whether the floor can do it: only what needs no queue.
    pub fn suits_floor(&self) -> bool {
        matches!(self.work, Work::Stream(_))
    }

    /// Runs it.
    pub fn run(&self, target: &Target, options: &Options) -> Result<Vec<Measurement>> {
        match &self.work {
            Work::Stream(shape) => {
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
                Ok(vec![row.with_latencies(&latencies)])
            }
            Work::ReplyQueues => reply_queues::run(target, options),
            Work::Objects => objects::run(target, options),
            Work::Backlog => backlog::run(target, options),
            Work::Idle => connections::idle(self.name, target, options),
            Work::ConnectionChurn => connections::churn(self.name, target, options),
            Work::ChannelChurn => connections::channel_churn(self.name, target, options),
            Work::Held => held::run(self.name, target, options),
        }
    }
}

/// Every scenario, in the order they run.
pub fn catalogue(options: &Options) -> Vec<Scenario> {
    let base = Shape {
        size: 16,
        queues: 1,
        links: 1,
        fan_out: false,
        rate: None,
        acks: Acks::Auto,
        confirm_window: None,
        durable: false,
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
            "durable-1k",
            "durable",
            "durable queue, persistent, confirms (window 1,000), an ack for every 100, 1 KiB"
                .into(),
            Shape {
                durable: true,
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
