//! Scenarios: consumers, cancellation, direct reply-to.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "consume.order",
        "a consumer gets messages in the order they were published",
        "AMQP 0-9-1 4.7",
        order,
    ),
    Scenario::new(
        "consume.server_tag",
        "an empty consumer tag makes amq.ctag- followed by 22 base64 characters",
        "RabbitMQ",
        server_tag,
    ),
    Scenario::new(
        "trap.10.tag_reuse",
        "a reused consumer tag is 530 on the connection",
        "trap 10; features 1.2",
        tag_reuse,
    ),
    Scenario::new(
        "consume.tag_per_channel",
        "the same consumer tag may be used on another channel, and again after cancel",
        "AMQP 0-9-1 1.8.3.3",
        tag_per_channel,
    ),
    Scenario::new(
        "trap.10.missing_queue",
        "consuming from a missing queue is 404 on the channel",
        "trap 10; features 1.4",
        missing_queue,
    ),
    Scenario::new(
        "consume.exclusive",
        "an exclusive consumer beside another, in either order, is 403 in exclusive use",
        "features 1.2, 1.4",
        exclusive,
    ),
    Scenario::new(
        "consume.exclusive.freed",
        "after an exclusive consumer is cancelled others may consume",
        "AMQP 0-9-1 1.8.3.3",
        exclusive_freed,
    ),
    Scenario::new(
        "consume.no_local",
        "no-local is ignored",
        "features 1.2",
        no_local,
    ),
    Scenario::new(
        "consume.no_ack",
        "deliveries of a no-ack consumer are settled when sent",
        "AMQP 0-9-1 1.8.3.3",
        no_ack,
    ),
    Scenario::new(
        "consume.nowait",
        "basic.consume with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.8.3.3",
        nowait,
    ),
    Scenario::new(
        "consume.ok_first",
        "consume-ok precedes the first delivery",
        "RabbitMQ",
        ok_first,
    ),
    Scenario::new(
        "consume.round_robin",
        "consumers are served in turn",
        "AMQP 0-9-1 3.1.1; RabbitMQ",
        round_robin,
    ),
    Scenario::new(
        "cancel.stops",
        "after cancel-ok no delivery comes; unacknowledged ones stay with the channel",
        "AMQP 0-9-1 1.8.3.5",
        cancel_stops,
    ),
    Scenario::new(
        "trap.17.cancel_unknown",
        "cancelling an unknown tag is answered with cancel-ok",
        "trap 17; features 1.2",
        |ctx| ctx.channel()?.cancel("no-such-consumer"),
    ),
    Scenario::new(
        "cancel.nowait",
        "basic.cancel with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.8.3.5",
        cancel_nowait,
    ),
    Scenario::new(
        "trap.08.cancel_notify",
        "deleting a queue sends basic.cancel with nowait=true to clients with consumer_cancel_notify",
        "trap 8; features 1.2",
        cancel_notify,
    ),
    Scenario::new(
        "cancel.not_without_capability",
        "a client without consumer_cancel_notify gets no basic.cancel",
        "features 1.2",
        no_cancel_notify,
    ),
    Scenario::new(
        "reply_to.rpc",
        "a reply to the address that replaced amq.rabbitmq.reply-to reaches its consumer",
        "RabbitMQ direct reply-to",
        reply_rpc,
    ),
    Scenario::new(
        "reply_to.no_consumer",
        "publishing with reply-to amq.rabbitmq.reply-to without a consumer is 406",
        "features 1.4",
        reply_no_consumer,
    ),
    Scenario::new(
        "reply_to.needs_no_ack",
        "a reply consumer that would acknowledge is 406",
        "features 1.4",
        reply_needs_no_ack,
    ),
    Scenario::new(
        "reply_to.once",
        "a second reply consumer on a channel is 406",
        "features 1.4",
        reply_once,
    ),
    Scenario::new(
        "reply_to.stale",
        "a reply to a consumer that is gone is unroutable",
        "RabbitMQ direct reply-to",
        reply_stale,
    ),
];

fn made(ctx: &Ctx) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    Ok((ch, q))
}

