//! Scenarios: vhost access, configure/write/read and topic permissions.

use crate::prelude::*;
use std::sync::Arc;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "perm.vhost_refused",
        "a user without permissions in a vhost is refused there with 530",
        "features 1.1, 1.4",
        vhost_refused,
    ),
    Scenario::new(
        "perm.vhost_separate",
        "vhosts have objects of their own, the predeclared exchanges among them",
        "AMQP 0-9-1 2.2.1",
        vhost_separate,
    ),
    Scenario::new(
        "perm.queue_declare",
        "queue.declare needs configure on the queue; passive does not",
        "management 8; features 1.4",
        queue_declare,
    ),
    Scenario::new(
        "perm.queue_delete",
        "queue.delete needs configure on the queue",
        "RabbitMQ",
        |ctx| denied_queue(ctx, "alice", |q| method("queue.delete").set("queue", q)),
    ),
    Scenario::new(
        "perm.queue_purge",
        "queue.purge needs read on the queue",
        "RabbitMQ",
        |ctx| denied_queue(ctx, "alice", |q| method("queue.purge").set("queue", q)),
    ),
    Scenario::new(
        "perm.basic_get",
        "basic.get needs read on the queue",
        "RabbitMQ",
        |ctx| denied_queue(ctx, "alice", |q| method("basic.get").set("queue", q)),
    ),
    Scenario::new(
        "perm.basic_consume",
        "basic.consume needs read on the queue",
        "RabbitMQ",
        |ctx| denied_queue(ctx, "alice", |q| method("basic.consume").set("queue", q)),
    ),
    Scenario::new(
        "perm.queue_bind",
        "queue.bind and unbind need write on the queue and read on the exchange",
        "RabbitMQ",
        queue_bind,
    ),
    Scenario::new(
        "perm.exchange_declare",
        "exchange.declare needs configure on the exchange; passive does not",
        "RabbitMQ",
        exchange_declare,
    ),
    Scenario::new(
        "perm.exchange_delete",
        "exchange.delete needs configure on the exchange",
        "RabbitMQ",
        exchange_delete,
    ),
    Scenario::new(
        "perm.exchange_bind",
        "exchange.bind needs write on the destination and read on the source",
        "RabbitMQ",
        exchange_bind,
    ),
    Scenario::new(
        "perm.publish",
        "basic.publish needs write on the exchange; the default exchange is amq.default",
        "RabbitMQ; features 1.4",
        publish,
    ),
    Scenario::new(
        "perm.alternate",
        "alternate-exchange needs read on the exchange and write on the alternate",
        "RabbitMQ",
        alternate,
    ),
    Scenario::new(
        "perm.dead_letter",
        "x-dead-letter-exchange needs read on the queue and write on that exchange",
        "RabbitMQ",
        dead_letter,
    ),
    Scenario::new(
        "perm.read_only",
        "a user with read alone consumes and gets, and may not publish or declare",
        "RabbitMQ",
        read_only,
    ),
    Scenario::new(
        "perm.server_named",
        "server-named queues are checked by the name amq.gen-*",
        "RabbitMQ",
        server_named,
    ),
    Scenario::new(
        "perm.before_existence",
        "permission is checked before existence: a hidden name is 403, not 404",
        "RabbitMQ",
        before_existence,
    ),
    Scenario::new(
        "perm.unanchored",
        "patterns match anywhere in the name unless anchored",
        "RabbitMQ",
        unanchored,
    ),
    Scenario::new(
        "perm.topic_publish",
        "topic permissions check the routing key of publishes to that topic exchange",
        "RabbitMQ; management 8",
        topic_publish,
    ),
    Scenario::new(
        "perm.topic_bind",
        "topic permissions check the routing key of bindings for reading",
        "RabbitMQ; management 8",
        topic_bind,
    ),
    Scenario::new(
        "perm.topic_variables",
        "{username} and {vhost} in topic permissions stand for the connection's",
        "RabbitMQ",
        topic_variables,
    ),
    Scenario::new(
        "perm.connection_lives",
        "a refusal closes the channel only",
        "features 1.4",
        connection_lives,
    ),
    Scenario::new(
        "perm.user_id_impersonator",
        "user-id of another is refused also to administrators",
        "RabbitMQ; features 1.4",
        user_id_other,
    ),
];

