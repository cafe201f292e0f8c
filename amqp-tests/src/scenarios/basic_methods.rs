//! Scenarios: class basic: publishing, returns, getting, consuming, settling.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "basic.publish.missing_exchange",
        "publishing to a missing exchange is 404 on the channel, after the content",
        "AMQP 0-9-1 1.8.3.7; features 1.2",
        publish_missing,
    ),
    Scenario::new(
        "basic.publish.unroutable_dropped",
        "an unroutable message without mandatory is dropped without a word",
        "AMQP 0-9-1 1.8.3.7",
        unroutable_dropped,
    ),
    Scenario::new(
        "basic.publish.mandatory",
        "an unroutable mandatory message returns whole with 312 NO_ROUTE",
        "AMQP 0-9-1 1.8.3.9; features 1.2, 1.4",
        mandatory,
    ),
    Scenario::new(
        "basic.publish.mandatory_routed",
        "a routed mandatory message does not return",
        "AMQP 0-9-1 1.8.3.7",
        mandatory_routed,
    ),
    Scenario::new(
        "basic.publish.return_before_confirm",
        "a return precedes the confirm of its message",
        "RabbitMQ; features 1.2",
        return_first,
    ),
    Scenario::new(
        "basic.publish.immediate",
        "immediate is 540 immediate=true",
        "features 1.2, 1.4",
        immediate,
    ),
    Scenario::new(
        "basic.publish.default_exchange",
        "the default exchange routes to the queue named by the routing key, whatever its bindings",
        "AMQP 0-9-1 3.1.3",
        default_exchange,
    ),
    Scenario::new(
        "basic.publish.user_id",
        "user-id equal to the login passes, another is 406",
        "RabbitMQ; features 1.4",
        user_id,
    ),
    Scenario::new(
        "trap.15.user_id_empty",
        "an empty user-id is 406",
        "trap 15",
        user_id_empty,
    ),
    Scenario::new(
        "trap.15.delivery_mode",
        "a delivery-mode other than 1 or 2 is 406 delivery_mode_unknown",
        "trap 15",
        delivery_mode,
    ),
    Scenario::new(
        "trap.15.expiration_good",
        "expirations +5000 and 05000 are accepted and kept as they are",
        "trap 15",
        expiration_good,
    ),
    Scenario::new(
        "trap.15.expiration_bad",
        "expirations '5000 ', 'abc', '-1' and '' are 406 with their reason",
        "trap 15; features 1.4",
        expiration_bad,
    ),
    Scenario::new(
        "basic.get.empty",
        "get from an empty queue is get-empty",
        "AMQP 0-9-1 1.8.3.10",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            check!(ch.get(&q)?.is_none());
            Ok(())
        },
    ),
    Scenario::new(
        "basic.get.counts",
        "get-ok carries exchange, key, and the messages that are left",
        "AMQP 0-9-1 1.8.3.11",
        get_counts,
    ),
    Scenario::new(
        "basic.get.missing",
        "get from a missing queue is 404",
        "features 1.4",
        get_missing,
    ),
    Scenario::new(
        "basic.get.no_ack",
        "a message got with no-ack is gone, its tag cannot be acknowledged",
        "AMQP 0-9-1 1.8.3.10",
        get_no_ack,
    ),
    Scenario::new(
        "basic.tags.sequence",
        "delivery tags count from 1 on each channel, over consumers and gets",
        "AMQP 0-9-1 1.1, 4.7",
        tag_sequence,
    ),
    Scenario::new(
        "basic.ack.multiple",
        "ack multiple settles all up to the tag",
        "AMQP 0-9-1 1.8.3.13",
        ack_multiple,
    ),
    Scenario::new(
        "basic.ack.zero",
        "ack multiple of tag 0 settles all, also none",
        "features 1.2",
        ack_zero,
    ),
    Scenario::new(
        "basic.ack.unknown",
        "an unknown tag in ack, nack and reject is 406 unknown delivery tag",
        "features 1.2, 1.4",
        unknown_tag,
    ),
    Scenario::new(
        "basic.ack.twice",
        "acknowledging twice is 406 unknown delivery tag",
        "RabbitMQ; features 1.4",
        ack_twice,
    ),
    Scenario::new(
        "basic.ack.other_channel",
        "a delivery cannot be acknowledged on another channel",
        "AMQP 0-9-1 1.8.3.13",
        ack_other_channel,
    ),
    Scenario::new(
        "basic.ack.zero_single",
        "ack of tag 0 without multiple is 406 unknown delivery tag",
        "RabbitMQ",
        |ctx| {
            ctx.channel()?
                .refused(&method("basic.ack"), 406, "unknown delivery tag 0")
        },
    ),
    Scenario::new(
        "basic.ack.unknown_multiple",
        "ack multiple of a tag that was never delivered is 406",
        "RabbitMQ",
        |ctx| {
            let m = method("basic.ack")
                .set("delivery-tag", 99)
                .set("multiple", true);
            ctx.channel()?.refused(&m, 406, "unknown delivery tag 99")
        },
    ),
    Scenario::new(
        "basic.reject.requeue",
        "reject with requeue puts the message back in its place, redelivered",
        "AMQP 0-9-1 1.8.3.14; features 1.2",
        reject_requeue,
    ),
    Scenario::new(
        "basic.reject.drop",
        "reject without requeue drops the message",
        "AMQP 0-9-1 1.8.3.14",
        reject_drop,
    ),
    Scenario::new(
        "basic.nack.multiple",
        "nack multiple with requeue puts all back in order; tag 0 is all",
        "RabbitMQ extension",
        nack_multiple,
    ),
    Scenario::new(
        "basic.recover.requeue",
        "recover requeue=true requeues all unacknowledged messages, redelivered",
        "features 1.2",
        recover,
    ),
    Scenario::new(
        "basic.recover_async",
        "recover-async requeue=true does the same without an answer",
        "features 1.2",
        recover_async,
    ),
    Scenario::new(
        "basic.recover.false",
        "recover requeue=false is 540",
        "features 1.2, 1.4",
        |ctx| {
            ctx.channel()?
                .refused_hard(&method("basic.recover"), 540, "requeue=false")
        },
    ),
    Scenario::new(
        "basic.recover_async.false",
        "recover-async requeue=false is 540",
        "features 1.2, 1.4",
        |ctx| {
            ctx.channel()?
                .refused_hard(&method("basic.recover-async"), 540, "requeue=false")
        },
    ),
    Scenario::new(
        "basic.qos.size",
        "a prefetch-size other than 0 is 540",
        "features 1.3, 1.4",
        |ctx| {
            let qos = method("basic.qos").set("prefetch-size", 1);
            ctx.channel()?
                .refused_hard(&qos, 540, "prefetch_size!=0 (1)")
        },
    ),
];

