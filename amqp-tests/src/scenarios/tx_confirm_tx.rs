//! Scenarios: transactions.

use crate::prelude::*;

use super::queue_semantics::put;

const SOURCE: &str = "RabbitMQ, features 1.2 tx, trap 26";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "tx.not-selected",
        "commit and rollback without tx.select: 406",
        "features 1.2",
        |ctx| {
            let ch = ctx.channel()?;
            for name in ["tx.commit", "tx.rollback"] {
                ch.refused(&method(name), 406, "channel is not transactional")?;
                ch.reopen()?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "tx.select.twice",
        "tx.select may come again and changes nothing",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            t.tx.publish("", &t.q, "m")?;
            t.tx.tx_select()?;
            t.tx.tx_commit()?;
            check_eq!(t.plain.get_all(&t.q)?, ["m"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.publish.commit",
        "publishes become visible at commit, in order",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            for body in ["1", "2", "3"] {
                t.tx.publish("", &t.q, body)?;
            }
            t.tx.sync()?;
            check_eq!(t.plain.depth(&t.q)?.messages, 0);
            t.tx.tx_commit()?;
            check_eq!(t.plain.get_all(&t.q)?, ["1", "2", "3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.ack.recover",
        "basic.recover gives back what is unacknowledged, not what the transaction acknowledges",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["acked", "held"])?;
            let acked = t.tx.wait_get(&t.q)?;
            t.tx.wait_get(&t.q)?;
            t.tx.ack(acked.tag)?;
            t.tx.recover(true)?;
            t.tx.tx_commit()?;
            t.tx.close()?;
            t.plain.wait_messages(&t.q, 1)?;
            check_eq!(t.plain.get_all(&t.q)?, ["held"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.publish.rollback",
        "rolled back publishes are gone, returns too; the channel goes on",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            t.tx.publish("", &t.q, "gone")?;
            t.tx.publish_with(&Publish::to_queue(ctx.name("none")).mandatory())?;
            t.tx.tx_rollback()?;
            t.tx.tx_commit()?;
            t.tx.expect_silence()?;
            t.tx.publish("", &t.q, "kept")?;
            t.tx.tx_commit()?;
            check_eq!(t.plain.get_all(&t.q)?, ["kept"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.publish.close",
        "closing the channel, or losing the connection, rolls back",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            t.tx.publish("", &t.q, "gone")?;
            t.tx.close()?;
            let lost = ctx.channel()?;
            lost.tx_select()?;
            lost.publish("", &t.q, "gone too")?;
            lost.sync()?;
            lost.conn.drop_socket();
            put(&t.plain, &t.q, &["fence"])?;
            check_eq!(t.plain.get_all(&t.q)?, ["fence"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.publish.many",
        "a transaction may hold thousands of messages",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            for i in 0..3000 {
                t.tx.publish("", &t.q, &i.to_string())?;
            }
            t.tx.tx_commit()?;
            let all = t.plain.get_all(&t.q)?;
            check_eq!(all, (0..3000).map(|i| i.to_string()).collect::<Vec<_>>());
            Ok(())
        },
    ),
    Scenario::new(
        "tx.return.at-commit",
        "returns are sent at commit, before commit-ok",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            for body in ["1", "2"] {
                let none = Publish::to_queue(ctx.name("none")).body(body);
                t.tx.publish_with(&none.mandatory())?;
            }
            t.tx.expect_silence()?;
            t.tx.send(&method("tx.commit"))?;
            check_eq!(t.tx.recv()?.method.name(), "basic.return");
            check_eq!(t.tx.recv()?.method.name(), "basic.return");
            check_eq!(t.tx.recv()?.method.name(), "tx.commit-ok");
            Ok(())
        },
    ),
    Scenario::new(
        "tx.routing.bound-later",
        "a publish is routed when it is published: a binding made before commit is too late",
        SOURCE,
        bound_later,
    ),
    Scenario::new(
        "tx.routing.unbound-later",
        "a publish is routed when it is published: unbinding before commit changes nothing",
        SOURCE,
        unbound_later,
    ),
    Scenario::new(
        "tx.routing.queue-deleted",
        "a queue deleted before commit takes nothing, and the commit succeeds",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            let other = ctx.queue("other");
            t.plain.declare(&other)?;
            t.tx.publish("", &other, "m")?;
            t.tx.publish("", &t.q, "m")?;
            t.tx.sync()?;
            t.plain.delete(&other)?;
            t.tx.tx_commit()?;
            t.plain.wait_messages(&t.q, 1)
        },
    ),
    Scenario::new(
        "tx.publish.error",
        "a publish that is refused closes the channel at once, nothing of it takes effect",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            t.tx.publish("", &t.q, "gone")?;
            let none = ctx.name("none");
            t.tx.publish(&none, "k", "m")?;
            let text = format!("no exchange '{none}' in vhost '{}'", ctx.vhost());
            t.tx.expect_close(404, (60, 40), text)?;
            put(&t.plain, &t.q, &["fence"])?;
            check_eq!(t.plain.get_all(&t.q)?, ["fence"]);
            Ok(())
        },
    ),
    Scenario::new("tx.ack.commit", "acks count at commit", SOURCE, |ctx| {
        let t = Tx::new(ctx)?;
        put(&t.plain, &t.q, &["1", "2"])?;
        let first = t.tx.wait_get(&t.q)?;
        t.tx.wait_get(&t.q)?;
        t.tx.ack(first.tag)?;
        t.tx.tx_commit()?;
        t.tx.close()?;
        t.plain.wait_messages(&t.q, 1)?;
        check_eq!(t.plain.get_all(&t.q)?, ["2"]);
        Ok(())
    }),
    Scenario::new(
        "tx.ack.close",
        "acks that were not committed are undone when the channel closes",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["1", "2"])?;
            let first = t.tx.wait_get(&t.q)?;
            t.tx.wait_get(&t.q)?;
            t.tx.ack(first.tag)?;
            t.tx.close()?;
            t.plain.wait_messages(&t.q, 2)?;
            check_eq!(t.plain.get_all(&t.q)?, ["1", "2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.ack.rollback",
        "a rolled back ack may be given again",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["1", "2"])?;
            let first = t.tx.wait_get(&t.q)?;
            t.tx.wait_get(&t.q)?;
            t.tx.ack(first.tag)?;
            t.tx.tx_rollback()?;
            t.tx.expect_silence()?;
            t.tx.ack(first.tag)?;
            t.tx.tx_commit()?;
            t.tx.close()?;
            t.plain.wait_messages(&t.q, 1)?;
            check_eq!(t.plain.get_all(&t.q)?, ["2"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.ack.unknown",
        "an ack, nack or reject of an unknown tag fails at once",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            for name in ["basic.ack", "basic.nack", "basic.reject"] {
                let m = method(name).set("delivery-tag", 5);
                t.tx.refused(&m, 406, "unknown delivery tag 5")?;
                t.tx.reopen()?.tx_select()?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "tx.ack.twice",
        "acking the same tag twice in one transaction fails at once and undoes the first",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["m"])?;
            let d = t.tx.wait_get(&t.q)?;
            t.tx.ack(d.tag)?;
            t.tx.ack(d.tag)?;
            let text = format!("unknown delivery tag {}", d.tag);
            t.tx.expect_close(406, (60, 80), text)?;
            check!(t.plain.wait_get(&t.q)?.redelivered);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.nack.requeue",
        "a nack with requeue takes effect at commit",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["m"])?;
            let d = t.tx.wait_get(&t.q)?;
            t.tx.nack(d.tag, false, true)?;
            t.tx.sync()?;
            check_eq!(t.plain.depth(&t.q)?.messages, 0);
            t.tx.tx_commit()?;
            check!(t.plain.wait_get(&t.q)?.redelivered);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.reject.dead-letter",
        "a rejection dead-letters at commit",
        SOURCE,
        reject_dead_letters,
    ),
    Scenario::new(
        "tx.ack.prefetch",
        "an ack frees its place in the prefetch limit only at commit",
        "RabbitMQ",
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["1", "2"])?;
            t.tx.qos(1)?;
            t.tx.consume(&t.q)?;
            let d = t.tx.expect_delivery("1")?;
            t.tx.ack(d.tag)?;
            t.tx.expect_silence_of(&t.q)?;
            t.tx.tx_commit()?;
            t.tx.expect_delivery("2").map(drop)
        },
    ),
    Scenario::new(
        "tx.ack.multiple",
        "ack with multiple in a transaction settles all up to the tag at commit",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            put(&t.plain, &t.q, &["1", "2", "3"])?;
            t.tx.wait_get(&t.q)?;
            let second = t.tx.wait_get(&t.q)?;
            t.tx.wait_get(&t.q)?;
            t.tx.ack_multiple(second.tag)?;
            t.tx.tx_commit()?;
            t.tx.close()?;
            t.plain.wait_messages(&t.q, 1)?;
            check_eq!(t.plain.get_all(&t.q)?, ["3"]);
            Ok(())
        },
    ),
    Scenario::new(
        "tx.consume.outside",
        "deliveries, gets and declarations are not part of the transaction",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            let other = ctx.queue("other");
            t.tx.declare(&other)?;
            t.tx.bind(&other, "amq.fanout", "")?;
            put(&t.plain, &other, &["m"])?;
            t.tx.consume_with(Consume::new(&other).no_ack())?;
            t.tx.expect_delivery("m")?;
            t.tx.tx_rollback()?;
            check_eq!(t.plain.depth(&other)?.queue, other, "the declaration stays");
            Ok(())
        },
    ),
    Scenario::new(
        "tx.refused",
        "a reject-publish refusal at commit: 406 partial tx completion",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            let full = full(ctx, &t)?;
            t.tx.publish("", &full, "m")?;
            t.tx.refused(&method("tx.commit"), 406, "partial tx completion")
        },
    ),
    Scenario::new(
        "tx.refused.others",
        "a refused commit: the rest takes effect on RabbitMQ, nothing does here",
        "RULINGS 8 and 22",
        refused_others,
    )
    .deviation("commits are all or nothing here"),
    Scenario::new(
        "tx.refused.acks",
        "a refused commit: acks count on RabbitMQ, they do not here",
        "RULINGS 8 and 22",
        refused_acks,
    )
    .deviation("commits are all or nothing here"),
    Scenario::new(
        "tx.refused.within-queue",
        "a queue that could take some of the messages: takes them on RabbitMQ, none here",
        "RULINGS 8 and 22",
        refused_within,
    )
    .deviation("commits are all or nothing here"),
    Scenario::new(
        "tx.refused.returns",
        "returns of a refused commit come before the close",
        "RabbitMQ",
        |ctx| {
            let t = Tx::new(ctx)?;
            let full = full(ctx, &t)?;
            t.tx.publish("", &full, "m")?;
            t.tx.publish_with(&Publish::to_queue(ctx.name("none")).body("r").mandatory())?;
            t.tx.send(&method("tx.commit"))?;
            check_eq!(t.tx.returned()?.body, b"r".to_vec());
            t.tx.expect_close(406, (90, 20), "partial tx completion")
        },
    ),
    Scenario::new(
        "tx.empty",
        "an empty transaction commits and rolls back",
        SOURCE,
        |ctx| {
            let t = Tx::new(ctx)?;
            t.tx.tx_commit()?;
            t.tx.tx_rollback()?;
            t.tx.tx_commit()
        },
    ),
];

/// A queue, a transactional channel and a plain one on another connection.
struct Tx {
    tx: Channel,
    plain: Channel,
    q: String,
}

impl Tx {
    fn new(ctx: &Ctx) -> Result<Self> {
        let t = Self {
            tx: ctx.channel()?,
            plain: ctx.channel()?,
            q: ctx.queue("q"),
        };
        t.plain.declare(&t.q)?;
        t.tx.tx_select()?;
        Ok(t)
    }
}

/// A queue that refuses everything.
fn full(ctx: &Ctx, t: &Tx) -> Result<String> {
    let q = ctx.queue("full");
    let declare = Queue::new(&q)
        .arg("x-max-length", 0)
        .arg("x-overflow", "reject-publish");
    t.plain.declare_with(declare)?;
    Ok(q)
}

fn bound_later(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let x = ctx.exchange("x");
    t.plain.exchange(&x, "direct")?;
    t.tx.publish_with(&Publish::new(&x, "k").mandatory())?;
    t.tx.sync()?;
    t.plain.bind(&t.q, &x, "k")?;
    t.tx.tx_commit()?;
    check_eq!(t.tx.returned()?.code, 312);
    check_eq!(t.plain.depth(&t.q)?.messages, 0);
    Ok(())
}

fn unbound_later(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let x = ctx.exchange("x");
    t.plain.exchange(&x, "direct")?;
    t.plain.bind(&t.q, &x, "k")?;
    t.tx.publish(&x, "k", "1")?;
    t.tx.sync()?;
    t.plain.unbind(&t.q, &x, "k")?;
    t.tx.tx_commit()?;
    check_eq!(t.plain.get_all(&t.q)?, ["1"]);
    t.plain.bind(&t.q, &x, "k")?;
    t.tx.publish(&x, "k", "2")?;
    t.tx.sync()?;
    t.plain.exchange_delete(&x)?;
    t.tx.tx_commit()?;
    check_eq!(
        t.plain.get_all(&t.q)?,
        ["2"],
        "deleting the exchange neither"
    );
    Ok(())
}

fn reject_dead_letters(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let source = ctx.queue("source");
    let declare = Queue::new(&source).arg("x-dead-letter-exchange", "");
    t.plain
        .declare_with(declare.arg("x-dead-letter-routing-key", &t.q))?;
    put(&t.plain, &source, &["m"])?;
    let d = t.tx.wait_get(&source)?;
    t.tx.reject(d.tag, false)?;
    t.tx.sync()?;
    check_eq!(t.plain.depth(&t.q)?.messages, 0);
    t.tx.tx_commit()?;
    check_eq!(t.plain.wait_get(&t.q)?.text(), "m");
    Ok(())
}

fn refused_others(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let full = full(ctx, &t)?;
    t.tx.publish("", &t.q, "before")?;
    t.tx.publish("", &full, "refused")?;
    t.tx.publish("", &t.q, "after")?;
    t.tx.refused(&method("tx.commit"), 406, "partial tx completion")?;
    put(&t.plain, &t.q, &["fence"])?;
    let expected: &[&str] = ctx.on(&["before", "after", "fence"], &["fence"]);
    check_eq!(t.plain.get_all(&t.q)?, expected);
    Ok(())
}

fn refused_acks(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let full = full(ctx, &t)?;
    put(&t.plain, &t.q, &["acked", "held"])?;
    let acked = t.tx.wait_get(&t.q)?;
    t.tx.wait_get(&t.q)?;
    t.tx.ack(acked.tag)?;
    t.tx.publish("", &full, "refused")?;
    t.tx.refused(&method("tx.commit"), 406, "partial tx completion")?;
    t.plain.wait_messages(&t.q, ctx.on(1, 2))?;
    let expected: &[&str] = ctx.on(&["held"], &["acked", "held"]);
    check_eq!(t.plain.get_all(&t.q)?, expected);
    Ok(())
}

fn refused_within(ctx: &mut Ctx) -> Result {
    let t = Tx::new(ctx)?;
    let q = ctx.queue("small");
    let declare = Queue::new(&q)
        .arg("x-max-length", 2)
        .arg("x-overflow", "reject-publish");
    t.plain.declare_with(declare)?;
    for body in ["1", "2", "3"] {
        t.tx.publish("", &q, body)?;
    }
    t.tx.refused(&method("tx.commit"), 406, "partial tx completion")?;
    let expected: &[&str] = ctx.on(&["1", "2"], &[]);
    check_eq!(t.plain.get_all(&q)?, expected);
    Ok(())
}
