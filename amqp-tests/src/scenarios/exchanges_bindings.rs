//! Scenarios: bindings between exchanges, and exchanges that delete themselves.

use crate::prelude::*;

use super::exchanges::{Router, routed};

const SOURCE: &str = "RabbitMQ, features 1.2 exchange.bind";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "e2e.routes",
        "a message goes through bound exchanges with its own names",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "topic")?;
            r.ch.exchange_bind(&r.x, &front, "a.*")?;
            check!(!routed(&r.ch, Publish::new(&front, "b"))?);
            r.ch.publish(&front, "a.b", "m")?;
            let d = r.ch.wait_get(&r.q)?;
            check_eq!((d.exchange, d.key.as_str()), (front, "a.b"));
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.key-is-the-messages",
        "the next exchange sees the message's key, not the binding's",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.bind("k")?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "fanout")?;
            r.ch.exchange_bind(&r.x, &front, "binding key")?;
            check!(routed(&r.ch, Publish::new(&front, "k"))?);
            check!(!routed(&r.ch, Publish::new(&front, "binding key"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.one-copy",
        "a queue reached on several ways gets one copy",
        SOURCE,
        one_copy,
    ),
    Scenario::new(
        "e2e.cycle",
        "circles of bindings end, each queue gets one copy",
        SOURCE,
        cycle,
    ),
    Scenario::new(
        "e2e.self",
        "an exchange may be bound to itself",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            r.ch.exchange_bind(&r.x, &r.x, "")?;
            check!(r.routes("k")?);
            check_eq!(r.ch.get_all(&r.q)?.len(), 1);
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.deep",
        "a chain of thirty exchanges is followed",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            let mut last = r.x.clone();
            for i in 0..30 {
                let next = ctx.exchange(&i.to_string());
                r.ch.exchange(&next, "fanout")?;
                r.ch.exchange_bind(&last, &next, "")?;
                last = next;
            }
            check!(routed(&r.ch, Publish::new(&last, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.unbind",
        "exchange.unbind ends the way; unbinding what is not there is fine",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "fanout")?;
            r.ch.exchange_bind(&r.x, &front, "k")?;
            r.ch.exchange_bind(&r.x, &front, "k")?;
            check!(routed(&r.ch, Publish::new(&front, ""))?);
            r.ch.exchange_unbind(&r.x, &front, "other")?;
            check!(routed(&r.ch, Publish::new(&front, ""))?);
            r.ch.exchange_unbind(&r.x, &front, "k")?;
            check!(!routed(&r.ch, Publish::new(&front, ""))?);
            r.ch.exchange_unbind(&r.x, &front, "k")?;
            r.ch.exchange_unbind(&ctx.name("none"), &front, "k")
        },
    ),
    Scenario::new(
        "e2e.missing",
        "exchange.bind names the missing exchange: 404",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let none = ctx.name("none");
            let text = format!("no exchange '{none}' in vhost '{}'", ctx.vhost());
            for (destination, source) in [(none.as_str(), "amq.direct"), ("amq.direct", &none)] {
                let bind = method("exchange.bind")
                    .set("destination", destination)
                    .set("source", source);
                ch.refused(&bind, 404, &text)?;
                ch.reopen()?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.destination-deleted",
        "deleting the destination removes the binding",
        SOURCE,
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "fanout")?;
            r.ch.exchange_bind(&r.x, &front, "")?;
            r.ch.exchange_delete(&r.x)?;
            r.ch.exchange(&r.x, "fanout")?;
            r.bind("")?;
            check!(!routed(&r.ch, Publish::new(&front, ""))?);
            Ok(())
        },
    ),
    Scenario::new(
        "e2e.if-unused",
        "an exchange is in use while something is bound from it, not to it",
        "features 1.2 exchange.delete",
        if_unused,
    ),
    Scenario::new(
        "x-auto-delete.last-binding",
        "an auto-delete exchange goes with the last binding from it",
        "features 1.2 exchange.declare",
        |ctx| {
            let r = Router::new(
                ctx,
                Exchange::new(ctx.exchange("x"), "direct").auto_delete(),
            )?;
            r.bind("a")?;
            r.bind("b")?;
            r.ch.unbind(&r.q, &r.x, "a")?;
            check!(r.routes("b")?);
            r.ch.unbind(&r.q, &r.x, "b")?;
            gone(ctx, &r.ch, &r.x)
        },
    ),
    Scenario::new(
        "x-auto-delete.queue-deleted",
        "deleting the last bound queue deletes an auto-delete exchange",
        "features 1.2 exchange.declare",
        |ctx| {
            let r = Router::new(
                ctx,
                Exchange::new(ctx.exchange("x"), "direct").auto_delete(),
            )?;
            r.bind("a")?;
            r.ch.delete(&r.q)?;
            gone(ctx, &r.ch, &r.x)
        },
    ),
    Scenario::new(
        "x-auto-delete.never-bound",
        "an auto-delete exchange that never had a binding stays, being a destination too",
        "features 1.2 exchange.declare",
        |ctx| {
            let r = Router::new(
                ctx,
                Exchange::new(ctx.exchange("x"), "direct").auto_delete(),
            )?;
            let passive = Exchange::new(&r.x, "direct").passive();
            r.ch.exchange_with(passive.clone())?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "direct")?;
            r.ch.exchange_bind(&r.x, &front, "k")?;
            r.ch.exchange_unbind(&r.x, &front, "k")?;
            r.ch.exchange_with(passive)
        },
    ),
    Scenario::new(
        "x-auto-delete.cascade",
        "an auto-delete exchange that goes takes those along that were bound to it alone",
        "RabbitMQ",
        |ctx| {
            let r = Router::new(
                ctx,
                Exchange::new(ctx.exchange("x"), "fanout").auto_delete(),
            )?;
            let front = ctx.exchange("front");
            r.ch.exchange_with(Exchange::new(&front, "direct").auto_delete())?;
            r.ch.exchange_bind(&r.x, &front, "k")?;
            r.bind("")?;
            r.ch.unbind(&r.q, &r.x, "")?;
            gone(ctx, &r.ch, &r.x)?;
            gone(ctx, &r.ch, &front)
        },
    ),
];

