//! Scenarios: direct reply-to, the pseudo-queue `amq.rabbitmq.reply-to`.

use crate::prelude::*;

use super::exchanges::routed;

const SOURCE: &str = "RabbitMQ, features 1.8";
const PSEUDO: &str = "amq.rabbitmq.reply-to";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "reply-to.round-trip",
        "a request's reply-to is rewritten to an address; a reply there comes to its channel",
        SOURCE,
        round_trip,
    ),
    Scenario::new(
        "reply-to.address.shape",
        "the address is amq.rabbitmq.reply-to. and a token; other properties stay",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let props = Props::new()
                .reply_to(PSEUDO)
                .correlation_id("c")
                .header("h", 1);
            r.client
                .publish_with(&Publish::to_queue(&r.q).props(props))?;
            let d = r.server.wait_get(&r.q)?;
            let address = d.props.reply_to.unwrap_or_default();
            let token = address
                .strip_prefix(b"amq.rabbitmq.reply-to.")
                .unwrap_or_default();
            check!(token.len() >= 16, "{}", String::from_utf8_lossy(&address));
            check_eq!(d.props.correlation_id, Some(b"c".to_vec()));
            check_eq!(d.props.headers, Some(Table::new().with("h", 1)));
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.address.differs",
        "each channel has its own address, stable while the consumer lives",
        SOURCE,
        |ctx| {
            let (a, b) = (Rpc::new(ctx)?, Rpc::new(ctx)?);
            let (first, second) = (a.address()?, a.address()?);
            check_eq!(first, second);
            check!(first != b.address()?, "two channels, one address");
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.other-names",
        "only the exact name is rewritten",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            for name in [
                "amq.rabbitmq.reply-to.",
                "amq.rabbitmq.reply-to.x",
                "AMQ.rabbitmq.reply-to",
            ] {
                let props = Props::new().reply_to(name);
                r.client
                    .publish_with(&Publish::to_queue(&r.q).props(props))?;
                check_eq!(r.server.wait_get(&r.q)?.props.reply_to, Some(name.into()));
            }
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.no-consumer",
        "a request without a reply consumer on its channel: 406",
        "features 1.4 (406)",
        |ctx| {
            let r = Rpc::new(ctx)?;
            let other = r.client.conn.channel(5)?;
            let props = Props::new().reply_to(PSEUDO);
            other.publish_with(&Publish::to_queue(&r.q).props(props))?;
            other.expect_close(406, (60, 40), "fast reply consumer does not exist")
        },
    ),
    Scenario::new(
        "reply-to.ack-mode",
        "the reply consumer must be no-ack: 406",
        "features 1.4 (406)",
        |ctx| {
            let ch = ctx.channel()?;
            let text = "reply consumer cannot acknowledge";
            ch.refused(&Consume::new(PSEUDO).method(), 406, text)
        },
    ),
    Scenario::new(
        "reply-to.one-per-channel",
        "a channel has one reply consumer: 406 for a second",
        "features 1.4 (406)",
        |ctx| {
            let ch = ctx.channel()?;
            ch.consume_with(Consume::new(PSEUDO).no_ack().tag("a"))?;
            let again = Consume::new(PSEUDO).no_ack().tag("b").method();
            ch.refused(&again, 406, "reply consumer already set")
        },
    ),
    Scenario::new(
        "reply-to.cancel",
        "after a cancel the address is dead and another reply consumer may come",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            r.client.cancel(&r.tag)?;
            let props = Props::new().reply_to(PSEUDO);
            check!(
                !routed(&r.server, Publish::to_queue(&address))?,
                "the old address lives"
            );
            r.client.consume_with(Consume::new(PSEUDO).no_ack())?;
            r.client
                .publish_with(&Publish::to_queue(&r.q).props(props))?;
            r.server.wait_get(&r.q).map(drop)
        },
    ),
    Scenario::new(
        "reply-to.tag",
        "the reply consumer's tag is the client's, or a server-made amq.ctag-",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            check_eq!(
                ch.consume_with(Consume::new(PSEUDO).no_ack().tag("mine"))?,
                "mine"
            );
            ch.cancel("mine")?;
            let made = ch.consume_with(Consume::new(PSEUDO).no_ack())?;
            check!(made.starts_with("amq.ctag-"), "{made}");
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.many",
        "replies come in order, not redelivered",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            for i in 0..50 {
                r.server.publish("", &address, &i.to_string())?;
            }
            for i in 0..50u64 {
                check!(!r.client.expect_delivery(&i.to_string())?.redelivered);
            }
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.delivery-tags",
        "a reply carries the channel's next delivery tag and does not use it up",
        "RabbitMQ",
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            r.server.publish("", &address, "a")?;
            r.server.publish("", &address, "b")?;
            check_eq!(
                (
                    r.client.expect_delivery("a")?.tag,
                    r.client.expect_delivery("b")?.tag
                ),
                (1, 1)
            );
            r.server.publish("", &r.q, "m")?;
            let d = r.client.wait_get(&r.q)?;
            check_eq!(d.tag, 1);
            r.client.ack(d.tag)?;
            r.server.publish("", &address, "c")?;
            check_eq!(r.client.expect_delivery("c")?.tag, 2);
            r.client.refused(
                &method("basic.ack").set("delivery-tag", 2),
                406,
                "unknown delivery tag 2",
            )
        },
    ),
    Scenario::new(
        "reply-to.mandatory",
        "a mandatory reply is delivered, and returned 312 all the same",
        "trap 27",
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            r.server
                .publish_with(&Publish::to_queue(&address).body("m").mandatory())?;
            check_eq!(r.server.returned()?.code, 312);
            r.client.expect_delivery("m").map(drop)
        },
    ),
    Scenario::new("reply-to.confirm", "a reply is confirmed", SOURCE, |ctx| {
        let r = Rpc::new(ctx)?;
        let address = r.address()?;
        r.server.confirm_select()?;
        r.server.publish("", &address, "m")?;
        check_eq!(r.server.confirms(1, 1)?, [true]);
        r.client.expect_delivery("m").map(drop)
    }),
    Scenario::new(
        "reply-to.gone",
        "replies to a closed channel, or to a wrong token, are dropped",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            check!(!routed(
                &r.server,
                Publish::to_queue(format!("{address}x"))
            )?);
            check!(!routed(&r.server, Publish::to_queue(PSEUDO))?);
            r.client.close()?;
            check!(!routed(&r.server, Publish::to_queue(&address))?);
            r.server.sync()
        },
    ),
    Scenario::new(
        "reply-to.other-exchange",
        "only the default exchange knows the addresses",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            check!(!routed(&r.server, Publish::new("amq.direct", &address))?);
            r.server.publish("", &address, "fence")?;
            r.client.expect_delivery("fence").map(drop)
        },
    ),
    Scenario::new(
        "reply-to.cc",
        "a reply's CC keys are served too",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            let props = Props::new().header("CC", Value::Array(vec![Value::from(&r.q)]));
            let publish = Publish::to_queue(&address).body("m").props(props);
            check!(routed(&r.server, publish)?, "the queue counts as a route");
            r.client.expect_delivery("m")?;
            check_eq!(r.server.wait_get(&r.q)?.text(), "m");
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.large",
        "a reply of several frames arrives whole",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let body: Vec<u8> = (0..400_000u32).map(|i| (i % 251) as u8).collect();
            r.server
                .publish_with(&Publish::to_queue(r.address()?).body(&body))?;
            check!(r.client.delivery()?.body == body, "another body came");
            Ok(())
        },
    ),
    Scenario::new(
        "reply-to.declare",
        "declaring the pseudo-queue or a live address answers with one consumer",
        "trap 27",
        declare,
    ),
    Scenario::new(
        "reply-to.declare.dead",
        "declaring a dead address passively is 404, which shows that the client is gone",
        SOURCE,
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            r.client.close()?;
            let text = format!("no queue '{address}' in vhost '{}'", ctx.vhost());
            r.server
                .refused(&Queue::new(&address).passive().method(), 404, text)
        },
    ),
    Scenario::new(
        "reply-to.delete",
        "deleting the pseudo-queue or an address answers ok and changes nothing",
        "trap 27",
        |ctx| {
            let r = Rpc::new(ctx)?;
            let address = r.address()?;
            check_eq!(r.server.delete(PSEUDO)?, 0);
            check_eq!(r.server.delete(&address)?, 0);
            r.server.publish("", &address, "alive")?;
            r.client.expect_delivery("alive").map(drop)
        },
    ),
    Scenario::new(
        "reply-to.not-a-queue",
        "get, bind, purge and consume find no queue there: 404",
        "trap 27",
        not_a_queue,
    ),
];

