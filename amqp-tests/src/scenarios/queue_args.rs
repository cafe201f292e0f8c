//! Scenarios: the arguments of a classic queue, their types and bounds.

use crate::prelude::*;

const SOURCE: &str = "RabbitMQ, features 1.5";

/// The largest number of milliseconds RabbitMQ takes: ten years.
const TEN_YEARS: i64 = 315_360_000_000;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "args.int.widths",
        "a number may come in any signed or unsigned integer type",
        SOURCE,
        widths,
    ),
    Scenario::new(
        "args.int.wrong-type",
        "a number of any other type is refused with the name of its type",
        SOURCE,
        wrong_types,
    ),
    Scenario::new(
        "args.ttl.bounds",
        "x-message-ttl is 0 to ten years; -1 and more are refused",
        SOURCE,
        |ctx| {
            taken(ctx, "x-message-ttl", [Value::I32(0), Value::I64(TEN_YEARS)])?;
            bad(ctx, "x-message-ttl", Value::I32(-1), "{value_negative,-1}")?;
            let large = Value::I64(TEN_YEARS + 1);
            bad(
                ctx,
                "x-message-ttl",
                large,
                "{value_too_large,315360000001}",
            )
        },
    ),
    Scenario::new(
        "args.expires.bounds",
        "x-expires is 1 to ten years; 0, -1 and more are refused",
        SOURCE,
        |ctx| {
            taken(
                ctx,
                "x-expires",
                [Value::I32(60_000), Value::I64(TEN_YEARS)],
            )?;
            bad(ctx, "x-expires", Value::I32(0), "{value_zero,0}")?;
            bad(ctx, "x-expires", Value::I32(-1), "{value_negative,-1}")?;
            let large = Value::I64(TEN_YEARS + 1);
            bad(ctx, "x-expires", large, "{value_too_large,315360000001}")
        },
    ),
    Scenario::new(
        "args.max-length.bounds",
        "x-max-length is any number from 0 up",
        SOURCE,
        |ctx| {
            taken(ctx, "x-max-length", [Value::I32(0), Value::I64(i64::MAX)])?;
            bad(ctx, "x-max-length", Value::I32(-1), "{value_negative,-1}")
        },
    ),
    Scenario::new(
        "args.max-length-bytes.bounds",
        "x-max-length-bytes is any number from 0 up",
        SOURCE,
        |ctx| {
            taken(
                ctx,
                "x-max-length-bytes",
                [Value::I32(0), Value::I64(i64::MAX)],
            )?;
            bad(
                ctx,
                "x-max-length-bytes",
                Value::I32(-7),
                "{value_negative,-7}",
            )
        },
    ),
    Scenario::new(
        "args.max-priority.bounds",
        "x-max-priority is 0 to 255",
        SOURCE,
        |ctx| {
            taken(ctx, "x-max-priority", [Value::I32(0), Value::I32(255)])?;
            bad(
                ctx,
                "x-max-priority",
                Value::I32(256),
                "{max_value_exceeded,256}",
            )?;
            bad(ctx, "x-max-priority", Value::I32(-1), "{value_negative,-1}")
        },
    ),
    Scenario::new(
        "args.overflow.values",
        "x-overflow is drop-head, reject-publish or reject-publish-dlx",
        SOURCE,
        |ctx| {
            taken(
                ctx,
                "x-overflow",
                [
                    "drop-head".into(),
                    "reject-publish".into(),
                    "reject-publish-dlx".into(),
                ],
            )?;
            bad(ctx, "x-overflow", "drop-tail".into(), "invalid_overflow")?;
            bad(ctx, "x-overflow", "".into(), "invalid_overflow")
        },
    ),
    Scenario::new(
        "args.overflow.type",
        "x-overflow of another type than long string is refused",
        SOURCE,
        |ctx| {
            bad(
                ctx,
                "x-overflow",
                Value::I32(1),
                "{unacceptable_type,signedint}",
            )?;
            bad(
                ctx,
                "x-overflow",
                Value::Bool(true),
                "{unacceptable_type,bool}",
            )?;
            bad(ctx, "x-overflow", Value::Void, "{unacceptable_type,void}")?;
            let bytes = Value::Bytes(b"drop-head".to_vec());
            bad(ctx, "x-overflow", bytes, "{unacceptable_type,binary}")
        },
    ),
    Scenario::new(
        "args.dlx.values",
        "x-dead-letter-exchange may be any name, also of what does not exist or the default one",
        SOURCE,
        |ctx| {
            taken(
                ctx,
                "x-dead-letter-exchange",
                ["".into(), "does.not.exist".into()],
            )
        },
    ),
    Scenario::new(
        "args.dlx.type",
        "x-dead-letter-exchange of another type is refused in words of its own",
        SOURCE,
        dlx_type,
    ),
    Scenario::new(
        "args.dlrk.needs-dlx",
        "x-dead-letter-routing-key without x-dead-letter-exchange is refused",
        "trap 23",
        |ctx| {
            let why = "routing_key_but_no_dlx_defined";
            bad(ctx, "x-dead-letter-routing-key", "k".into(), why)?;
            bad(ctx, "x-dead-letter-routing-key", "".into(), why)
        },
    ),
    Scenario::new(
        "args.dlrk.type",
        "x-dead-letter-routing-key of another type is refused, with a DLX or without",
        SOURCE,
        dlrk_type,
    ),
    Scenario::new(
        "args.sac.type",
        "x-single-active-consumer is a boolean",
        SOURCE,
        |ctx| {
            let key = "x-single-active-consumer";
            taken(ctx, key, [true.into(), false.into()])?;
            bad(ctx, key, "true".into(), "{unacceptable_type,longstr}")?;
            bad(ctx, key, Value::I32(1), "{unacceptable_type,signedint}")?;
            bad(ctx, key, Value::Void, "{unacceptable_type,void}")
        },
    ),
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