/// The exchange is gone at once.
fn gone(ctx: &Ctx, ch: &Channel, x: &str) -> Result {
    let probe = ch.conn.channel(99)?;
    let text = format!("no exchange '{x}' in vhost '{}'", ctx.vhost());
    probe.refused(&Exchange::new(x, "direct").passive().method(), 404, text)
}

fn one_copy(ctx: &mut Ctx) -> Result {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
    r.bind("")?;
    let front = ctx.exchange("front");
    r.ch.exchange(&front, "fanout")?;
    r.ch.bind(&r.q, &front, "")?;
    for i in 0..3 {
        let middle = ctx.exchange(&i.to_string());
        r.ch.exchange(&middle, "fanout")?;
        r.ch.exchange_bind(&middle, &front, "")?;
        r.ch.exchange_bind(&r.x, &middle, "")?;
        r.ch.bind(&r.q, &middle, "")?;
    }
    check!(routed(&r.ch, Publish::new(&front, "k"))?);
    check_eq!(r.ch.get_all(&r.q)?.len(), 1);
    Ok(())
}

fn cycle(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let names: Vec<String> = (0..3).map(|i| ctx.exchange(&i.to_string())).collect();
    let queues: Vec<String> = (0..3).map(|i| ctx.queue(&format!("q{i}"))).collect();
    for (x, q) in names.iter().zip(&queues) {
        ch.exchange(x, "fanout")?;
        ch.declare(q)?;
        ch.bind(q, x, "")?;
    }
    for i in 0..3 {
        ch.exchange_bind(&names[(i + 1) % 3], &names[i], "")?;
    }
    for x in &names {
        check!(routed(&ch, Publish::new(x, "k"))?);
    }
    for q in &queues {
        check_eq!(ch.get_all(q)?.len(), 3, "one copy of each of three");
    }
    Ok(())
}

fn if_unused(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (source, destination) = (ctx.exchange("source"), ctx.exchange("destination"));
    ch.exchange(&source, "direct")?;
    ch.exchange(&destination, "direct")?;
    ch.exchange_bind(&destination, &source, "k")?;
    let delete = |x: &str| {
        method("exchange.delete")
            .set("exchange", x)
            .set("if-unused", true)
    };
    let text = format!("exchange '{source}' in vhost '{}' in use", ctx.vhost());
    ch.refused(&delete(&source), 406, text)?;
    let ch = ch.reopen()?;
    ch.call(&delete(&destination))?;
    ch.call(&delete(&source)).map(drop)
}
