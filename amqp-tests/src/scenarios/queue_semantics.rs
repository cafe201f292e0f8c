//! Scenarios: when a queue comes and goes, its names, its owner.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "queue-life.auto-delete.last-consumer",
        "an auto-delete queue goes with its last consumer",
        "AMQP 0-9-1 queue.declare, features 1.6",
        auto_delete,
    ),
    Scenario::new(
        "queue-life.auto-delete.channel",
        "closing the channel of the last consumer deletes an auto-delete queue",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).auto_delete())?;
            let other = ch.conn.channel(2)?;
            other.consume(&q)?;
            other.close()?;
            ch.wait_queue_gone(&q)
        },
    ),
    Scenario::new(
        "queue-life.auto-delete.connection",
        "losing the connection of the last consumer deletes an auto-delete queue",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).auto_delete())?;
            let other = ctx.channel()?;
            other.consume(&q)?;
            other.conn.drop_socket();
            ch.wait_queue_gone(&q)
        },
    ),
    Scenario::new(
        "queue-life.auto-delete.never-consumed",
        "an auto-delete queue that never had a consumer stays",
        "features 1.6",
        never_consumed,
    ),
    Scenario::new(
        "queue-life.exclusive.locked",
        "another connection gets 405 for everything on an exclusive queue",
        "features 1.4 (405)",
        locked,
    ),
    Scenario::new(
        "queue-life.exclusive.other-may-publish",
        "another connection may publish to an exclusive queue",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).exclusive())?;
            let other = ctx.channel()?;
            other.publish("", &q, "from outside")?;
            check_eq!(ch.wait_get(&q)?.text(), "from outside");
            Ok(())
        },
    ),
    Scenario::new(
        "queue-life.exclusive.channels",
        "all channels of the owner's connection may use an exclusive queue",
        "AMQP 0-9-1 queue.declare",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).exclusive())?;
            let second = ch.conn.channel(2)?;
            check_eq!(second.declare_with(Queue::new(&q).exclusive())?.queue, q);
            second.consume(&q)?;
            ch.publish("", &q, "m")?;
            second.expect_delivery("m").map(drop)
        },
    ),
    Scenario::new(
        "queue-life.exclusive.close",
        "after close-ok the exclusive queues of the connection are gone",
        "RULINGS 20",
        exclusive_close,
    )
    .deviation("RabbitMQ deletes them some time after close-ok"),
    Scenario::new(
        "queue-life.exclusive.lost",
        "losing the connection deletes its exclusive queues",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            let owner = ctx.channel()?;
            owner.declare_with(Queue::new(&q).exclusive())?;
            owner.conn.drop_socket();
            gone_or_locked(&ch, &q)
        },
    ),
    Scenario::new(
        "queue-life.server-named.shape",
        "an empty name gives amq.gen- and 22 characters, a new one each time",
        "features 1.2 queue.declare",
        server_named,
    ),
    Scenario::new(
        "queue-life.server-named.last",
        "an empty name in other methods means the channel's last declared queue",
        "AMQP 0-9-1 queue.bind, features 1.2",
        last_declared,
    ),
    Scenario::new(
        "queue-life.server-named.last.bind-key",
        "queue-life.bind with empty queue and empty key uses the last queue's name as key",
        "AMQP 0-9-1 queue.bind",
        last_bind_key,
    ),
    Scenario::new(
        "queue-life.server-named.none",
        "an empty name on a channel that declared nothing: 404",
        "features 1.2 basic.get",
        none_declared,
    ),
    Scenario::new(
        "queue-life.server-named.passive",
        "a passive declaration with an empty name does not mean the last queue: 404",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            ch.declare_with(Queue::new("").exclusive())?;
            let text = format!("no queue '' in vhost '{}'", ctx.vhost());
            ch.refused(&Queue::new("").passive().method(), 404, text)
        },
    ),
    Scenario::new(
        "queue-life.reserved-names",
        "declaring an amq. name is refused, passively it is only missing, deleting it is fine",
        "trap 17",
        reserved,
    ),
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
        "queue-life.lazy",
        "a lazy queue keeps order, redelivers and counts like any other",
        "features 1.6",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).durable().arg("x-queue-mode", "lazy"))?;
            let bodies: Vec<String> = (0..200).map(|i| i.to_string()).collect();
            put(
                &ch,
                &q,
                &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
            )?;
            check_eq!(ch.depth(&q)?.messages, 200);
            let first = ch.wait_get(&q)?;
            ch.nack(first.tag, false, true)?;
            check_eq!(ch.get_all(&q)?, bodies);
            Ok(())
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

/// Publishes to a queue and waits until it has taken or refused everything.
/// Counts from a passive declaration may overtake publishes; these do not.
pub(super) fn put(ch: &Channel, queue: &str, bodies: &[&str]) -> Result {
    let of = |body: &&str| Publish::to_queue(queue).body(body);
    put_all(ch, &bodies.iter().map(of).collect::<Vec<_>>())
}

/// Like [`put`], for any publishes.
pub(super) fn put_all(ch: &Channel, messages: &[Publish]) -> Result {
    let publisher = ch.conn.channel(1900)?;
    publisher.confirm_select()?;
    for message in messages {
        publisher.publish_with(message)?;
    }
    publisher.confirms(1, messages.len() as u64)?;
    publisher.close()?;
    drop(publisher.conn.drain(1900));
    Ok(())
}

