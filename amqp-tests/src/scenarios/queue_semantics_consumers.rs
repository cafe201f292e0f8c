//! Scenarios: which consumer gets the next message.

use crate::prelude::*;

use super::queue_semantics::put_all;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "consumers.round-robin",
        "consumers take turns, message by message, in the order they came",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            for tag in ["a", "b", "c"] {
                ch.consume_with(Consume::new(&q).tag(tag))?;
            }
            publish(&ch, &q, 7)?;
            check_eq!(turns(&ch, 7)?, ["a0", "b1", "c2", "a3", "b4", "c5", "a6"]);
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.round-robin.full",
        "a consumer at its limit is left out and joins again after an ack",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.qos(1)?;
            ch.consume_with(Consume::new(&q).tag("slow"))?;
            ch.conn.channel(2)?;
            let fast = ch.conn.channel(3)?;
            fast.consume_with(Consume::new(&q).tag("fast"))?;
            publish(&ch, &q, 6)?;
            let slow = ch.delivery()?;
            check_eq!(fast.deliveries(5)?.len(), 5);
            ch.ack(slow.tag)?;
            ch.depth(&q)?;
            publish(&ch, &q, 2)?;
            ch.delivery()?;
            fast.delivery().map(drop)
        },
    ),
    Scenario::new(
        "consumers.round-robin.connections",
        "turns are taken over connections too",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            let other = ctx.channel()?;
            ch.consume(&q)?;
            other.consume(&q)?;
            publish(&ch, &q, 6)?;
            let texts = |ch: &Channel| -> Result<Vec<String>> {
                Ok(ch.deliveries(3)?.iter().map(Delivery::text).collect())
            };
            check_eq!(texts(&ch)?, ["0", "2", "4"]);
            check_eq!(texts(&other)?, ["1", "3", "5"]);
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.priority.order",
        "a higher x-priority gets everything until it is full; none is 0, it may be negative",
        "features 1.5, 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.qos(2)?;
            ch.consume_with(Consume::new(&q).tag("low").arg("x-priority", -1))?;
            ch.consume_with(Consume::new(&q).tag("mid"))?;
            ch.consume_with(Consume::new(&q).tag("high").arg("x-priority", 5))?;
            publish(&ch, &q, 7)?;
            let expected = ["high0", "high1", "mid2", "mid3", "low4", "low5"];
            let got = ch.deliveries(6)?;
            check_eq!(words(&got), expected);
            ch.ack(got[0].tag)?;
            check_eq!(turns(&ch, 1)?, ["high6"]);
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.priority.equal",
        "consumers of equal priority take turns",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.consume_with(Consume::new(&q).tag("low"))?;
            ch.consume_with(Consume::new(&q).tag("a").arg("x-priority", 1))?;
            ch.consume_with(Consume::new(&q).tag("b").arg("x-priority", 1))?;
            publish(&ch, &q, 4)?;
            check_eq!(turns(&ch, 4)?, ["a0", "b1", "a2", "b3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.priority.types",
        "x-priority is any integer; other types are refused",
        "features 1.5",
        priority_types,
    ),
    Scenario::new(
        "consumers.ha-failover.type",
        "x-cancel-on-ha-failover is a boolean and otherwise means nothing",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.consume_with(Consume::new(&q).arg("x-cancel-on-ha-failover", true))?;
            let text = format!(
                "invalid arg 'x-cancel-on-ha-failover' for queue '{q}' in vhost '{}': \
                 {{unacceptable_type,longstr}}",
                ctx.vhost()
            );
            let wrong = Consume::new(&q)
                .arg("x-cancel-on-ha-failover", "yes")
                .method();
            ch.refused(&wrong, 406, text)
        },
    ),
    Scenario::new(
        "consumers.stream-offset.refused",
        "x-stream-offset is refused on a classic queue",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            let text = format!(
                "invalid arg 'x-stream-offset' for queue '{q}' in vhost '{}' of queue type \
                 rabbit_classic_queue",
                ctx.vhost()
            );
            let m = Consume::new(&q).arg("x-stream-offset", "first").method();
            ch.refused(&m, 406, text)
        },
    ),
    Scenario::new(
        "consumers.unknown-argument",
        "unknown arguments of basic.consume are ignored",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.consume_with(Consume::new(&q).arg("x-whatever", 1))?;
            publish(&ch, &q, 1)?;
            ch.expect_delivery("0").map(drop)
        },
    ),
    Scenario::new(
        "consumers.sac.first",
        "of several consumers of a single-active queue only the first gets messages",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-single-active-consumer", true))?;
            ch.consume_with(Consume::new(&q).tag("a"))?;
            ch.consume_with(Consume::new(&q).tag("b").arg("x-priority", 10))?;
            publish(&ch, &q, 4)?;
            check_eq!(turns(&ch, 4)?, ["a0", "a1", "a2", "a3"]);
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "consumers.sac.limit",
        "an active consumer at its limit is waited for, the others stay idle",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-single-active-consumer", true))?;
            ch.qos(1)?;
            ch.consume_with(Consume::new(&q).tag("a"))?;
            ch.consume_with(Consume::new(&q).tag("b"))?;
            publish(&ch, &q, 3)?;
            check_eq!(turns(&ch, 1)?, ["a0"]);
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "consumers.sac.cancel",
        "when the active consumer is cancelled the next in order takes over",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-single-active-consumer", true))?;
            for tag in ["a", "b", "c"] {
                ch.consume_with(Consume::new(&q).tag(tag))?;
            }
            publish(&ch, &q, 1)?;
            check_eq!(turns(&ch, 1)?, ["a0"]);
            ch.cancel("a")?;
            publish(&ch, &q, 2)?;
            check_eq!(turns(&ch, 2)?, ["b0", "b1"]);
            ch.cancel("c")?;
            publish(&ch, &q, 1)?;
            check_eq!(
                turns(&ch, 1)?,
                ["b0"],
                "an idle one that goes changes nothing"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.sac.death",
        "when the active consumer's connection goes, the next gets what it held",
        "features 1.6",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-single-active-consumer", true))?;
            let first = ctx.channel()?;
            first.consume(&q)?;
            ch.consume(&q)?;
            publish(&ch, &q, 2)?;
            first.deliveries(2)?;
            first.conn.drop_socket();
            check!(ch.expect_delivery("0")?.redelivered);
            ch.expect_delivery("1").map(drop)
        },
    ),
    Scenario::new(
        "consumers.sac.quorum",
        "a single active consumer works on a quorum queue",
        "features 1.5",
        |ctx| {
            let (ch, q) = queue(ctx, |q| {
                q.durable()
                    .arg("x-queue-type", "quorum")
                    .arg("x-single-active-consumer", true)
            })?;
            ch.confirm_select()?;
            ch.consume_with(Consume::new(&q).tag("a"))?;
            ch.consume_with(Consume::new(&q).tag("b"))?;
            publish(&ch, &q, 2)?;
            ch.confirms(1, 2)?;
            check_eq!(turns(&ch, 2)?, ["a0", "a1"]);
            ch.cancel("a")?;
            publish(&ch, &q, 1)?;
            check_eq!(turns(&ch, 1)?, ["b0"]);
            Ok(())
        },
    ),
    Scenario::new(
        "consumers.sac.exclusive",
        "an exclusive consumer is refused on a single-active queue",
        "RabbitMQ",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.arg("x-single-active-consumer", true))?;
            let text = format!("queue '{q}' in vhost '{}' in exclusive use", ctx.vhost());
            ch.refused(&Consume::new(&q).exclusive().method(), 403, text)
        },
    ),
    Scenario::new(
        "consumers.exclusive.first",
        "an exclusive consumer keeps others out; basic.get still works",
        "features 1.2 basic.consume",
        exclusive_first,
    ),
    Scenario::new(
        "consumers.exclusive.second",
        "an exclusive consumer is refused where another consumes",
        "features 1.2 basic.consume",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q)?;
            ch.consume(&q)?;
            let other = ctx.channel()?;
            let text = format!("queue '{q}' in vhost '{}' in exclusive use", ctx.vhost());
            other.refused(&Consume::new(&q).exclusive().method(), 403, text)
        },
    ),
    Scenario::new(
        "consumers.exclusive.quorum",
        "exclusive consumers are not enforced on a quorum queue",
        "trap 28",
        |ctx| {
            let (ch, q) = queue(ctx, |q| q.durable().arg("x-queue-type", "quorum"))?;
            ch.consume_with(Consume::new(&q).exclusive())?;
            ch.consume_with(Consume::new(&q).exclusive())?;
            ch.consume(&q).map(drop)
        },
    ),
    Scenario::new(
        "consumers.timeout.off",
        "an unacknowledged delivery does not time out unless it was asked for",
        "RULINGS 22",
        timeout_off,
    )
    .deviation("RabbitMQ closes the channel after 30 minutes"),
    Scenario::new(
        "consumers.timeout.argument",
        "x-consumer-timeout: ignored by RabbitMQ 3.10; here the channel is closed with 406",
        "RULINGS 22 (4.x addition)",
        timeout_argument,
    )
    .deviation("RabbitMQ 3.10 has no such argument"),
];

