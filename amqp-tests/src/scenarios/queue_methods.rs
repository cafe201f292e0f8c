//! Scenarios: class queue: declare, exclusive queues, equivalence of arguments.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "queue.declare.counts",
        "declare-ok carries the name, the ready messages and the consumers",
        "AMQP 0-9-1 1.7.2.2",
        counts,
    ),
    Scenario::new(
        "queue.declare.server_named",
        "an empty name makes amq.gen- followed by 22 base64 characters",
        "features 1.2",
        server_named,
    ),
    Scenario::new(
        "queue.declare.last_declared",
        "an empty queue name later means the queue last declared on the channel",
        "AMQP 0-9-1 1.7.2; features 1.2",
        last_declared,
    ),
    Scenario::new(
        "queue.no_previous",
        "an empty queue name with nothing declared is 404 no previously declared queue",
        "features 1.2, 1.4",
        no_previous,
    ),
    Scenario::new(
        "queue.declare.passive_missing",
        "passive declare of a missing queue is 404",
        "AMQP 0-9-1 1.7.2.1; features 1.4",
        passive_missing,
    ),
    Scenario::new(
        "queue.declare.passive_ignores",
        "passive declare looks at the name only",
        "AMQP 0-9-1 1.7.2.1",
        passive_ignores,
    ),
    Scenario::new(
        "queue.declare.passive_empty",
        "passive declare of an empty name does not mean the queue last declared: 404 no queue ''",
        "AMQP 0-9-1 1.7.2.1",
        passive_empty,
    ),
    Scenario::new(
        "queue.declare.durable_mismatch",
        "declaring with another durable flag is 406 inequivalent arg 'durable'",
        "features 1.4",
        |ctx| mismatch(ctx, "durable", |q| q.durable()),
    ),
    Scenario::new(
        "queue.declare.auto_delete_mismatch",
        "declaring with another auto-delete flag is 406 inequivalent arg 'auto_delete'",
        "features 1.4",
        |ctx| mismatch(ctx, "auto_delete", |q| q.auto_delete()),
    ),
    Scenario::new(
        "queue.declare.exclusive_durable",
        "an exclusive queue is stored non-durable and its durable flag is not compared",
        "features 1.2",
        exclusive_durable,
    ),
    Scenario::new(
        "trap.11.own_connection",
        "an exclusive mismatch on the owner's own connection is 405, never 406",
        "trap 11",
        exclusive_mismatch,
    ),
    Scenario::new(
        "trap.11.not_exclusive",
        "declaring a shared queue as exclusive is 405",
        "trap 11",
        exclusive_on_shared,
    ),
    Scenario::new(
        "trap.11.long_text",
        "reply texts are cut at 255 octets with ...",
        "trap 11",
        long_text,
    ),
    Scenario::new(
        "queue.exclusive.locked",
        "another connection's exclusive queue is 405 for declare, passive, bind, unbind, purge, delete, consume, get",
        "features 1.2, 1.4",
        locked,
    ),
    Scenario::new(
        "queue.exclusive.other_channel",
        "an exclusive queue may be used from all channels of its connection",
        "AMQP 0-9-1 1.7.2.1",
        exclusive_other_channel,
    ),
    Scenario::new(
        "queue.exclusive.publish",
        "another connection may publish to an exclusive queue",
        "RabbitMQ",
        exclusive_publish,
    ),
    Scenario::new(
        "trap.12.added",
        "an argument where none was: received the value '1000' of type 'signedint' but current is none",
        "trap 12; features 1.4",
        argument_added,
    ),
    Scenario::new(
        "trap.12.missing",
        "no argument where one was: received none but current is the value",
        "trap 12",
        argument_missing,
    ),
    Scenario::new(
        "trap.12.changed",
        "another value: received 'x' but current is 'y'",
        "trap 12",
        argument_changed,
    ),
    Scenario::new(
        "trap.12.width",
        "integer width is ignored when arguments are compared",
        "trap 12; features 1.4",
        argument_width,
    ),
    Scenario::new(
        "trap.12.unknown",
        "unknown x-arguments are accepted and not compared",
        "trap 12; features 1.2",
        argument_unknown,
    ),
    Scenario::new(
        "queue.declare.reserved",
        "declaring a new amq.* queue is 403",
        "features 1.4",
        reserved,
    ),
    Scenario::new(
        "queue.declare.nowait",
        "queue.declare with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.7.2.1",
        declare_nowait,
    ),
    Scenario::new(
        "queue.declare.longest_name",
        "a name of 255 bytes is accepted",
        "AMQP 0-9-1 1.1",
        longest_name,
    ),
    Scenario::new(
        "trap.13.queue_declare",
        "CR and LF are stripped from a queue's name in declare",
        "trap 13",
        strip,
    ),
];

