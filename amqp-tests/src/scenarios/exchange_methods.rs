//! Scenarios: class exchange, method by method.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "exchange.declare.again",
        "declaring an exchange again with equal properties succeeds",
        "AMQP 0-9-1 1.6.2.1",
        declare_again,
    ),
    Scenario::new(
        "exchange.declare.predeclared",
        "amq.direct, amq.fanout, amq.topic, amq.headers, amq.match and amq.rabbitmq.trace exist and are durable",
        "AMQP 0-9-1 3.1.3; RabbitMQ",
        predeclared,
    ),
    Scenario::new(
        "exchange.declare.passive_missing",
        "passive declare of a missing exchange is 404",
        "AMQP 0-9-1 1.6.2.1; features 1.4",
        passive_missing,
    ),
    Scenario::new(
        "exchange.declare.passive_ignores",
        "passive declare looks at the name only",
        "AMQP 0-9-1 1.6.2.1",
        passive_ignores,
    ),
    Scenario::new(
        "trap.10.exchange_type",
        "an unknown exchange type is 503 on the connection",
        "trap 10; features 1.2",
        unknown_type,
    ),
    Scenario::new(
        "exchange.declare.type_mismatch",
        "declaring with another type is 406 inequivalent arg 'type'",
        "features 1.4",
        type_mismatch,
    ),
    Scenario::new(
        "exchange.declare.durable_mismatch",
        "declaring with another durable flag is 406 inequivalent arg 'durable'",
        "features 1.4",
        |ctx| mismatch(ctx, "durable", "true", "false", |e| e.durable()),
    ),
    Scenario::new(
        "exchange.declare.auto_delete_mismatch",
        "declaring with another auto-delete flag is 406 inequivalent arg 'auto_delete'",
        "features 1.4",
        |ctx| mismatch(ctx, "auto_delete", "true", "false", |e| e.auto_delete()),
    ),
    Scenario::new(
        "exchange.declare.internal_mismatch",
        "declaring with another internal flag is 406 inequivalent arg 'internal'",
        "features 1.4",
        |ctx| mismatch(ctx, "internal", "true", "false", |e| e.internal()),
    ),
    Scenario::new(
        "exchange.declare.unknown_args",
        "arguments an exchange does not know are accepted and not compared",
        "RabbitMQ; trap 12",
        unknown_args,
    ),
    Scenario::new(
        "trap.12.alternate_none",
        "alternate-exchange where none was: received the value ... but current is none",
        "trap 12; features 1.4",
        alternate_added,
    ),
    Scenario::new(
        "exchange.declare.nowait",
        "exchange.declare with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.6.2.1",
        declare_nowait,
    ),
    Scenario::new(
        "trap.17.declare_amq",
        "declaring a new amq.* exchange is 403",
        "trap 17; features 1.4",
        declare_amq,
    ),
    Scenario::new(
        "exchange.declare.amq_existing",
        "declaring a predeclared exchange as it is succeeds, otherwise is 406",
        "RabbitMQ",
        declare_amq_existing,
    ),
    Scenario::new(
        "exchange.declare.default",
        "declaring the default exchange is 403",
        "features 1.4",
        declare_default,
    ),
    Scenario::new(
        "trap.13.exchange_declare",
        "CR and LF are stripped from an exchange's name in declare",
        "trap 13; features 1.2",
        strip_declare,
    ),
    Scenario::new(
        "trap.13.publish",
        "CR and LF are not stripped from the exchange name of basic.publish",
        "trap 13",
        strip_publish,
    ),
    Scenario::new(
        "trap.17.delete_missing",
        "deleting a missing exchange succeeds",
        "trap 17; features 1.2",
        |ctx| ctx.channel()?.exchange_delete(&ctx.name("missing")),
    ),
    Scenario::new(
        "trap.17.delete_amq",
        "deleting any amq.* exchange is 403, existing or not",
        "trap 17; features 1.4",
        delete_amq,
    ),
    Scenario::new(
        "exchange.delete.default",
        "deleting the default exchange is 403",
        "features 1.4",
        delete_default,
    ),
    Scenario::new(
        "exchange.delete.if_unused",
        "exchange.delete if-unused of an exchange with bindings is 406 in use, without it succeeds",
        "AMQP 0-9-1 1.6.2.3; features 1.4",
        delete_if_unused,
    ),
    Scenario::new(
        "exchange.delete.unbinds",
        "deleting an exchange removes its bindings",
        "AMQP 0-9-1 1.6.2.3",
        delete_unbinds,
    ),
    Scenario::new(
        "exchange.delete.nowait",
        "exchange.delete with nowait has no answer and takes effect",
        "AMQP 0-9-1 1.6.2.3",
        delete_nowait,
    ),
    Scenario::new(
        "exchange.auto_delete",
        "an auto-delete exchange goes with the last binding from it, not before the first",
        "features 1.2",
        auto_delete,
    ),
    Scenario::new(
        "exchange.internal",
        "publishing to an internal exchange is 403, routing through it works",
        "features 1.2, 1.4",
        internal,
    ),
    Scenario::new(
        "exchange.bind.routes",
        "an exchange-to-exchange binding routes, and unbind ends that",
        "RabbitMQ extension; features 1.2",
        e2e,
    ),
    Scenario::new(
        "exchange.bind.idempotent",
        "binding exchanges twice is one binding; unbinding what is not bound succeeds",
        "features 1.2; trap 17",
        e2e_idempotent,
    ),
    Scenario::new(
        "exchange.bind.missing",
        "binding a missing exchange at either end is 404",
        "features 1.4",
        e2e_missing,
    ),
    Scenario::new(
        "exchange.bind.default",
        "binding the default exchange at either end is 403",
        "features 1.4",
        e2e_default,
    ),
    Scenario::new(
        "exchange.bind.nowait",
        "exchange.bind and exchange.unbind with nowait have no answer and take effect",
        "RabbitMQ extension",
        e2e_nowait,
    ),
    Scenario::new(
        "exchange.declare.empty_type",
        "an empty exchange type is 503 on the connection",
        "RabbitMQ",
        |ctx| {
            let declare = Exchange::new(ctx.exchange("x"), "").method();
            ctx.channel()?
                .refused_hard(&declare, 503, "invalid exchange type ''")
        },
    ),
];

