//! Scenarios: prefetch, per consumer and per channel.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "qos.default.unlimited",
        "without basic.qos everything is delivered",
        "features 1.3",
        |ctx| {
            let (ch, q) = filled(ctx, 500)?;
            ch.consume(&q)?;
            check_eq!(ch.deliveries(500)?.len(), 500);
            Ok(())
        },
    ),
    Scenario::new(
        "qos.zero.unlimited",
        "a count of 0 means no limit, per consumer and per channel",
        "AMQP 0-9-1 basic.qos",
        zero,
    ),
    Scenario::new(
        "qos.consumer.limit",
        "a consumer gets as many unacknowledged deliveries as its limit, and one more per ack",
        "features 1.3",
        consumer_limit,
    ),
    Scenario::new(
        "qos.consumer.each",
        "with global=false each consumer of the channel has the limit for itself",
        "features 1.3",
        each_consumer,
    ),
    Scenario::new(
        "qos.consumer.later",
        "qos(global=false) counts for consumers started after it, each keeps its own",
        "features 1.3, trap 29",
        later_consumers,
    )
    .deviation("here it also updates live consumers of the channel"),
    Scenario::new(
        "qos.consumer.live",
        "qos(global=false) on a running consumer: nothing on RabbitMQ, a new limit here",
        "features 1.3, RULINGS 22",
        live_consumer,
    )
    .deviation("here it also updates live consumers of the channel"),
    Scenario::new(
        "qos.consumer.live.lower",
        "a lower limit on a running consumer is kept to after acknowledgements, here",
        "features 1.3, RULINGS 22",
        live_lower,
    )
    .deviation("here it also updates live consumers of the channel"),
    Scenario::new(
        "qos.consumer.live.to-zero",
        "lifting a running consumer's limit with count 0 delivers the rest, here",
        "features 1.3, RULINGS 22",
        live_to_zero,
    )
    .deviation("here it also updates live consumers of the channel"),
    Scenario::new(
        "qos.consumer.other-channel",
        "a limit concerns its own channel only",
        "AMQP 0-9-1 basic.qos",
        other_channel,
    ),
    Scenario::new(
        "qos.consumer.multiple-ack",
        "ack with multiple frees as many places as it settles",
        "AMQP 0-9-1 basic.ack",
        |ctx| {
            let (ch, q) = filled(ctx, 10)?;
            ch.qos(4)?;
            ch.consume(&q)?;
            let got = ch.deliveries(4)?;
            ch.expect_silence_of(&q)?;
            ch.ack_multiple(got[2].tag)?;
            bodies(&ch, &["4", "5", "6"])?;
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "qos.consumer.nack-frees",
        "nack and reject free a place as ack does",
        "RabbitMQ",
        nack_frees,
    ),
    Scenario::new(
        "qos.consumer.cancel",
        "unacknowledged deliveries of a cancelled consumer do not count for the next one",
        "RabbitMQ",
        after_cancel,
    ),
    Scenario::new(
        "qos.no-ack",
        "consumers without acknowledgement are limited by neither",
        "AMQP 0-9-1 basic.qos",
        no_ack,
    ),
    Scenario::new(
        "qos.global.shared",
        "with global=true one limit is shared by the consumers of the channel",
        "features 1.3",
        shared,
    ),
    Scenario::new(
        "qos.global.both",
        "a consumer limit and a channel limit both apply",
        "features 1.3",
        both,
    ),
    Scenario::new(
        "qos.global.live",
        "qos(global=true) takes effect at once for running consumers",
        "features 1.3",
        |ctx| {
            let (ch, q) = filled(ctx, 10)?;
            ch.qos_global(1)?;
            ch.consume(&q)?;
            bodies(&ch, &["0"])?;
            ch.expect_silence_of(&q)?;
            ch.qos_global(5)?;
            bodies(&ch, &["1", "2", "3", "4"])?;
            ch.expect_silence_of(&q)?;
            ch.qos_global(0)?;
            bodies(&ch, &["5", "6", "7", "8", "9"]).map(drop)
        },
    ),
    Scenario::new(
        "qos.global.over-own",
        "a higher channel limit does not lift a consumer's own limit",
        "features 1.3",
        over_own,
    ),
    Scenario::new(
        "qos.global.existing-unacked",
        "a channel limit set late counts what is already unacknowledged",
        "RabbitMQ",
        existing_unacked,
    ),
    Scenario::new(
        "qos.global.get",
        "messages taken with basic.get do not count in the channel limit",
        "trap 29",
        get_not_counted,
    ),
    Scenario::new(
        "qos.global.two-queues",
        "the channel limit is shared over queues",
        "features 1.3",
        two_queues,
    ),
    Scenario::new(
        "qos.size",
        "a prefetch size is not implemented: 540",
        "features 1.3",
        |ctx| {
            let ch = ctx.channel()?;
            let qos = method("basic.qos").set("prefetch-size", 5);
            ch.refused_hard(&qos, 540, "prefetch_size!=0 (5)")
        },
    ),
    Scenario::new(
        "qos.quorum.global-consume",
        "consuming from a quorum queue on a channel with a channel limit: 540",
        "features 1.3, trap 28",
        quorum_global,
    ),
    Scenario::new(
        "qos.quorum.global-late",
        "qos(global=true) itself is accepted while a quorum queue is consumed",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
            ch.consume(&q)?;
            ch.qos_global(5)?;
            ch.expect_silence()
        },
    ),
    Scenario::new(
        "qos.quorum.consumer-limit",
        "a consumer limit works on a quorum queue",
        "features 1.3",
        quorum_limit,
    ),
];