/// A client with a reply consumer, a server, and a queue for requests.
struct Rpc {
    client: Channel,
    server: Channel,
    q: String,
    tag: String,
}

impl Rpc {
    fn new(ctx: &Ctx) -> Result<Self> {
        let (client, server) = (ctx.channel()?, ctx.channel()?);
        let q = ctx.queue("q");
        server.declare(&q)?;
        let tag = client.consume_with(Consume::new(PSEUDO).no_ack())?;
        Ok(Self {
            client,
            server,
            q,
            tag,
        })
    }
    /// Sends a request; the reply address as the server sees it.
    fn address(&self) -> Result<String> {
        let props = Props::new().reply_to(PSEUDO);
        self.client
            .publish_with(&Publish::to_queue(&self.q).props(props))?;
        let d = self.server.wait_get(&self.q)?;
        Ok(String::from_utf8_lossy(&d.props.reply_to.unwrap_or_default()).into_owned())
    }
}

fn round_trip(ctx: &mut Ctx) -> Result {
    let r = Rpc::new(ctx)?;
    for i in 0..3 {
        let address = r.address()?;
        let props = Props::new().correlation_id(i.to_string()).header("h", 1);
        let reply = Publish::to_queue(&address)
            .body(format!("reply {i}"))
            .props(props.clone());
        r.server.publish_with(&reply)?;
        let d = r.client.expect_delivery(&format!("reply {i}"))?;
        check_eq!(
            (d.consumer.as_str(), d.exchange.as_str(), &d.key),
            (&*r.tag, "", &address)
        );
        check_eq!(d.props, props);
    }
    Ok(())
}

fn declare(ctx: &mut Ctx) -> Result {
    let r = Rpc::new(ctx)?;
    let address = r.address()?;
    for name in [PSEUDO, &address] {
        for declare in [Queue::new(name), Queue::new(name).passive()] {
            let ok = r.server.declare_with(declare)?;
            check_eq!((ok.queue.as_str(), ok.messages, ok.consumers), (name, 0, 1));
        }
    }
    Ok(())
}

fn not_a_queue(ctx: &mut Ctx) -> Result {
    let r = Rpc::new(ctx)?;
    let address = r.address()?;
    for name in [PSEUDO, &address] {
        let text = format!("no queue '{name}' in vhost '{}'", ctx.vhost());
        for m in [
            method("basic.get").set("queue", name),
            method("queue.purge").set("queue", name),
            method("queue.bind")
                .set("queue", name)
                .set("exchange", "amq.direct"),
        ] {
            r.server.refused(&m, 404, &text)?;
            r.server.reopen()?;
        }
    }
    let text = format!("no queue '{address}' in vhost '{}'", ctx.vhost());
    r.server
        .refused(&Consume::new(&address).no_ack().method(), 404, text)
}
