//! Scenarios: headers exchanges.

use crate::prelude::*;

use super::exchanges::{Router, routed};

const SOURCE: &str = "RabbitMQ, features 1.8, trap 24";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "headers.all",
        "x-match all, or none given: every binding header must match, others may be there",
        SOURCE,
        |ctx| {
            for binding in [two(), two().with("x-match", "all")] {
                yes(ctx, &binding, two())?;
                yes(ctx, &binding, two().with("c", 3))?;
                no(ctx, &binding, Table::new().with("a", 1))?;
                no(ctx, &binding, Table::new().with("a", 1).with("b", 3))?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "headers.any",
        "x-match any: one equal header is enough",
        SOURCE,
        |ctx| {
            let binding = two().with("x-match", "any");
            yes(ctx, &binding, Table::new().with("a", 1))?;
            yes(ctx, &binding, Table::new().with("a", 9).with("b", 2))?;
            no(ctx, &binding, Table::new().with("a", 9))?;
            no(ctx, &binding, Table::new().with("c", 1))
        },
    ),
    Scenario::new(
        "headers.empty",
        "a binding without headers matches everything with all and nothing with any",
        SOURCE,
        |ctx| {
            for mode in ["all", "all-with-x"] {
                let binding = Table::new().with("x-match", mode);
                yes(ctx, &binding, Table::new())?;
                yes(ctx, &binding, two())?;
            }
            yes(ctx, &Table::new(), two())?;
            for mode in ["any", "any-with-x"] {
                let binding = Table::new().with("x-match", mode);
                no(ctx, &binding, Table::new())?;
                no(ctx, &binding, two())?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "headers.no-headers",
        "a message without the headers property is matched like one with an empty table",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "headers"))?;
            r.ch.bind_args(&r.q, &r.x, "", two().with("x-match", "any"))?;
            check!(!r.routes("")?);
            r.bind("")?;
            check!(r.routes("")?);
            Ok(())
        },
    ),
    Scenario::new(
        "headers.routing-key-ignored",
        "the routing keys mean nothing",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "headers"))?;
            r.ch.bind_args(&r.q, &r.x, "key", Table::new().with("a", 1))?;
            check!(!r.routes("key")?);
            let props = Props::new().header("a", 1);
            check!(routed(&r.ch, Publish::new(&r.x, "other").props(props))?);
            Ok(())
        },
    ),
    Scenario::new(
        "headers.x-skipped",
        "with all and any, binding headers that begin with x- are skipped",
        SOURCE,
        |ctx| {
            let binding = Table::new().with("x-a", 1);
            yes(ctx, &binding, Table::new().with("x-a", 2))?;
            yes(ctx, &binding, Table::new())?;
            let binding = Table::new().with("x-a", 1).with("x-match", "any");
            no(ctx, &binding, Table::new().with("x-a", 1))?;
            let binding = Table::new()
                .with("x-a", 1)
                .with("b", 2)
                .with("x-match", "any");
            no(ctx, &binding, Table::new().with("x-a", 1))?;
            yes(ctx, &binding, Table::new().with("b", 2))
        },
    ),
    Scenario::new(
        "headers.all-with-x",
        "all-with-x compares x- headers too",
        SOURCE,
        |ctx| {
            let binding = Table::new()
                .with("x-a", 1)
                .with("b", 2)
                .with("x-match", "all-with-x");
            yes(ctx, &binding, Table::new().with("x-a", 1).with("b", 2))?;
            no(ctx, &binding, Table::new().with("b", 2))?;
            no(ctx, &binding, Table::new().with("x-a", 9).with("b", 2))
        },
    ),
    Scenario::new(
        "headers.any-with-x",
        "any-with-x lets an x- header be the one that matches",
        SOURCE,
        |ctx| {
            let binding = Table::new()
                .with("x-a", 1)
                .with("b", 2)
                .with("x-match", "any-with-x");
            yes(ctx, &binding, Table::new().with("x-a", 1))?;
            yes(ctx, &binding, Table::new().with("b", 2))?;
            no(ctx, &binding, Table::new().with("x-a", 2))
        },
    ),
    Scenario::new(
        "headers.x-match-itself",
        "x-match itself is never compared",
        SOURCE,
        |ctx| {
            let binding = Table::new().with("x-match", "all-with-x");
            yes(
                ctx,
                &binding,
                Table::new().with("x-match", "something else"),
            )
        },
    ),
    Scenario::new(
        "headers.void",
        "a void value in the binding asks only whether the header is there",
        SOURCE,
        |ctx| {
            let binding = Table::new().with("a", Value::Void);
            yes(ctx, &binding, Table::new().with("a", 1))?;
            yes(ctx, &binding, Table::new().with("a", "text"))?;
            yes(ctx, &binding, Table::new().with("a", Value::Void))?;
            no(ctx, &binding, Table::new().with("b", 1))?;
            let any = Table::new()
                .with("a", Value::Void)
                .with("b", 2)
                .with("x-match", "any");
            yes(ctx, &any, Table::new().with("a", "text"))?;
            no(
                ctx,
                &Table::new().with("a", 1),
                Table::new().with("a", Value::Void),
            )
        },
    ),
    Scenario::new(
        "headers.numbers",
        "all integer types, timestamps and floats compare by value",
        SOURCE,
        numbers,
    ),
    Scenario::new(
        "headers.types-differ",
        "a number equals no string, boolean, decimal or void",
        SOURCE,
        |ctx| {
            let binding = Table::new().with("a", 1);
            for value in [
                Value::from("1"),
                Value::Bool(true),
                Value::Decimal(0, 1),
                Value::Void,
                Value::Bytes(b"1".to_vec()),
                Value::F64(1.5),
                Value::I64(1 << 40),
            ] {
                no(ctx, &binding, Table::new().with("a", value))?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "headers.strings",
        "a long string equals a byte array of the same bytes; case counts",
        SOURCE,
        |ctx| {
            let (text, bytes) = (Value::from("v"), Value::Bytes(b"v".to_vec()));
            let with = |v: &Value| Table::new().with("a", v.clone());
            yes(ctx, &with(&text), with(&text))?;
            yes(ctx, &with(&text), with(&bytes))?;
            yes(ctx, &with(&bytes), with(&text))?;
            no(ctx, &with(&text), with(&"V".into()))?;
            no(ctx, &with(&text), with(&"".into()))?;
            no(ctx, &Table::new().with("A", 1), Table::new().with("a", 1))
        },
    ),
    Scenario::new(
        "headers.booleans",
        "booleans equal booleans of the same value",
        SOURCE,
        |ctx| {
            let binding = Table::new().with("a", true);
            yes(ctx, &binding, Table::new().with("a", true))?;
            no(ctx, &binding, Table::new().with("a", false))
        },
    ),
    Scenario::new(
        "headers.composite",
        "arrays, tables and decimals are equal when they are the same, types included",
        SOURCE,
        composite,
    ),
    Scenario::new(
        "headers.x-match.unknown",
        "an x-match that is none of the four is refused at bind, with its value",
        "features 1.4",
        |ctx| {
            refused(
                ctx,
                "foo".into(),
                "field value <<\"foo\">>; expected all, any, all-with-x, or any-with-x",
            )?;
            refused(
                ctx,
                "".into(),
                "field value <<>>; expected all, any, all-with-x, or any-with-x",
            )
        },
    ),
    Scenario::new(
        "headers.x-match.type",
        "an x-match of another type is refused at bind, with type and value",
        "RabbitMQ",
        |ctx| {
            let longstr = "expected longstr";
            let int = format!("field type signedint (value 1); {longstr}");
            refused(ctx, Value::I32(1), &int)?;
            let void = format!("field type void (value undefined); {longstr}");
            refused(ctx, Value::Void, &void)?;
            let bytes = format!("field type binary (value <<\"all\">>); {longstr}");
            refused(ctx, Value::Bytes(b"all".to_vec()), &bytes)
        },
    ),
    Scenario::new(
        "headers.many-bindings",
        "several bindings of a queue each match by themselves, one copy comes",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "headers"))?;
            for n in 1..4 {
                r.ch.bind_args(&r.q, &r.x, "", Table::new().with("n", n))?;
            }
            r.ch.bind_args(&r.q, &r.x, "", Table::new().with("m", 1))?;
            let both = Props::new().header("n", 2).header("m", 1);
            check!(routed(&r.ch, Publish::new(&r.x, "").props(both))?);
            check_eq!(r.ch.get_all(&r.q)?.len(), 1);
            let none = Props::new().header("n", 4);
            check!(!routed(&r.ch, Publish::new(&r.x, "").props(none))?);
            Ok(())
        },
    ),
];

