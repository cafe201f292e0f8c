//! Scenarios: what is declared comes back after a restart, or does not.

use super::restart::{
    Life, durable, exchange_is_gone, keep, keep_texts, lives, persistent, queue_is_gone,
};
use crate::prelude::*;

lives! {
    "queue.durable", "a durable queue is there after a restart, empty and without consumers",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        ch.consume("q")?;
        let ch = life.restart()?;
        let now = ch.depth("q")?;
        check_eq!((now.messages, now.consumers), (0, 0));
        keep_texts(&ch, "q", &["works"])?;
        check_eq!(ch.get_all("q")?, ["works"]);
        Ok(())
    };
    "queue.transient", "a queue that is not durable is gone, its bindings too",
    |life| {
        let ch = life.channel()?;
        ch.declare("q")?;
        ch.bind("q", "amq.direct", "k")?;
        keep_texts(&ch, "q", &["m"])?;
        let ch = life.restart()?;
        queue_is_gone(&ch, "q")?;
        check_eq!(ch.declare("q")?.messages, 0);
        keep(&ch, &[Publish::new("amq.direct", "k")])?;
        check_eq!(ch.depth("q")?.messages, 0, "the binding is gone");
        Ok(())
    };
    "queue.exclusive", "an exclusive queue is gone, also if it was declared durable",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("a").exclusive())?;
        ch.declare_with(Queue::new("b").exclusive().durable())?;
        keep_texts(&ch, "b", &["m"])?;
        let ch = life.restart()?;
        queue_is_gone(&ch, "a")?;
        queue_is_gone(&ch, "b")
    };
    "queue.auto-delete", "a durable auto-delete queue that had no consumer is there, and goes with its next last one",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().auto_delete())?;
        keep_texts(&ch, "q", &["m"])?;
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 1);
        let tag = ch.consume("q")?;
        ch.cancel(&tag)?;
        ch.wait_queue_gone("q")
    };
    "queue.server-named", "a durable queue that the server named keeps its name",
    |life| {
        let ch = life.channel()?;
        let q = ch.declare_with(Queue::new("").durable())?.queue;
        keep_texts(&ch, &q, &["m"])?;
        let ch = life.restart()?;
        check_eq!(ch.get_all(&q)?, ["m"]);
        Ok(())
    };
    "queue.deleted", "a deleted queue does not come back",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["m"])?;
        check_eq!(ch.delete("q")?, 1);
        let ch = life.restart()?;
        queue_is_gone(&ch, "q")
    };
    "queue.redeclared", "a queue that was deleted and declared again has none of the old messages",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["old 1", "old 2"])?;
        ch.delete("q")?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["new"])?;
        let ch = life.restart()?;
        check_eq!(ch.get_all("q")?, ["new"]);
        Ok(())
    };
    "queue.redeclared-empty", "also when nothing was published after the new declaration",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["old 1", "old 2"])?;
        ch.delete("q")?;
        durable(&ch, "q")?;
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 0);
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 0);
        Ok(())
    };
    "queue.equivalence", "arguments are compared after a restart as before, with the same texts",
    equivalence;
    "queue.many", "hundreds of durable queues are all there",
    |life| {
        let ch = life.channel()?;
        for n in 0..300 {
            durable(&ch, &format!("q{n}"))?;
        }
        let ch = life.restart()?;
        for n in 0..300 {
            ch.depth(format!("q{n}"))?;
        }
        Ok(())
    };
    "exchange.durable", "durable exchanges of every type are there and route",
    exchanges;
    "exchange.transient", "an exchange that is not durable is gone, with its bindings",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        ch.exchange("x", "fanout")?;
        ch.bind("q", "x", "")?;
        let ch = life.restart()?;
        exchange_is_gone(&ch, "x")?;
        ch.exchange("x", "fanout")?;
        keep(&ch, &[Publish::new("x", "")])?;
        check_eq!(ch.depth("q")?.messages, 0, "the binding is gone");
        Ok(())
    };
    "exchange.deleted", "a deleted exchange does not come back, nor do its bindings",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        let x = || Exchange::new("x", "fanout").durable();
        ch.exchange_with(x())?;
        ch.bind("q", "x", "")?;
        ch.exchange_delete("x")?;
        let ch = life.restart()?;
        exchange_is_gone(&ch, "x")?;
        ch.exchange_with(x())?;
        keep(&ch, &[Publish::new("x", "")])?;
        check_eq!(ch.depth("q")?.messages, 0);
        Ok(())
    };
    "exchange.auto-delete", "a durable auto-delete exchange is there with its binding and goes with it",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        ch.exchange_with(Exchange::new("x", "fanout").durable().auto_delete())?;
        ch.bind("q", "x", "")?;
        let ch = life.restart()?;
        keep(&ch, &[Publish::new("x", "")])?;
        check_eq!(ch.depth("q")?.messages, 1);
        ch.unbind("q", "x", "")?;
        ch.wait_exchange_gone("x")
    };
    "exchange.internal", "an internal exchange stays internal",
    |life| {
        let ch = life.channel()?;
        ch.exchange_with(Exchange::new("x", "fanout").durable().internal())?;
        let ch = life.restart()?;
        ch.publish("x", "", "m")?;
        let text = "cannot publish to internal exchange 'x' in vhost '/'";
        ch.expect_close(403, (60, 40), text)
    };
    "exchange.alternate", "an alternate exchange takes what is unroutable",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        ch.exchange_with(Exchange::new("other", "fanout").durable())?;
        let x = Exchange::new("x", "direct").durable().arg("alternate-exchange", "other");
        ch.exchange_with(x)?;
        ch.bind("q", "other", "")?;
        let ch = life.restart()?;
        keep(&ch, &[Publish::new("x", "nowhere").body("m")])?;
        check_eq!(ch.get_all("q")?, ["m"]);
        Ok(())
    };
    "exchange.equivalence", "an exchange's type and arguments are compared as before",
    |life| {
        let ch = life.channel()?;
        let x = || Exchange::new("x", "topic").durable();
        ch.exchange_with(x().arg("alternate-exchange", "ae"))?;
        let ch = life.restart()?;
        ch.exchange_with(x().passive())?;
        ch.exchange_with(x().arg("alternate-exchange", "ae"))?;
        let text = "inequivalent arg 'type' for exchange 'x' in vhost '/': \
                    received 'direct' but current is 'topic'";
        ch.refused(&Exchange::new("x", "direct").durable().method(), 406, text)?;
        let text = "inequivalent arg 'alternate-exchange' for exchange 'x' in vhost '/': \
                    received none but current is the value 'ae' of type 'longstr'";
        ch.reopen()?.refused(&x().method(), 406, text)
    };
    "binding.durable", "bindings with keys, patterns and headers arguments route as before",
    bindings;
    "binding.e2e", "bindings between exchanges route as before",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        for x in ["first", "second", "third"] {
            ch.exchange_with(Exchange::new(x, "topic").durable())?;
        }
        ch.exchange_bind("second", "first", "a.#")?;
        ch.exchange_bind("third", "second", "*.b")?;
        ch.bind("q", "third", "#")?;
        let ch = life.restart()?;
        let send = |key: &str| Publish::new("first", key).body(key);
        keep(&ch, &[send("a.b"), send("a.b.c"), send("b.b")])?;
        check_eq!(ch.get_all("q")?, ["a.b"]);
        Ok(())
    };
    "binding.unbound", "a binding that was removed does not come back, others with it stay",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        for key in ["one", "two", "three"] {
            ch.bind("q", "amq.direct", key)?;
        }
        ch.unbind("q", "amq.direct", "two")?;
        let ch = life.restart()?;
        let send = |key: &str| Publish::new("amq.direct", key).body(key);
        keep(&ch, &[send("one"), send("two"), send("three")])?;
        check_eq!(ch.get_all("q")?, ["one", "three"]);
        Ok(())
    };
    "default-exchange", "the default exchange routes to queues that came back, mandatory says so too",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        ch.declare("gone")?;
        let ch = life.restart()?;
        ch.publish_with(&Publish::to_queue("gone").mandatory())?;
        check_eq!(ch.returned()?.code, 312);
        ch.publish_with(&persistent("q", "m").mandatory())?;
        check_eq!(ch.wait_get("q")?.text(), "m");
        ch.expect_silence()
    };
    "predeclared", "the predeclared exchanges are there",
    |life| {
        let ch = life.restart()?;
        for (x, kind) in [
            ("amq.direct", "direct"), ("amq.fanout", "fanout"), ("amq.topic", "topic"),
            ("amq.headers", "headers"), ("amq.match", "headers"),
        ] {
            ch.exchange_with(Exchange::new(x, kind).durable())?;
        }
        Ok(())
    };
}

