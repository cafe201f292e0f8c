//! Scenarios: queue types and modes, and which arguments a classic queue knows.

use crate::prelude::*;

use super::queue_args::{bad, invalid, taken};

const SOURCE: &str = "RabbitMQ, features 1.5";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "args.queue-type.values",
        "x-queue-type classic is accepted, an unknown type is refused by name",
        SOURCE,
        |ctx| {
            taken(ctx, "x-queue-type", ["classic".into()])?;
            bad(
                ctx,
                "x-queue-type",
                "foo".into(),
                "\"unsupported queue type 'foo'\"",
            )?;
            bad(
                ctx,
                "x-queue-type",
                "".into(),
                "\"unsupported queue type ''\"",
            )
        },
    ),
    Scenario::new(
        "args.queue-type.type",
        "x-queue-type of another type than long string is refused",
        SOURCE,
        |ctx| {
            bad(
                ctx,
                "x-queue-type",
                Value::I32(1),
                "{unacceptable_type,signedint}",
            )?;
            bad(ctx, "x-queue-type", Value::Void, "{unacceptable_type,void}")
        },
    ),
    Scenario::new(
        "args.queue-type.server-named",
        "an unknown x-queue-type on a server-named declare is refused as on a named one",
        "features 1.4 (541 is RabbitMQ's defect)",
        type_server_named,
    )
    .deviation("RabbitMQ's reader crashes with 541 on the connection"),
    Scenario::new(
        "args.queue-mode.values",
        "x-queue-mode is default or lazy",
        SOURCE,
        |ctx| {
            taken(ctx, "x-queue-mode", ["default".into(), "lazy".into()])?;
            bad(
                ctx,
                "x-queue-mode",
                "eager".into(),
                "\"unsupported queue mode 'eager'\"",
            )?;
            bad(
                ctx,
                "x-queue-mode",
                Value::I32(1),
                "{unacceptable_type,signedint}",
            )
        },
    ),
    Scenario::new(
        "args.queue-version.values",
        "x-queue-version is 1 or 2",
        SOURCE,
        |ctx| {
            taken(ctx, "x-queue-version", [Value::I32(1), Value::I64(2)])?;
            bad(
                ctx,
                "x-queue-version",
                Value::I32(0),
                "\"unsupported queue version '0'\"",
            )?;
            bad(
                ctx,
                "x-queue-version",
                Value::I32(3),
                "\"unsupported queue version '3'\"",
            )?;
            bad(
                ctx,
                "x-queue-version",
                "2".into(),
                "\"expected integer, got longstr\"",
            )
        },
    ),
    Scenario::new(
        "args.master-locator.values",
        "x-queue-master-locator takes RabbitMQ's three strategies",
        SOURCE,
        |ctx| {
            let values = ["client-local".into(), "min-masters".into(), "random".into()];
            taken(ctx, "x-queue-master-locator", values)
        },
    ),
    Scenario::new(
        "args.master-locator.unknown",
        "an unknown x-queue-master-locator is refused",
        "RabbitMQ (541 is its defect)",
        locator_unknown,
    )
    .deviation("RabbitMQ's channel crashes with 541 on the connection"),
    Scenario::new(
        "args.unknown.ignored",
        "arguments that RabbitMQ does not know are accepted with any value",
        SOURCE,
        |ctx| {
            taken(
                ctx,
                "x-no-such-argument",
                ["5".into(), Value::I32(-7), Value::Void],
            )?;
            taken(ctx, "x-priority", ["5".into()])?;
            taken(ctx, "x-cancel-on-ha-failover", [Value::I32(1)])?;
            taken(ctx, "alternate-exchange", [Value::I32(1)])
        },
    ),
    Scenario::new(
        "args.classic.unsupported",
        "arguments of other queue types are refused on a classic queue by name of the type",
        SOURCE,
        unsupported,
    ),
    Scenario::new(
        "args.classic.delivery-limit",
        "x-delivery-limit on a classic queue: refused by RabbitMQ 3.10, accepted here",
        "RULINGS 22",
        delivery_limit,
    )
    .deviation("a delivery limit works on every queue type here"),
    Scenario::new(
        "args.classic.delivery-limit.checked",
        "a delivery limit that is no integer is refused on a classic queue",
        "RULINGS 22",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            let declare = Queue::new(&q).arg("x-delivery-limit", "many").method();
            let text = ctx.on(
                of_classic(ctx, "x-delivery-limit", &q),
                invalid(
                    ctx,
                    "x-delivery-limit",
                    &q,
                    "\"expected integer, got longstr\"",
                ),
            );
            ch.refused(&declare, 406, text)
        },
    )
    .deviation("RabbitMQ 3.10 refuses the argument itself"),
    Scenario::new(
        "args.first-wrong-wins",
        "when nothing is declared after a refusal, the name stays free",
        SOURCE,
        nothing_declared,
    ),
    Scenario::new(
        "args.stream-type",
        "x-queue-type stream is refused clearly while streams are not served",
        "the broker core's scope",
        stream_type,
    )
    .deviation("RabbitMQ serves streams"),
];