fn two() -> Table {
    Table::new().with("a", 1).with("b", 2)
}

fn matches(ctx: &mut Ctx, binding: &Table, headers: Table) -> Result<bool> {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "headers"))?;
    r.ch.bind_args(&r.q, &r.x, "", binding.clone())?;
    let got = routed(
        &r.ch,
        Publish::new(&r.x, "").props(Props::new().headers(headers)),
    )?;
    r.ch.unbind_args(&r.q, &r.x, "", binding.clone())?;
    check!(!r.routes("")?, "unbound");
    Ok(got)
}

fn yes(ctx: &mut Ctx, binding: &Table, headers: Table) -> Result {
    check!(
        matches(ctx, binding, headers.clone())?,
        "{binding:?} does not match {headers:?}"
    );
    Ok(())
}

fn no(ctx: &mut Ctx, binding: &Table, headers: Table) -> Result {
    check!(
        !matches(ctx, binding, headers.clone())?,
        "{binding:?} matches {headers:?}"
    );
    Ok(())
}

fn numbers(ctx: &mut Ctx) -> Result {
    let ones = [
        Value::I8(1),
        Value::U8(1),
        Value::I16(1),
        Value::U16(1),
        Value::I32(1),
        Value::U32(1),
        Value::I64(1),
        Value::Timestamp(1),
        Value::F32(1.0),
        Value::F64(1.0),
    ];
    for other in &ones {
        yes(
            ctx,
            &Table::new().with("a", 1),
            Table::new().with("a", other.clone()),
        )?;
        yes(
            ctx,
            &Table::new().with("a", other.clone()),
            Table::new().with("a", Value::I64(1)),
        )?;
    }
    Ok(())
}

fn composite(ctx: &mut Ctx) -> Result {
    let with = |v: Value| Table::new().with("a", v);
    let array = |b: Value| with(Value::Array(vec![Value::I32(1), b]));
    yes(ctx, &array(Value::I32(2)), array(Value::I32(2)))?;
    no(ctx, &array(Value::I32(2)), array(Value::I64(2)))?;
    let table = |n: i32| with(Value::Table(Table::new().with("k", n)));
    yes(ctx, &table(1), table(1))?;
    no(ctx, &table(1), table(2))?;
    yes(ctx, &with(Value::Decimal(1, 5)), with(Value::Decimal(1, 5)))?;
    no(
        ctx,
        &with(Value::Decimal(1, 50)),
        with(Value::Decimal(0, 5)),
    )
}

fn refused(ctx: &mut Ctx, x_match: Value, rest: &str) -> Result {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "headers"))?;
    let bind = method("queue.bind")
        .set("queue", &r.q)
        .set("exchange", &r.x)
        .set("arguments", Table::new().with("x-match", x_match));
    r.ch.refused(&bind, 406, format!("Invalid x-match {rest}"))
}