fn equivalence(life: &mut Life) -> Result {
    let ch = life.channel()?;
    let q = || Queue::new("q").durable();
    let full = || {
        q().arg("x-max-priority", 5)
            .arg("x-message-ttl", 3_600_000)
            .arg("x-max-length", 100)
            .arg("x-overflow", "reject-publish")
            .arg("x-dead-letter-exchange", "dlx")
            .arg("x-single-active-consumer", true)
            .arg("x-queue-mode", "lazy")
    };
    ch.declare_with(full())?;
    let ch = life.restart()?;
    ch.depth("q")?;
    ch.declare_with(full())?;
    let what = "for queue 'q' in vhost '/': received";
    let differ = |queue: Queue, arg: &str, text: &str| {
        let text = format!("inequivalent arg '{arg}' {what} {text}");
        ch.conn.channel(3)?.refused(&queue.method(), 406, text)
    };
    let durable = "'false' but current is 'true'";
    differ(Queue::new("q"), "durable", durable)?;
    let auto_delete = "'true' but current is 'false'";
    differ(full().auto_delete(), "auto_delete", auto_delete)?;
    // Only one argument differs: which of several is named is not fixed.
    let without = |name: &str| {
        let mut table = full().method().table("arguments").clone();
        table.0.retain(|(key, _)| key != name.as_bytes());
        q().args(table)
    };
    for (name, text) in [
        ("x-max-priority", "'5' of type 'signedint'"),
        ("x-message-ttl", "'3600000' of type 'signedint'"),
        ("x-overflow", "'reject-publish' of type 'longstr'"),
        ("x-single-active-consumer", "'true' of type 'bool'"),
        ("x-queue-mode", "'lazy' of type 'longstr'"),
    ] {
        let text = format!("none but current is the value {text}");
        differ(without(name), name, &text)?;
    }
    differ(
        without("x-max-length").arg("x-max-length", 99),
        "x-max-length",
        "'99' but current is '100'",
    )
}