/// RabbitMQ's words for a bad argument value.
pub(super) fn invalid(ctx: &Ctx, key: &str, queue: &str, why: &str) -> String {
    format!(
        "invalid arg '{key}' for queue '{queue}' in vhost '{}': {why}",
        ctx.vhost()
    )
}

fn of_classic(ctx: &Ctx, key: &str, queue: &str) -> String {
    format!(
        "invalid arg '{key}' for queue '{queue}' in vhost '{}' of queue type rabbit_classic_queue",
        ctx.vhost()
    )
}

/// Declares, with each value, a queue that must come into being.
fn taken<const N: usize>(ctx: &mut Ctx, key: &str, values: [Value; N]) -> Result {
    let ch = ctx.channel()?;
    for value in values {
        let q = ctx.queue("taken");
        check_eq!(ch.declare_with(Queue::new(&q).arg(key, value))?.queue, q);
        ch.delete(&q)?;
    }
    Ok(())
}

/// Declares with a value that must be refused in these words.
fn bad(ctx: &mut Ctx, key: &str, value: Value, why: &str) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("bad");
    ch.refused(
        &Queue::new(&q).arg(key, value).method(),
        406,
        invalid(ctx, key, &q, why),
    )
}

fn widths(ctx: &mut Ctx) -> Result {
    for key in [
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
    ] {
        let values = [
            Value::I8(100),
            Value::U8(200),
            Value::I16(20_000),
            Value::U16(60_000),
            Value::I32(60_000),
            Value::U32(4_000_000_000),
            Value::I64(60_000),
        ];
        taken(ctx, key, values)?;
    }
    taken(
        ctx,
        "x-max-priority",
        [Value::I8(5), Value::U8(200), Value::U16(9), Value::I64(3)],
    )
}

fn wrong_types(ctx: &mut Ctx) -> Result {
    let keys = [
        "x-message-ttl",
        "x-expires",
        "x-max-length",
        "x-max-length-bytes",
        "x-max-priority",
    ];
    for key in keys {
        for (value, kind) in [
            (Value::from("10"), "longstr"),
            (Value::Bool(true), "bool"),
            (Value::F64(1.0), "double"),
            (Value::F32(1.0), "float"),
            (Value::Void, "void"),
            (Value::Timestamp(5), "timestamp"),
            (Value::Decimal(0, 5), "decimal"),
            (Value::Array(vec![Value::I32(1)]), "array"),
            (Value::Table(Table::new()), "table"),
            (Value::Bytes(b"5".to_vec()), "binary"),
        ] {
            bad(
                ctx,
                key,
                value,
                &format!("\"expected integer, got {kind}\""),
            )?;
        }
    }
    Ok(())
}

fn dlx_type(ctx: &mut Ctx) -> Result {
    for (value, kind) in [
        (Value::I32(1), "signedint"),
        (Value::Bool(true), "bool"),
        (Value::Void, "void"),
        (Value::Bytes(b"e".to_vec()), "binary"),
    ] {
        let ch = ctx.channel()?;
        let q = ctx.queue("q");
        let text = format!(
            "invalid type '{kind}' for arg 'x-dead-letter-exchange' in queue '{q}' in vhost '{}'",
            ctx.vhost()
        );
        ch.refused(
            &Queue::new(&q).arg("x-dead-letter-exchange", value).method(),
            406,
            text,
        )?;
    }
    Ok(())
}

fn dlrk_type(ctx: &mut Ctx) -> Result {
    let key = "x-dead-letter-routing-key";
    bad(ctx, key, Value::I32(1), "{unacceptable_type,signedint}")?;
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let declare = Queue::new(&q)
        .arg("x-dead-letter-exchange", "")
        .arg(key, Value::I32(1));
    ch.refused(
        &declare.method(),
        406,
        invalid(ctx, key, &q, "{unacceptable_type,signedint}"),
    )?;
    let declare = Queue::new(&q)
        .arg("x-dead-letter-exchange", "")
        .arg(key, "");
    check_eq!(
        ch.reopen()?.declare_with(declare)?.queue,
        q,
        "an empty key with a DLX"
    );
    Ok(())
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