fn bound(ctx: &Ctx) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    Ok((ch, q))
}

fn filled(ctx: &Ctx, count: u64) -> Result<(Channel, String)> {
    let (ch, q) = bound(ctx)?;
    for n in 0..count {
        ch.publish("", &q, &n.to_string())?;
    }
    ch.wait_messages(&q, count)?;
    Ok((ch, q))
}

fn publish_missing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.name("missing");
    ch.publish(&x, "k", "m")?;
    ch.expect_close(
        404,
        (60, 40),
        format!("no exchange '{x}' in vhost '{}'", ctx.vhost()),
    )
}

fn unroutable_dropped(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.publish("", &ctx.name("missing"), "m")?;
    ch.publish("amq.direct", &ctx.name("missing"), "m")?;
    ch.expect_silence()
}

fn mandatory(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let key = ctx.name("missing");
    let props = Props::persistent().header("h", 1i64).message_id("id");
    for body in [vec![], vec![9; 300_000]] {
        let publish = Publish::new("", &key)
            .mandatory()
            .props(props.clone())
            .body(&body);
        ch.publish_with(&publish)?;
        let back = ch.returned()?;
        check_eq!((back.code, back.text.as_str()), (312, "NO_ROUTE"));
        check_eq!((back.exchange.as_str(), &back.key), ("", &key));
        check_eq!((&back.props, &back.body), (&props, &body));
    }
    Ok(())
}

fn mandatory_routed(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    ch.publish_with(&Publish::to_queue(&q).mandatory())?;
    ch.wait_messages(&q, 1)?;
    ch.expect_silence_of(&q)
}

