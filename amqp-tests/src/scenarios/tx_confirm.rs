//! Scenarios: publisher confirms and returns.

use crate::prelude::*;

const SOURCE: &str = "RabbitMQ, features 1.2 confirm.select";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "confirm.sequence",
        "publishes are numbered from 1 after confirm.select, earlier ones do not count",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.publish("", &q, "before")?;
            ch.confirm_select()?;
            ch.publish("", &q, "first")?;
            check_eq!(ch.confirm()?.tag, 1);
            ch.confirm_select()?;
            ch.publish("", &q, "second")?;
            check_eq!(ch.confirm()?.tag, 2, "selecting again does not start over");
            check_eq!(ch.wait_depth(&q, |d| d.messages == 3)?.messages, 3);
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.nowait",
        "confirm.select with nowait gets no answer and works",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.send(&method("confirm.select").set("nowait", true))?;
            ch.publish("", &q, "m")?;
            check_eq!(ch.recv()?.method.name(), "basic.ack");
            ch.expect_silence()
        },
    ),
    Scenario::new(
        "confirm.each-channel",
        "channels count for themselves, a channel without confirms gets none",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            let other = ch.conn.channel(2)?;
            let silent = ch.conn.channel(3)?;
            ch.confirm_select()?;
            other.confirm_select()?;
            silent.publish("", &q, "m")?;
            ch.publish("", &q, "m")?;
            ch.publish("", &q, "m")?;
            other.publish("", &q, "m")?;
            check_eq!(ch.confirms(1, 2)?, [true, true]);
            check_eq!(other.confirms(1, 1)?, [true]);
            silent.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "confirm.many",
        "every one of many publishes is confirmed once, singly or as a range",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.confirm_select()?;
            for _ in 0..2000 {
                ch.publish("", &q, "m")?;
            }
            check_eq!(ch.confirms(1, 2000)?, [true; 2000]);
            check_eq!(ch.depth(&q)?.messages, 2000, "confirmed is queued");
            ch.expect_silence()
        },
    ),
    Scenario::new(
        "confirm.persistent",
        "persistent publishes to a durable queue are confirmed",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).durable())?;
            ch.confirm_select()?;
            for _ in 0..50 {
                let publish = Publish::to_queue(&q).body("m").props(Props::persistent());
                ch.publish_with(&publish)?;
            }
            check_eq!(ch.confirms(1, 50)?, [true; 50]);
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.quorum",
        "publishes to a quorum queue are confirmed",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
            ch.confirm_select()?;
            for _ in 0..50 {
                ch.publish("", &q, "m")?;
            }
            check_eq!(ch.confirms(1, 50)?, [true; 50]);
            ch.wait_messages(&q, 50)
        },
    ),
    Scenario::new(
        "confirm.unroutable",
        "what goes to no queue is confirmed at once",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            ch.confirm_select()?;
            ch.publish("", &ctx.name("none"), "m")?;
            ch.publish("amq.fanout", &ctx.name("none"), "m")?;
            check_eq!(ch.confirms(1, 2)?, [true, true]);
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.after-return",
        "the return of a mandatory message comes before its confirm",
        "features 1.2 basic.publish",
        after_return,
    ),
    Scenario::new(
        "confirm.consumed",
        "a message that is consumed and acknowledged at once is confirmed too",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.consume_with(Consume::new(&q).no_ack())?;
            ch.confirm_select()?;
            for _ in 0..100 {
                ch.publish("", &q, "m")?;
            }
            check_eq!(ch.confirms(1, 100)?, [true; 100]);
            check_eq!(ch.deliveries(100)?.len(), 100);
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.missing-exchange",
        "publishing to a missing exchange closes the channel with 404",
        "features 1.2 basic.publish",
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.confirm_select()?;
            ch.publish("", &q, "m")?;
            ch.confirms(1, 1)?;
            let none = ctx.name("none");
            ch.publish(&none, "k", "m")?;
            let text = format!("no exchange '{none}' in vhost '{}'", ctx.vhost());
            ch.expect_close(404, (60, 40), text)?;
            check_eq!(
                ch.reopen()?.depth(&q)?.messages,
                1,
                "earlier publishes stay"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.all-queues",
        "with several queues one refusal nacks, the others keep the message",
        "trap 21",
        all_queues,
    ),
    Scenario::new(
        "confirm.nack.not-returned",
        "a refused mandatory message is nacked, not returned",
        "trap 21",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            full(&ch, &q)?;
            ch.confirm_select()?;
            ch.publish_with(&Publish::to_queue(&q).mandatory())?;
            check_eq!(ch.confirms(1, 1)?, [false]);
            ch.expect_silence()
        },
    ),
    Scenario::new(
        "confirm.nack.mixed",
        "acks and nacks of one channel are each for the right number",
        SOURCE,
        |ctx| {
            let (ch, free) = queue(ctx)?;
            let q = ctx.queue("full");
            full(&ch, &q)?;
            ch.confirm_select()?;
            for i in 0..40 {
                ch.publish("", if i % 3 == 0 { &q } else { &free }, "m")?;
            }
            let expected: Vec<bool> = (0..40).map(|i| i % 3 != 0).collect();
            check_eq!(ch.confirms(1, 40)?, expected);
            Ok(())
        },
    ),
    Scenario::new(
        "confirm.tx",
        "a transactional channel cannot confirm, a confirming one cannot be transactional",
        "features 1.4 (406)",
        |ctx| {
            let ch = ctx.channel()?;
            ch.tx_select()?;
            ch.refused(
                &method("confirm.select"),
                406,
                "cannot switch from tx to confirm mode",
            )?;
            let ch = ch.reopen()?;
            ch.confirm_select()?;
            ch.refused(
                &method("tx.select"),
                406,
                "cannot switch from confirm to tx mode",
            )
        },
    ),
    Scenario::new(
        "confirm.publish-error",
        "a refused publish closes the channel; those before it are confirmed or at least kept",
        SOURCE,
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.confirm_select()?;
            ch.publish("", &q, "good")?;
            let bad = Props::new().expiration("never");
            ch.publish_with(&Publish::to_queue(&q).props(bad))?;
            ch.expect_close(406, (60, 40), "invalid expiration 'never': no_integer")?;
            ch.reopen()?.wait_messages(&q, 1)
        },
    ),
    Scenario::new(
        "mandatory.returned",
        "a mandatory message without a queue comes back whole: 312 NO_ROUTE",
        "features 1.4 (312)",
        returned,
    ),
    Scenario::new(
        "mandatory.routed",
        "a mandatory message with a queue does not come back",
        "AMQP 0-9-1 basic.publish",
        |ctx| {
            let (ch, q) = queue(ctx)?;
            ch.publish_with(&Publish::to_queue(&q).mandatory())?;
            ch.wait_messages(&q, 1)?;
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "mandatory.order",
        "returns come in the order of the publishes",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let none = ctx.name("none");
            for i in 0..20 {
                let publish = Publish::to_queue(&none).body(i.to_string()).mandatory();
                ch.publish_with(&publish)?;
            }
            for i in 0..20 {
                check_eq!(ch.returned()?.body, i.to_string().into_bytes());
            }
            Ok(())
        },
    ),
    Scenario::new(
        "mandatory.large",
        "a returned body of several frames comes back complete",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let body: Vec<u8> = (0..300_000u32).map(|i| (i % 251) as u8).collect();
            ch.publish_with(&Publish::to_queue(ctx.name("none")).body(&body).mandatory())?;
            check!(ch.returned()?.body == body, "another body came back");
            Ok(())
        },
    ),
    Scenario::new(
        "mandatory.bcc",
        "a returned message has lost its BCC header as a delivered one has",
        "RabbitMQ",
        bcc_returned,
    ),
];