fn exchanges(life: &mut Life) -> Result {
    let ch = life.channel()?;
    let kinds = ["direct", "fanout", "topic", "headers"];
    for kind in kinds {
        ch.exchange_with(Exchange::new(format!("x.{kind}"), kind).durable())?;
        durable(&ch, kind)?;
        ch.bind(kind, &format!("x.{kind}"), "key")?;
    }
    let ch = life.restart()?;
    for kind in kinds {
        ch.exchange_with(Exchange::new(format!("x.{kind}"), kind).durable())?;
        keep(&ch, &[Publish::new(format!("x.{kind}"), "key").body(kind)])?;
        check_eq!(ch.get_all(kind)?, [kind]);
    }
    Ok(())
}

fn bindings(life: &mut Life) -> Result {
    let ch = life.channel()?;
    for q in ["direct", "topic", "all", "any"] {
        durable(&ch, q)?;
    }
    ch.bind("direct", "amq.direct", "k1")?;
    ch.bind("direct", "amq.direct", "k2")?;
    ch.bind("topic", "amq.topic", "a.*.c.#")?;
    let both = |rule: &str| {
        Table::new()
            .with("x-match", rule)
            .with("kind", "big")
            .with("number", 7)
    };
    ch.bind_args("all", "amq.headers", "", both("all"))?;
    ch.bind_args("any", "amq.headers", "", both("any"))?;
    let ch = life.restart()?;
    let headers = |name: &str, table: Table| {
        Publish::new("amq.headers", "")
            .body(name)
            .props(Props::new().headers(table))
    };
    let full = Table::new().with("kind", "big").with("number", 7);
    keep(
        &ch,
        &[
            Publish::new("amq.direct", "k1").body("k1"),
            Publish::new("amq.direct", "k2").body("k2"),
            Publish::new("amq.direct", "k3").body("k3"),
            Publish::new("amq.topic", "a.b.c").body("abc"),
            Publish::new("amq.topic", "a.b.d").body("abd"),
            headers("full", full),
            headers("half", Table::new().with("number", 7)),
            headers("none", Table::new().with("number", 8)),
        ],
    )?;
    check_eq!(ch.get_all("direct")?, ["k1", "k2"]);
    check_eq!(ch.get_all("topic")?, ["abc"]);
    check_eq!(ch.get_all("all")?, ["full"]);
    check_eq!(ch.get_all("any")?, ["full", "half"]);
    Ok(())
}