fn order(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let tag = ch.consume(&q)?;
    for n in 0..300 {
        ch.publish("", &q, &n.to_string())?;
    }
    for n in 0..300u64 {
        let d = ch.expect_delivery(&n.to_string())?;
        check_eq!((d.tag, &d.consumer, d.redelivered), (n + 1, &tag, false));
    }
    Ok(())
}

fn server_tag(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let tag = ch.consume(&q)?;
    let Some(rest) = tag.strip_prefix("amq.ctag-") else {
        return fail(tag);
    };
    check_eq!(rest.len(), 22);
    Ok(())
}

fn tag_reuse(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.consume_with(Consume::new(&q).tag("t"))?;
    let again = Consume::new(&q).tag("t").method();
    ch.refused_hard(&again, 530, "attempt to reuse consumer tag 't'")
}

fn tag_per_channel(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let two = ch.conn.channel(2)?;
    ch.consume_with(Consume::new(&q).tag("t"))?;
    two.consume_with(Consume::new(&q).tag("t"))?;
    ch.cancel("t")?;
    ch.consume_with(Consume::new(&q).tag("t"))?;
    check_eq!(ch.depth(&q)?.consumers, 2);
    Ok(())
}

fn missing_queue(ctx: &mut Ctx) -> Result {
    let q = ctx.name("missing");
    let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
    ctx.channel()?
        .refused(&Consume::new(&q).method(), 404, text)
}

fn exclusive(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let text = format!("queue '{q}' in vhost '{}' in exclusive use", ctx.vhost());
    let two = ch.conn.channel(2)?;
    ch.consume_with(Consume::new(&q).tag("t").exclusive())?;
    two.refused(&Consume::new(&q).method(), 403, &text)?;
    ch.cancel("t")?;
    ch.consume_with(Consume::new(&q).tag("t"))?;
    two.reopen()?
        .refused(&Consume::new(&q).exclusive().method(), 403, &text)
}

fn exclusive_freed(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let other = ctx.channel()?;
    let tag = ch.consume_with(Consume::new(&q).exclusive())?;
    ch.cancel(&tag)?;
    let tag = other.consume_with(Consume::new(&q).exclusive())?;
    other.cancel(&tag)?;
    ch.consume(&q).map(drop)
}

fn no_local(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.consume_with(Consume::new(&q).no_local())?;
    ch.publish("", &q, "own")?;
    ch.expect_delivery("own").map(drop)
}

fn no_ack(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.qos(1)?;
    ch.consume_with(Consume::new(&q).no_ack())?;
    for n in 0..10 {
        ch.publish("", &q, &n.to_string())?;
    }
    ch.deliveries(10)?;
    ch.ack(1)?;
    ch.expect_close(406, (60, 80), "unknown delivery tag 1")?;
    check_eq!(ch.reopen()?.depth(&q)?.messages, 0);
    Ok(())
}

fn nowait(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.send(&Consume::new(&q).tag("t").nowait().method())?;
    ch.expect_silence_of(&q)?;
    ch.publish("", &q, "m")?;
    check_eq!(ch.expect_delivery("m")?.consumer, "t");
    Ok(())
}

fn ok_first(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    for _ in 0..3 {
        ch.publish("", &q, "m")?;
    }
    ch.wait_messages(&q, 3)?;
    ch.send(&Consume::new(&q).method())?;
    check_eq!(ch.recv()?.method.name(), "basic.consume-ok");
    check_eq!(ch.recv()?.method.name(), "basic.deliver");
    Ok(())
}

fn round_robin(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let (a, b) = (ch.consume(&q)?, ch.consume(&q)?);
    for n in 0..10 {
        ch.publish("", &q, &n.to_string())?;
    }
    let got = ch.deliveries(10)?;
    check_eq!(got.iter().filter(|d| d.consumer == a).count(), 5);
    check_eq!(got.iter().filter(|d| d.consumer == b).count(), 5);
    check!(
        got.windows(2).all(|w| w[0].consumer != w[1].consumer),
        "not in turn"
    );
    Ok(())
}

