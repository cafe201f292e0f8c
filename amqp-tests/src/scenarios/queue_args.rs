//! Scenarios: arguments of classic queues, their types and bounds.

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
];

/// RabbitMQ's words for a bad argument value.
pub(super) fn invalid(ctx: &Ctx, key: &str, queue: &str, why: &str) -> String {
    format!(
        "invalid arg '{key}' for queue '{queue}' in vhost '{}': {why}",
        ctx.vhost()
    )
}

/// Declares, with each value, a queue that must come into being.
pub(super) fn taken<const N: usize>(ctx: &mut Ctx, key: &str, values: [Value; N]) -> Result {
    let ch = ctx.channel()?;
    for value in values {
        let q = ctx.queue("taken");
        check_eq!(ch.declare_with(Queue::new(&q).arg(key, value))?.queue, q);
        ch.delete(&q)?;
    }
    Ok(())
}

/// Declares with a value that must be refused in these words.
pub(super) fn bad(ctx: &mut Ctx, key: &str, value: Value, why: &str) -> Result {
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
