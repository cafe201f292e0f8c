//! Scenarios: exchange types, the default exchange, names.

use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "route.direct",
        "a direct exchange routes by equal key, bytes and case as they are",
        "AMQP 0-9-1 3.1.3.1",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.bind("a.b")?;
            check!(r.routes("a.b")?);
            for key in ["a.B", "a", "a.b.", "", "#"] {
                check!(!r.routes(key)?, "{key:?} was routed");
            }
            r.bind("")?;
            check!(r.routes("")?);
            Ok(())
        },
    ),
    Scenario::new(
        "route.fanout",
        "a fanout exchange routes everything to everything bound",
        "AMQP 0-9-1 3.1.3.2",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout"))?;
            check!(!r.routes("k")?, "nothing is bound");
            r.bind("some key")?;
            for key in ["", "k", "some key"] {
                check!(r.routes(key)?, "{key:?} was not routed");
            }
            Ok(())
        },
    ),
    Scenario::new(
        "route.predeclared",
        "amq.direct, fanout, topic, headers and match are there, durable, of their types",
        "AMQP 0-9-1 3.1.3, features 1.8",
        |ctx| {
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
            let trace = Exchange::new("amq.rabbitmq.trace", "topic")
                .durable()
                .internal();
            ch.exchange_with(trace)
        },
    ),
    Scenario::new(
        "route.one-copy",
        "a queue gets one copy however many bindings match",
        "AMQP 0-9-1, features 1.8",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "topic"))?;
            for key in ["#", "a.*", "*.b", "a.b"] {
                r.bind(key)?;
            }
            check!(r.routes("a.b")?);
            check_eq!(r.ch.get_all(&r.q)?.len(), 1);
            Ok(())
        },
    ),
    Scenario::new(
        "route.unbind",
        "after unbind-ok nothing more is routed by that binding",
        "AMQP 0-9-1 queue.unbind",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.bind("k")?;
            r.bind("other")?;
            check!(r.routes("k")?);
            r.ch.unbind(&r.q, &r.x, "k")?;
            check!(!r.routes("k")?);
            check!(r.routes("other")?);
            Ok(())
        },
    ),
    Scenario::new(
        "route.binding.arguments",
        "bindings that differ in arguments are different bindings, also on direct exchanges",
        "RabbitMQ",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.ch.bind_args(&r.q, &r.x, "k", Table::new().with("a", 1))?;
            r.bind("k")?;
            r.ch.unbind(&r.q, &r.x, "k")?;
            check!(r.routes("k")?, "the one with arguments remains");
            r.ch.unbind_args(&r.q, &r.x, "k", Table::new().with("a", 2))?;
            check!(r.routes("k")?, "other arguments unbind nothing");
            r.ch.unbind_args(&r.q, &r.x, "k", Table::new().with("a", 1))?;
            check!(!r.routes("k")?);
            Ok(())
        },
    ),
    Scenario::new(
        "route.queue-deleted",
        "deleting a queue removes its bindings",
        "AMQP 0-9-1 queue.delete",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.bind("k")?;
            r.ch.delete(&r.q)?;
            check!(!r.routes("k")?);
            r.ch.declare(&r.q)?;
            check!(!r.routes("k")?, "a new queue of that name is not bound");
            Ok(())
        },
    ),
    Scenario::new(
        "route.exchange-deleted",
        "deleting an exchange removes its bindings",
        "AMQP 0-9-1 exchange.delete",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "direct"))?;
            r.bind("k")?;
            r.ch.exchange_delete(&r.x)?;
            r.ch.exchange(&r.x, "direct")?;
            check!(!r.routes("k")?);
            Ok(())
        },
    ),
    Scenario::new(
        "route.default",
        "the default exchange routes to the queue that the key names, and to no other",
        "AMQP 0-9-1 3.1.3.1",
        default_routes,
    ),
    Scenario::new(
        "route.default.refusals",
        "the default exchange cannot be bound, unbound, declared or deleted",
        "features 1.4 (403)",
        default_refusals,
    ),
    Scenario::new(
        "route.reserved-names",
        "amq. names cannot be declared or deleted; passively they are only missing",
        "features 1.4 (403), trap 17",
        reserved,
    ),
    Scenario::new(
        "route.internal",
        "an internal exchange cannot be published to, but routes what other exchanges send",
        "features 1.8",
        internal,
    ),
    Scenario::new(
        "route.internal.trace",
        "amq.rabbitmq.trace is internal",
        "features 1.8",
        |ctx| {
            let ch = ctx.channel()?;
            ch.publish("amq.rabbitmq.trace", "k", "")?;
            let text = format!(
                "cannot publish to internal exchange 'amq.rabbitmq.trace' in vhost '{}'",
                ctx.vhost()
            );
            ch.expect_close(403, (60, 40), text)
        },
    ),
    Scenario::new(
        "route.random",
        "x-random gives each message to one of its bindings, whatever the keys",
        "features 1.8",
        random,
    ),
    Scenario::new(
        "route.delayed",
        "x-delayed-message is refused with 503: unknown to RabbitMQ, not supported yet here",
        "the broker core's scope",
        |ctx| {
            let ch = ctx.channel()?;
            let x = Exchange::new(ctx.exchange("x"), "x-delayed-message");
            let m = x.arg("x-delayed-type", "direct").method();
            let unknown = Text::from("unknown exchange type 'x-delayed-message'");
            ch.refused_hard(
                &m,
                503,
                ctx.on(unknown, Text::contains("'x-delayed-message'")),
            )
        },
    )
    .deviation("the type is built in later"),
    Scenario::new(
        "route.delivery-names",
        "a delivery names the exchange and key of the publish, not of the binding",
        "AMQP 0-9-1 basic.deliver",
        |ctx| {
            let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "topic"))?;
            r.bind("#")?;
            r.ch.publish(&r.x, "the.key", "m")?;
            let d = r.ch.wait_get(&r.q)?;
            check_eq!((d.exchange, d.key.as_str()), (r.x, "the.key"));
            Ok(())
        },
    ),
];

