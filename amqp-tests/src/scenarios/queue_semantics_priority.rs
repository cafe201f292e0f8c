//! Scenarios: priority queues.

use crate::prelude::*;

use super::queue_semantics::put_all;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "priority.order",
        "higher first, above the maximum is the maximum, none is 0, equal ones in order",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 5))?;
            for (body, priority) in [
                ("a9", Some(9)),
                ("b5", Some(5)),
                ("c3", Some(3)),
                ("d-", None),
                ("e0", Some(0)),
                ("f1", Some(1)),
                ("g255", Some(255)),
                ("h3", Some(3)),
            ] {
                send(&ch, &q, body, priority)?;
            }
            check_eq!(
                ch.get_all(&q)?,
                ["a9", "b5", "g255", "c3", "h3", "f1", "d-", "e0"]
            );
            Ok(())
        },
    ),
    Scenario::new(
        "priority.property-kept",
        "the priority property is delivered as it was published",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 5))?;
            send(&ch, &q, "m", Some(200))?;
            check_eq!(ch.wait_get(&q)?.props.priority, Some(200));
            Ok(())
        },
    ),
    Scenario::new(
        "priority.max",
        "255 levels are distinct",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 255))?;
            for priority in [0u8, 254, 1, 255, 128] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            check_eq!(ch.get_all(&q)?, ["255", "254", "128", "1", "0"]);
            Ok(())
        },
    ),
    Scenario::new(
        "priority.zero",
        "x-max-priority 0 has one level",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 0))?;
            for priority in [0u8, 5, 1] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            check_eq!(ch.get_all(&q)?, ["0", "5", "1"]);
            Ok(())
        },
    ),
    Scenario::new(
        "priority.plain-queue",
        "without x-max-priority the property means nothing",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            for priority in [0u8, 5, 1] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            check_eq!(ch.get_all(&q)?, ["0", "5", "1"]);
            Ok(())
        },
    ),
    Scenario::new(
        "priority.consumer",
        "a consumer with a prefetch limit gets the highest of what is ready next",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 10))?;
            ch.qos(1)?;
            ch.consume(&q)?;
            send(&ch, &q, "1", Some(1))?;
            let first = ch.expect_delivery("1")?;
            for priority in [2u8, 9, 5] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            ch.ack(first.tag)?;
            for expected in ["9", "5", "2"] {
                let d = ch.expect_delivery(expected)?;
                ch.ack(d.tag)?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "priority.requeue",
        "a requeued message returns to its place in its own level",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 5))?;
            for priority in [1u8, 2, 3] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            let (three, two) = (ch.wait_get(&q)?, ch.wait_get(&q)?);
            check_eq!(
                (three.text(), two.text()),
                ("3".to_string(), "2".to_string())
            );
            ch.nack(two.tag, false, true)?;
            send(&ch, &q, "later 3", Some(3))?;
            ch.nack(three.tag, false, true)?;
            check_eq!(ch.get_all(&q)?, ["3", "later 3", "2", "1"]);
            Ok(())
        },
    ),
    Scenario::new(
        "priority.drop-head",
        "drop-head drops from the highest priority",
        "trap 19",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 5).arg("x-max-length", 2))?;
            for priority in [5u8, 1, 2] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            check_eq!(ch.get_all(&q)?, ["2", "1"]);
            for priority in [1u8, 2, 5] {
                send(&ch, &q, &priority.to_string(), Some(priority))?;
            }
            check_eq!(
                ch.get_all(&q)?,
                ["2", "1"],
                "the newest is dropped when it is the highest"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "priority.purge",
        "purge takes all levels",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-max-priority", 5))?;
            for priority in [5u8, 1, 2] {
                send(&ch, &q, "m", Some(priority))?;
            }
            check_eq!(ch.purge(&q)?, 3);
            Ok(())
        },
    ),
    Scenario::new(
        "priority.ttl",
        "messages expire at every level",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = queue(ctx, |q| {
                q.arg("x-max-priority", 5).arg("x-message-ttl", 100)
            })?;
            for priority in [5u8, 1, 2] {
                send(&ch, &q, "m", Some(priority))?;
            }
            ch.wait_messages(&q, 0)
        },
    ),
];

fn queue(ctx: &mut Ctx, build: fn(Queue) -> Queue) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(build(Queue::new(&q)))?;
    Ok((ch, q))
}

fn send(ch: &Channel, q: &str, body: &str, priority: Option<u8>) -> Result {
    let props = match priority {
        Some(priority) => Props::new().priority(priority),
        None => Props::new(),
    };
    put_all(ch, &[Publish::to_queue(q).body(body).props(props)])
}