/// The text for a missing queue.
pub fn no_queue(ctx: &Ctx, q: &str) -> String {
    format!("no queue '{q}' in vhost '{}'", ctx.vhost())
}

/// A passive declare.
pub fn passive(q: &str) -> Method {
    Queue::new(q).passive().method()
}

fn counts(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let expected = DeclareOk {
        queue: q.clone(),
        messages: 0,
        consumers: 0,
    };
    check_eq!(ch.declare(&q)?, expected);
    for _ in 0..3 {
        ch.publish("", &q, "m")?;
    }
    ch.wait_messages(&q, 3)?;
    ch.qos(1)?;
    ch.consume(&q)?;
    ch.delivery()?;
    let now = ch.declare(&q)?;
    check_eq!((now.messages, now.consumers), (2, 1));
    Ok(())
}

fn server_named(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let one = ch.declare_with(Queue::new("").exclusive())?.queue;
    let two = ch.declare_with(Queue::new("").exclusive())?.queue;
    check!(one != two, "{one} twice");
    let Some(rest) = one.strip_prefix("amq.gen-") else {
        return fail(one);
    };
    check_eq!(rest.len(), 22);
    let base64 = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    check!(rest.chars().all(base64), "{one}");
    Ok(())
}

fn last_declared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (one, two) = (ctx.queue("one"), ctx.queue("two"));
    ch.declare(&one)?;
    ch.declare(&two)?;
    ch.publish("", &two, "m")?;
    ch.wait_messages(&two, 1)?;
    let Some(d) = ch.get("")? else {
        return fail("nothing got");
    };
    ch.nack(d.tag, false, true)?;
    ch.wait_messages(&two, 1)?;
    // depth() is a declare, if a passive one: the last declared is still two.
    check_eq!(ch.purge("")?, 1);
    let tag = ch.consume("")?;
    ch.cancel(&tag)?;
    ch.bind("", "amq.direct", "k")?;
    ch.unbind("", "amq.direct", "k")?;
    ch.delete("")?;
    ch.depth(&one)?;
    ch.refused(&passive(&two), 404, no_queue(ctx, &two))
}

fn no_previous(ctx: &mut Ctx) -> Result {
    let mut ch = ctx.channel()?;
    for name in [
        "basic.get",
        "basic.consume",
        "queue.purge",
        "queue.delete",
        "queue.bind",
    ] {
        let m = method(name);
        let m = if name == "queue.bind" {
            m.set("exchange", "amq.direct").set("routing-key", "k")
        } else {
            m
        };
        ch.refused(&m, 404, "no previously declared queue")?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn passive_missing(ctx: &mut Ctx) -> Result {
    let q = ctx.name("missing");
    ctx.channel()?.refused(&passive(&q), 404, no_queue(ctx, &q))
}

fn passive_ignores(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.declare_with(
        Queue::new(&q)
            .passive()
            .durable()
            .auto_delete()
            .arg("x-message-ttl", 1),
    )
    .map(drop)
}

fn passive_empty(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.declare_with(Queue::new("").exclusive())?;
    ch.refused(&passive(""), 404, no_queue(ctx, ""))
}

fn inequivalent(ctx: &Ctx, arg: &str, q: &str, got: &str, is: &str) -> String {
    format!(
        "inequivalent arg '{arg}' for queue '{q}' in vhost '{}': received {got} but current is {is}",
        ctx.vhost()
    )
}

fn mismatch(ctx: &mut Ctx, arg: &str, change: fn(Queue) -> Queue) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let text = inequivalent(ctx, arg, &q, "'true'", "'false'");
    ch.refused(&change(Queue::new(&q)).method(), 406, text)?;
    let ch = ch.reopen()?;
    let r = ctx.queue("r");
    ch.declare_with(change(Queue::new(&r)))?;
    let text = inequivalent(ctx, arg, &r, "'false'", "'true'");
    ch.refused(&Queue::new(&r).method(), 406, text)
}

fn exclusive_durable(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).exclusive().durable())?;
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.declare_with(Queue::new(&q).exclusive().durable())
        .map(drop)
}

fn locked_text(ctx: &Ctx, q: &str) -> String {
    format!(
        "cannot obtain exclusive access to locked queue '{q}' in vhost '{}'. It could be originally \
         declared on another connection or the exclusive property value does not match that of the \
         original declaration.",
        ctx.vhost()
    )
}

