//! Scenarios: where a requeued message goes, and how often it may return.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "requeue.in-place",
        "a classic queue puts requeued messages back where they were",
        "features 1.6, trap 19",
        |ctx| {
            let (ch, q, tags) = taken(ctx, false, 5, 3)?;
            for i in [1, 0, 2] {
                ch.nack(tags[i], false, true)?;
            }
            check_eq!(ch.get_all(&q)?, ["0", "1", "2", "3", "4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.in-place.some",
        "a requeued message returns before younger ones that were never taken",
        "features 1.6",
        |ctx| {
            let (ch, q, tags) = taken(ctx, false, 5, 3)?;
            ch.ack(tags[0])?;
            ch.reject(tags[1], true)?;
            check_eq!(ch.get_all(&q)?, ["1", "3", "4"]);
            ch.reject(tags[2], true)?;
            check_eq!(ch.get_all(&q)?, ["2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.redelivered",
        "only what was delivered before carries redelivered",
        "AMQP 0-9-1 basic.deliver",
        |ctx| {
            let (ch, q, tags) = taken(ctx, false, 3, 2)?;
            ch.nack(tags[1], true, true)?;
            let flags = [(true, "0"), (true, "1"), (false, "2")];
            for (redelivered, body) in flags {
                let d = ch.wait_get(&q)?;
                check_eq!((d.redelivered, d.text().as_str()), (redelivered, body));
            }
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.no-count-header",
        "a classic queue without a delivery limit adds no header to a redelivery",
        "RabbitMQ",
        |ctx| {
            let (ch, q, tags) = taken(ctx, false, 1, 1)?;
            ch.nack(tags[0], false, true)?;
            check_eq!(ch.wait_get(&q)?.props.headers, None);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.channel-close",
        "closing a channel requeues what it held, in place and redelivered",
        "AMQP 0-9-1 channel.close",
        |ctx| {
            let (ch, q, _) = taken(ctx, false, 4, 2)?;
            ch.close()?;
            let ch = ch.reopen()?;
            ch.wait_messages(&q, 4)?;
            check!(ch.wait_get(&q)?.redelivered);
            check_eq!(ch.get_all(&q)?, ["1", "2", "3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.connection-lost",
        "a lost connection requeues what it held",
        "AMQP 0-9-1 4.7",
        |ctx| {
            let (ch, q, _) = taken(ctx, false, 4, 2)?;
            ch.conn.drop_socket();
            let ch = ctx.channel()?;
            ch.wait_messages(&q, 4)?;
            check_eq!(ch.get_all(&q)?, ["0", "1", "2", "3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.recover",
        "basic.recover(requeue) puts everything back in place",
        "features 1.2 basic.recover",
        |ctx| {
            let (ch, q, _) = taken(ctx, false, 3, 2)?;
            ch.recover(true)?;
            ch.wait_messages(&q, 3)?;
            check_eq!(ch.get_all(&q)?, ["0", "1", "2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.cancel-keeps",
        "cancelling a consumer does not requeue what it holds",
        "AMQP 0-9-1 basic.cancel",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            let tag = ch.consume(&q)?;
            ch.publish("", &q, "m")?;
            let d = ch.expect_delivery("m")?;
            ch.cancel(&tag)?;
            check_eq!(ch.depth(&q)?.messages, 0);
            ch.nack(d.tag, false, true)?;
            check!(ch.wait_get(&q)?.redelivered);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.same-consumer",
        "a requeued message may come back to the same consumer",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            ch.consume(&q)?;
            ch.publish("", &q, "m")?;
            let mut d = ch.expect_delivery("m")?;
            for _ in 0..5 {
                ch.nack(d.tag, false, true)?;
                let next = ch.expect_delivery("m")?;
                check!(next.redelivered && next.tag == d.tag + 1, "{next:?}");
                d = next;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.end",
        "a quorum queue requeues at the end, in the order of the requeues",
        "trap 19, RULINGS 19",
        |ctx| {
            let (ch, q, tags) = taken(ctx, true, 5, 3)?;
            for i in [1, 0, 2] {
                ch.nack(tags[i], false, true)?;
            }
            ch.wait_messages(&q, 5)?;
            check_eq!(ch.get_all(&q)?, ["3", "4", "1", "0", "2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.multiple",
        "a quorum queue requeues many at the end in their own order",
        "trap 19",
        |ctx| {
            let (ch, q, tags) = taken(ctx, true, 5, 3)?;
            ch.nack(tags[2], true, true)?;
            ch.wait_messages(&q, 5)?;
            check_eq!(ch.get_all(&q)?, ["3", "4", "0", "1", "2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.count.get",
        "x-delivery-count from basic.get is a long: 0 at first, then one more per requeue",
        "trap 28",
        |ctx| {
            let ch = ctx.channel()?;
            let q = quorum(ctx, &ch, |q| q)?;
            confirmed(&ch, &q, &["m"])?;
            for count in 0..4i64 {
                let d = ch.wait_get(&q)?;
                check_eq!(count_of(&d), Some(Value::I64(count)));
                check_eq!(d.redelivered, count > 0);
                ch.nack(d.tag, false, true)?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.count.deliver",
        "a consumer's first delivery has no x-delivery-count, the next ones 1, 2, ...",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = quorum(ctx, &ch, |q| q)?;
            confirmed(&ch, &q, &["m"])?;
            ch.consume(&q)?;
            let first = ch.expect_delivery("m")?;
            check_eq!(first.props.headers, None);
            ch.nack(first.tag, false, true)?;
            for count in 1..4i64 {
                let d = ch.expect_delivery("m")?;
                check_eq!(count_of(&d), Some(Value::I64(count)));
                ch.reject(d.tag, true)?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.count.headers",
        "x-delivery-count joins the headers that the message has",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = quorum(ctx, &ch, |q| q)?;
            ch.confirm_select()?;
            let props = Props::new().header("mine", 7).message_id("id");
            ch.publish_with(&Publish::to_queue(&q).props(props))?;
            ch.confirms(1, 1)?;
            let d = ch.wait_get(&q)?;
            check_eq!(d.props.message_id, Some(b"id".to_vec()));
            let headers = d.props.headers.unwrap_or_default();
            check_eq!(headers.get("mine"), Some(&Value::I32(7)));
            check_eq!(headers.get("x-delivery-count"), Some(&Value::I64(0)));
            check_eq!(headers.len(), 2);
            Ok(())
        },
    ),
    Scenario::new(
        "requeue.quorum.count.close",
        "a closed channel counts as a requeue",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = quorum(ctx, &ch, |q| q)?;
            confirmed(&ch, &q, &["m"])?;
            ch.wait_get(&q)?;
            ch.close()?;
            let ch = ch.reopen()?;
            check_eq!(count_of(&ch.wait_get(&q)?), Some(Value::I64(1)));
            Ok(())
        },
    ),
    Scenario::new(
        "delivery-limit.quorum.drop",
        "with x-delivery-limit n a message is delivered n+1 times, then dropped",
        "features 1.5",
        |ctx| limit(ctx, true, 2),
    ),
    Scenario::new(
        "delivery-limit.quorum.zero",
        "x-delivery-limit 0 drops at the first requeue",
        "features 1.5",
        |ctx| limit(ctx, true, 0),
    ),
    Scenario::new(
        "delivery-limit.quorum.none",
        "without x-delivery-limit a message may return for ever",
        "features 1.5",
        |ctx| {
            let ch = ctx.channel()?;
            let q = quorum(ctx, &ch, |q| q)?;
            confirmed(&ch, &q, &["m"])?;
            ch.consume(&q)?;
            for _ in 0..30 {
                let d = ch.expect_delivery("m")?;
                ch.nack(d.tag, false, true)?;
            }
            ch.expect_delivery("m").map(drop)
        },
    ),
    Scenario::new(
        "delivery-limit.classic",
        "x-delivery-limit counts and drops on a classic queue too",
        "RULINGS 22",
        |ctx| {
            if ctx.is_rabbit() {
                let ch = ctx.channel()?;
                let q = ctx.queue("q");
                let declare = Queue::new(&q).arg("x-delivery-limit", 2).method();
                return ch.refused(
                    &declare,
                    406,
                    Text::starts("invalid arg 'x-delivery-limit'"),
                );
            }
            limit(ctx, false, 2)
        },
    )
    .deviation("RabbitMQ 3.10 refuses the argument on classic queues"),
    Scenario::new(
        "delivery-limit.classic.count",
        "a classic queue with a delivery limit shows x-delivery-count on redeliveries",
        "issue text: x-delivery-count on every queue type",
        classic_count,
    )
    .deviation("RabbitMQ 3.10 refuses the argument on classic queues"),
];

fn quorum(ctx: &Ctx, ch: &Channel, build: fn(Queue) -> Queue) -> Result<String> {
    let q = ctx.queue("q");
    ch.declare_with(build(
        Queue::new(&q).durable().arg("x-queue-type", "quorum"),
    ))?;
    Ok(q)
}

fn confirmed(ch: &Channel, q: &str, bodies: &[&str]) -> Result {
    ch.confirm_select()?;
    for body in bodies {
        ch.publish("", q, body)?;
    }
    ch.confirms(1, bodies.len() as u64).map(drop)
}

fn count_of(d: &Delivery) -> Option<Value> {
    d.props.headers.as_ref()?.get("x-delivery-count").cloned()
}

/// A queue with `count` messages "0", "1", ... of which `get` are taken; their tags.
fn taken(
    ctx: &mut Ctx,
    is_quorum: bool,
    count: usize,
    get: usize,
) -> Result<(Channel, String, Vec<u64>)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    if is_quorum {
        ch.declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
    } else {
        ch.declare(&q)?;
    }
    let bodies: Vec<String> = (0..count).map(|i| i.to_string()).collect();
    confirmed(
        &ch,
        &q,
        &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
    )?;
    let mut tags = Vec::new();
    for _ in 0..get {
        tags.push(ch.wait_get(&q)?.tag);
    }
    Ok((ch, q, tags))
}

fn limit(ctx: &mut Ctx, is_quorum: bool, times: i32) -> Result {
    let ch = ctx.channel()?;
    let (q, dead) = (ctx.queue("q"), ctx.queue("dead"));
    ch.declare(&dead)?;
    let mut declare = Queue::new(&q)
        .arg("x-delivery-limit", times)
        .arg("x-dead-letter-exchange", "")
        .arg("x-dead-letter-routing-key", dead.as_str());
    if is_quorum {
        declare = declare.durable().arg("x-queue-type", "quorum");
    }
    ch.declare_with(declare)?;
    confirmed(&ch, &q, &["m"])?;
    for turn in 0..=times {
        let d = ch.wait_get(&q)?;
        check_eq!(d.redelivered, turn > 0);
        ch.nack(d.tag, false, true)?;
    }
    let d = ch.wait_get(&dead)?;
    check_eq!(d.text(), "m");
    let headers = d.props.headers.unwrap_or_default();
    check_eq!(
        headers.get("x-first-death-reason"),
        Some(&Value::from("delivery_limit"))
    );
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn classic_count(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let declare = Queue::new(&q).arg("x-delivery-limit", 5);
    if ctx.is_rabbit() {
        let text = Text::starts("invalid arg 'x-delivery-limit'");
        return ch.refused(&declare.method(), 406, text);
    }
    ch.declare_with(declare)?;
    ch.consume(&q)?;
    ch.publish("", &q, "m")?;
    let mut d = ch.expect_delivery("m")?;
    for count in 1..4i64 {
        ch.nack(d.tag, false, true)?;
        d = ch.expect_delivery("m")?;
        check_eq!(count_of(&d), Some(Value::I64(count)));
    }
    Ok(())
}