fn queue(ctx: &mut Ctx, build: fn(Queue) -> Queue) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(build(Queue::new(&q)))?;
    Ok((ch, q))
}

fn publish(ch: &Channel, q: &str, count: usize) -> Result {
    (0..count).try_for_each(|i| ch.publish("", q, &i.to_string()))
}

/// Consumer tag and body of each delivery, joined.
fn words(got: &[Delivery]) -> Vec<String> {
    got.iter()
        .map(|d| format!("{}{}", d.consumer, d.text()))
        .collect()
}

fn turns(ch: &Channel, count: usize) -> Result<Vec<String>> {
    Ok(words(&ch.deliveries(count)?))
}

fn priority_types(ctx: &mut Ctx) -> Result {
    let (ch, q) = queue(ctx, |q| q)?;
    for value in [Value::I8(-5), Value::I64(1 << 40), Value::U16(7)] {
        ch.consume_with(Consume::new(&q).arg("x-priority", value))?;
    }
    for (value, kind) in [
        (Value::from("5"), "longstr"),
        (Value::Bool(true), "bool"),
        (Value::F64(1.0), "double"),
        (Value::Void, "void"),
    ] {
        let text = format!(
            "invalid arg 'x-priority' for queue '{q}' in vhost '{}': \
             \"expected integer, got {kind}\"",
            ctx.vhost()
        );
        let other = ch.conn.channel(2)?;
        other.refused(
            &Consume::new(&q).arg("x-priority", value).method(),
            406,
            text,
        )?;
    }
    Ok(())
}