/// A queue with `count` messages whose bodies are "0", "1", ...
fn filled(ctx: &Ctx, count: usize) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for i in 0..count {
        ch.publish("", &q, &i.to_string())?;
    }
    ch.wait_messages(&q, count as u64)?;
    Ok((ch, q))
}

/// The next deliveries have these bodies.
fn bodies(ch: &Channel, texts: &[&str]) -> Result<Vec<Delivery>> {
    texts.iter().map(|text| ch.expect_delivery(text)).collect()
}

fn zero(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 20)?;
    ch.qos(0)?;
    ch.qos_global(0)?;
    ch.consume(&q)?;
    check_eq!(ch.deliveries(20)?.len(), 20);
    Ok(())
}

fn consumer_limit(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(3)?;
    ch.consume(&q)?;
    let got = bodies(&ch, &["0", "1", "2"])?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[1].tag)?;
    bodies(&ch, &["3"])?;
    ch.expect_silence_of(&q)?;
    check_eq!(ch.depth(&q)?.messages, 6);
    Ok(())
}

fn each_consumer(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(2)?;
    ch.consume_with(Consume::new(&q).tag("a"))?;
    ch.consume_with(Consume::new(&q).tag("b"))?;
    let got = ch.deliveries(4)?;
    ch.expect_silence_of(&q)?;
    let of = |tag: &str| got.iter().filter(|d| d.consumer == tag).count();
    check_eq!((of("a"), of("b")), (2, 2));
    Ok(())
}

fn later_consumers(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(2)?;
    ch.consume_with(Consume::new(&q).tag("a"))?;
    bodies(&ch, &["0", "1"])?;
    ch.expect_silence_of(&q)?;
    ch.qos(3)?;
    ch.consume_with(Consume::new(&q).tag("b"))?;
    let rest = ch.deliveries(ctx.on(3, 4))?;
    ch.expect_silence_of(&q)?;
    let of = |tag: &str| rest.iter().filter(|d| d.consumer == tag).count();
    check_eq!((of("a"), of("b")), ctx.on((0, 3), (1, 3)));
    Ok(())
}

fn live_consumer(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(1)?;
    ch.consume(&q)?;
    bodies(&ch, &["0"])?;
    ch.expect_silence_of(&q)?;
    ch.qos(5)?;
    if !ctx.is_rabbit() {
        bodies(&ch, &["1", "2", "3", "4"])?;
    }
    ch.expect_silence_of(&q)
}

fn live_lower(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(3)?;
    ch.consume(&q)?;
    let got = bodies(&ch, &["0", "1", "2"])?;
    ch.qos(1)?;
    ch.ack(got[0].tag)?;
    if ctx.is_rabbit() {
        bodies(&ch, &["3"])?;
        return ch.expect_silence_of(&q);
    }
    ch.expect_silence_of(&q)?;
    ch.ack(got[1].tag)?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[2].tag)?;
    bodies(&ch, &["3"])?;
    ch.expect_silence_of(&q)
}

fn live_to_zero(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 5)?;
    ch.qos(2)?;
    ch.consume(&q)?;
    bodies(&ch, &["0", "1"])?;
    ch.qos(0)?;
    if !ctx.is_rabbit() {
        bodies(&ch, &["2", "3", "4"])?;
    }
    ch.expect_silence_of(&q)
}

fn other_channel(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(1)?;
    ch.qos_global(1)?;
    let other = ch.conn.channel(2)?;
    other.consume(&q)?;
    check_eq!(other.deliveries(10)?.len(), 10);
    Ok(())
}