fn declare_again(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for kind in ["direct", "fanout", "topic", "headers"] {
        let x = ctx.exchange(kind);
        for _ in 0..2 {
            ch.exchange_with(Exchange::new(&x, kind).durable().auto_delete().internal())?;
        }
    }
    Ok(())
}

fn predeclared(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for (name, kind) in [
        ("amq.direct", "direct"),
        ("amq.fanout", "fanout"),
        ("amq.topic", "topic"),
        ("amq.headers", "headers"),
        ("amq.match", "headers"),
    ] {
        ch.exchange_with(Exchange::new(name, kind).durable())?;
    }
    ch.exchange_with(
        Exchange::new("amq.rabbitmq.trace", "topic")
            .durable()
            .internal(),
    )
}

fn no_exchange(ctx: &Ctx, x: &str) -> String {
    format!("no exchange '{x}' in vhost '{}'", ctx.vhost())
}

fn passive_missing(ctx: &mut Ctx) -> Result {
    let x = ctx.name("missing");
    let declare = Exchange::new(&x, "direct").passive().method();
    ctx.channel()?.refused(&declare, 404, no_exchange(ctx, &x))
}

fn passive_ignores(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "fanout")?;
    ch.exchange_with(
        Exchange::new(&x, "topic")
            .durable()
            .internal()
            .passive()
            .arg("a", 1),
    )?;
    ch.exchange_with(Exchange::new(&x, "").passive())
}

fn unknown_type(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let declare = Exchange::new(ctx.exchange("x"), "no-such-type").method();
    ch.refused_hard(&declare, 503, "unknown exchange type 'no-such-type'")
}

fn inequivalent(ctx: &Ctx, arg: &str, x: &str, got: &str, is: &str) -> String {
    format!(
        "inequivalent arg '{arg}' for exchange '{x}' in vhost '{}': received {got} but current is {is}",
        ctx.vhost()
    )
}

fn type_mismatch(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "fanout")?;
    let text = inequivalent(ctx, "type", &x, "'topic'", "'fanout'");
    ch.refused(&Exchange::new(&x, "topic").method(), 406, text)
}

fn mismatch(
    ctx: &mut Ctx,
    arg: &str,
    got: &str,
    is: &str,
    change: fn(Exchange) -> Exchange,
) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "direct")?;
    let text = inequivalent(ctx, arg, &x, &format!("'{got}'"), &format!("'{is}'"));
    ch.refused(&change(Exchange::new(&x, "direct")).method(), 406, text)?;
    let ch = ch.reopen()?;
    let y = ctx.exchange("y");
    ch.exchange_with(change(Exchange::new(&y, "direct")))?;
    let text = inequivalent(ctx, arg, &y, &format!("'{is}'"), &format!("'{got}'"));
    ch.refused(&Exchange::new(&y, "direct").method(), 406, text)
}

fn unknown_args(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange_with(Exchange::new(&x, "direct").arg("x-unknown", 1))?;
    ch.exchange_with(
        Exchange::new(&x, "direct")
            .arg("x-unknown", "other")
            .arg("more", true),
    )?;
    ch.exchange(&x, "direct")
}

