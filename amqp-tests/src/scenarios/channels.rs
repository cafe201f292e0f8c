//! Scenarios: class channel, class access.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "channel.open_close",
        "a channel opens, closes, and its number opens again at once",
        "AMQP 0-9-1 1.5.2",
        open_close,
    ),
    Scenario::new(
        "channel.open.twice",
        "a second channel.open is 504 second 'channel.open' seen",
        "features 1.2, 1.4",
        |ctx| {
            ctx.channel()?
                .refused_hard(&method("channel.open"), 504, "second 'channel.open' seen")
        },
    ),
    Scenario::new(
        "channel.not_open",
        "a method on a channel that is not open is 504 expected 'channel.open'",
        "features 1.2, 1.4",
        not_open,
    ),
    Scenario::new(
        "channel.not_open.after_close",
        "a method on a channel that was closed in order is 504 expected 'channel.open'",
        "features 1.2",
        after_close,
    ),
    Scenario::new(
        "channel.not_open.close",
        "channel.close on a channel that is not open is 504 expected 'channel.open'",
        "features 1.2",
        |ctx| {
            let ch = ctx.connect()?.unopened(3);
            ch.refused_hard(&method("channel.close"), 504, "expected 'channel.open'")
        },
    ),
    Scenario::new(
        "channel.not_open.content",
        "content frames on a channel that is not open are 505",
        "AMQP 0-9-1 4.2.3",
        content_not_open,
    ),
    Scenario::new(
        "channel.closing.ignored",
        "after the broker's channel.close, methods and contents on it are ignored until close-ok",
        "AMQP 0-9-1 1.5.2.5; features 1.2",
        closing_ignored,
    ),
    Scenario::new(
        "trap.09.open_while_closing",
        "channel.open while the broker waits for close-ok is 504 second 'channel.open' seen",
        "trap 9",
        open_while_closing,
    ),
    Scenario::new(
        "trap.09.close_while_closing",
        "channel.close while the broker waits for close-ok is answered with close-ok",
        "trap 9",
        close_while_closing,
    ),
    Scenario::new(
        "channel.close_ok.unasked",
        "channel.close-ok on an open channel that nobody closed is 503",
        "RabbitMQ rabbit_channel",
        close_ok_unasked,
    ),
    Scenario::new(
        "channel.error.others_live",
        "a channel error closes that channel only",
        "AMQP 0-9-1 1.5.2.5",
        others_live,
    ),
    Scenario::new(
        "channel.error.consumers_gone",
        "a channel error ends its consumers and requeues what they held",
        "AMQP 0-9-1 1.5.2.5; RabbitMQ",
        consumers_gone,
    ),
    Scenario::new(
        "channel.close.requeues",
        "closing a channel requeues its unacknowledged messages before close-ok is seen by others",
        "RabbitMQ",
        close_requeues,
    ),
    Scenario::new(
        "channel.close.last_publishes",
        "publishes before channel.close take effect",
        "AMQP 0-9-1 4.7",
        last_publishes,
    ),
    Scenario::new(
        "channel.flow.on",
        "channel.flow active=true is answered with flow-ok",
        "features 1.2",
        |ctx| {
            let ok = ctx
                .channel()?
                .call(&method("channel.flow").set("active", true))?;
            check!(ok.method.bit("active"));
            Ok(())
        },
    ),
    Scenario::new(
        "channel.flow.off",
        "channel.flow active=false is 540",
        "features 1.2, 1.4",
        |ctx| {
            ctx.channel()?
                .refused_hard(&method("channel.flow"), 540, "active=false")
        },
    ),
    Scenario::new(
        "access.request",
        "access.request is answered with ticket 1",
        "features 1.2",
        |ctx| {
            let ask = method("access.request")
                .set("realm", "/data")
                .set("active", true);
            check_eq!(ctx.channel()?.call(&ask)?.method.num("ticket"), 1);
            Ok(())
        },
    ),
    Scenario::new(
        "access.ticket_ignored",
        "any ticket in any method is ignored",
        "AMQP 0-9-1",
        ticket_ignored,
    ),
    Scenario::new(
        "channel.many",
        "channels of one connection are independent and many",
        "AMQP 0-9-1 2.2.5",
        many,
    ),
    Scenario::new(
        "method.nowait_error",
        "a method with nowait that fails closes its channel as the method without it does",
        "AMQP 0-9-1 1.1",
        nowait_error,
    ),
    Scenario::new(
        "channel.confirm.nowait",
        "confirm.select with nowait has no answer and takes effect",
        "RabbitMQ extension",
        confirm_nowait,
    ),
];

fn open_close(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    for _ in 0..50 {
        conn.channel(1)?.close()?;
    }
    Ok(())
}

