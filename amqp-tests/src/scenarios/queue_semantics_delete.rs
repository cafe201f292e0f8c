//! Scenarios: deleting and purging, and what consumers hear of it.

use crate::prelude::*;

use super::queue_semantics::put;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "queue-life.cancel-notify.delete",
        "deleting a queue sends basic.cancel with nowait to each of its consumers",
        "features 1.2 basic.cancel, trap 8",
        cancel_notify,
    ),
    Scenario::new(
        "queue-life.cancel-notify.capability",
        "a client without consumer_cancel_notify gets no basic.cancel",
        "features 1.2 basic.cancel",
        no_capability,
    ),
    Scenario::new(
        "queue-life.cancel-notify.tag-free",
        "after a cancel notification the tag may be used again",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            ch.consume_with(Consume::new(&q).tag("t"))?;
            let other = ch.conn.channel(2)?;
            other.delete(&q)?;
            check_eq!(ch.wait_method("basic.cancel")?.str("consumer-tag"), "t");
            ch.declare(&q)?;
            ch.consume_with(Consume::new(&q).tag("t"))?;
            ch.publish("", &q, "again")?;
            ch.expect_delivery("again").map(drop)
        },
    ),
    Scenario::new(
        "queue-life.delete.missing",
        "deleting what is not there answers 0",
        "trap 17",
        |ctx| {
            let ch = ctx.channel()?;
            check_eq!(ch.delete(&ctx.name("none"))?, 0);
            Ok(())
        },
    ),
    Scenario::new(
        "queue-life.delete.conditions",
        "if-empty is checked before if-unused, each with its text",
        "trap 18",
        delete_conditions,
    ),
    Scenario::new(
        "queue-life.delete.unacked",
        "unacknowledged messages count neither for if-empty nor in delete-ok",
        "trap 18",
        delete_unacked,
    ),
    Scenario::new(
        "queue-life.delete.quorum-conditions",
        "if-unused and if-empty on a quorum queue: 540",
        "trap 28",
        quorum_conditions,
    ),
    Scenario::new(
        "queue-life.purge.ready-only",
        "purge takes ready messages and leaves unacknowledged ones",
        "features 1.2 queue.purge",
        purge,
    ),
    Scenario::new(
        "queue-life.purge.missing",
        "purging what is not there: 404",
        "features 1.2 queue.purge",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.name("none");
            let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
            ch.refused(&method("queue.purge").set("queue", &q), 404, text)
        },
    ),
];

fn cancel_notify(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for tag in ["a", "b"] {
        ch.consume_with(Consume::new(&q).tag(tag))?;
    }
    let other = ctx.channel()?;
    other.delete(&q)?;
    let mut tags = Vec::new();
    for _ in 0..2 {
        let cancel = ch.wait_method("basic.cancel")?;
        check!(cancel.bit("nowait"), "nowait is set");
        tags.push(cancel.str("consumer-tag"));
    }
    tags.sort();
    check_eq!(tags, ["a", "b"]);
    ch.sync()
}

fn no_capability(ctx: &mut Ctx) -> Result {
    let options = Options {
        properties: Table::new(),
        ..Options::default()
    };
    let ch = ctx.connect_with(&options)?.channel(1)?;
    let watcher = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.consume(&q)?;
    watcher.consume(&q)?;
    watcher.conn.channel(2)?.delete(&q)?;
    watcher.wait_method("basic.cancel")?;
    // Both channels were told of the queue's end at the same moment.
    ch.expect_silence()?;
    ch.declare(&q)?;
    ch.expect_silence()
}

fn delete_conditions(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let delete = method("queue.delete").set("queue", &q);
    ch.declare(&q)?;
    let consumer = ctx.channel()?;
    consumer.qos(1)?;
    consumer.consume(&q)?;
    ch.publish("", &q, "taken")?;
    consumer.expect_delivery("taken")?;
    ch.publish("", &q, "ready")?;
    ch.wait_messages(&q, 1)?;
    let both = delete.clone().set("if-unused", true).set("if-empty", true);
    let not_empty = format!("queue '{q}' in vhost '{}' not empty", ctx.vhost());
    let in_use = format!("queue '{q}' in vhost '{}' in use", ctx.vhost());
    ch.refused(&both, 406, &not_empty)?;
    let ch = ch.reopen()?;
    ch.refused(&delete.clone().set("if-empty", true), 406, &not_empty)?;
    let ch = ch.reopen()?;
    ch.refused(&delete.clone().set("if-unused", true), 406, &in_use)?;
    let ch = ch.reopen()?;
    check_eq!(ch.delete(&q)?, 1, "ready messages in delete-ok");
    Ok(())
}

fn delete_unacked(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.publish("", &q, "m")?;
    ch.wait_get(&q)?;
    let other = ch.conn.channel(2)?;
    let conditions = method("queue.delete")
        .set("queue", &q)
        .set("if-empty", true);
    let ok = other.call(&conditions.set("if-unused", true))?;
    check_eq!(ok.method.num("message-count"), 0);
    other.wait_queue_gone(&q)
}

fn quorum_conditions(ctx: &mut Ctx) -> Result {
    let q = ctx.queue("q");
    ctx.channel()?
        .declare_with(Queue::new(&q).durable().arg("x-queue-type", "quorum"))?;
    for flag in ["if-unused", "if-empty"] {
        let ch = ctx.channel()?;
        let text = format!(
            "cannot delete queue '{q}' in vhost '{}'. queue.delete operations with {flag} flag \
             set are not supported by quorum queues",
            ctx.vhost()
        );
        let delete = method("queue.delete").set("queue", &q).set(flag, true);
        ch.refused_hard(&delete, 540, text)?;
    }
    Ok(())
}

fn purge(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    put(&ch, &q, &["1", "2", "3"])?;
    let held = ch.wait_get(&q)?;
    check_eq!(ch.purge(&q)?, 2);
    check_eq!(ch.depth(&q)?.messages, 0);
    ch.nack(held.tag, false, true)?;
    check_eq!(ch.wait_get(&q)?.text(), "1");
    Ok(())
}