fn of_classic(ctx: &Ctx, key: &str, queue: &str) -> String {
    format!(
        "invalid arg '{key}' for queue '{queue}' in vhost '{}' of queue type rabbit_classic_queue",
        ctx.vhost()
    )
}

fn type_server_named(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let declare = Queue::new("")
        .exclusive()
        .arg("x-queue-type", "foo")
        .method();
    ch.send(&declare)?;
    if ctx.is_rabbit() {
        return ch
            .conn
            .expect_close(541, (0, 0), Text::Whole("INTERNAL_ERROR".into()));
    }
    ch.expect_close(
        406,
        (50, 10),
        Text::contains("unsupported queue type 'foo'"),
    )
}

fn locator_unknown(ctx: &mut Ctx) -> Result {
    for value in [Value::from("nowhere"), Value::I32(1)] {
        let ch = ctx.channel()?;
        let q = ctx.queue("q");
        ch.send(&Queue::new(&q).arg("x-queue-master-locator", value).method())?;
        if ctx.is_rabbit() {
            ch.conn
                .expect_close(541, (0, 0), Text::Whole("INTERNAL_ERROR".into()))?;
        } else {
            let text = format!("invalid arg 'x-queue-master-locator' for queue '{q}'");
            ch.expect_close(406, (50, 10), Text::starts(text))?;
        }
    }
    Ok(())
}

fn unsupported(ctx: &mut Ctx) -> Result {
    for (key, value) in [
        ("x-dead-letter-strategy", Value::from("at-most-once")),
        ("x-quorum-initial-group-size", Value::I32(1)),
        ("x-max-in-memory-length", Value::I32(1)),
        ("x-max-in-memory-bytes", Value::I32(1)),
        ("x-queue-leader-locator", Value::from("client-local")),
        ("x-max-age", Value::from("1h")),
        ("x-stream-max-segment-size-bytes", Value::I32(1000)),
        ("x-initial-cluster-size", Value::I32(1)),
    ] {
        let ch = ctx.channel()?;
        let q = ctx.queue("q");
        let text = of_classic(ctx, key, &q);
        ch.refused(&Queue::new(&q).arg(key, value).method(), 406, text)?;
    }
    Ok(())
}

fn delivery_limit(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let declare = Queue::new(&q).arg("x-delivery-limit", 3);
    if ctx.is_rabbit() {
        return ch.refused(
            &declare.method(),
            406,
            of_classic(ctx, "x-delivery-limit", &q),
        );
    }
    ch.declare_with(declare.clone())?;
    check_eq!(ch.declare_with(declare)?.queue, q, "equivalent to itself");
    Ok(())
}

fn nothing_declared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.refused(
        &Queue::new(&q)
            .arg("x-max-length", 1)
            .arg("x-overflow", "x")
            .method(),
        406,
        invalid(ctx, "x-overflow", &q, "invalid_overflow"),
    )?;
    let ch = ch.reopen()?;
    let text = format!("no queue '{q}' in vhost '{}'", ctx.vhost());
    ch.refused(&Queue::new(&q).passive().method(), 404, text)?;
    check_eq!(
        ch.reopen()?.declare_with(Queue::new(&q).durable())?.queue,
        q
    );
    Ok(())
}

fn stream_type(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let declare = Queue::new(&q).durable().arg("x-queue-type", "stream");
    if ctx.is_rabbit() {
        check_eq!(ch.declare_with(declare)?.queue, q);
        return ch.delete(&q).map(drop);
    }
    ch.send(&declare.method())?;
    ch.expect_close(406, (50, 10), Text::contains("stream"))
}
