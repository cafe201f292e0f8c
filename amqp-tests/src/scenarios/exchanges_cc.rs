//! Scenarios: the CC and BCC headers.

use crate::prelude::*;

use super::dead_letter::list;
use super::exchanges::{Router, routed};

const SOURCE: &str = "RabbitMQ, features 1.8";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "cc.default",
        "CC and BCC add routing keys on the default exchange",
        "trap 25",
        default_exchange,
    ),
    Scenario::new(
        "cc.delivered",
        "CC stays in the headers, BCC is removed, the routing key is the publish's",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let (a, b) = (ctx.queue("a"), ctx.queue("b"));
            ch.declare(&a)?;
            ch.declare(&b)?;
            let props = Props::new()
                .header("CC", list(&[&b]))
                .header("BCC", list(&["x"]));
            ch.publish_with(&Publish::to_queue(&a).props(props.header("mine", 1)))?;
            for q in [&a, &b] {
                let d = ch.wait_get(q)?;
                check_eq!(d.key, a);
                let headers = d.props.headers.unwrap_or_default();
                check_eq!(
                    headers.sorted(),
                    Table::new().with("CC", list(&[&b])).with("mine", 1)
                );
            }
            Ok(())
        },
    ),
    Scenario::new(
        "cc.mandatory",
        "a mandatory message that only a CC key routes is not returned",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            let to = |props| Publish::to_queue(ctx.name("none")).props(props);
            check!(routed(&ch, to(Props::new().header("CC", list(&[&q]))))?);
            check!(routed(&ch, to(Props::new().header("BCC", list(&[&q]))))?);
            check!(
                !routed(&ch, to(Props::new().header("cc", list(&[&q]))))?,
                "case counts"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "cc.one-copy",
        "a queue that key, CC and BCC all name gets one copy",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare(&q)?;
            let props = Props::new()
                .header("CC", list(&[&q, &q]))
                .header("BCC", list(&[&q]));
            check!(routed(&ch, Publish::to_queue(&q).props(props))?);
            check_eq!(ch.get_all(&q)?.len(), 1);
            Ok(())
        },
    ),
    Scenario::new(
        "cc.direct-and-topic",
        "CC keys count on direct and topic exchanges",
        SOURCE,
        |ctx| {
            for (kind, binding) in [("direct", "c.d"), ("topic", "c.*")] {
                let r = Router::new(ctx, Exchange::new(ctx.exchange(kind), kind))?;
                r.bind(binding)?;
                check!(!r.routes("a")?);
                let props = Props::new().header("CC", list(&["b", "c.d"]));
                check!(routed(&r.ch, Publish::new(&r.x, "a").props(props))?);
            }
            Ok(())
        },
    ),
    Scenario::new(
        "cc.fanout",
        "on a fanout exchange CC keys add nothing",
        "trap 25",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            r.bind("")?;
            let other = ctx.queue("other");
            r.ch.declare(&other)?;
            let props = Props::new().header("CC", list(&[&other]));
            check!(routed(&r.ch, Publish::new(&r.x, "k").props(props))?);
            check_eq!(
                (r.ch.depth(&r.q)?.messages, r.ch.depth(&other)?.messages),
                (1, 0)
            );
            Ok(())
        },
    ),
    Scenario::new(
        "cc.type",
        "CC and BCC that are no arrays: 406 with the type",
        "features 1.4",
        wrong_type,
    ),
    Scenario::new("cc.empty", "an empty array is fine", SOURCE, |ctx| {
        let ch = ctx.channel()?;
        let q = ctx.queue("q");
        ch.declare(&q)?;
        let props = Props::new()
            .header("CC", list(&[]))
            .header("BCC", list(&[]));
        check!(routed(&ch, Publish::to_queue(&q).props(props))?);
        Ok(())
    }),
];

fn default_exchange(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (a, b, c) = (ctx.queue("a"), ctx.queue("b"), ctx.queue("c"));
    for q in [&a, &b, &c] {
        ch.declare(q)?;
    }
    let props = Props::new()
        .header("CC", list(&[&b]))
        .header("BCC", list(&[&c]));
    check!(routed(&ch, Publish::to_queue(&a).props(props))?);
    for q in [&a, &b, &c] {
        check_eq!(ch.depth(q)?.messages, 1);
    }
    Ok(())
}

fn wrong_type(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    for (value, kind) in [
        (Value::from("q"), "longstr"),
        (Value::I32(1), "signedint"),
        (Value::Void, "void"),
        (Value::Table(Table::new()), "table"),
    ] {
        for header in ["CC", "BCC"] {
            let props = Props::new().header(header, value.clone());
            ch.publish_with(&Publish::to_queue(&q).props(props))?;
            let text =
                format!("invalid message: {{unacceptable_type_in_header,\"{header}\",{kind}}}");
            ch.expect_close(406, (60, 40), text)?;
            ch.reopen()?;
        }
    }
    check_eq!(ch.depth(&q)?.messages, 0);
    Ok(())
}