fn return_first(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    ch.confirm_select()?;
    ch.publish_with(&Publish::new("", ctx.name("missing")).mandatory())?;
    check_eq!(ch.recv()?.method.name(), "basic.return");
    check_eq!(ch.recv()?.method.name(), "basic.ack");
    ch.publish_with(&Publish::to_queue(&q).mandatory())?;
    check_eq!(ch.recv()?.method.name(), "basic.ack");
    Ok(())
}

fn immediate(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    ch.publish_with(&Publish::to_queue(&q).immediate())?;
    ch.conn.expect_close(540, (60, 40), "immediate=true")
}

fn default_exchange(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    ch.publish("", &q, "m")?;
    let d = ch.wait_get(&q)?;
    check_eq!((d.exchange, d.key), (String::new(), q));
    Ok(())
}

fn user_id(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    let user = ctx.url().user;
    ch.publish_with(&Publish::to_queue(&q).props(Props::new().user_id(&user)))?;
    check_eq!(
        ch.wait_get(&q)?.props.user_id,
        Some(user.clone().into_bytes())
    );
    ch.publish_with(&Publish::to_queue(&q).props(Props::new().user_id("bob")))?;
    let text = format!("user_id property set to 'bob' but authenticated user was '{user}'");
    ch.expect_close(406, (60, 40), text)
}

fn user_id_empty(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    ch.publish_with(&Publish::to_queue(&q).props(Props::new().user_id("")))?;
    let user = ctx.url().user;
    let text = format!("user_id property set to '' but authenticated user was '{user}'");
    ch.expect_close(406, (60, 40), text)
}

fn delivery_mode(ctx: &mut Ctx) -> Result {
    let (mut ch, q) = bound(ctx)?;
    for mode in [0u8, 3, 255] {
        ch.publish_with(&Publish::to_queue(&q).props(Props::new().delivery_mode(mode)))?;
        let text = format!("invalid message: {{delivery_mode_unknown,{mode}}}");
        ch.expect_close(406, (60, 40), text)?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn expiration_good(ctx: &mut Ctx) -> Result {
    let (ch, q) = bound(ctx)?;
    for text in ["+5000000", "05000000", "315360000000"] {
        ch.publish_with(&Publish::to_queue(&q).props(Props::new().expiration(text)))?;
        let got = ch.wait_get(&q)?;
        check_eq!(got.props.expiration, Some(text.as_bytes().to_vec()));
        ch.ack(got.tag)?;
    }
    Ok(())
}

fn expiration_bad(ctx: &mut Ctx) -> Result {
    let (mut ch, q) = bound(ctx)?;
    for (text, reason) in [
        ("abc", "no_integer"),
        ("", "no_integer"),
        ("-1", "{value_negative,-1}"),
        ("5000 ", "{leftover_string,\" \"}"),
        ("5.5", "{leftover_string,\".5\"}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ] {
        ch.publish_with(&Publish::to_queue(&q).props(Props::new().expiration(text)))?;
        ch.expect_close(
            406,
            (60, 40),
            format!("invalid expiration '{text}': {reason}"),
        )?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn get_counts(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 3)?;
    for left in [2, 1, 0] {
        let Some(d) = ch.get(&q)? else {
            return fail("nothing got");
        };
        check_eq!((d.left, d.redelivered, &d.key), (left, false, &q));
    }
    check!(ch.get(&q)?.is_none());
    Ok(())
}

fn get_missing(ctx: &mut Ctx) -> Result {
    let q = ctx.name("missing");
    let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
    ctx.channel()?
        .refused(&method("basic.get").set("queue", &q), 404, text)
}

fn get_no_ack(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 1)?;
    let Some(d) = ch.get_no_ack(&q)? else {
        return fail("nothing got");
    };
    ch.ack(d.tag)?;
    ch.expect_close(406, (60, 80), "unknown delivery tag 1")?;
    check_eq!(ch.reopen()?.depth(&q)?.messages, 0);
    Ok(())
}

fn tag_sequence(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 4)?;
    check_eq!(ch.get(&q)?.map(|d| d.tag), Some(1));
    check_eq!(ch.get_no_ack(&q)?.map(|d| d.tag), Some(2));
    ch.consume(&q)?;
    check_eq!(ch.delivery()?.tag, 3);
    check_eq!(ch.delivery()?.tag, 4);
    let two = ch.conn.channel(2)?;
    two.publish("", &q, "m")?;
    check_eq!(ch.delivery()?.tag, 5);
    ch.close()?;
    two.wait_messages(&q, 4)?;
    check_eq!(two.get(&q)?.map(|d| d.tag), Some(1));
    check_eq!(ch.reopen()?.get(&q)?.map(|d| d.tag), Some(1));
    Ok(())
}

fn got(ch: &Channel, q: &str, count: u64) -> Result {
    for n in 0..count {
        let Some(d) = ch.get(q)? else {
            return fail("nothing got");
        };
        check_eq!(d.text(), n.to_string());
    }
    Ok(())
}

fn ack_multiple(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 5)?;
    got(&ch, &q, 5)?;
    ch.ack_multiple(3)?;
    ch.close()?;
    let ch = ch.reopen()?;
    ch.wait_messages(&q, 2)?;
    check_eq!(ch.get_all(&q)?, ["3", "4"]);
    Ok(())
}

fn ack_zero(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 3)?;
    ch.ack_multiple(0)?;
    ch.nack(0, true, true)?;
    got(&ch, &q, 3)?;
    ch.ack_multiple(0)?;
    ch.close()?;
    check_eq!(ch.reopen()?.depth(&q)?.messages, 0);
    Ok(())
}

