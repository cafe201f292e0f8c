//! Scenarios: expiry of messages and of queues.

use crate::prelude::*;

use super::queue_semantics::{put, put_all};

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "ttl.queue.expires",
        "a message older than x-message-ttl leaves the queue by itself",
        "features 1.5",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).arg("x-message-ttl", 100))?;
            put(&ch, &q, &["m"])?;
            ch.wait_messages(&q, 0)?;
            check!(ch.get(&q)?.is_none(), "an expired message was delivered");
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.message.expires",
        "a message with an expiration leaves the queue when it is due",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            send(&ch, &q, "m", "100")?;
            ch.wait_messages(&q, 0)?;
            check!(ch.get(&q)?.is_none(), "an expired message was delivered");
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.message.kept",
        "the expiration property is delivered unchanged",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            send(&ch, &q, "m", "060000")?;
            check_eq!(ch.wait_get(&q)?.props.expiration, Some(b"060000".to_vec()));
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.lower-wins.message",
        "the message's expiration wins where it is lower than the queue's",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).arg("x-message-ttl", 600_000))?;
            send(&ch, &q, "m", "50")?;
            ch.wait_messages(&q, 0)
        },
    ),
    Scenario::new(
        "ttl.lower-wins.queue",
        "the queue's time wins where it is lower than the message's",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).arg("x-message-ttl", 50))?;
            send(&ch, &q, "m", "600000")?;
            ch.wait_messages(&q, 0)
        },
    ),
    Scenario::new(
        "ttl.zero.queue",
        "x-message-ttl 0: delivered at once or never",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).arg("x-message-ttl", 0))?;
            put(&ch, &q, &["to nobody"])?;
            ch.wait_messages(&q, 0)?;
            check!(ch.get(&q)?.is_none());
            ch.consume(&q)?;
            put(&ch, &q, &["to a consumer"])?;
            ch.expect_delivery("to a consumer").map(drop)
        },
    ),
    Scenario::new(
        "ttl.zero.message",
        "expiration 0: delivered at once or never",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            send(&ch, &q, "to nobody", "0")?;
            ch.wait_messages(&q, 0)?;
            check!(ch.get(&q)?.is_none());
            ch.consume(&q)?;
            send(&ch, &q, "to a consumer", "0")?;
            ch.expect_delivery("to a consumer").map(drop)
        },
    ),
    Scenario::new(
        "ttl.zero.requeued",
        "a message with no time left that is requeued is gone",
        "RabbitMQ",
        zero_requeued,
    ),
    Scenario::new(
        "ttl.unacked",
        "an unacknowledged message does not expire; requeued after its time it does",
        "RabbitMQ",
        unacked,
    ),
    Scenario::new(
        "ttl.expired-before-consumer",
        "a consumer that comes later gets only what has not expired",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            send(&ch, &q, "short", "50")?;
            put(&ch, &q, &["endless"])?;
            ch.wait_messages(&q, 1)?;
            ch.consume(&q)?;
            ch.expect_delivery("endless")?;
            ch.expect_silence_of(&q)
        },
    ),
    Scenario::new(
        "ttl.behind-a-living-one",
        "an expired message behind a living one: stays counted on RabbitMQ, leaves here",
        "RULINGS 14 and 22",
        behind,
    )
    .deviation("expiry is on time here, head-only on RabbitMQ"),
    Scenario::new(
        "ttl.behind-a-living-one.dead-letters",
        "an expired message behind a living one dead-letters when due, here",
        "RULINGS 14 and 22",
        behind_dead_letters,
    )
    .deviation("expiry is on time here, head-only on RabbitMQ"),
    Scenario::new(
        "ttl.never-delivered-late",
        "an expired message behind a living one is never delivered",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            put(&ch, &q, &["first"])?;
            send(&ch, &q, "short", "30")?;
            put(&ch, &q, &["last"])?;
            pause_past_ttl(ctx, 30)?;
            check_eq!(ch.get_all(&q)?, ["first", "last"]);
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.quorum",
        "both kinds of time to live work on a quorum queue",
        "features 1.5",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            let quorum = Queue::new(&q).durable().arg("x-queue-type", "quorum");
            ch.declare_with(quorum.arg("x-message-ttl", 100))?;
            put(&ch, &q, &["queue's"])?;
            send(&ch, &q, "own", "20")?;
            ch.wait_messages(&q, 0)?;
            check!(ch.get(&q)?.is_none());
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.text.accepted",
        "an expiration may have a plus sign, leading zeros, and up to ten years",
        "trap 15",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            let texts = [
                "+500000",
                "0500000",
                "4294967296",
                "315360000000",
                "-0",
                "+0",
                "00",
            ];
            for text in texts {
                send(&ch, &q, text, text)?;
            }
            check_eq!(ch.get_all(&q)?, &texts[..4]);
            Ok(())
        },
    ),
    Scenario::new(
        "ttl.text.refused",
        "an expiration that is no number in range: 406 with the reason",
        "features 1.4, trap 15",
        refused,
    ),
    Scenario::new(
        "expires.idle",
        "a queue that nobody uses is deleted after x-expires, its messages with it",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).durable().arg("x-expires", 150))?;
            put(&ch, &q, &["lost"])?;
            wait_expired(ctx, &q)
        },
    ),
    Scenario::new(
        "expires.consumer",
        "a consumer keeps an x-expires queue; the time starts when the last one goes",
        "features 1.6",
        expires_consumer,
    ),
    Scenario::new(
        "expires.renewed",
        "basic.get and redeclaring, also passively, renew the time",
        "features 1.6",
        expires_renewed,
    ),
    Scenario::new(
        "expires.publish",
        "publishing does not renew the time",
        "features 1.6",
        expires_publish,
    ),
];