fn alternate_added(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "direct")?;
    let declare = Exchange::new(&x, "direct").arg("alternate-exchange", "amq.fanout");
    let got = "the value 'amq.fanout' of type 'longstr'";
    ch.refused(
        &declare.method(),
        406,
        inequivalent(ctx, "alternate-exchange", &x, got, "none"),
    )?;
    let ch = ch.reopen()?;
    let y = ctx.exchange("y");
    ch.exchange_with(Exchange::new(&y, "direct").arg("alternate-exchange", "amq.fanout"))?;
    let is = "the value 'amq.fanout' of type 'longstr'";
    let text = inequivalent(ctx, "alternate-exchange", &y, "none", is);
    ch.refused(&Exchange::new(&y, "direct").method(), 406, text)?;
    let ch = ch.reopen()?;
    let other = Exchange::new(&y, "direct").arg("alternate-exchange", "amq.topic");
    let text = inequivalent(ctx, "alternate-exchange", &y, "'amq.topic'", "'amq.fanout'");
    ch.refused(&other.method(), 406, text)
}

fn declare_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.send(&Exchange::new(&x, "fanout").nowait().method())?;
    ch.expect_silence()?;
    ch.exchange(&x, "fanout")
}

fn declare_amq(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let text = "exchange name 'amq.new' contains reserved prefix 'amq.*'";
    ch.refused(&Exchange::new("amq.new", "direct").method(), 403, text)
}

fn declare_amq_existing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.exchange_with(Exchange::new("amq.topic", "topic").durable())?;
    let text = inequivalent(ctx, "durable", "amq.topic", "'false'", "'true'");
    ch.refused(&Exchange::new("amq.topic", "topic").method(), 406, text)
}

const ON_DEFAULT: &str = "operation not permitted on the default exchange";

fn declare_default(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    ch.refused(
        &Exchange::new("", "direct").durable().method(),
        403,
        ON_DEFAULT,
    )?;
    ch.reopen()?.refused(
        &Exchange::new("", "direct").passive().method(),
        403,
        ON_DEFAULT,
    )
}

fn strip_declare(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(format!("\r\n{x}\n"), "direct")?;
    ch.exchange_with(Exchange::new(&x, "direct").passive())
}

fn strip_publish(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "direct")?;
    ch.publish(&format!("{x}\n"), "k", "m")?;
    ch.expect_close(404, (60, 40), no_exchange(ctx, &format!("{x}\n")))
}

fn delete(x: &str) -> Method {
    method("exchange.delete").set("exchange", x)
}

fn delete_amq(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let vhost = ctx.vhost();
    let text = format!("deletion of system exchange 'amq.direct' in vhost '{vhost}' not allowed");
    ch.refused(&delete("amq.direct"), 403, text)?;
    let text = format!("deletion of system exchange 'amq.none' in vhost '{vhost}' not allowed");
    ch.reopen()?.refused(&delete("amq.none"), 403, text)
}

fn delete_default(ctx: &mut Ctx) -> Result {
    ctx.channel()?.refused(&delete(""), 403, ON_DEFAULT)
}

fn delete_if_unused(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, q) = (ctx.exchange("x"), ctx.queue("q"));
    ch.exchange(&x, "direct")?;
    ch.declare(&q)?;
    ch.bind(&q, &x, "k")?;
    let text = format!("exchange '{x}' in vhost '{}' in use", ctx.vhost());
    ch.refused(&delete(&x).set("if-unused", true), 406, text)?;
    let ch = ch.reopen()?;
    ch.unbind(&q, &x, "k")?;
    ch.call(&delete(&x).set("if-unused", true))?;
    ch.refused(
        &Exchange::new(&x, "direct").passive().method(),
        404,
        no_exchange(ctx, &x),
    )
}

fn delete_unbinds(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, q) = (ctx.exchange("x"), ctx.queue("q"));
    ch.exchange(&x, "direct")?;
    ch.declare(&q)?;
    ch.bind(&q, &x, "k")?;
    ch.exchange_delete(&x)?;
    ch.exchange(&x, "direct")?;
    ch.publish_with(&Publish::new(&x, "k").mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    Ok(())
}

fn delete_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.exchange("x");
    ch.exchange(&x, "direct")?;
    ch.send(&delete(&x).set("nowait", true))?;
    ch.expect_silence()?;
    ch.refused(
        &Exchange::new(&x, "direct").passive().method(),
        404,
        no_exchange(ctx, &x),
    )
}

