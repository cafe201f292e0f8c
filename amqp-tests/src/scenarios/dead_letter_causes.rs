//! Scenarios: what is dead-lettered, for which reason, and what is not.

use crate::prelude::*;

use super::dead_letter::{Trio, deaths};
use super::queue_semantics::{put, put_all};

const SOURCE: &str = "RabbitMQ, features 1.7";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "dlx.reason.rejected",
        "reject and nack without requeue dead-letter with reason rejected",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["by reject", "by nack"])?;
            let first = t.ch.wait_get(&t.q)?;
            t.ch.reject(first.tag, false)?;
            reason(&t, "by reject", "rejected")?;
            let second = t.ch.wait_get(&t.q)?;
            t.ch.nack(second.tag, false, false)?;
            reason(&t, "by nack", "rejected")
        },
    ),
    Scenario::new(
        "dlx.reason.rejected.multiple",
        "nack with multiple dead-letters all it covers, in order",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["1", "2", "3", "4"])?;
            t.ch.wait_get(&t.q)?;
            t.ch.wait_get(&t.q)?;
            let third = t.ch.wait_get(&t.q)?;
            t.ch.nack(third.tag, true, false)?;
            t.ch.wait_messages(&t.dead, 3)?;
            check_eq!(t.ch.get_all(&t.dead)?, ["1", "2", "3"]);
            check_eq!(t.ch.get_all(&t.q)?, ["4"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.reason.expired.queue",
        "x-message-ttl dead-letters with reason expired",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-message-ttl", 30))?;
            put(&t.ch, &t.q, &["m"])?;
            reason(&t, "m", "expired")
        },
    ),
    Scenario::new(
        "dlx.reason.expired.message",
        "an expiration dead-letters with reason expired",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let props = Props::new().expiration("30");
            put_all(&t.ch, &[Publish::to_queue(&t.q).body("m").props(props)])?;
            reason(&t, "m", "expired")
        },
    ),
    Scenario::new(
        "dlx.reason.expired.zero",
        "a time to live of 0 dead-letters at once when nobody waits",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-message-ttl", 0))?;
            put(&t.ch, &t.q, &["m"])?;
            reason(&t, "m", "expired")
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen",
        "drop-head dead-letters the oldest with reason maxlen",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-max-length", 1))?;
            put(&t.ch, &t.q, &["1", "2"])?;
            reason(&t, "1", "maxlen")?;
            check_eq!(t.ch.get_all(&t.q)?, ["2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen.bytes",
        "x-max-length-bytes has the reason maxlen too",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-max-length-bytes", 4))?;
            put(&t.ch, &t.q, &["111", "222"])?;
            reason(&t, "111", "maxlen")
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen.zero",
        "with x-max-length 0 every message dead-letters when nobody waits",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-max-length", 0))?;
            put(&t.ch, &t.q, &["m"])?;
            reason(&t, "m", "maxlen")
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen.reject-publish",
        "reject-publish dead-letters nothing",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| {
                q.arg("x-max-length", 1).arg("x-overflow", "reject-publish")
            })?;
            put(&t.ch, &t.q, &["1", "2", "3"])?;
            sentinel(&t)?;
            check_eq!(t.ch.get_all(&t.dead)?, ["1"], "only what was rejected");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen.reject-publish-dlx",
        "reject-publish-dlx nacks and dead-letters the new message with reason maxlen",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| {
                q.arg("x-max-length", 1)
                    .arg("x-overflow", "reject-publish-dlx")
            })?;
            t.ch.confirm_select()?;
            t.ch.publish("", &t.q, "1")?;
            t.ch.publish("", &t.q, "2")?;
            check_eq!(t.ch.confirms(1, 2)?, [true, false]);
            reason(&t, "2", "maxlen")?;
            check_eq!(t.ch.get_all(&t.q)?, ["1"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.reason.maxlen.requeue",
        "what a requeue pushes over the limit dead-letters with reason maxlen",
        "trap 20",
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-max-length", 1))?;
            put(&t.ch, &t.q, &["1"])?;
            let d = t.ch.wait_get(&t.q)?;
            put(&t.ch, &t.q, &["2"])?;
            t.ch.nack(d.tag, false, true)?;
            reason(&t, "1", "maxlen")
        },
    ),
    Scenario::new(
        "dlx.reason.delivery-limit",
        "a quorum queue's delivery limit dead-letters with reason delivery_limit",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| {
                q.durable()
                    .arg("x-queue-type", "quorum")
                    .arg("x-delivery-limit", 1)
            })?;
            put(&t.ch, &t.q, &["m"])?;
            for _ in 0..2 {
                let d = t.ch.wait_get(&t.q)?;
                t.ch.nack(d.tag, false, true)?;
            }
            reason(&t, "m", "delivery_limit")
        },
    ),
    Scenario::new(
        "dlx.quorum",
        "a quorum queue dead-letters rejected, expired and dropped messages",
        SOURCE,
        quorum,
    ),
    Scenario::new(
        "dlx.quorum.no-count",
        "a dead letter of a quorum queue does not carry x-delivery-count",
        "RabbitMQ",
        |ctx| {
            let t = Trio::new(ctx, |q| q.durable().arg("x-queue-type", "quorum"))?;
            put(&t.ch, &t.q, &["m"])?;
            let d = t.ch.wait_get(&t.q)?;
            t.ch.nack(d.tag, false, true)?;
            let headers = t.rejected()?.props.headers.unwrap_or_default();
            check_eq!(headers.get("x-delivery-count"), None);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.at-least-once.moved",
        "at-least-once dead-lettering of a quorum queue brings the message with its x-death",
        SOURCE,
        |ctx| {
            let t = at_least_once(ctx)?;
            t.ch.declare(&t.dead)?;
            t.ch.bind(&t.dead, &t.x, "")?;
            put(&t.ch, &t.q, &["m"])?;
            let d = t.ch.wait_get(&t.q)?;
            t.ch.reject(d.tag, false)?;
            reason(&t, "m", "rejected")
        },
    ),
    Scenario::new(
        "dlx.at-least-once.counted",
        "what at-least-once cannot route stays at the source and counts in its length",
        SOURCE,
        at_least_once_counted,
    ),
    Scenario::new(
        "dlx.not.acked",
        "an acknowledged message dead-letters nowhere, nor does a requeued one",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["acked", "requeued"])?;
            let acked = t.ch.wait_get(&t.q)?;
            t.ch.ack(acked.tag)?;
            let again = t.ch.wait_get(&t.q)?;
            t.ch.nack(again.tag, false, true)?;
            sentinel(&t)?;
            check_eq!(
                t.ch.get_all(&t.dead)?,
                ["requeued"],
                "only what was rejected"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.not.purged",
        "purging dead-letters nothing",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["purged"])?;
            check_eq!(t.ch.purge(&t.q)?, 1);
            put(&t.ch, &t.q, &["rejected"])?;
            sentinel(&t)?;
            check_eq!(t.ch.get_all(&t.dead)?, ["rejected"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.not.deleted",
        "deleting a queue dead-letters nothing",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["lost"])?;
            check_eq!(t.ch.delete(&t.q)?, 1);
            put_all(&t.ch, &[Publish::new(&t.x, "").body("direct")])?;
            check_eq!(t.ch.get_all(&t.dead)?, ["direct"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.not.expired-queue",
        "a queue that expires dead-letters nothing",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-expires", 100))?;
            put(&t.ch, &t.q, &["lost"])?;
            let text = |ch: &Channel| ch.conn.waiting(ch.id);
            let probe = t.ch.conn.channel(7)?;
            let deadline = std::time::Instant::now() + WAIT;
            while !text(&probe).contains("basic.return") {
                check!(
                    std::time::Instant::now() < deadline,
                    "the queue has not expired"
                );
                probe.publish_with(&Publish::to_queue(&t.q).mandatory())?;
                probe.sync()?;
            }
            put_all(&t.ch, &[Publish::new(&t.x, "").body("direct")])?;
            check_eq!(t.ch.get_all(&t.dead)?, ["direct"]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.missing-exchange",
        "dead letters to a missing exchange are dropped; one declared later is used",
        SOURCE,
        missing_exchange,
    ),
    Scenario::new(
        "dlx.default-exchange",
        "the default exchange as DLX routes to the queue that the key names",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let (q, dead) = (ctx.queue("q"), ctx.queue("dead"));
            ch.declare(&dead)?;
            let to_dead = Queue::new(&q).arg("x-dead-letter-exchange", "");
            ch.declare_with(to_dead.arg("x-dead-letter-routing-key", &dead))?;
            put(&ch, &q, &["m"])?;
            let d = ch.wait_get(&q)?;
            ch.reject(d.tag, false)?;
            let d = ch.wait_get(&dead)?;
            check_eq!((d.exchange.as_str(), d.key.as_str()), ("", dead.as_str()));
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.alternate-exchange",
        "a DLX that cannot route hands the dead letter to its alternate exchange",
        SOURCE,
        alternate,
    ),
    Scenario::new(
        "dlx.several-targets",
        "a dead letter goes to every queue that the DLX routes to",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let second = ctx.queue("second");
            t.ch.declare(&second)?;
            t.ch.bind(&second, &t.x, "")?;
            put(&t.ch, &t.q, &["m"])?;
            check_eq!(t.rejected()?.text(), "m");
            check_eq!(t.ch.wait_get(&second)?.text(), "m");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.into-full-queue",
        "a dead letter that a full reject-publish queue refuses is dropped",
        SOURCE,
        |ctx| {
            let t = Trio::bare(ctx, "fanout", |q| q)?;
            let full = Queue::new(&t.dead).arg("x-max-length", 1);
            t.ch.declare_with(full.arg("x-overflow", "reject-publish"))?;
            t.ch.bind(&t.dead, &t.x, "")?;
            put(&t.ch, &t.q, &["1", "2"])?;
            for _ in 0..2 {
                let d = t.ch.wait_get(&t.q)?;
                t.ch.reject(d.tag, false)?;
            }
            t.ch.wait_messages(&t.dead, 1)?;
            check_eq!(t.ch.depth(&t.q)?.messages, 0);
            check_eq!(t.ch.get_all(&t.dead)?, ["1"]);
            Ok(())
        },
    ),
];

/// The next dead letter has this body and this reason.
fn reason(t: &Trio, body: &str, reason: &str) -> Result {
    let d = t.ch.wait_get(&t.dead)?;
    check_eq!(d.text(), body);
    let all = deaths(&d)?;
    check_eq!(all.len(), 1);
    check_eq!(all[0].get("reason"), Some(&Value::from(reason)));
    check_eq!(all[0].get("queue"), Some(&Value::from(&t.q)));
    let headers = d.props.headers.unwrap_or_default();
    check_eq!(
        headers.get("x-first-death-reason"),
        Some(&Value::from(reason))
    );
    Ok(())
}

/// Rejects the head of `q` and waits for it, so that what was dead-lettered
/// before has arrived too.
fn sentinel(t: &Trio) -> Result {
    let d = t.ch.wait_get(&t.q)?;
    t.ch.reject(d.tag, false)?;
    t.ch.wait_depth(&t.dead, |d| d.messages > 0).map(drop)
}

fn quorum(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| {
        q.durable()
            .arg("x-queue-type", "quorum")
            .arg("x-max-length", 1)
    })?;
    put(&t.ch, &t.q, &["1", "2"])?;
    reason(&t, "1", "maxlen")?;
    let d = t.ch.wait_get(&t.q)?;
    t.ch.reject(d.tag, false)?;
    reason(&t, "2", "rejected")?;
    let props = Props::new().expiration("30");
    put_all(&t.ch, &[Publish::to_queue(&t.q).body("3").props(props)])?;
    reason(&t, "3", "expired")
}

fn at_least_once(ctx: &mut Ctx) -> Result<Trio> {
    Trio::bare(ctx, "fanout", |q| {
        q.durable()
            .arg("x-queue-type", "quorum")
            .arg("x-dead-letter-strategy", "at-least-once")
            .arg("x-overflow", "reject-publish")
            .arg("x-max-length", 3)
    })
}

fn at_least_once_counted(ctx: &mut Ctx) -> Result {
    let t = at_least_once(ctx)?;
    put(&t.ch, &t.q, &["1", "2", "3"])?;
    for _ in 0..3 {
        let d = t.ch.wait_get(&t.q)?;
        t.ch.reject(d.tag, false)?;
    }
    t.ch.wait_messages(&t.q, 0)?;
    t.ch.confirm_select()?;
    // RabbitMQ takes one or two more than the limit before it refuses.
    let mut taken = 0;
    for seq in 1..=10 {
        t.ch.publish("", &t.q, "more")?;
        match t.ch.confirms(seq, seq)?[0] {
            true => taken += 1,
            false => break,
        }
    }
    check!(
        taken < 3,
        "{taken} were taken although three wait to be dead-lettered"
    );
    t.ch.wait_messages(&t.q, taken)
}

fn missing_exchange(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, x, dead) = (ctx.queue("q"), ctx.exchange("x"), ctx.queue("dead"));
    ch.declare_with(Queue::new(&q).arg("x-dead-letter-exchange", &x))?;
    put(&ch, &q, &["1"])?;
    let d = ch.wait_get(&q)?;
    ch.reject(d.tag, false)?;
    check!(ch.get(&q)?.is_none(), "the rejection is done");
    ch.exchange(&x, "fanout")?;
    ch.declare(&dead)?;
    ch.bind(&dead, &x, "")?;
    put(&ch, &q, &["2"])?;
    let d = ch.wait_get(&q)?;
    ch.reject(d.tag, false)?;
    check_eq!(ch.wait_get(&dead)?.text(), "2");
    Ok(())
}

fn alternate(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, x, alt, dead) = (
        ctx.queue("q"),
        ctx.exchange("x"),
        ctx.exchange("alt"),
        ctx.queue("dead"),
    );
    ch.exchange(&alt, "fanout")?;
    ch.exchange_with(Exchange::new(&x, "direct").arg("alternate-exchange", &alt))?;
    ch.declare(&dead)?;
    ch.bind(&dead, &alt, "")?;
    ch.declare_with(Queue::new(&q).arg("x-dead-letter-exchange", &x))?;
    put(&ch, &q, &["m"])?;
    let d = ch.wait_get(&q)?;
    ch.reject(d.tag, false)?;
    check_eq!(ch.wait_get(&dead)?.exchange, x);
    Ok(())
}
