//! Scenarios: class queue: bindings, purge, delete, auto-delete.

use super::queue_methods::{no_queue, passive};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "queue.bind.routes",
        "bind routes, unbind ends that",
        "AMQP 0-9-1 1.7.2.3",
        bind_routes,
    ),
    Scenario::new(
        "queue.bind.idempotent",
        "binding twice is one binding",
        "AMQP 0-9-1 1.7.2.3",
        bind_idempotent,
    ),
    Scenario::new(
        "queue.bind.default",
        "bind and unbind on the default exchange are 403",
        "features 1.2, 1.4",
        bind_default,
    ),
    Scenario::new(
        "queue.bind.missing",
        "bind of a missing queue or exchange is 404",
        "features 1.2, 1.4",
        bind_missing,
    ),
    Scenario::new(
        "queue.bind.nowait",
        "queue.bind with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.7.2.3",
        bind_nowait,
    ),
    Scenario::new(
        "queue.bind.empty_key",
        "an empty queue and routing key mean the last declared queue and its name",
        "AMQP 0-9-1 1.7.2.3",
        bind_empty,
    ),
    Scenario::new(
        "trap.17.unbind_missing",
        "unbinding what is not bound, or what does not exist, succeeds",
        "trap 17; features 1.2",
        unbind_missing,
    ),
    Scenario::new(
        "queue.unbind.arguments",
        "bindings with different arguments are different bindings",
        "AMQP 0-9-1 1.7.2.5",
        unbind_arguments,
    ),
    Scenario::new(
        "queue.purge.ready",
        "purge removes and counts ready messages only",
        "features 1.2",
        purge_ready,
    ),
    Scenario::new(
        "queue.purge.missing",
        "purge of a missing queue is 404",
        "features 1.2",
        purge_missing,
    ),
    Scenario::new(
        "queue.purge.nowait",
        "queue.purge with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.7.2.7",
        purge_nowait,
    ),
    Scenario::new(
        "trap.17.delete_missing_queue",
        "deleting a missing queue succeeds with count 0",
        "trap 17; features 1.2",
        |ctx| {
            check_eq!(ctx.channel()?.delete(&ctx.name("missing"))?, 0);
            Ok(())
        },
    ),
    Scenario::new(
        "queue.delete.count",
        "delete counts the ready messages",
        "AMQP 0-9-1 1.7.2.9",
        delete_count,
    ),
    Scenario::new(
        "queue.delete.if_unused",
        "delete if-unused of a queue with a consumer is 406 in use",
        "features 1.2, 1.4",
        delete_if_unused,
    ),
    Scenario::new(
        "queue.delete.if_empty",
        "delete if-empty of a queue with messages is 406 not empty",
        "features 1.2, 1.4",
        delete_if_empty,
    ),
    Scenario::new(
        "queue.delete.nowait",
        "queue.delete with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.7.2.9",
        delete_nowait,
    ),
    Scenario::new(
        "queue.delete.unbinds",
        "deleting a queue removes its bindings",
        "AMQP 0-9-1 1.7.2.9",
        delete_unbinds,
    ),
    Scenario::new(
        "queue.auto_delete",
        "an auto-delete queue goes with its last consumer, not before the first",
        "AMQP 0-9-1 1.7.2.1",
        auto_delete,
    ),
    Scenario::new(
        "queue.auto_delete.connection",
        "an auto-delete queue goes when the connection of its last consumer ends",
        "AMQP 0-9-1 1.7.2.1",
        auto_delete_connection,
    ),
];

fn unroutable(ch: &Channel, x: &str, key: &str) -> Result {
    ch.publish_with(&Publish::new(x, key).mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    Ok(())
}

fn bind_routes(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, k) = (ctx.queue("q"), ctx.name("key"));
    ch.declare(&q)?;
    ch.bind(&q, "amq.direct", &k)?;
    ch.publish("amq.direct", &k, "m")?;
    check_eq!(ch.wait_get(&q)?.exchange, "amq.direct");
    ch.unbind(&q, "amq.direct", &k)?;
    unroutable(&ch, "amq.direct", &k)
}

fn bind_idempotent(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, k) = (ctx.queue("q"), ctx.name("key"));
    ch.declare(&q)?;
    ch.bind(&q, "amq.direct", &k)?;
    ch.bind(&q, "amq.direct", &k)?;
    ch.publish("amq.direct", &k, "once")?;
    ch.wait_messages(&q, 1)?;
    ch.unbind(&q, "amq.direct", &k)?;
    unroutable(&ch, "amq.direct", &k)
}

fn bind_default(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let text = "operation not permitted on the default exchange";
    ch.refused(
        &method("queue.bind").set("queue", &q).set("routing-key", &q),
        403,
        text,
    )?;
    let ch = ch.reopen()?;
    ch.refused(
        &method("queue.unbind")
            .set("queue", &q)
            .set("routing-key", &q),
        403,
        text,
    )
}