fn queue(ctx: &Ctx) -> Result<(Channel, String)> {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    Ok((ch, q))
}

/// A queue that refuses everything.
fn full(ch: &Channel, q: &str) -> Result {
    let declare = Queue::new(q)
        .arg("x-max-length", 0)
        .arg("x-overflow", "reject-publish");
    ch.declare_with(declare).map(drop)
}

fn after_return(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let none = ctx.name("none");
    ch.confirm_select()?;
    for _ in 0..5 {
        ch.publish_with(&Publish::to_queue(&none).mandatory())?;
    }
    let (mut returns, mut confirmed) = (0, 0);
    while confirmed < 5 {
        let next = ch.recv()?;
        match next.method.name() {
            "basic.return" => returns += 1,
            "basic.ack" => {
                confirmed = next.method.num("delivery-tag");
                check!(
                    returns >= confirmed,
                    "confirm {confirmed} after {returns} returns"
                );
            }
            other => return fail(other),
        }
    }
    check_eq!(returns, 5);
    Ok(())
}

fn all_queues(ctx: &mut Ctx) -> Result {
    let (ch, free) = queue(ctx)?;
    let (x, q) = (ctx.exchange("x"), ctx.queue("full"));
    ch.exchange(&x, "fanout")?;
    full(&ch, &q)?;
    ch.bind(&free, &x, "")?;
    ch.bind(&q, &x, "")?;
    ch.confirm_select()?;
    ch.publish(&x, "", "m")?;
    check_eq!(ch.confirms(1, 1)?, [false]);
    ch.wait_messages(&free, 1)?;
    ch.expect_silence()
}

fn returned(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let props = Props::new()
        .content_type("text/plain")
        .header("h", 1)
        .delivery_mode(2)
        .message_id("id")
        .expiration("5000");
    let publish = Publish::new("amq.direct", ctx.name("none"))
        .body("body")
        .props(props.clone());
    ch.publish_with(&publish.mandatory())?;
    let back = ch.returned()?;
    check_eq!((back.code, back.text.as_str()), (312, "NO_ROUTE"));
    check_eq!(
        (back.exchange.as_str(), back.key),
        ("amq.direct", ctx.name("none"))
    );
    check_eq!((back.props, back.body), (props, b"body".to_vec()));
    Ok(())
}

fn bcc_returned(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let none = Value::Array(vec![ctx.name("none").into()]);
    let props = Props::new()
        .header("CC", none.clone())
        .header("BCC", none.clone());
    ch.publish_with(&Publish::to_queue(ctx.name("none")).props(props).mandatory())?;
    let headers = ch.returned()?.props.headers.unwrap_or_default();
    check_eq!(headers, Table::new().with("CC", none));
    Ok(())
}