fn exclusive_first(ctx: &mut Ctx) -> Result {
    let (ch, q) = queue(ctx, |q| q)?;
    ch.consume_with(Consume::new(&q).tag("only").exclusive())?;
    let other = ctx.channel()?;
    let text = format!("queue '{q}' in vhost '{}' in exclusive use", ctx.vhost());
    other.refused(&Consume::new(&q).method(), 403, &text)?;
    let other = other.reopen()?;
    other.refused(&Consume::new(&q).exclusive().method(), 403, &text)?;
    let other = other.reopen()?;
    check!(other.get(&q)?.is_none());
    ch.cancel("only")?;
    other.consume(&q)?;
    other.publish("", &q, "free again")?;
    other.expect_delivery("free again").map(drop)
}

/// Lets `ms` pass, as shown by a message with that time to live elsewhere.
fn pass(ctx: &mut Ctx, ms: u32) -> Result {
    let ch = ctx.channel()?;
    let clock = ctx.queue("clock");
    ch.declare(&clock)?;
    let props = Props::new().expiration(ms.to_string());
    put_all(&ch, &[Publish::to_queue(&clock).props(props)])?;
    ch.wait_messages(&clock, 0)
}

fn timeout_off(ctx: &mut Ctx) -> Result {
    let (ch, q) = queue(ctx, |q| q)?;
    ch.consume(&q)?;
    publish(&ch, &q, 1)?;
    let d = ch.expect_delivery("0")?;
    pass(ctx, 1500)?;
    ch.ack(d.tag)?;
    ch.expect_silence_of(&q)
}

fn timeout_argument(ctx: &mut Ctx) -> Result {
    let (ch, q) = queue(ctx, |q| q.arg("x-consumer-timeout", 300))?;
    ch.consume(&q)?;
    publish(&ch, &q, 1)?;
    let d = ch.expect_delivery("0")?;
    if ctx.is_rabbit() {
        pass(ctx, 1500)?;
        ch.ack(d.tag)?;
        return ch.expect_silence_of(&q);
    }
    let text = Text::starts("delivery acknowledgement on channel 1 timed out");
    ch.expect_close(406, (0, 0), text)?;
    let ch = ch.reopen()?;
    let again = ch.wait_get(&q)?;
    check!(again.redelivered && again.text() == "0", "{again:?}");
    Ok(())
}
