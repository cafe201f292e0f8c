//! Scenarios: length limits and what happens above them.

use crate::prelude::*;

use super::queue_semantics::{put, put_all};

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "limit.drop-head",
        "above x-max-length the oldest message is dropped",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 2))?;
            put(&ch, &q, &["1", "2", "3", "4"])?;
            check_eq!(ch.get_all(&q)?, ["3", "4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.drop-head.explicit",
        "x-overflow drop-head is what happens without it",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 1).arg("x-overflow", "drop-head")
            })?;
            ch.confirm_select()?;
            fill(&ch, &q, &["1", "2"])?;
            check_eq!(ch.confirms(1, 2)?, [true, true], "dropping is no refusal");
            check_eq!(ch.get_all(&q)?, ["2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.ready-only",
        "x-max-length counts ready messages only",
        "features 1.6",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 2))?;
            put(&ch, &q, &["1", "2"])?;
            ch.wait_get(&q)?;
            ch.wait_get(&q)?;
            put(&ch, &q, &["3", "4", "5"])?;
            check_eq!(ch.get_all(&q)?, ["4", "5"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.zero.nobody",
        "x-max-length 0 keeps nothing",
        "features 1.5, trap 20",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 0))?;
            put(&ch, &q, &["1", "2"])?;
            check!(ch.get(&q)?.is_none());
            Ok(())
        },
    ),
    Scenario::new(
        "limit.zero.consumer",
        "x-max-length 0 still passes messages to a waiting consumer",
        "trap 20",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 0))?;
            ch.qos(1)?;
            ch.consume(&q)?;
            put(&ch, &q, &["1"])?;
            let first = ch.expect_delivery("1")?;
            put(&ch, &q, &["2"])?;
            ch.ack(first.tag)?;
            ch.expect_silence_of(&q)?;
            put(&ch, &q, &["3"])?;
            ch.expect_delivery("3").map(drop)
        },
    ),
    Scenario::new(
        "limit.zero.reject-publish",
        "with reject-publish x-max-length 0 refuses even for a waiting consumer",
        "RabbitMQ (the limit is checked before the delivery)",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 0).arg("x-overflow", "reject-publish")
            })?;
            ch.confirm_select()?;
            ch.publish("", &q, "1")?;
            ch.consume_with(Consume::new(&q).no_ack())?;
            ch.publish("", &q, "2")?;
            check_eq!(ch.confirms(1, 2)?, [false, false]);
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "limit.bytes.drop-head",
        "x-max-length-bytes counts bodies; as many heads go as must",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length-bytes", 10))?;
            put(&ch, &q, &["111111", "2222"])?;
            check_eq!(ch.depth(&q)?.messages, 2, "exactly the limit is allowed");
            put(&ch, &q, &["33333"])?;
            check_eq!(ch.get_all(&q)?, ["2222", "33333"]);
            put(&ch, &q, &["1", "2", "3333333333"])?;
            check_eq!(ch.get_all(&q)?, ["3333333333"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.bytes.too-large",
        "a message larger than x-max-length-bytes empties the queue and goes too",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length-bytes", 10))?;
            put(&ch, &q, &["1", "12345678901"])?;
            check_eq!(ch.depth(&q)?.messages, 0);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.bytes.bodies-only",
        "headers and empty bodies do not count",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length-bytes", 10))?;
            let props = Props::new()
                .header("long", "x".repeat(100))
                .message_id("y".repeat(100));
            put_all(&ch, &[Publish::to_queue(&q).props(props)])?;
            put(&ch, &q, &["", "1234567890", ""])?;
            check_eq!(ch.depth(&q)?.messages, 4);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.bytes.both",
        "length and bytes both apply",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 2).arg("x-max-length-bytes", 10)
            })?;
            put(&ch, &q, &["1", "2", "3"])?;
            check_eq!(ch.get_all(&q)?, ["2", "3"]);
            put(&ch, &q, &["12345", "123456"])?;
            check_eq!(ch.get_all(&q)?, ["123456"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.reject-publish",
        "reject-publish keeps the old messages and nacks the new one",
        "features 1.6, trap 21",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 2).arg("x-overflow", "reject-publish")
            })?;
            ch.confirm_select()?;
            fill(&ch, &q, &["1", "2", "3", "4"])?;
            check_eq!(ch.confirms(1, 4)?, [true, true, false, false]);
            check_eq!(ch.get_all(&q)?, ["1", "2"]);
            fill(&ch, &q, &["5"])?;
            check_eq!(ch.confirms(5, 5)?, [true], "room again");
            Ok(())
        },
    ),
    Scenario::new(
        "limit.reject-publish.silent",
        "without confirms a refused publish is dropped in silence",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 1).arg("x-overflow", "reject-publish")
            })?;
            ch.publish("", &q, "1")?;
            ch.publish_with(&Publish::to_queue(&q).body("2").mandatory())?;
            ch.expect_silence_of(&q)?;
            check_eq!(ch.get_all(&q)?, ["1"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.reject-publish.bytes",
        "reject-publish with x-max-length-bytes refuses what would exceed it",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length-bytes", 10)
                    .arg("x-overflow", "reject-publish")
            })?;
            ch.confirm_select()?;
            fill(&ch, &q, &["111111", "222222", "3333", "4"])?;
            check_eq!(ch.confirms(1, 4)?, [true, false, true, false]);
            check_eq!(ch.get_all(&q)?, ["111111", "3333"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.reject-publish.unacked",
        "unacknowledged messages leave room under reject-publish too",
        "features 1.6",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 1).arg("x-overflow", "reject-publish")
            })?;
            ch.confirm_select()?;
            fill(&ch, &q, &["1"])?;
            ch.wait_get(&q)?;
            fill(&ch, &q, &["2", "3"])?;
            check_eq!(ch.confirms(1, 3)?, [true, true, false]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.requeue.trim",
        "requeued messages above the limit are trimmed from the head",
        "trap 20",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 2))?;
            put(&ch, &q, &["1", "2"])?;
            ch.wait_get(&q)?;
            let second = ch.wait_get(&q)?;
            put(&ch, &q, &["3", "4"])?;
            ch.nack(second.tag, true, true)?;
            check_eq!(ch.depth(&q)?.messages, 2);
            check_eq!(ch.get_all(&q)?, ["3", "4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.requeue.partly",
        "a requeue that needs some of the room loses only the oldest",
        "trap 20",
        |ctx| {
            let (ch, q) = limited(ctx, |q| q.arg("x-max-length", 3))?;
            put(&ch, &q, &["1", "2"])?;
            ch.wait_get(&q)?;
            let second = ch.wait_get(&q)?;
            put(&ch, &q, &["3", "4"])?;
            ch.nack(second.tag, true, true)?;
            check_eq!(ch.get_all(&q)?, ["2", "3", "4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.requeue.reject-publish",
        "with reject-publish a requeue may exceed the limit",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.arg("x-max-length", 2).arg("x-overflow", "reject-publish")
            })?;
            put(&ch, &q, &["1", "2"])?;
            ch.wait_get(&q)?;
            let second = ch.wait_get(&q)?;
            put(&ch, &q, &["3", "4", "5"])?;
            ch.nack(second.tag, true, true)?;
            check_eq!(ch.get_all(&q)?, ["1", "2", "3", "4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.quorum.drop-head",
        "a quorum queue drops its head above x-max-length",
        "features 1.5",
        |ctx| {
            let (ch, q) = limited(ctx, |q| {
                q.durable()
                    .arg("x-queue-type", "quorum")
                    .arg("x-max-length", 2)
            })?;
            ch.confirm_select()?;
            fill(&ch, &q, &["1", "2", "3"])?;
            check_eq!(ch.confirms(1, 3)?, [true; 3]);
            ch.wait_messages(&q, 2)?;
            check_eq!(ch.get_all(&q)?, ["2", "3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "limit.quorum.reject-publish",
        "a quorum queue nacks under reject-publish once it is full",
        "features 1.6",
        quorum_reject,
    ),
];

fn limited(ctx: &mut Ctx, build: fn(Queue) -> Queue) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(build(Queue::new(&q)))?;
    Ok((ch, q))
}

fn fill(ch: &Channel, q: &str, bodies: &[&str]) -> Result {
    bodies.iter().try_for_each(|body| ch.publish("", q, body))
}

fn quorum_reject(ctx: &mut Ctx) -> Result {
    let (ch, q) = limited(ctx, |q| {
        q.durable()
            .arg("x-queue-type", "quorum")
            .arg("x-max-length", 2)
            .arg("x-overflow", "reject-publish")
    })?;
    ch.confirm_select()?;
    // What is in flight may exceed the limit, so one at a time.
    let mut results = Vec::new();
    for seq in 1..=8 {
        ch.publish("", &q, &seq.to_string())?;
        results.extend(ch.confirms(seq, seq)?);
    }
    check_eq!(results[..2], [true, true]);
    check!(
        !results[7],
        "still taken when far over the limit: {results:?}"
    );
    let kept = results.iter().filter(|ack| **ack).count() as u64;
    ch.wait_messages(&q, kept)
}
