//! Scenarios: messages come back whole and in order, or do not come back.

use super::restart::{Life, durable, keep, keep_texts, lives, persistent};
use crate::prelude::*;

lives! {
    "message.properties", "a persistent message keeps all 14 properties, its headers, exchange and key",
    properties;
    "message.bodies", "bodies of 0, 1, 1 MiB and 10 MiB octets come back unchanged",
    bodies;
    "message.transient", "a transient message in a durable queue is gone, persistent ones around it stay",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        let transient = |body: &str| Publish::to_queue("q").body(body);
        keep(&ch, &[
            transient("t1"), persistent("q", "p1"), transient("t2"), persistent("q", "p2"),
            transient("t3").props(Props::new().delivery_mode(1)),
        ])?;
        check_eq!(ch.depth("q")?.messages, 5);
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 2);
        check_eq!(ch.get_all("q")?, ["p1", "p2"]);
        Ok(())
    };
    "message.order", "two thousand messages of several publishers come back in order",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        let texts: Vec<String> = (0..2000).map(|n| n.to_string()).collect();
        for part in texts.chunks(500) {
            keep(&ch, &part.iter().map(|t| persistent("q", t)).collect::<Vec<_>>())?;
        }
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 2000);
        check!(ch.get_all("q")? == texts, "another order");
        Ok(())
    };
    "message.appended", "what is published after a restart stands behind what came back",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["1", "2"])?;
        let ch = life.restart()?;
        keep_texts(&ch, "q", &["3"])?;
        let ch = life.restart()?;
        keep_texts(&ch, "q", &["4"])?;
        check_eq!(ch.get_all("q")?, ["1", "2", "3", "4"]);
        Ok(())
    };
    "message.many-restarts", "several restarts in a row change nothing",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["1", "2", "3"])?;
        life.restart()?;
        life.restart()?;
        let ch = life.restart()?;
        check_eq!(ch.get_all("q")?, ["1", "2", "3"]);
        Ok(())
    };
    "message.fanout", "a message in several queues comes back in each of them that is durable",
    |life| {
        let ch = life.channel()?;
        for q in ["a", "b"] {
            durable(&ch, q)?;
            ch.bind(q, "amq.fanout", "")?;
        }
        ch.declare("c")?;
        ch.bind("c", "amq.fanout", "")?;
        let m = |body: &str| Publish::new("amq.fanout", "k").body(body).props(Props::persistent());
        keep(&ch, &[m("1"), m("2")])?;
        let taken = ch.wait_get("a")?;
        check_eq!(taken.text(), "1");
        ch.ack(taken.tag)?;
        life.settle(&ch)?;
        let ch = life.restart()?;
        check_eq!(ch.get_all("a")?, ["2"]);
        check_eq!(ch.get_all("b")?, ["1", "2"]);
        Ok(())
    };
    "message.count", "basic.get counts what is left behind it",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        keep_texts(&ch, "q", &["1", "2", "3"])?;
        let ch = life.restart()?;
        let left = |ch: &Channel| -> Result<_> {
            Ok(ch.get_no_ack("q")?.map(|d| (d.text(), d.left)))
        };
        check_eq!(left(&ch)?, Some(("1".into(), 2)));
        check_eq!(left(&ch)?, Some(("2".into(), 1)));
        check_eq!(left(&ch)?, Some(("3".into(), 0)));
        check_eq!(left(&ch)?, None);
        Ok(())
    };
    "message.lazy", "a lazy queue keeps its messages and its mode",
    |life| {
        let ch = life.channel()?;
        let q = || Queue::new("q").durable().arg("x-queue-mode", "lazy");
        ch.declare_with(q())?;
        keep_texts(&ch, "q", &["1", "2"])?;
        let ch = life.restart()?;
        check_eq!(ch.declare_with(q())?.messages, 2);
        check_eq!(ch.get_all("q")?, ["1", "2"]);
        Ok(())
    };
    "message.priority", "priorities are kept: highest first, in order within one",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-max-priority", 5))?;
        let m = |priority: u8, body: &str| {
            Publish::to_queue("q").body(body).props(Props::persistent().priority(priority))
        };
        keep(&ch, &[
            m(1, "1a"), m(5, "5a"), m(3, "3a"), persistent("q", "0a"), m(9, "9a"), m(1, "1b"),
            m(5, "5b"), m(0, "0b"),
        ])?;
        let ch = life.restart()?;
        check_eq!(ch.get_all("q")?, ["5a", "9a", "5b", "3a", "1a", "1b", "0a", "0b"]);
        Ok(())
    };
    "message.quorum", "a quorum queue keeps what was confirmed, also transient messages",
    |life| {
        let ch = life.channel()?;
        let q = || Queue::new("q").durable().arg("x-queue-type", "quorum");
        ch.declare_with(q())?;
        keep(&ch, &[persistent("q", "p"), Publish::to_queue("q").body("t")])?;
        let ch = life.restart()?;
        ch.declare_with(q())?;
        ch.wait_messages("q", 2)?;
        check_eq!(ch.get_all("q")?, ["p", "t"]);
        Ok(())
    };
    "confirm", "everything confirmed on several channels is there, once",
    confirmed;
    "backlog", "a backlog of 100,000 messages is delivered in order",
    backlog;
    "consumers", "consumers are served after a restart, in turns",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        let texts: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        keep(&ch, &texts.iter().map(|t| persistent("q", t)).collect::<Vec<_>>())?;
        let ch = life.restart()?;
        ch.qos(1)?;
        let (a, b) = (ch.consume("q")?, ch.consume("q")?);
        let (mut got, mut tags) = (Vec::new(), Vec::new());
        for _ in 0..20 {
            let d = ch.delivery()?;
            ch.ack(d.tag)?;
            got.push(d.text());
            tags.push(d.consumer);
        }
        got.sort_by_key(|t| t.parse::<u32>().unwrap_or(u32::MAX));
        check_eq!(got, texts);
        check!(tags.contains(&a) && tags.contains(&b), "one consumer starved: {tags:?}");
        Ok(())
    };
    "single-active-consumer", "one consumer at a time is active after a restart too",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-single-active-consumer", true))?;
        keep_texts(&ch, "q", &["1", "2", "3", "4"])?;
        let ch = life.restart()?;
        let a = ch.consume("q")?;
        let other = ch.conn.channel(2)?;
        let b = other.consume("q")?;
        for d in ch.deliveries(4)? {
            check_eq!(d.consumer, a);
            check!(d.consumer != b || other.id != ch.id, "the second consumer is active");
        }
        other.expect_silence_of("q")
    };
}