fn cancel_stops(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let tag = ch.consume(&q)?;
    ch.publish("", &q, "before")?;
    let d = ch.expect_delivery("before")?;
    ch.cancel(&tag)?;
    ch.publish("", &q, "after")?;
    ch.wait_depth(&q, |d| (d.messages, d.consumers) == (1, 0))?;
    ch.expect_silence_of(&q)?;
    ch.nack(d.tag, false, true)?;
    ch.wait_messages(&q, 2)?;
    check_eq!(ch.get_all(&q)?, ["before", "after"]);
    Ok(())
}

fn cancel_nowait(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    let tag = ch.consume(&q)?;
    ch.send(
        &method("basic.cancel")
            .set("consumer-tag", &tag)
            .set("nowait", true),
    )?;
    ch.expect_silence()?;
    ch.wait_depth(&q, |d| d.consumers == 0).map(drop)
}

fn cancel_notify(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.consume_with(Consume::new(&q).tag("t"))?;
    ctx.channel()?.delete(&q)?;
    let cancel = ch.wait_method("basic.cancel")?;
    check_eq!(
        (cancel.str("consumer-tag").as_str(), cancel.bit("nowait")),
        ("t", true)
    );
    ch.sync()?;
    ch.declare(&q)?;
    ch.consume_with(Consume::new(&q).tag("t")).map(drop)
}

fn no_cancel_notify(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect_with(&Options {
        properties: Table::new(),
        ..Options::default()
    })?;
    let ch = conn.channel(1)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.consume(&q)?;
    // A second consumer that is told shows when the first would have been.
    let other = ctx.channel()?;
    other.consume(&q)?;
    ctx.channel()?.delete(&q)?;
    other.wait_method("basic.cancel")?;
    ch.expect_silence()
}

const REPLY: &str = "amq.rabbitmq.reply-to";

fn asking(ctx: &Ctx) -> Result<(Channel, String, Delivery)> {
    let (ch, q) = made(ctx)?;
    ch.consume_with(Consume::new(REPLY).no_ack())?;
    ch.publish_with(&Publish::to_queue(&q).props(Props::new().reply_to(REPLY)))?;
    let asked = ch.wait_get(&q)?;
    Ok((ch, q, asked))
}

fn address(asked: &Delivery) -> Result<String> {
    let address = asked.props.reply_to.clone().unwrap_or_default();
    let address = String::from_utf8_lossy(&address).into_owned();
    check!(
        address.starts_with("amq.rabbitmq.reply-to."),
        "reply-to is {address}"
    );
    Ok(address)
}

fn reply_rpc(ctx: &mut Ctx) -> Result {
    let (ch, _, asked) = asking(ctx)?;
    let server = ctx.channel()?;
    let props = Props::new().correlation_id("7");
    server.publish_with(
        &Publish::new("", address(&asked)?)
            .props(props)
            .body("answer"),
    )?;
    let d = ch.expect_delivery("answer")?;
    check_eq!(
        (d.exchange.as_str(), d.props.correlation_id),
        ("", Some(b"7".to_vec()))
    );
    Ok(())
}

fn reply_no_consumer(ctx: &mut Ctx) -> Result {
    let (ch, q) = made(ctx)?;
    ch.publish_with(&Publish::to_queue(&q).props(Props::new().reply_to(REPLY)))?;
    ch.expect_close(406, (60, 40), "fast reply consumer does not exist")
}

fn reply_needs_no_ack(ctx: &mut Ctx) -> Result {
    let consume = Consume::new(REPLY).method();
    ctx.channel()?
        .refused(&consume, 406, "reply consumer cannot acknowledge")
}

fn reply_once(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.consume_with(Consume::new(REPLY).no_ack())?;
    ch.refused(
        &Consume::new(REPLY).no_ack().method(),
        406,
        "reply consumer already set",
    )
}

fn reply_stale(ctx: &mut Ctx) -> Result {
    let (ch, _, asked) = asking(ctx)?;
    ch.conn.close()?;
    let server = ctx.channel()?;
    server.publish_with(&Publish::new("", address(&asked)?).mandatory())?;
    check_eq!(server.returned()?.code, 312);
    Ok(())
}