/// An exchange, a queue, and whether a publish reaches any queue.
pub(super) struct Router {
    pub(super) ch: Channel,
    pub(super) x: String,
    pub(super) q: String,
}

impl Router {
    /// Declares the exchange and a queue, not bound yet.
    pub(super) fn new(ctx: &Ctx, exchange: Exchange) -> Result<Self> {
        let ch = ctx.channel()?;
        let x = exchange.method().str("exchange");
        let q = ctx.queue("q");
        ch.exchange_with(exchange)?;
        ch.declare(&q)?;
        Ok(Self { ch, x, q })
    }
    /// Binds the queue.
    pub(super) fn bind(&self, key: &str) -> Result {
        self.ch.bind(&self.q, &self.x, key)
    }
    /// Whether a message with this key is routed anywhere.
    pub(super) fn routes(&self, key: &str) -> Result<bool> {
        routed(&self.ch, Publish::new(&self.x, key))
    }
}

/// Publishes with mandatory and a confirm: whether it did not come back.
pub(super) fn routed(ch: &Channel, publish: Publish) -> Result<bool> {
    let probe = ch.conn.channel(1901)?;
    probe.confirm_select()?;
    probe.publish_with(&publish.mandatory())?;
    probe.confirms(1, 1)?;
    let back = !probe.conn.waiting(1901).is_empty();
    if back {
        check_eq!(probe.returned()?.code, 312);
    }
    probe.close()?;
    Ok(!back)
}

fn default_routes(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    check!(!routed(&ch, Publish::new("", &q))?, "no such queue yet");
    ch.declare(&q)?;
    check!(routed(&ch, Publish::new("", &q))?);
    check!(!routed(&ch, Publish::new("", format!("{q}.x")))?);
    ch.delete(&q)?;
    check!(!routed(&ch, Publish::new("", &q))?, "the queue is gone");
    Ok(())
}

fn default_refusals(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare(&q)?;
    let text = "operation not permitted on the default exchange";
    for m in [
        method("queue.bind")
            .set("queue", &q)
            .set("routing-key", "k"),
        method("queue.unbind")
            .set("queue", &q)
            .set("routing-key", "k"),
        method("exchange.bind").set("destination", "amq.direct"),
        method("exchange.bind").set("source", "amq.direct"),
        method("exchange.unbind").set("destination", "amq.direct"),
        method("exchange.declare")
            .set("type", "direct")
            .set("durable", true),
        method("exchange.declare").set("type", "fanout"),
        method("exchange.declare")
            .set("type", "direct")
            .set("passive", true),
        method("exchange.delete"),
    ] {
        ch.refused(&m, 403, text)?;
        ch.reopen()?;
    }
    Ok(())
}

fn reserved(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let text = "exchange name 'amq.nope' contains reserved prefix 'amq.*'";
    ch.refused(&Exchange::new("amq.nope", "direct").method(), 403, text)?;
    ch.reopen()?;
    let text = format!("no exchange 'amq.nope' in vhost '{}'", ctx.vhost());
    ch.refused(
        &Exchange::new("amq.nope", "direct").passive().method(),
        404,
        text,
    )?;
    ch.reopen()?;
    for name in ["amq.nope", "amq.direct", "amq.rabbitmq.trace"] {
        let text = format!(
            "deletion of system exchange '{name}' in vhost '{}' not allowed",
            ctx.vhost()
        );
        ch.refused(&method("exchange.delete").set("exchange", name), 403, text)?;
        ch.reopen()?;
    }
    Ok(())
}

fn internal(ctx: &mut Ctx) -> Result {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "fanout").internal())?;
    r.bind("")?;
    let text = format!(
        "cannot publish to internal exchange '{}' in vhost '{}'",
        r.x,
        ctx.vhost()
    );
    r.ch.publish(&r.x, "k", "m")?;
    r.ch.expect_close(403, (60, 40), text)?;
    let ch = r.ch.reopen()?;
    check_eq!(ch.depth(&r.q)?.messages, 0);
    let front = ctx.exchange("front");
    ch.exchange(&front, "fanout")?;
    ch.exchange_bind(&r.x, &front, "")?;
    check!(routed(&ch, Publish::new(&front, ""))?);
    Ok(())
}

fn random(ctx: &mut Ctx) -> Result {
    let r = Router::new(ctx, Exchange::new(ctx.exchange("x"), "x-random"))?;
    check!(!r.routes("k")?, "nothing is bound");
    let second = ctx.queue("second");
    r.ch.declare(&second)?;
    r.bind("whatever")?;
    r.ch.bind(&second, &r.x, "")?;
    r.ch.confirm_select()?;
    for _ in 0..200 {
        r.ch.publish_with(&Publish::new(&r.x, "k").mandatory())?;
    }
    r.ch.confirms(1, 200)?;
    r.ch.expect_silence()?;
    let counts = (r.ch.depth(&r.q)?.messages, r.ch.depth(&second)?.messages);
    check_eq!(counts.0 + counts.1, 200);
    // With even chances one side of 40 has a probability below 10^-17.
    check!(counts.0 > 40 && counts.1 > 40, "{counts:?}");
    Ok(())
}
