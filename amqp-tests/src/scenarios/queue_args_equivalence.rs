//! Scenarios: whether a second declaration is equivalent to the first.

use crate::prelude::*;

use super::queue_semantics::put;

const SOURCE: &str = "RabbitMQ, features 1.4 (406), trap 12";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "args.equal.durable",
        "a redeclaration that differs in durable is refused, both ways",
        SOURCE,
        |ctx| {
            let current = "'durable' received 'true' but current is 'false'";
            unequal(ctx, |q| q, |q| q.durable(), current)?;
            unequal(
                ctx,
                |q| q.durable(),
                |q| q,
                "'durable' received 'false' but current is 'true'",
            )
        },
    ),
    Scenario::new(
        "args.equal.auto-delete",
        "a redeclaration that differs in auto_delete is refused, named with an underscore",
        SOURCE,
        |ctx| {
            let text = "'auto_delete' received 'true' but current is 'false'";
            unequal(ctx, |q| q, |q| q.auto_delete(), text)
        },
    ),
    Scenario::new(
        "args.equal.durable-first",
        "durable is compared before auto_delete, both before arguments",
        SOURCE,
        |ctx| {
            let durable = "'durable' received 'true' but current is 'false'";
            unequal(
                ctx,
                |q| q,
                |q| q.durable().auto_delete().arg("x-max-length", 1),
                durable,
            )?;
            let auto = "'auto_delete' received 'true' but current is 'false'";
            unequal(ctx, |q| q, |q| q.auto_delete().arg("x-max-length", 1), auto)
        },
    ),
    Scenario::new(
        "args.equal.exclusive",
        "a redeclaration that differs in exclusive is 405, also for the owner",
        "trap 11",
        exclusive,
    ),
    Scenario::new(
        "args.equal.exclusive-durable",
        "an exclusive queue is stored non-durable and durable is then not compared",
        "features 1.2 queue.declare",
        |ctx| equal(ctx, |q| q.exclusive(), |q| q.exclusive().durable()),
    ),
    Scenario::new(
        "args.equal.none-but-current",
        "an argument that is missing in the second declaration is named with value and type",
        SOURCE,
        missing,
    ),
    Scenario::new(
        "args.equal.current-is-none",
        "an argument that is new in the second declaration is named with value and type",
        SOURCE,
        added,
    ),
    Scenario::new(
        "args.equal.values",
        "two different values are named without types",
        SOURCE,
        |ctx| {
            unequal(
                ctx,
                |q| q.arg("x-message-ttl", 1000),
                |q| q.arg("x-message-ttl", 2000),
                "'x-message-ttl' received '2000' but current is '1000'",
            )?;
            unequal(
                ctx,
                |q| q.arg("x-dead-letter-exchange", "a"),
                |q| q.arg("x-dead-letter-exchange", "b"),
                "'x-dead-letter-exchange' received 'b' but current is 'a'",
            )
        },
    ),
    Scenario::new(
        "args.equal.routing-key",
        "x-dead-letter-routing-key is compared too",
        SOURCE,
        |ctx| {
            unequal(
                ctx,
                |q| {
                    q.arg("x-dead-letter-exchange", "a")
                        .arg("x-dead-letter-routing-key", "k")
                },
                |q| q.arg("x-dead-letter-exchange", "a"),
                "'x-dead-letter-routing-key' received none but current is the value 'k' \
                 of type 'longstr'",
            )
        },
    ),
    Scenario::new(
        "args.equal.type",
        "a number and a string of the same digits are not equal",
        SOURCE,
        |ctx| {
            unequal(
                ctx,
                |q| q.arg("x-message-ttl", 1000),
                |q| q.arg("x-message-ttl", "1000"),
                "'x-message-ttl' received '1000' but current is '1000'",
            )
        },
    ),
    Scenario::new(
        "args.equal.width",
        "the width of an integer does not matter",
        SOURCE,
        widths,
    ),
    Scenario::new(
        "args.equal.before-validation",
        "a second declaration is compared before its values are checked",
        SOURCE,
        |ctx| {
            unequal(
                ctx,
                |q| q.arg("x-message-ttl", 1000),
                |q| q.arg("x-message-ttl", -5),
                "'x-message-ttl' received '-5' but current is '1000'",
            )
        },
    ),
    Scenario::new(
        "args.equal.unknown",
        "unknown arguments are not compared",
        SOURCE,
        |ctx| {
            equal(ctx, |q| q.arg("x-foo", 1), |q| q.arg("x-foo", 2))?;
            equal(ctx, |q| q.arg("x-foo", 1), |q| q)?;
            equal(ctx, |q| q, |q| q.arg("x-foo", "new"))
        },
    ),
    Scenario::new(
        "args.equal.classic-is-default",
        "x-queue-type classic equals no x-queue-type",
        SOURCE,
        |ctx| {
            equal(ctx, |q| q, |q| q.arg("x-queue-type", "classic"))?;
            equal(ctx, |q| q.arg("x-queue-type", "classic"), |q| q)
        },
    ),
    Scenario::new(
        "args.equal.order",
        "the order of arguments does not matter",
        SOURCE,
        |ctx| {
            equal(
                ctx,
                |q| q.arg("x-max-length", 1).arg("x-message-ttl", 1000),
                |q| q.arg("x-message-ttl", 1000).arg("x-max-length", 1),
            )
        },
    ),
    Scenario::new(
        "args.equal.counts",
        "an equivalent declaration answers with the queue's counts and changes nothing",
        "AMQP 0-9-1 queue.declare-ok",
        counts,
    ),
    Scenario::new(
        "args.equal.passive",
        "a passive declaration compares nothing",
        "AMQP 0-9-1 queue.declare",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(Queue::new(&q).arg("x-max-length", 1))?;
            let other = Queue::new(&q)
                .passive()
                .durable()
                .auto_delete()
                .arg("x-max-length", -2);
            check_eq!(ch.declare_with(other)?.queue, q);
            Ok(())
        },
    ),
    Scenario::new(
        "args.equal.kept",
        "a refused redeclaration leaves the queue and its messages as they were",
        SOURCE,
        kept,
    ),
];