fn unknown_tag(ctx: &mut Ctx) -> Result {
    let mut ch = ctx.channel()?;
    for name in ["basic.ack", "basic.nack", "basic.reject"] {
        let m = method(name).set("delivery-tag", 77);
        ch.refused(&m, 406, "unknown delivery tag 77")?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn ack_twice(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 2)?;
    got(&ch, &q, 2)?;
    ch.ack(1)?;
    ch.ack(1)?;
    ch.expect_close(406, (60, 80), "unknown delivery tag 1")?;
    ch.reopen()?.wait_messages(&q, 1)
}

fn ack_other_channel(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 1)?;
    got(&ch, &q, 1)?;
    let two = ch.conn.channel(2)?;
    two.refused(
        &method("basic.ack").set("delivery-tag", 1),
        406,
        "unknown delivery tag 1",
    )?;
    ch.ack(1)?;
    ch.sync()
}

fn reject_requeue(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 3)?;
    got(&ch, &q, 2)?;
    ch.reject(1, true)?;
    ch.wait_messages(&q, 2)?;
    let Some(d) = ch.get(&q)? else {
        return fail("nothing got");
    };
    check_eq!((d.text().as_str(), d.redelivered, d.tag), ("0", true, 3));
    let Some(d) = ch.get(&q)? else {
        return fail("nothing got");
    };
    check_eq!((d.text().as_str(), d.redelivered), ("2", false));
    Ok(())
}

fn reject_drop(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 2)?;
    got(&ch, &q, 1)?;
    ch.reject(1, false)?;
    ch.close()?;
    check_eq!(ch.reopen()?.get_all(&q)?, ["1"]);
    Ok(())
}

fn nack_multiple(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 4)?;
    got(&ch, &q, 4)?;
    ch.nack(3, true, true)?;
    ch.wait_messages(&q, 3)?;
    got(&ch, &q, 3)?;
    ch.nack(0, true, true)?;
    ch.wait_messages(&q, 4)?;
    check_eq!(ch.get_all(&q)?, ["0", "1", "2", "3"]);
    Ok(())
}

fn recover(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 3)?;
    ch.consume(&q)?;
    ch.deliveries(3)?;
    ch.ack(2)?;
    ch.recover(true)?;
    for (text, tag) in [("0", 4), ("2", 5)] {
        let d = ch.expect_delivery(text)?;
        check_eq!((d.redelivered, d.tag), (true, tag));
    }
    ch.expect_silence_of(&q)
}

fn recover_async(ctx: &mut Ctx) -> Result {
    let (ch, q) = filled(ctx, 2)?;
    got(&ch, &q, 2)?;
    ch.send(&method("basic.recover-async").set("requeue", true))?;
    ch.wait_messages(&q, 2)?;
    ch.expect_silence()?;
    let Some(d) = ch.get(&q)? else {
        return fail("nothing got");
    };
    check_eq!((d.text().as_str(), d.redelivered), ("0", true));
    Ok(())
}