fn auto_delete(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, q) = (ctx.exchange("x"), ctx.queue("q"));
    ch.exchange_with(Exchange::new(&x, "direct").auto_delete())?;
    ch.declare(&q)?;
    ch.bind(&q, &x, "one")?;
    ch.bind(&q, &x, "two")?;
    ch.unbind(&q, &x, "one")?;
    ch.exchange_with(Exchange::new(&x, "direct").passive())?;
    ch.unbind(&q, &x, "two")?;
    ch.refused(
        &Exchange::new(&x, "direct").passive().method(),
        404,
        no_exchange(ctx, &x),
    )?;
    let ch = ch.reopen()?;
    ch.exchange_with(Exchange::new(&x, "direct").auto_delete())?;
    ch.bind(&q, &x, "one")?;
    ch.delete(&q)?;
    ch.refused(
        &Exchange::new(&x, "direct").passive().method(),
        404,
        no_exchange(ctx, &x),
    )
}

fn internal(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, y, q) = (ctx.exchange("x"), ctx.exchange("y"), ctx.queue("q"));
    ch.exchange_with(Exchange::new(&x, "fanout").internal())?;
    ch.exchange(&y, "fanout")?;
    ch.declare(&q)?;
    ch.bind(&q, &x, "")?;
    ch.exchange_bind(&x, &y, "")?;
    ch.publish(&y, "k", "through")?;
    check_eq!(ch.wait_get(&q)?.text(), "through");
    ch.publish(&x, "k", "direct")?;
    let text = format!(
        "cannot publish to internal exchange '{x}' in vhost '{}'",
        ctx.vhost()
    );
    ch.expect_close(403, (60, 40), text)
}

fn e2e(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, y, q) = (ctx.exchange("x"), ctx.exchange("y"), ctx.queue("q"));
    ch.exchange(&x, "topic")?;
    ch.exchange(&y, "fanout")?;
    ch.declare(&q)?;
    ch.bind(&q, &y, "")?;
    ch.exchange_bind(&y, &x, "a.*")?;
    ch.publish(&x, "a.b", "yes")?;
    ch.publish(&x, "b.a", "no")?;
    let d = ch.wait_get(&q)?;
    check_eq!(
        (d.text(), d.exchange, d.key),
        ("yes".into(), x.clone(), "a.b".into())
    );
    ch.exchange_unbind(&y, &x, "a.*")?;
    ch.publish_with(&Publish::new(&x, "a.b").mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}

fn e2e_idempotent(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, y, q) = (ctx.exchange("x"), ctx.exchange("y"), ctx.queue("q"));
    ch.exchange(&x, "direct")?;
    ch.exchange(&y, "fanout")?;
    ch.declare(&q)?;
    ch.bind(&q, &y, "")?;
    ch.exchange_bind(&y, &x, "k")?;
    ch.exchange_bind(&y, &x, "k")?;
    ch.publish(&x, "k", "once")?;
    ch.wait_messages(&q, 1)?;
    ch.exchange_unbind(&y, &x, "k")?;
    ch.exchange_unbind(&y, &x, "k")?;
    ch.exchange_unbind(&y, &x, "other")?;
    ch.publish_with(&Publish::new(&x, "k").mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    Ok(())
}

fn bind(name: &str, destination: &str, source: &str) -> Method {
    method(name)
        .set("destination", destination)
        .set("source", source)
}

fn e2e_missing(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let x = ctx.name("missing");
    let text = no_exchange(ctx, &x);
    ch.refused(&bind("exchange.bind", &x, "amq.direct"), 404, &text)?;
    let ch = ch.reopen()?;
    ch.refused(&bind("exchange.bind", "amq.direct", &x), 404, &text)?;
    let ch = ch.reopen()?;
    ch.call(&bind("exchange.unbind", &x, "amq.direct"))?;
    ch.call(&bind("exchange.unbind", "amq.direct", &x))
        .map(drop)
}

fn e2e_default(ctx: &mut Ctx) -> Result {
    let mut ch = ctx.channel()?;
    for name in ["exchange.bind", "exchange.unbind"] {
        for (destination, source) in [("", "amq.direct"), ("amq.direct", "")] {
            ch.refused(&bind(name, destination, source), 403, ON_DEFAULT)?;
            ch = ch.reopen()?;
        }
    }
    Ok(())
}

fn e2e_nowait(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (x, y, q) = (ctx.exchange("x"), ctx.exchange("y"), ctx.queue("q"));
    ch.exchange(&x, "direct")?;
    ch.exchange(&y, "fanout")?;
    ch.declare(&q)?;
    ch.bind(&q, &y, "")?;
    ch.send(
        &bind("exchange.bind", &y, &x)
            .set("routing-key", "k")
            .set("nowait", true),
    )?;
    ch.expect_silence()?;
    ch.publish(&x, "k", "m")?;
    ch.wait_messages(&q, 1)?;
    ch.send(
        &bind("exchange.unbind", &y, &x)
            .set("routing-key", "k")
            .set("nowait", true),
    )?;
    ch.expect_silence()?;
    ch.publish_with(&Publish::new(&x, "k").mandatory())?;
    check_eq!(ch.returned()?.code, 312);
    Ok(())
}