fn auto_delete(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).auto_delete())?;
    let other = ch.conn.channel(2)?;
    let (a, b) = (other.consume(&q)?, other.consume(&q)?);
    other.cancel(&a)?;
    check_eq!(ch.depth(&q)?.consumers, 1);
    other.cancel(&b)?;
    ch.wait_queue_gone(&q)?;
    ch.conn.expect_alive()
}

fn never_consumed(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let owner = ctx.channel()?;
    owner.declare_with(Queue::new(&q).auto_delete())?;
    check!(owner.get(&q)?.is_none(), "the queue is empty");
    owner.conn.close()?;
    ch.publish("", &q, "still here")?;
    check_eq!(ch.wait_get(&q)?.text(), "still here");
    Ok(())
}

fn locked_text(ctx: &Ctx, q: &str) -> String {
    format!(
        "cannot obtain exclusive access to locked queue '{q}' in vhost '{}'. It could be \
         originally declared on another connection or the exclusive property value does not \
         match that of the original declaration.",
        ctx.vhost()
    )
}

fn locked(ctx: &mut Ctx) -> Result {
    let owner = ctx.channel()?;
    let q = ctx.queue("q");
    owner.declare_with(Queue::new(&q).exclusive())?;
    owner.bind(&q, "amq.fanout", "")?;
    let ch = ctx.channel()?;
    let text = locked_text(ctx, &q);
    for m in [
        Queue::new(&q).method(),
        Queue::new(&q).exclusive().method(),
        Queue::new(&q).passive().method(),
        Consume::new(&q).method(),
        method("basic.get").set("queue", &q),
        method("queue.purge").set("queue", &q),
        method("queue.delete").set("queue", &q),
        method("queue.bind")
            .set("queue", &q)
            .set("exchange", "amq.fanout"),
        method("queue.unbind")
            .set("queue", &q)
            .set("exchange", "amq.fanout"),
    ] {
        ch.refused(&m, 405, &text)?;
        ch.reopen()?;
    }
    check_eq!(owner.depth(&q)?.queue, q, "the owner still has it");
    Ok(())
}

/// Asks until the queue is neither there nor locked by a dying connection.
fn gone_or_locked(ch: &Channel, q: &str) -> Result {
    let deadline = std::time::Instant::now() + WAIT;
    loop {
        let probe = ch.conn.channel(77)?;
        probe.send(&Queue::new(q).passive().method())?;
        let close = probe.wait_method("channel.close")?;
        probe.send(&method("channel.close-ok"))?;
        match close.num("reply-code") {
            404 => return Ok(()),
            405 if std::time::Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(5));
            }
            other => return fail(format!("still {other}: {}", close.str("reply-text"))),
        }
        probe.conn.drain(77);
    }
}

fn exclusive_close(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for _ in 0..10 {
        let q = ctx.queue("q");
        let owner = ctx.channel()?;
        owner.declare_with(Queue::new(&q).exclusive())?;
        owner.conn.close()?;
        if ctx.is_rabbit() {
            gone_or_locked(&ch, &q)?;
            continue;
        }
        let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
        ch.refused(&Queue::new(&q).passive().method(), 404, text)?;
        ch.reopen()?;
    }
    Ok(())
}

fn server_named(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let mut names = Vec::new();
    for _ in 0..3 {
        let name = ch.declare_with(Queue::new("").exclusive())?.queue;
        let rest = name.strip_prefix("amq.gen-").unwrap_or_default();
        check_eq!(rest.len(), 22, "{name}");
        let base64url = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        check!(rest.chars().all(base64url), "{name}");
        check!(!names.contains(&name), "{name} came twice");
        names.push(name);
    }
    Ok(())
}

fn last_declared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "fanout")?;
    ch.declare_with(Queue::new(ctx.queue("first")).exclusive())?;
    let name = ch.declare_with(Queue::new("").exclusive())?.queue;
    ch.bind("", &x, "k")?;
    ch.publish(&x, "", "one")?;
    ch.publish(&x, "", "two")?;
    ch.wait_messages(&name, 2)?;
    check_eq!(
        ch.get_no_ack("")?.map(|d| d.text()),
        Some("one".to_string())
    );
    check_eq!(ch.purge("")?, 1);
    ch.consume("")?;
    ch.publish("", &name, "three")?;
    ch.expect_delivery("three")?;
    ch.unbind("", &x, "k")?;
    ch.delete("")?;
    ch.wait_queue_gone(&name)
}

fn last_bind_key(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "direct")?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.bind("", &x, "")?;
    ch.publish(&x, &q, "by name")?;
    check_eq!(ch.wait_get(&q)?.text(), "by name");
    Ok(())
}

fn none_declared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for m in [
        method("basic.get"),
        method("basic.consume"),
        method("queue.purge"),
        method("queue.delete"),
        method("queue.bind").set("exchange", "amq.fanout"),
    ] {
        ch.refused(&m, 404, "no previously declared queue")?;
        ch.reopen()?;
    }
    Ok(())
}

fn reserved(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for name in ["amq.foo", "amq.gen-foo", "amq."] {
        let text = format!("queue name '{name}' contains reserved prefix 'amq.*'");
        ch.refused(&Queue::new(name).method(), 403, text)?;
        let ch = ch.reopen()?;
        let text = format!("no queue '{name}' in vhost '{}'", ctx.vhost());
        ch.refused(&Queue::new(name).passive().method(), 404, text)?;
        check_eq!(ch.reopen()?.delete(name)?, 0);
    }
    let fine = ctx.name("amq.inside");
    ctx.clean(method("queue.delete").set("queue", &fine));
    check_eq!(ch.declare(&fine)?.queue, fine);
    Ok(())
}

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