fn broker(ctx: &Ctx) -> Result<Arc<Broker>> {
    let definitions = Definitions::new()
        .vhost("other")
        .vhost("with/slash")
        .user("alice")
        .permission("alice", "/", "^alice", "^alice", "^alice")
        .user("reader")
        .permission("reader", "/", "^$", "^$", ".*")
        .user("loose")
        .permission("loose", "/", "mid", "mid", "mid")
        .user("topic")
        .permission("topic", "/", ".*", ".*", ".*")
        .topic("topic", "/", "amq.topic", "^a[.]", "^b[.]")
        .user("vars")
        .permission("vars", "/", ".*", ".*", ".*")
        .topic("vars", "/", "amq.topic", "^{username}[.]", "^{vhost}[.]")
        .user("nowhere")
        .administrator("root")
        .permission("root", "/", ".*", ".*", ".*");
    ctx.private("", &definitions.json())
}

fn as_user(broker: &Broker, user: &str) -> Result<Channel> {
    Conn::open(&broker.url_for(user, "secret", "/"))?.channel(1)
}

fn refused_text(kind: &str, name: &str, user: &str) -> String {
    format!("access to {kind} '{name}' in vhost '/' refused for user '{user}'")
}

/// A queue made by guest that other users may not touch.
fn hidden_queue(ctx: &Ctx, broker: &Broker) -> Result<String> {
    let q = ctx.name("hidden");
    broker.connect()?.channel(1)?.declare(&q)?;
    Ok(q)
}

fn vhost_refused(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    for (user, vhost) in [("nowhere", "/"), ("alice", "other")] {
        let conn = Conn::tcp(&broker.url_for(user, "secret", vhost))?;
        conn.start()?;
        conn.start_ok(&Options::default())?;
        conn.tune(&Options::default())?;
        conn.send(0, &method("connection.open").set("virtual-host", vhost))?;
        let text = format!("access to vhost '{vhost}' refused for user '{user}'");
        conn.expect_close(530, (10, 40), text)?;
    }
    Ok(())
}

fn vhost_separate(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = ctx.name("q");
    let one = Conn::open(&broker.url_for("guest", "guest", "other"))?.channel(1)?;
    let two = Conn::open(&broker.url_for("guest", "guest", "with/slash"))?.channel(1)?;
    one.declare(&q)?;
    one.publish("", &q, "one")?;
    one.wait_messages(&q, 1)?;
    two.exchange_with(Exchange::new("amq.topic", "topic").durable())?;
    let passive = Queue::new(&q).passive().method();
    two.refused(
        &passive,
        404,
        format!("no queue '{q}' in vhost 'with/slash'"),
    )?;
    one.delete(&q).map(drop)
}

fn queue_declare(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = hidden_queue(ctx, &broker)?;
    let ch = as_user(&broker, "alice")?;
    ch.depth(&q)?;
    ch.declare_with(Queue::new(format!("alice.{q}")).exclusive())?;
    ch.refused(
        &Queue::new(&q).method(),
        403,
        refused_text("queue", &q, "alice"),
    )
}

fn denied_queue(ctx: &mut Ctx, user: &str, m: fn(&str) -> Method) -> Result {
    let broker = broker(ctx)?;
    let q = hidden_queue(ctx, &broker)?;
    let ch = as_user(&broker, user)?;
    ch.refused(&m(&q), 403, refused_text("queue", &q, user))?;
    // The same on a queue of its own is allowed.
    let ch = ch.reopen()?;
    let own = format!("{user}.{q}");
    ch.declare_with(Queue::new(&own).exclusive())?;
    ch.call(&m(&own)).map(drop)
}

