//! Scenarios: the consistent-hash exchange.

use crate::prelude::*;

use super::exchanges::routed;

const SOURCE: &str = "rabbitmq_consistent_hash_exchange, features 1.8";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "hash.one-queue",
        "every message goes to exactly one of the bound queues",
        SOURCE,
        |ctx| {
            let h = Hash::new(ctx, "1", "1", |x| x)?;
            let counts = h.send(200, |i| Publish::new(&h.x, format!("key {i}")))?;
            check_eq!(counts.0 + counts.1, 200);
            Ok(())
        },
    ),
    Scenario::new(
        "hash.same-key",
        "equal keys go to the same queue",
        SOURCE,
        |ctx| {
            let h = Hash::new(ctx, "1", "1", |x| x)?;
            for key in ["a", "b", "c", "d"] {
                let counts = h.send(20, |_| Publish::new(&h.x, key))?;
                check!(counts == (20, 0) || counts == (0, 20), "{key}: {counts:?}");
            }
            Ok(())
        },
    ),
    Scenario::new(
        "hash.weights",
        "a binding key is a weight: shares follow it",
        SOURCE,
        |ctx| {
            let h = Hash::new(ctx, "1", "3", |x| x)?;
            let counts = h.send(2000, |i| Publish::new(&h.x, format!("key {i}")))?;
            check_eq!(counts.0 + counts.1, 2000);
            // A ring with few points is uneven: only the order of size is asked for.
            check!(
                counts.0 > 200 && counts.0 < 900,
                "{counts:?} with weights 1 and 3"
            );
            Ok(())
        },
    ),
    Scenario::new(
        "hash.stable",
        "removing a queue moves only its own keys",
        SOURCE,
        stable,
    ),
    Scenario::new(
        "hash.unbound",
        "without bindings nothing is routed",
        SOURCE,
        |ctx| {
            let h = Hash::new(ctx, "2", "2", |x| x)?;
            h.ch.unbind(&h.a, &h.x, "2")?;
            check!(routed(&h.ch, Publish::new(&h.x, "k"))?);
            h.ch.unbind(&h.b, &h.x, "2")?;
            check!(!routed(&h.ch, Publish::new(&h.x, "k"))?);
            Ok(())
        },
    ),
    Scenario::new(
        "hash.cc-ignored",
        "only the routing key is hashed, not CC",
        "RabbitMQ",
        |ctx| {
            let h = Hash::new(ctx, "1", "1", |x| x)?;
            let keys: Vec<Value> = (0..50).map(|i| Value::from(i.to_string())).collect();
            let props = Props::new().header("CC", Value::Array(keys));
            let counts = h.send(1, |_| Publish::new(&h.x, "k").props(props.clone()))?;
            check_eq!(counts.0 + counts.1, 1);
            Ok(())
        },
    ),
    Scenario::new(
        "hash.header",
        "hash-header hashes that header; messages without it all go one way",
        SOURCE,
        |ctx| {
            let h = Hash::new(ctx, "1", "1", |x| x.arg("hash-header", "h"))?;
            spread(h.send(200, |i| with_header(&h, "same", i))?)?;
            together(h.send(50, |i| with_header_value(&h, i, "same"))?)?;
            together(h.send(50, |i| Publish::new(&h.x, i.to_string()))?)
        },
    ),
    Scenario::new(
        "hash.property",
        "hash-property hashes message_id, correlation_id or timestamp",
        SOURCE,
        property,
    ),
    Scenario::new(
        "hash.property.unsupported",
        "other properties are refused by name",
        SOURCE,
        |ctx| {
            for name in [
                "content_type",
                "reply_to",
                "type",
                "app_id",
                "user_id",
                "foo",
                "priority",
            ] {
                refused(
                    ctx,
                    Table::new().with("hash-property", name),
                    &format!("Unsupported property: {name}"),
                )?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "hash.exclusive-arguments",
        "hash-header and hash-property together are refused",
        SOURCE,
        |ctx| {
            let both = Table::new()
                .with("hash-header", "h")
                .with("hash-property", "message_id");
            refused(
                ctx,
                both,
                "hash-header and hash-property are mutually exclusive",
            )
        },
    ),
    Scenario::new(
        "hash.argument-types",
        "hash-header and hash-property that are no strings are refused",
        "RabbitMQ (541 is its defect)",
        argument_types,
    )
    .deviation("RabbitMQ's channel crashes with 541 on the connection"),
    Scenario::new(
        "hash.weight.refused",
        "a binding key that is no positive integer is refused",
        SOURCE,
        weight_refused,
    ),
    Scenario::new(
        "hash.not-compared",
        "hash arguments are not compared on redeclaration",
        "RabbitMQ",
        |ctx| {
            let ch = ctx.channel()?;
            let x = ctx.exchange("x");
            ch.exchange_with(Exchange::new(&x, "x-consistent-hash").arg("hash-header", "a"))?;
            ch.exchange_with(Exchange::new(&x, "x-consistent-hash").arg("hash-header", "b"))?;
            ch.exchange(&x, "x-consistent-hash")
        },
    ),
    Scenario::new(
        "hash.on",
        "x-hash-on is the other spelling of hash-header",
        "LavinMQ, features 1.8",
        |ctx| {
            let h = Hash::new(ctx, "1", "1", |x| x.arg("x-hash-on", "h"))?;
            let by_header = h.send(200, |i| with_header(&h, "same", i))?;
            if ctx.is_rabbit() {
                return together(by_header);
            }
            spread(by_header)?;
            together(h.send(50, |i| with_header_value(&h, i, "same"))?)
        },
    )
    .deviation("RabbitMQ does not know x-hash-on"),
];

/// A hash exchange with two bound queues.
struct Hash {
    ch: Channel,
    x: String,
    a: String,
    b: String,
}

impl Hash {
    fn new(ctx: &Ctx, a: &str, b: &str, build: fn(Exchange) -> Exchange) -> Result<Self> {
        let h = Self {
            ch: ctx.channel()?,
            x: ctx.exchange("x"),
            a: ctx.queue("a"),
            b: ctx.queue("b"),
        };
        h.ch.exchange_with(build(Exchange::new(&h.x, "x-consistent-hash")))?;
        for (q, weight) in [(&h.a, a), (&h.b, b)] {
            h.ch.declare(q)?;
            h.ch.bind(q, &h.x, weight)?;
        }
        Ok(h)
    }
    /// Publishes `count` messages; how many each queue got.
    fn send(&self, count: usize, message: impl Fn(usize) -> Publish) -> Result<(u64, u64)> {
        self.ch.purge(&self.a)?;
        self.ch.purge(&self.b)?;
        let publisher = self.ch.conn.channel(1902)?;
        publisher.confirm_select()?;
        for i in 0..count {
            publisher.publish_with(&message(i).mandatory())?;
        }
        publisher.confirms(1, count as u64)?;
        publisher.expect_silence()?;
        publisher.close()?;
        Ok((
            self.ch.depth(&self.a)?.messages,
            self.ch.depth(&self.b)?.messages,
        ))
    }
}

fn with_header(h: &Hash, key: &str, i: usize) -> Publish {
    Publish::new(&h.x, key).props(Props::new().header("h", i.to_string()))
}

fn with_header_value(h: &Hash, i: usize, value: &str) -> Publish {
    Publish::new(&h.x, i.to_string()).props(Props::new().header("h", value))
}

fn spread(counts: (u64, u64)) -> Result {
    check!(counts.0 > 10 && counts.1 > 10, "not spread: {counts:?}");
    Ok(())
}

fn together(counts: (u64, u64)) -> Result {
    check!(counts.0 == 0 || counts.1 == 0, "not together: {counts:?}");
    check!(counts.0 + counts.1 > 0, "nothing arrived");
    Ok(())
}

fn stable(ctx: &mut Ctx) -> Result {
    let h = Hash::new(ctx, "2", "2", |x| x)?;
    let third = ctx.queue("third");
    h.ch.declare(&third)?;
    h.send(300, |i| {
        Publish::new(&h.x, i.to_string()).body(i.to_string())
    })?;
    let before = h.ch.get_all(&h.a)?;
    h.ch.bind(&third, &h.x, "2")?;
    h.send(300, |i| {
        Publish::new(&h.x, i.to_string()).body(i.to_string())
    })?;
    let during = h.ch.get_all(&h.a)?;
    check!(
        during.iter().all(|key| before.contains(key)),
        "a got keys of others"
    );
    h.ch.unbind(&third, &h.x, "2")?;
    h.send(300, |i| {
        Publish::new(&h.x, i.to_string()).body(i.to_string())
    })?;
    check_eq!(h.ch.get_all(&h.a)?, before, "all as it was");
    Ok(())
}

fn property(ctx: &mut Ctx) -> Result {
    for (at, name) in ["message_id", "correlation_id", "timestamp"]
        .iter()
        .enumerate()
    {
        let build: [fn(Exchange) -> Exchange; 3] = [
            |x| x.arg("hash-property", "message_id"),
            |x| x.arg("hash-property", "correlation_id"),
            |x| x.arg("hash-property", "timestamp"),
        ];
        let h = Hash::new(ctx, "1", "1", build[at])?;
        let props = |i: usize| match *name {
            "message_id" => Props::new().message_id(i.to_string()),
            "correlation_id" => Props::new().correlation_id(i.to_string()),
            _ => Props::new().timestamp(i as u64),
        };
        spread(h.send(200, |i| Publish::new(&h.x, "same").props(props(i)))?)?;
        together(h.send(50, |i| Publish::new(&h.x, i.to_string()).props(props(7)))?)?;
        together(h.send(50, |i| Publish::new(&h.x, i.to_string()))?)?;
        h.ch.exchange_delete(&h.x)?;
    }
    Ok(())
}

fn refused(ctx: &mut Ctx, args: Table, text: &str) -> Result {
    let ch = ctx.channel()?;
    let declare = Exchange::new(ctx.exchange("x"), "x-consistent-hash").args(args);
    ch.refused(&declare.method(), 406, text)
}

fn argument_types(ctx: &mut Ctx) -> Result {
    for key in ["hash-header", "hash-property"] {
        let ch = ctx.channel()?;
        let declare = Exchange::new(ctx.exchange("x"), "x-consistent-hash")
            .arg(key, 1)
            .method();
        ch.send(&declare)?;
        if ctx.is_rabbit() {
            ch.conn
                .expect_close(541, (0, 0), Text::Whole("INTERNAL_ERROR".into()))?;
        } else {
            ch.expect_close(406, (40, 10), Text::contains(key))?;
        }
    }
    Ok(())
}

fn weight_refused(ctx: &mut Ctx) -> Result {
    let h = Hash::new(ctx, "1", "1", |x| x)?;
    for (weight, text) in [
        ("0", "The binding key must be greater than 0"),
        ("-1", "The binding key must be greater than 0"),
        ("a", "The binding key must be an integer: <<\"a\">>"),
        ("", "The binding key must be an integer: <<>>"),
        ("1.5", "The binding key must be an integer: <<\"1.5\">>"),
    ] {
        let bind = method("queue.bind")
            .set("queue", &h.a)
            .set("exchange", &h.x)
            .set("routing-key", weight);
        h.ch.refused(&bind, 406, text)?;
        h.ch.reopen()?;
    }
    Ok(())
}