fn nack_frees(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 5)?;
    ch.qos(1)?;
    ch.consume(&q)?;
    let first = ch.expect_delivery("0")?;
    ch.nack(first.tag, false, false)?;
    let second = ch.expect_delivery("1")?;
    ch.reject(second.tag, false)?;
    let third = ch.expect_delivery("2")?;
    ch.expect_silence_of(&q)?;
    ch.nack(third.tag, false, true)?;
    check!(ch.expect_delivery("2")?.redelivered);
    Ok(())
}

fn after_cancel(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 6)?;
    ch.qos(2)?;
    let tag = ch.consume(&q)?;
    bodies(&ch, &["0", "1"])?;
    ch.cancel(&tag)?;
    ch.consume(&q)?;
    bodies(&ch, &["2", "3"])?;
    ch.expect_silence_of(&q)
}

fn no_ack(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 20)?;
    ch.qos(1)?;
    ch.qos_global(1)?;
    ch.consume_with(Consume::new(&q).no_ack())?;
    check_eq!(ch.deliveries(20)?.len(), 20);
    Ok(())
}

fn shared(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos_global(3)?;
    ch.consume_with(Consume::new(&q).tag("a"))?;
    ch.consume_with(Consume::new(&q).tag("b"))?;
    let got = bodies(&ch, &["0", "1", "2"])?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[0].tag)?;
    bodies(&ch, &["3"])?;
    ch.expect_silence_of(&q)
}

fn both(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 20)?;
    ch.qos(2)?;
    ch.qos_global(5)?;
    for tag in ["a", "b", "c"] {
        ch.consume_with(Consume::new(&q).tag(tag))?;
    }
    let got = ch.deliveries(5)?;
    ch.expect_silence_of(&q)?;
    for tag in ["a", "b", "c"] {
        check!(
            got.iter().filter(|d| d.consumer == tag).count() <= 2,
            "more than 2 to {tag}"
        );
    }
    Ok(())
}

fn over_own(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(2)?;
    ch.consume(&q)?;
    bodies(&ch, &["0", "1"])?;
    ch.qos_global(7)?;
    ch.expect_silence_of(&q)?;
    ch.qos_global(0)?;
    ch.expect_silence_of(&q)
}

fn existing_unacked(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos(3)?;
    ch.consume(&q)?;
    let got = bodies(&ch, &["0", "1", "2"])?;
    ch.qos_global(1)?;
    ch.ack(got[0].tag)?;
    ch.ack(got[1].tag)?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[2].tag)?;
    bodies(&ch, &["3"])?;
    ch.expect_silence_of(&q)
}

fn get_not_counted(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 10)?;
    ch.qos_global(2)?;
    let mut taken = Vec::new();
    for _ in 0..3 {
        let Some(d) = ch.get(&q)? else {
            return fail("get-empty");
        };
        taken.push(d);
    }
    ch.consume(&q)?;
    let got = bodies(&ch, &["3", "4"])?;
    ch.expect_silence_of(&q)?;
    ch.ack(taken[0].tag)?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[0].tag)?;
    bodies(&ch, &["5"])?;
    ch.expect_silence_of(&q)
}

fn two_queues(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 5)?;
    let other = ctx.queue("other");
    ch.declare(&other)?;
    for _ in 0..5 {
        ch.publish("", &other, "other")?;
    }
    ch.wait_messages(&other, 5)?;
    ch.qos_global(3)?;
    ch.consume(&q)?;
    let got = bodies(&ch, &["0", "1", "2"])?;
    ch.consume(&other)?;
    ch.expect_silence_of(&other)?;
    ch.ack_multiple(got[2].tag)?;
    check_eq!(ch.deliveries(3)?.len(), 3);
    ch.expect_silence_of(&q)?;
    ch.expect_silence_of(&other)
}

fn quorum_global(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
    ch.qos_global(5)?;
    let text = format!(
        "queue '{q}' in vhost '{}' does not support global qos",
        ctx.vhost()
    );
    ch.refused_hard(&Consume::new(&q).method(), 540, text)
}

fn quorum_limit(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
    ch.confirm_select()?;
    for i in 0..5 {
        ch.publish("", &q, &i.to_string())?;
    }
    ch.confirms(1, 5)?;
    ch.qos(2)?;
    ch.consume(&q)?;
    let got = bodies(&ch, &["0", "1"])?;
    ch.wait_depth(&q, |d| d.messages == 3)?;
    ch.expect_silence_of(&q)?;
    ch.ack(got[0].tag)?;
    bodies(&ch, &["2"])?;
    ch.wait_depth(&q, |d| d.messages == 2)?;
    ch.expect_silence_of(&q)
}