fn queue_bind(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = hidden_queue(ctx, &broker)?;
    let own = format!("alice.{q}");
    let mut ch = as_user(&broker, "alice")?;
    let x = format!("alice.x.{q}");
    ch.exchange_with(Exchange::new(&x, "direct").auto_delete())?;
    ch.declare_with(Queue::new(&own).exclusive())?;
    for name in ["queue.bind", "queue.unbind"] {
        let m = |q: &str, x: &str| method(name).set("queue", q).set("exchange", x);
        ch.refused(&m(&q, &x), 403, refused_text("queue", &q, "alice"))?;
        ch = ch.reopen()?;
        let text = refused_text("exchange", "amq.direct", "alice");
        ch.refused(&m(&own, "amq.direct"), 403, text)?;
        ch = ch.reopen()?;
        ch.call(&m(&own, &x))?;
    }
    Ok(())
}

fn exchange_declare(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let x = ctx.name("x");
    let ch = as_user(&broker, "alice")?;
    ch.exchange_with(Exchange::new("amq.direct", "direct").passive())?;
    ch.refused(
        &Exchange::new(&x, "direct").method(),
        403,
        refused_text("exchange", &x, "alice"),
    )
}

fn exchange_delete(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let x = ctx.name("x");
    let ch = as_user(&broker, "alice")?;
    let delete = method("exchange.delete").set("exchange", &x);
    ch.refused(&delete, 403, refused_text("exchange", &x, "alice"))
}

fn exchange_bind(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let x = format!("alice.x.{}", ctx.name("x"));
    let mut ch = as_user(&broker, "alice")?;
    ch.exchange(&x, "fanout")?;
    let refused = refused_text("exchange", "amq.fanout", "alice");
    for name in ["exchange.bind", "exchange.unbind"] {
        for (destination, source) in [("amq.fanout", x.as_str()), (x.as_str(), "amq.fanout")] {
            let m = method(name)
                .set("destination", destination)
                .set("source", source);
            ch.refused(&m, 403, &refused)?;
            ch = ch.reopen()?;
        }
    }
    ch.exchange_delete(&x)
}

fn publish(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "alice")?;
    ch.publish("amq.direct", "k", "m")?;
    ch.expect_close(
        403,
        (60, 40),
        refused_text("exchange", "amq.direct", "alice"),
    )?;
    let ch = ch.reopen()?;
    ch.publish("", "alice.q", "m")?;
    ch.expect_close(
        403,
        (60, 40),
        refused_text("exchange", "amq.default", "alice"),
    )?;
    let ch = ch.reopen()?;
    let x = format!("alice.{}", ctx.name("x"));
    ch.exchange(&x, "fanout")?;
    ch.publish(&x, "k", "m")?;
    ch.expect_silence()?;
    ch.exchange_delete(&x)
}

fn alternate(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let x = format!("alice.{}", ctx.name("x"));
    let ch = as_user(&broker, "alice")?;
    let declare = Exchange::new(&x, "fanout").arg("alternate-exchange", "amq.fanout");
    ch.refused(
        &declare.method(),
        403,
        refused_text("exchange", "amq.fanout", "alice"),
    )?;
    let ch = ch.reopen()?;
    ch.exchange_with(Exchange::new(&x, "fanout").arg("alternate-exchange", "alice.other"))?;
    ch.exchange_delete(&x)
}

fn dead_letter(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = format!("alice.{}", ctx.name("q"));
    let ch = as_user(&broker, "alice")?;
    let declare = Queue::new(&q)
        .exclusive()
        .arg("x-dead-letter-exchange", "amq.fanout");
    ch.refused(
        &declare.method(),
        403,
        refused_text("exchange", "amq.fanout", "alice"),
    )?;
    let ch = ch.reopen()?;
    let declare = Queue::new(&q)
        .exclusive()
        .arg("x-dead-letter-exchange", "alice.dlx");
    ch.declare_with(declare).map(drop)
}