fn properties(life: &mut Life) -> Result {
    let ch = life.channel()?;
    durable(&ch, "q")?;
    ch.bind("q", "amq.topic", "a.#")?;
    let table = Table::new()
        .with("bool", true)
        .with("long", Value::I64(-7))
        .with("double", 2.5f64)
        .with("text", "a text")
        .with("octets", Value::Bytes(vec![0, 1, 255]))
        .with("time", Value::Timestamp(1_600_000_000))
        .with("void", Value::Void)
        .with(
            "list",
            vec![Value::I32(1), Value::from(Table::new().with("deep", "x"))],
        );
    let mut all = Props::persistent()
        .content_type("text/plain")
        .content_encoding("gzip")
        .headers(table)
        .priority(7)
        .correlation_id("correlation")
        .reply_to("reply")
        .expiration("86400000")
        .message_id("id")
        .timestamp(1_600_000_001)
        .kind("kind")
        .user_id("guest")
        .app_id("app")
        .cluster_id("cluster");
    // What a client may set and the broker must not touch, to the octet.
    let raw = all.encode();
    let m = |props: &Props| {
        Publish::new("amq.topic", "a.b")
            .body("body")
            .props(props.clone())
    };
    keep(&ch, &[m(&all), m(&Props::persistent())])?;
    let ch = life.restart()?;
    let first = ch.wait_get("q")?;
    check_eq!(
        (first.exchange.as_str(), first.key.as_str()),
        ("amq.topic", "a.b")
    );
    check_eq!(first.text(), "body");
    let sorted = |mut p: Props| {
        p.headers = p.headers.map(Table::sorted);
        p
    };
    all.headers = all.headers.map(Table::sorted);
    check_eq!(sorted(first.props.clone()), all);
    check_eq!(first.content.raw_props.len(), raw.len());
    check_eq!(ch.wait_get("q")?.props, Props::persistent());
    Ok(())
}

/// Octets that no two places have in common.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64 ^ size as u64;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}

fn bodies(life: &mut Life) -> Result {
    let sizes = [0, 1, 1 << 20, 10 << 20, 4095, 131_064];
    let ch = life.channel()?;
    durable(&ch, "q")?;
    keep(&ch, &sizes.map(|size| persistent("q", noise(size))))?;
    let ch = life.restart()?;
    for size in sizes {
        let d = ch.wait_get("q")?;
        check_eq!(d.body.len(), size);
        check!(d.body == noise(size), "a body of {size} octets has changed");
    }
    Ok(())
}

fn confirmed(life: &mut Life) -> Result {
    let first = life.channel()?;
    durable(&first, "q")?;
    let mut channels = vec![first.clone()];
    for id in 2..=4 {
        channels.push(first.conn.channel(id)?);
    }
    for ch in &channels {
        ch.confirm_select()?;
    }
    for n in 0..500 {
        for ch in &channels {
            ch.publish_with(&persistent("q", format!("{} {n}", ch.id)))?;
        }
    }
    for ch in &channels {
        check!(ch.confirms(1, 500)?.iter().all(|ack| *ack), "nacked");
    }
    let ch = life.restart()?;
    let mut texts = ch.get_all("q")?;
    check_eq!(texts.len(), 2000);
    for id in 1..=4 {
        let prefix = format!("{id} ");
        let own = texts.iter().filter_map(|t| t.strip_prefix(&prefix));
        let expected = (0..500).map(|n| n.to_string());
        check!(own.eq(expected), "channel {id} is out of order");
    }
    texts.sort();
    texts.dedup();
    check_eq!(texts.len(), 2000);
    Ok(())
}

fn backlog(life: &mut Life) -> Result {
    const COUNT: u64 = 100_000;
    const WINDOW: u64 = 1_000;
    let ch = life.channel()?;
    durable(&ch, "q")?;
    ch.confirm_select()?;
    let body = |n: u64| format!("{n} {}", "x".repeat(100));
    for start in (0..COUNT).step_by(WINDOW as usize) {
        let mut bytes = Vec::new();
        for n in start..start + WINDOW {
            bytes.extend(ch.publish_bytes(&persistent("q", body(n))));
        }
        ch.conn.send_raw(&bytes)?;
        check!(
            ch.confirms(start + 1, start + WINDOW)?.iter().all(|a| *a),
            "nacked"
        );
    }
    let ch = life.restart()?;
    check_eq!(ch.depth("q")?.messages, COUNT);
    ch.qos(500)?;
    ch.consume("q")?;
    for n in 0..COUNT {
        let d = ch.delivery()?;
        check!(
            d.body == body(n).as_bytes(),
            "place {n}: {}",
            d.text().split(' ').next().unwrap_or_default()
        );
        if n % 100 == 99 {
            ch.ack_multiple(d.tag)?;
        }
    }
    ch.expect_silence_of("q")
}