fn not_open(ctx: &mut Ctx) -> Result {
    let ch = ctx.connect()?.unopened(7);
    ch.refused_hard(
        &method("queue.purge").set("queue", "q"),
        504,
        "expected 'channel.open'",
    )
}

fn after_close(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.close()?;
    ch.refused_hard(&method("basic.qos"), 504, "expected 'channel.open'")
}

fn content_not_open(ctx: &mut Ctx) -> Result {
    let ch = ctx.connect()?.unopened(7);
    ch.conn.send_frame(&Frame::new(FRAME_BODY, 7, *b"x"))?;
    ch.conn.expect_close(
        505,
        (0, 0),
        "expected method frame, got non method frame instead",
    )
}

fn missing(ctx: &Ctx) -> Method {
    Queue::new(ctx.name("missing")).passive().method()
}

fn closing_ignored(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.send(&missing(ctx))?;
    ch.send(&Queue::new(&q).method())?;
    ch.publish("", "amqp-tests-nowhere", "ignored")?;
    ch.send(&method("basic.qos").set("prefetch-count", 1))?;
    ch.expect_close(404, (50, 10), Text::Any)?;
    let ch = ch.reopen()?;
    ch.expect_silence()?;
    ch.refused(&Queue::new(&q).passive().method(), 404, Text::Any)
}

fn open_while_closing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.send(&missing(ctx))?;
    ch.wait_method("channel.close")?;
    ch.refused_hard(&method("channel.open"), 504, "second 'channel.open' seen")
}

fn close_while_closing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.send(&missing(ctx))?;
    ch.wait_method("channel.close")?;
    ch.send(&method("channel.close").set("reply-code", 200))?;
    ch.wait_method("channel.close-ok")?;
    ch.send(&method("channel.close-ok"))?;
    ch.reopen()?.close()
}

fn close_ok_unasked(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.send(&method("channel.close-ok"))?;
    ch.conn.expect_close(503, (20, 41), "unimplemented method")
}

fn others_live(ctx: &mut Ctx) -> Result {
    let one = ctx.channel()?;
    let two = one.conn.channel(2)?;
    one.refused(&missing(ctx), 404, Text::Any)?;
    two.sync()?;
    one.reopen()?.sync()
}

fn consumers_gone(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let two = ch.conn.channel(2)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.publish("", &q, "m")?;
    ch.consume(&q)?;
    ch.expect_delivery("m")?;
    ch.refused(&missing(ctx), 404, Text::Any)?;
    two.wait_depth(&q, |d| (d.messages, d.consumers) == (1, 0))?;
    let Some(d) = two.get_no_ack(&q)? else {
        return fail("message lost");
    };
    check!(d.redelivered);
    Ok(())
}

fn close_requeues(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let other = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for n in 0..5 {
        ch.publish("", &q, &n.to_string())?;
    }
    ch.consume(&q)?;
    ch.deliveries(5)?;
    ch.close()?;
    other.wait_depth(&q, |d| (d.messages, d.consumers) == (5, 0))?;
    check_eq!(other.get_all(&q)?, ["0", "1", "2", "3", "4"]);
    Ok(())
}

fn last_publishes(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let other = ch.conn.channel(2)?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for n in 0..200 {
        ch.publish("", &q, &n.to_string())?;
    }
    ch.close()?;
    other.wait_messages(&q, 200)
}

fn ticket_ignored(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.call(&Queue::new(&q).method().set("ticket", 65_535))?;
    ch.call(&method("queue.purge").set("queue", &q).set("ticket", 7))
        .map(drop)
}

fn many(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    let q = ctx.queue("q");
    let channels: Result<Vec<Channel>> = (1..=500).map(|id| conn.channel(id)).collect();
    let channels = channels?;
    channels[0].declare(&q)?;
    for ch in &channels {
        ch.publish("", &q, &ch.id.to_string())?;
    }
    channels[499].wait_messages(&q, 500)?;
    for ch in &channels {
        check!(ch.get_no_ack(&q)?.is_some());
    }
    Ok(())
}

fn nowait_error(ctx: &mut Ctx) -> Result {
    let mut ch = ctx.channel()?;
    let q = ctx.name("missing");
    let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
    for m in [
        method("queue.purge").set("queue", &q),
        method("queue.bind")
            .set("queue", &q)
            .set("exchange", "amq.direct"),
        method("queue.declare")
            .set("queue", &q)
            .set("passive", true),
        method("basic.consume").set("queue", &q),
    ] {
        ch.refused(&m.set("nowait", true), 404, &text)?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn confirm_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.send(&method("confirm.select").set("nowait", true))?;
    ch.expect_silence()?;
    ch.publish("amq.direct", "nowhere", "x")?;
    check_eq!(ch.confirms(1, 1)?, [true]);
    Ok(())
}