fn bind_missing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, missing) = (ctx.queue("q"), ctx.name("missing"));
    ch.declare(&q)?;
    let bind = method("queue.bind")
        .set("queue", &missing)
        .set("exchange", "amq.direct");
    ch.refused(&bind, 404, no_queue(ctx, &missing))?;
    let ch = ch.reopen()?;
    let bind = method("queue.bind")
        .set("queue", &q)
        .set("exchange", &missing);
    ch.refused(
        &bind,
        404,
        format!("no exchange '{missing}' in vhost '{}'", ctx.vhost()),
    )
}

fn bind_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, k) = (ctx.queue("q"), ctx.name("key"));
    ch.declare(&q)?;
    let bind = method("queue.bind")
        .set("queue", &q)
        .set("exchange", "amq.direct");
    ch.send(&bind.set("routing-key", &k).set("nowait", true))?;
    ch.expect_silence()?;
    ch.publish("amq.direct", &k, "m")?;
    ch.wait_messages(&q, 1)
}

fn bind_empty(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.bind("", "amq.direct", "")?;
    ch.publish("amq.direct", &q, "m")?;
    ch.wait_messages(&q, 1)?;
    ch.unbind("", "amq.direct", "")?;
    unroutable(&ch, "amq.direct", &q)
}

fn unbind_missing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, missing) = (ctx.queue("q"), ctx.name("missing"));
    ch.declare(&q)?;
    ch.unbind(&q, "amq.direct", &missing)?;
    ch.unbind(&missing, "amq.direct", "k")?;
    ch.unbind(&q, &missing, "k")
}

fn unbind_arguments(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, k) = (ctx.queue("q"), ctx.name("key"));
    ch.declare(&q)?;
    let args = || Table::new().with("a", 1);
    ch.bind(&q, "amq.direct", &k)?;
    ch.bind_args(&q, "amq.direct", &k, args())?;
    ch.unbind(&q, "amq.direct", &k)?;
    ch.publish("amq.direct", &k, "still bound")?;
    ch.wait_messages(&q, 1)?;
    ch.unbind_args(&q, "amq.direct", &k, args())?;
    unroutable(&ch, "amq.direct", &k)
}

fn purge_ready(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for _ in 0..5 {
        ch.publish("", &q, "m")?;
    }
    ch.wait_messages(&q, 5)?;
    let Some(held) = ch.get(&q)? else {
        return fail("nothing got");
    };
    check_eq!(ch.purge(&q)?, 4);
    check_eq!(ch.purge(&q)?, 0);
    ch.nack(held.tag, false, true)?;
    ch.wait_messages(&q, 1)
}

fn purge_missing(ctx: &mut Ctx) -> Result {
    let q = ctx.name("missing");
    let purge = method("queue.purge").set("queue", &q);
    ctx.channel()?.refused(&purge, 404, no_queue(ctx, &q))
}

fn purge_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.publish("", &q, "m")?;
    ch.wait_messages(&q, 1)?;
    ch.send(&method("queue.purge").set("queue", &q).set("nowait", true))?;
    ch.expect_silence()?;
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn delete_count(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for _ in 0..4 {
        ch.publish("", &q, "m")?;
    }
    ch.wait_messages(&q, 4)?;
    ch.get(&q)?;
    check_eq!(ch.delete(&q)?, 3);
    ch.refused(&passive(&q), 404, no_queue(ctx, &q))
}

fn delete(q: &str) -> Method {
    method("queue.delete").set("queue", q)
}

fn delete_if_unused(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let tag = ch.consume(&q)?;
    let other = ch.conn.channel(2)?;
    let text = format!("queue '{q}' in vhost '{}' in use", ctx.vhost());
    other.refused(&delete(&q).set("if-unused", true), 406, text)?;
    ch.cancel(&tag)?;
    other
        .reopen()?
        .call(&delete(&q).set("if-unused", true))
        .map(drop)
}

fn delete_if_empty(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.publish("", &q, "m")?;
    ch.wait_messages(&q, 1)?;
    let text = format!("queue '{q}' in vhost '{}' not empty", ctx.vhost());
    ch.refused(&delete(&q).set("if-empty", true), 406, text)?;
    let ch = ch.reopen()?;
    ch.purge(&q)?;
    ch.call(&delete(&q).set("if-empty", true)).map(drop)
}

fn delete_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.send(&delete(&q).set("nowait", true))?;
    ch.expect_silence()?;
    ch.refused(&passive(&q), 404, no_queue(ctx, &q))
}

fn delete_unbinds(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (q, k) = (ctx.queue("q"), ctx.name("key"));
    ch.declare(&q)?;
    ch.bind(&q, "amq.direct", &k)?;
    ch.delete(&q)?;
    ch.declare(&q)?;
    unroutable(&ch, "amq.direct", &k)
}

fn auto_delete(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).auto_delete())?;
    ch.depth(&q)?;
    let (one, two) = (ch.consume(&q)?, ch.consume(&q)?);
    ch.cancel(&one)?;
    ch.depth(&q)?;
    ch.cancel(&two)?;
    ch.wait_queue_gone(&q)
}

fn auto_delete_connection(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let other = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).auto_delete())?;
    ch.consume(&q)?;
    ch.conn.drop_socket();
    other.wait_queue_gone(&q)
}
