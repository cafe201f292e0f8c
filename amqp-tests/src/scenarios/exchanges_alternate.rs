//! Scenarios: alternate exchanges.

use crate::prelude::*;

use super::exchanges::{Router, routed};

const SOURCE: &str = "RabbitMQ, features 1.8";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "ae.takes",
        "what an exchange cannot route goes to its alternate exchange, names unchanged",
        SOURCE,
        |ctx| {
            let (r, alt) = with_alternate(ctx, "fanout")?;
            let other = ctx.queue("other");
            r.ch.declare(&other)?;
            r.ch.bind(&other, &alt, "")?;
            r.bind("known")?;
            r.ch.publish(&r.x, "unknown", "m")?;
            let d = r.ch.wait_get(&other)?;
            check_eq!(
                (d.exchange.as_str(), d.key.as_str()),
                (r.x.as_str(), "unknown")
            );
            check!(r.routes("known")?);
            check_eq!(
                r.ch.depth(&other)?.messages,
                0,
                "what is routed does not go there"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "ae.mandatory.taken",
        "a mandatory message that the alternate exchange routes is not returned",
        SOURCE,
        |ctx| {
            let (r, alt) = with_alternate(ctx, "fanout")?;
            check!(!r.routes("k")?, "nothing is bound anywhere");
            r.ch.bind(&r.q, &alt, "")?;
            check!(r.routes("k")?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.returned-names",
        "a message that no alternate routes is returned with the names of its publish",
        SOURCE,
        |ctx| {
            let (r, _) = with_alternate(ctx, "direct")?;
            r.ch.publish_with(&Publish::new(&r.x, "k").mandatory())?;
            let back = r.ch.returned()?;
            check_eq!(
                (back.code, back.exchange, back.key.as_str()),
                (312, r.x, "k")
            );
            Ok(())
        },
    ),
    Scenario::new("ae.chain", "alternate exchanges form chains", SOURCE, chain),
    Scenario::new(
        "ae.cycle",
        "a circle of alternate exchanges ends",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let (a, b) = (ctx.exchange("a"), ctx.exchange("b"));
            ch.exchange_with(Exchange::new(&a, "direct").arg("alternate-exchange", &b))?;
            ch.exchange_with(Exchange::new(&b, "direct").arg("alternate-exchange", &a))?;
            check!(!routed(&ch, Publish::new(&a, "k"))?);
            let q = ctx.queue("q");
            ch.declare(&q)?;
            ch.bind(&q, &b, "k")?;
            check!(routed(&ch, Publish::new(&a, "k"))?);
            check!(routed(&ch, Publish::new(&b, "k"))?);
            let own = ctx.exchange("self");
            ch.exchange_with(Exchange::new(&own, "direct").arg("alternate-exchange", &own))?;
            check!(!routed(&ch, Publish::new(&own, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.missing",
        "a missing alternate exchange drops; declared later it is used",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let (x, alt, q) = (ctx.exchange("x"), ctx.exchange("alt"), ctx.queue("q"));
            ch.exchange_with(Exchange::new(&x, "direct").arg("alternate-exchange", &alt))?;
            check!(!routed(&ch, Publish::new(&x, "k"))?);
            ch.exchange(&alt, "fanout")?;
            ch.declare(&q)?;
            ch.bind(&q, &alt, "")?;
            check!(routed(&ch, Publish::new(&x, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.default",
        "the default exchange as alternate routes nothing",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let (x, q) = (ctx.exchange("x"), ctx.queue("q"));
            ch.exchange_with(Exchange::new(&x, "fanout").arg("alternate-exchange", ""))?;
            ch.declare(&q)?;
            check!(!routed(&ch, Publish::new(&x, &q))?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.internal",
        "an internal exchange may be an alternate",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let (x, alt, q) = (ctx.exchange("x"), ctx.exchange("alt"), ctx.queue("q"));
            ch.exchange_with(Exchange::new(&alt, "fanout").internal())?;
            ch.exchange_with(Exchange::new(&x, "direct").arg("alternate-exchange", &alt))?;
            ch.declare(&q)?;
            ch.bind(&q, &alt, "")?;
            check!(routed(&ch, Publish::new(&x, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.cc",
        "the alternate is used only when no key of the message routes",
        SOURCE,
        |ctx| {
            let (r, alt) = with_alternate(ctx, "fanout")?;
            let other = ctx.queue("other");
            r.ch.declare(&other)?;
            r.ch.bind(&other, &alt, "")?;
            r.bind("cc")?;
            let cc = Value::Array(vec!["cc".into()]);
            let publish = Publish::new(&r.x, "k").props(Props::new().header("CC", cc));
            check!(routed(&r.ch, publish)?);
            check_eq!(
                (r.ch.depth(&r.q)?.messages, r.ch.depth(&other)?.messages),
                (1, 0)
            );
            Ok(())
        },
    ),
    Scenario::new(
        "ae.bound-exchange-counts",
        "an exchange that is bound counts as routed to, even if it leads nowhere",
        "RabbitMQ",
        |ctx| {
            let (r, alt) = with_alternate(ctx, "fanout")?;
            r.ch.bind(&r.q, &alt, "")?;
            let dead_end = ctx.exchange("dead-end");
            r.ch.exchange(&dead_end, "direct")?;
            r.ch.exchange_bind(&dead_end, &r.x, "k")?;
            check!(!r.routes("k")?, "the alternate was used");
            check!(r.routes("other")?, "the alternate was not used");
            Ok(())
        },
    ),
    Scenario::new(
        "ae.of-destination",
        "an exchange reached by a binding uses its own alternate",
        "RabbitMQ",
        |ctx| {
            let (r, alt) = with_alternate(ctx, "fanout")?;
            r.ch.bind(&r.q, &alt, "")?;
            let front = ctx.exchange("front");
            r.ch.exchange(&front, "fanout")?;
            r.ch.exchange_bind(&r.x, &front, "")?;
            check!(routed(&r.ch, Publish::new(&front, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "ae.type",
        "an alternate-exchange that is no string is refused",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            for (value, kind) in [(Value::I32(1), "signedint"), (Value::Void, "void")] {
                let x = ctx.exchange("x");
                let text = format!(
                    "invalid type '{kind}' for arg 'alternate-exchange' in exchange '{x}' \
                     in vhost '{}'",
                    ctx.vhost()
                );
                let declare = Exchange::new(&x, "direct").arg("alternate-exchange", value);
                ch.refused(&declare.method(), 406, text)?;
                ch.reopen()?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "ae.equivalence",
        "alternate-exchange is compared on redeclaration, in three wordings",
        "trap 12",
        equivalence,
    ),
    Scenario::new(
        "ae.equivalence.unknown",
        "other exchange arguments are not compared",
        "trap 12",
        |ctx| {
            let ch = ctx.channel()?;
            let x = ctx.exchange("x");
            ch.exchange_with(Exchange::new(&x, "direct").arg("x-foo", 1))?;
            ch.exchange_with(Exchange::new(&x, "direct").arg("x-foo", 2))?;
            ch.exchange(&x, "direct")
        },
    ),
];

/// A direct exchange `x`, a queue, and `x`'s alternate.
fn with_alternate(ctx: &mut Ctx, kind: &str) -> Result<(Router, String)> {
    let alt = ctx.exchange("alt");
    let x = Exchange::new(ctx.exchange("x"), "direct").arg("alternate-exchange", &alt);
    let r = Router::new(ctx, x)?;
    r.ch.exchange(&alt, kind)?;
    Ok((r, alt))
}

fn chain(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let names: Vec<String> = (0..5).map(|i| ctx.exchange(&i.to_string())).collect();
    for pair in names.windows(2) {
        let x = Exchange::new(&pair[0], "direct").arg("alternate-exchange", &pair[1]);
        ch.exchange_with(x)?;
    }
    ch.exchange(&names[4], "direct")?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    ch.bind(&q, &names[4], "k")?;
    check!(routed(&ch, Publish::new(&names[0], "k"))?);
    check!(!routed(&ch, Publish::new(&names[0], "other"))?);
    check_eq!(ch.wait_get(&q)?.exchange, names[0]);
    Ok(())
}

fn equivalence(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    for (first, second, rest) in [
        (
            Some("a"),
            None,
            "received none but current is the value 'a' of type 'longstr'",
        ),
        (
            None,
            Some("a"),
            "received the value 'a' of type 'longstr' but current is none",
        ),
        (Some("a"), Some("b"), "received 'b' but current is 'a'"),
    ] {
        let x = ctx.exchange("x");
        let declare = |alt: Option<&str>| match alt {
            Some(alt) => Exchange::new(&x, "direct").arg("alternate-exchange", alt),
            None => Exchange::new(&x, "direct"),
        };
        ch.exchange_with(declare(first))?;
        let text = format!(
            "inequivalent arg 'alternate-exchange' for exchange '{x}' in vhost '{}': {rest}",
            ctx.vhost()
        );
        ch.refused(&declare(second).method(), 406, text)?;
        ch.reopen()?.exchange_delete(&x)?;
    }
    Ok(())
}