fn read_only(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = hidden_queue(ctx, &broker)?;
    let guest = broker.connect()?.channel(1)?;
    let ch = as_user(&broker, "reader")?;
    guest.publish("", &q, "one")?;
    check_eq!(ch.wait_get(&q)?.text(), "one");
    ch.consume(&q)?;
    guest.publish("", &q, "two")?;
    ch.expect_delivery("two")?;
    ch.publish("amq.fanout", "k", "m")?;
    ch.expect_close(
        403,
        (60, 40),
        refused_text("exchange", "amq.fanout", "reader"),
    )?;
    let ch = ch.reopen()?;
    ch.refused(
        &Queue::new(&q).method(),
        403,
        refused_text("queue", &q, "reader"),
    )
}

fn server_named(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "alice")?;
    let text = Text::starts("access to queue 'amq.gen-");
    ch.refused(&Queue::new("").exclusive().method(), 403, text)
}

fn before_existence(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let q = ctx.name("missing");
    let mut ch = as_user(&broker, "alice")?;
    for name in ["basic.get", "basic.consume", "queue.purge", "queue.delete"] {
        let m = method(name).set("queue", &q);
        ch.refused(&m, 403, refused_text("queue", &q, "alice"))?;
        ch = ch.reopen()?;
    }
    ch.publish(&q, "k", "m")?;
    // A missing exchange is found missing first when publishing.
    ch.expect_close_any(&[403, 404], (60, 40))
}

fn unanchored(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "loose")?;
    ch.declare_with(Queue::new(format!("{}-mid-end", ctx.name("x"))).exclusive())?;
    let q = ctx.name("x");
    ch.refused(
        &Queue::new(&q).exclusive().method(),
        403,
        refused_text("queue", &q, "loose"),
    )
}

fn topic_text(key: &str, user: &str) -> String {
    format!(
        "access to topic '{key}' in exchange 'amq.topic' in vhost '/' refused for user '{user}'"
    )
}

fn topic_publish(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "topic")?;
    ch.publish("amq.topic", "a.x", "m")?;
    ch.publish("amq.direct", "c.x", "m")?;
    ch.expect_silence()?;
    ch.publish("amq.topic", "c.x", "m")?;
    ch.expect_close(403, (60, 40), topic_text("c.x", "topic"))
}

fn topic_bind(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "topic")?;
    let q = ch.declare_with(Queue::new("").exclusive())?.queue;
    ch.bind(&q, "amq.topic", "b.#")?;
    let bind = method("queue.bind")
        .set("queue", &q)
        .set("exchange", "amq.topic");
    ch.refused(
        &bind.set("routing-key", "a.x"),
        403,
        topic_text("a.x", "topic"),
    )
}

fn topic_variables(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "vars")?;
    ch.publish("amq.topic", "vars.x", "m")?;
    ch.expect_silence()?;
    ch.publish("amq.topic", "other.x", "m")?;
    ch.expect_close(403, (60, 40), topic_text("other.x", "vars"))?;
    let ch = ch.reopen()?;
    let q = ch.declare_with(Queue::new("").exclusive())?.queue;
    ch.bind(&q, "amq.topic", "/.x")
}

fn connection_lives(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "reader")?;
    ch.publish("amq.fanout", "k", "m")?;
    ch.expect_close(403, (60, 40), Text::Any)?;
    ch.conn.expect_alive()
}

fn user_id_other(ctx: &mut Ctx) -> Result {
    let broker = broker(ctx)?;
    let ch = as_user(&broker, "root")?;
    ch.publish_with(&Publish::new("amq.fanout", "").props(Props::new().user_id("alice")))?;
    let text = "user_id property set to 'alice' but authenticated user was 'root'";
    ch.expect_close(406, (60, 40), text)
}