fn exclusive_mismatch(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.refused(&Queue::new(&q).method(), 405, locked_text(ctx, &q))
}

fn exclusive_on_shared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.refused(
        &Queue::new(&q).exclusive().method(),
        405,
        locked_text(ctx, &q),
    )
}

fn long_text(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = format!("{}{}", ctx.name("q"), "x".repeat(180));
    ch.refused(&passive(&q), 404, no_queue(ctx, &q))?;
    let ch = ch.reopen()?;
    let q = format!("{}{}", ctx.name("q"), "y".repeat(100));
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.send(&Queue::new(&q).method())?;
    let close = Closed::of(&ch.wait_method("channel.close")?);
    check_eq!(close.text, reply_text(405, &locked_text(ctx, &q)));
    check_eq!((close.text.len(), close.text.ends_with("...")), (255, true));
    Ok(())
}

fn locked(ctx: &mut Ctx) -> Result {
    let owner = ctx.channel()?;
    let q = ctx.queue("q");
    owner.declare_with(Queue::new(&q).exclusive())?;
    owner.bind(&q, "amq.direct", "k")?;
    let mut ch = ctx.channel()?;
    let by_name = |name: &str| method(name).set("queue", &q);
    for m in [
        Queue::new(&q).exclusive().method(),
        Queue::new(&q).method(),
        passive(&q),
        by_name("queue.bind").set("exchange", "amq.direct"),
        by_name("queue.unbind")
            .set("exchange", "amq.direct")
            .set("routing-key", "k"),
        by_name("queue.purge"),
        by_name("queue.delete"),
        by_name("basic.consume"),
        by_name("basic.get"),
    ] {
        ch.refused(&m, 405, locked_text(ctx, &q))?;
        ch = ch.reopen()?;
    }
    Ok(())
}

fn exclusive_other_channel(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).exclusive())?;
    let two = ch.conn.channel(2)?;
    two.declare_with(Queue::new(&q).exclusive())?;
    two.consume(&q)?;
    ch.publish("", &q, "m")?;
    two.expect_delivery("m")?;
    ch.close()?;
    two.depth(&q).map(drop)
}

fn exclusive_publish(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).exclusive())?;
    ctx.channel()?.publish("", &q, "m")?;
    check_eq!(ch.wait_get(&q)?.text(), "m");
    Ok(())
}

fn argument_added(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let got = "the value '1000' of type 'signedint'";
    let text = inequivalent(ctx, "x-message-ttl", &q, got, "none");
    ch.refused(
        &Queue::new(&q).arg("x-message-ttl", 1000i32).method(),
        406,
        text,
    )
}

fn argument_missing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-dead-letter-exchange", "amq.fanout"))?;
    let is = "the value 'amq.fanout' of type 'longstr'";
    let text = inequivalent(ctx, "x-dead-letter-exchange", &q, "none", is);
    ch.refused(&Queue::new(&q).method(), 406, text)
}

fn argument_changed(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-max-length", 5i32))?;
    let text = inequivalent(ctx, "x-max-length", &q, "'6'", "'5'");
    ch.refused(
        &Queue::new(&q).arg("x-max-length", 6i64).method(),
        406,
        text,
    )
}

fn argument_width(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-max-length", 5i8))?;
    for value in [
        Value::I16(5),
        Value::I32(5),
        Value::I64(5),
        Value::U8(5),
        Value::U32(5),
    ] {
        ch.declare_with(Queue::new(&q).arg("x-max-length", value))?;
    }
    Ok(())
}

fn argument_unknown(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-unknown", 1))?;
    ch.declare_with(Queue::new(&q).arg("x-unknown", 2).arg("another", "z"))?;
    ch.declare(&q).map(drop)
}

fn reserved(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let text = "queue name 'amq.foo' contains reserved prefix 'amq.*'";
    ch.refused(&Queue::new("amq.foo").method(), 403, text)
}

fn declare_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.send(&Queue::new(&q).nowait().method())?;
    ch.expect_silence()?;
    ch.depth(&q).map(drop)
}

fn longest_name(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let mut q = ctx.name("q");
    q.push_str(&"n".repeat(255 - q.len()));
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.publish("", &q, "m")?;
    check_eq!(ch.wait_get(&q)?.key, q);
    Ok(())
}

fn strip(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    check_eq!(ch.declare(format!("{q}\r\n"))?.queue, q);
    ch.depth(&q).map(drop)
}
