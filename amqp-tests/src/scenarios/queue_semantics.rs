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
