//! The durable part of the list of scenarios.

use super::Options;
use super::catalogue::{Scenario, Work};
use super::stream::{Durable, Shape, Spread};
use crate::consumer::Acks;

/// Shape of the durable streams.
const DURABLE: Shape = Shape {
    size: 1024,
    queues: 1,
    links: 1,
    fan_out: false,
    rate: None,
    acks: Acks::Each,
    confirm_window: Some(1000),
    durable: Some(Durable {
        spread: Spread::All,
        consumed: true,
    }),
};

/// Scenarios of durable queues and persistent messages.
pub fn persistence(options: &Options) -> Vec<Scenario> {
    let sizes = &options.durable;
    let (deep, size, queues) = (sizes.deep, sizes.deep_size, sizes.deep_queues.max(2));
    let published = |spread| {
        Some(Durable {
            spread,
            consumed: false,
        })
    };
    let scenario = |name, about: String, work| Scenario {
        name,
        group: "persistence",
        about,
        work,
    };
    vec![
        scenario(
            "durable",
            "persistent, confirms (window 1,000), every message acked, 1 KiB".into(),
            Work::Stream(DURABLE),
        ),
        scenario(
            "durable-publish",
            "persistent, confirms (window 1,000), nobody consumes, 1 KiB".into(),
            Work::Stream(Shape {
                durable: published(Spread::All),
                ..DURABLE
            }),
        ),
        scenario(
            "durable-many",
            "16 publishers (window 100 each) over 100 durable queues, every message acked, 128 B"
                .into(),
            Work::Stream(Shape {
                size: 128,
                queues: 100,
                links: 16,
                confirm_window: Some(100),
                ..DURABLE
            }),
        ),
        scenario(
            "group-commit-64",
            "64 publishers with one unconfirmed message each, one durable queue, 128 B".into(),
            Work::Stream(Shape {
                size: 128,
                links: 64,
                confirm_window: Some(1),
                durable: published(Spread::All),
                ..DURABLE
            }),
        ),
        scenario(
            "group-commit-100",
            "100 publishers (window 100 each), each with its own durable queue, 128 B".into(),
            Work::Stream(Shape {
                size: 128,
                queues: 100,
                links: 100,
                confirm_window: Some(100),
                durable: published(Spread::Own),
                ..DURABLE
            }),
        ),
        scenario(
            "durable-latency",
            "2,000 persistent msg/s, every message acked, 1 KiB: latency of confirm and delivery"
                .into(),
            Work::Stream(Shape {
                rate: Some(2000),
                confirm_window: Some(20_000),
                ..DURABLE
            }),
        ),
        scenario(
            "backlog-deep",
            format!("fill a durable queue with {deep} messages of {size} B, then drain it"),
            Work::Deep { queues: 1 },
        ),
        scenario(
            "backlog-deep-many",
            format!("the same {deep} messages over {queues} durable queues"),
            Work::Deep { queues },
        ),
        scenario(
            "churn-slow",
            format!(
                "{} GiB through a durable queue beside a slow one: disk use (needs --data-dir)",
                sizes.churn_gib
            ),
            Work::SlowQueue,
        ),
        scenario(
            "unacked",
            format!(
                "{} GiB delivered and not acknowledged, 1 KiB: memory",
                sizes.unacked_gib
            ),
            Work::Unacked,
        ),
        scenario(
            "restart",
            format!(
                "kill the broker with {deep} messages of {size} B and start it (needs --start-cmd)"
            ),
            Work::Restart,
        ),
    ]
}