type Build = fn(Queue) -> Queue;

fn unequal(ctx: &mut Ctx, first: Build, second: Build, what: &str) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(first(Queue::new(&q)))?;
    let (key, rest) = what.split_once(' ').unwrap_or((what, ""));
    let text = format!(
        "inequivalent arg {key} for queue '{q}' in vhost '{}': {rest}",
        ctx.vhost()
    );
    ch.refused(&second(Queue::new(&q)).method(), 406, text)?;
    ch.reopen()?.delete(&q).map(drop)
}

fn equal(ctx: &mut Ctx, first: Build, second: Build) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(first(Queue::new(&q)))?;
    check_eq!(ch.declare_with(second(Queue::new(&q)))?.queue, q);
    ch.delete(&q).map(drop)
}

fn exclusive(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let text = format!(
        "cannot obtain exclusive access to locked queue '{q}' in vhost '{}'. It could be \
         originally declared on another connection or the exclusive property value does not \
         match that of the original declaration.",
        ctx.vhost()
    );
    ch.declare_with(Queue::new(&q).exclusive())?;
    ch.refused(&Queue::new(&q).method(), 405, &text)?;
    let ch = ch.reopen()?;
    ch.delete(&q)?;
    ch.declare(&q)?;
    ch.refused(&Queue::new(&q).exclusive().method(), 405, &text)
}

/// Every argument a classic queue compares, with the words for its value.
fn compared() -> Vec<(&'static str, Value, &'static str)> {
    vec![
        (
            "x-message-ttl",
            Value::I32(60_000),
            "'60000' of type 'signedint'",
        ),
        (
            "x-expires",
            Value::I32(60_000),
            "'60000' of type 'signedint'",
        ),
        ("x-max-length", Value::I64(1), "'1' of type 'long'"),
        ("x-max-length-bytes", Value::I16(1), "'1' of type 'short'"),
        (
            "x-overflow",
            "drop-head".into(),
            "'drop-head' of type 'longstr'",
        ),
        (
            "x-dead-letter-exchange",
            "a".into(),
            "'a' of type 'longstr'",
        ),
        ("x-max-priority", Value::U8(3), "'3' of type 'unsignedbyte'"),
        (
            "x-single-active-consumer",
            true.into(),
            "'true' of type 'bool'",
        ),
        ("x-queue-mode", "lazy".into(), "'lazy' of type 'longstr'"),
        ("x-queue-version", Value::I32(1), "'1' of type 'signedint'"),
        (
            "x-queue-master-locator",
            "random".into(),
            "'random' of type 'longstr'",
        ),
    ]
}

fn missing(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    for (at, (key, value, words)) in (1..).zip(compared()) {
        let ch = conn.channel(at)?;
        let q = ctx.queue(key);
        ch.declare_with(Queue::new(&q).arg(key, value))?;
        let text = format!(
            "inequivalent arg '{key}' for queue '{q}' in vhost '{}': \
             received none but current is the value {words}",
            ctx.vhost()
        );
        ch.refused(&Queue::new(&q).method(), 406, text)?;
    }
    Ok(())
}

fn added(ctx: &mut Ctx) -> Result {
    let conn = ctx.connect()?;
    for (at, (key, value, words)) in (1..).zip(compared()) {
        let ch = conn.channel(at)?;
        let q = ctx.queue(key);
        ch.declare(&q)?;
        let text = format!(
            "inequivalent arg '{key}' for queue '{q}' in vhost '{}': \
             received the value {words} but current is none",
            ctx.vhost()
        );
        ch.refused(&Queue::new(&q).arg(key, value).method(), 406, text)?;
    }
    Ok(())
}

fn widths(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-message-ttl", Value::I8(100)))?;
    for same in [
        Value::U8(100),
        Value::I16(100),
        Value::U16(100),
        Value::I32(100),
        Value::U32(100),
        Value::I64(100),
    ] {
        check_eq!(
            ch.declare_with(Queue::new(&q).arg("x-message-ttl", same))?
                .queue,
            q
        );
    }
    let text = format!(
        "inequivalent arg 'x-message-ttl' for queue '{q}' in vhost '{}': \
         received '101' but current is '100'",
        ctx.vhost()
    );
    ch.refused(
        &Queue::new(&q)
            .arg("x-message-ttl", Value::I64(101))
            .method(),
        406,
        text,
    )
}

fn counts(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    put(&ch, &q, &["1", "2", "3"])?;
    let again = ch.declare(&q)?;
    check_eq!((again.messages, again.consumers), (3, 0));
    ch.qos(1)?;
    ch.consume(&q)?;
    ch.expect_delivery("1")?;
    let again = ch.declare(&q)?;
    check_eq!(
        (again.messages, again.consumers),
        (2, 1),
        "ready messages and consumers"
    );
    Ok(())
}

fn kept(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(Queue::new(&q).arg("x-max-length", 5))?;
    ch.publish("", &q, "stays")?;
    let text = format!(
        "inequivalent arg 'x-max-length' for queue '{q}' in vhost '{}': \
         received '0' but current is '5'",
        ctx.vhost()
    );
    ch.refused(&Queue::new(&q).arg("x-max-length", 0).method(), 406, text)?;
    let ch = ch.reopen()?;
    check_eq!(ch.get_all(&q)?, ["stays"]);
    Ok(())
}