fn send(ch: &Channel, q: &str, body: &str, expiration: &str) -> Result {
    let props = Props::new().expiration(expiration);
    put_all(ch, &[Publish::to_queue(q).body(body).props(props)])
}

/// Lets `ms` pass, as shown by another queue: a message published now with
/// that time to live has expired there.
fn pause_past_ttl(ctx: &mut Ctx, ms: u32) -> Result {
    let ch = ctx.channel()?;
    let clock = ctx.queue("clock");
    ch.declare(&clock)?;
    send(&ch, &clock, "tick", &(ms + 1).to_string())?;
    ch.wait_messages(&clock, 0)
}

fn zero_requeued(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-message-ttl", 0))?;
    ch.consume(&q)?;
    put(&ch, &q, &["m"])?;
    let d = ch.expect_delivery("m")?;
    ch.nack(d.tag, false, true)?;
    ch.expect_silence_of(&q)?;
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn unacked(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, dead) = (ctx.queue("q"), ctx.queue("dead"));
    ch.declare(&dead)?;
    let to_dead = Queue::new(&q)
        .arg("x-dead-letter-exchange", "")
        .arg("x-dead-letter-routing-key", dead.as_str());
    ch.declare_with(to_dead)?;
    ch.consume(&q)?;
    send(&ch, &q, "m", "50")?;
    let d = ch.expect_delivery("m")?;
    pause_past_ttl(ctx, 50)?;
    ch.depth(&q)?;
    check_eq!(ch.depth(&dead)?.messages, 0, "expired while unacknowledged");
    ch.cancel(&d.consumer)?;
    ch.nack(d.tag, false, true)?;
    check_eq!(ch.wait_get(&dead)?.text(), "m");
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn behind(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    send(&ch, &q, "long", "600000")?;
    send(&ch, &q, "short", "30")?;
    check!(ch.depth(&q)?.messages >= 1);
    if ctx.is_rabbit() {
        pause_past_ttl(ctx, 30)?;
        check_eq!(ch.depth(&q)?.messages, 2, "both are counted");
    } else {
        ch.wait_messages(&q, 1)?;
    }
    check_eq!(ch.get_all(&q)?, ["long"]);
    ch.wait_messages(&q, 0)
}

fn behind_dead_letters(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, dead) = (ctx.queue("q"), ctx.queue("dead"));
    ch.declare(&dead)?;
    let to_dead = Queue::new(&q)
        .arg("x-dead-letter-exchange", "")
        .arg("x-dead-letter-routing-key", dead.as_str());
    ch.declare_with(to_dead)?;
    send(&ch, &q, "long", "600000")?;
    send(&ch, &q, "short", "30")?;
    if ctx.is_rabbit() {
        pause_past_ttl(ctx, 30)?;
        ch.depth(&q)?;
        check_eq!(ch.depth(&dead)?.messages, 0, "only the head expires");
        check_eq!(ch.get_all(&q)?, ["long"]);
    }
    check_eq!(ch.wait_get(&dead)?.text(), "short");
    Ok(())
}

fn refused(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for (text, why) in [
        ("", "no_integer"),
        ("abc", "no_integer"),
        (" 5000", "no_integer"),
        ("+", "no_integer"),
        ("5000 ", "{leftover_string,\" \"}"),
        ("1.5", "{leftover_string,\".5\"}"),
        ("5a", "{leftover_string,\"a\"}"),
        ("0x10", "{leftover_string,\"x10\"}"),
        ("-1", "{value_negative,-1}"),
        ("315360000001", "{value_too_large,315360000001}"),
    ] {
        let props = Props::new().expiration(text);
        ch.publish_with(&Publish::to_queue(&q).props(props))?;
        ch.expect_close(406, (60, 40), format!("invalid expiration '{text}': {why}"))?;
        ch.reopen()?;
    }
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn wait_expired(ctx: &Ctx, q: &str) -> Result {
    // Asking for the queue renews its time, so the asking must be rarer than
    // the expiry; publishing with mandatory asks without renewing.
    let ch = ctx.channel()?;
    ch.confirm_select()?;
    let deadline = std::time::Instant::now() + WAIT;
    for seq in 1.. {
        ch.publish_with(&Publish::to_queue(q).mandatory())?;
        ch.confirms(seq, seq)?;
        if ch.conn.waiting(ch.id).contains("basic.return") {
            return Ok(());
        }
        check!(
            std::time::Instant::now() < deadline,
            "the queue has not expired"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn expires_consumer(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-expires", 2000))?;
    let tag = ch.consume_with(Consume::new(&q).no_ack())?;
    pause_past_ttl(ctx, 3000)?;
    ch.publish("", &q, "alive")?;
    ch.expect_delivery("alive")?;
    ch.cancel(&tag)?;
    wait_expired(ctx, &q)
}

fn expires_renewed(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let queues = [ctx.queue("get"), ctx.queue("declare"), ctx.queue("passive")];
    let declare = |q: &str| Queue::new(q).arg("x-expires", 4000);
    for q in &queues {
        ch.declare_with(declare(q))?;
    }
    for _ in 0..7 {
        pause_past_ttl(ctx, 800)?;
        check!(ch.get(&queues[0])?.is_none());
        ch.declare_with(declare(&queues[1]))?;
        ch.depth(&queues[2])?;
    }
    Ok(())
}

fn expires_publish(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-expires", 300))?;
    // wait_expired publishes all the time: were that a use, it would never end.
    wait_expired(ctx, &q)
}
