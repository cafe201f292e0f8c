//! Scenarios: expiry, dead letters, limits and counts go on across a restart.

use std::time::Instant;

use super::restart::{Life, durable, keep, keep_texts, lives, persistent, wait_until};
use crate::prelude::*;

/// A message's time to live here: long enough to be published and stopped in.
const SHORT_MS: u64 = 3_000;

lives! {
    "ttl.queue", "a queue's time to live goes on while the broker is down",
    |life| {
        ttl(life, Queue::new("q").durable().arg("x-message-ttl", SHORT_MS as i64), "")
    };
    "ttl.message", "a message's expiration goes on while the broker is down",
    |life| ttl(life, Queue::new("q").durable(), &SHORT_MS.to_string());
    "ttl.long", "what has time left is there, and a queue's time to live still applies",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-message-ttl", 3_600_000))?;
        keep_texts(&ch, "q", &["1"])?;
        let ch = life.restart()?;
        let d = ch.wait_get("q")?;
        check_eq!(d.text(), "1");
        check_eq!(d.props.expiration, None);
        Ok(())
    };
    "ttl.order", "messages with different times to live expire each in its time",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "q")?;
        let m = |body: &str, ms: u64| {
            let props = Props::persistent().expiration(ms.to_string());
            Publish::to_queue("q").body(body).props(props)
        };
        keep(&ch, &[m("short", SHORT_MS), m("long", 3_600_000), persistent("q", "ever")])?;
        let gone = Instant::now() + Duration::from_millis(SHORT_MS);
        let ch = life.restart()?;
        wait_until(gone);
        ch.wait_messages("q", 2)?;
        check_eq!(ch.get_all("q")?, ["long", "ever"]);
        Ok(())
    };
    "ttl.dead-letter", "what expired while the broker was down is dead-lettered when it is up",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "dead")?;
        ch.declare_with(
            Queue::new("q").durable().arg("x-message-ttl", SHORT_MS as i64)
                .arg("x-dead-letter-exchange", "").arg("x-dead-letter-routing-key", "dead"),
        )?;
        keep_texts(&ch, "q", &["1", "2", "3"])?;
        let gone = Instant::now() + Duration::from_millis(SHORT_MS);
        life.end()?;
        wait_until(gone);
        let ch = life.start()?;
        ch.wait_messages("dead", 3)?;
        for body in ["1", "2", "3"] {
            let d = ch.wait_get("dead")?;
            check_eq!(d.text(), body);
            check_eq!(death(&d, "reason")?, Value::from("expired"));
            check_eq!(death(&d, "queue")?, Value::from("q"));
        }
        check_eq!(ch.depth("q")?.messages, 0);
        Ok(())
    };
    "expires", "a queue that expires comes back and still expires",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("soon").durable().arg("x-expires", 2000))?;
        ch.declare_with(Queue::new("late").durable().arg("x-expires", 3_600_000))?;
        let ch = life.restart()?;
        wait_unroutable(&ch, "soon")?;
        ch.depth("late").map(drop)
    };
    "dead-letter.kept", "a dead letter keeps its deaths",
    |life| {
        let ch = life.channel()?;
        dead_letters(&ch, "q", "dead")?;
        keep_texts(&ch, "q", &["m"])?;
        let d = ch.wait_get("q")?;
        ch.reject(d.tag, false)?;
        ch.wait_messages("dead", 1)?;
        life.settle(&ch)?;
        let ch = life.restart()?;
        let d = ch.wait_get("dead")?;
        check_eq!(d.text(), "m");
        check_eq!(d.props.delivery_mode, Some(2));
        for (key, value) in [
            ("reason", Value::from("rejected")), ("queue", Value::from("q")),
            ("count", Value::I64(1)), ("exchange", Value::from("")),
        ] {
            check_eq!(death(&d, key)?, value);
        }
        let headers = d.props.headers.clone().unwrap_or_default();
        check_eq!(headers.get("x-first-death-reason"), Some(&Value::from("rejected")));
        check_eq!(ch.depth("q")?.messages, 0, "settled at its source");
        Ok(())
    };
    "dead-letter.counts", "deaths before and after a restart are counted together",
    |life| {
        let ch = life.channel()?;
        dead_letters(&ch, "q", "back")?;
        keep_texts(&ch, "q", &["m"])?;
        let die = |ch: &Channel| -> Result {
            let d = ch.wait_get("q")?;
            ch.reject(d.tag, false)?;
            let d = ch.wait_get("back")?;
            let again = Publish::to_queue("q").body(&d.body).props(d.props.clone());
            keep(ch, &[again])?;
            ch.ack(d.tag)
        };
        die(&ch)?;
        die(&ch)?;
        life.settle(&ch)?;
        let ch = life.restart()?;
        die(&ch)?;
        let d = ch.wait_get("q")?;
        check_eq!(death(&d, "count")?, Value::I64(3));
        Ok(())
    };
    "dead-letter.after", "rejecting after a restart dead-letters with the queue's arguments",
    |life| {
        let ch = life.channel()?;
        dead_letters(&ch, "q", "dead")?;
        keep_texts(&ch, "q", &["m"])?;
        let ch = life.restart()?;
        let d = ch.wait_get("q")?;
        ch.nack(d.tag, false, false)?;
        let d = ch.wait_get("dead")?;
        check_eq!(death(&d, "reason")?, Value::from("rejected"));
        Ok(())
    };
    "limit.drop-head", "max-length holds for what came back: the oldest goes first",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-max-length", 3))?;
        keep_texts(&ch, "q", &["1", "2", "3", "4", "5"])?;
        life.settle(&ch)?;
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 3);
        keep_texts(&ch, "q", &["6"])?;
        check_eq!(ch.get_all("q")?, ["4", "5", "6"]);
        Ok(())
    };
    "limit.bytes", "max-length-bytes counts what came back",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-max-length-bytes", 100))?;
        let of = |n: u8| persistent("q", [n; 40]);
        keep(&ch, &[of(1), of(2)])?;
        let ch = life.restart()?;
        check_eq!(ch.depth("q")?.messages, 2);
        keep(&ch, &[of(3)])?;
        check_eq!(ch.wait_get("q")?.body, [2; 40]);
        check_eq!(ch.wait_get("q")?.body, [3; 40]);
        check!(ch.get("q")?.is_none(), "three were kept");
        Ok(())
    };
    "limit.reject-publish", "a queue that was full refuses after a restart too",
    |life| {
        let ch = life.channel()?;
        let full = Queue::new("q").durable().arg("x-max-length", 2);
        ch.declare_with(full.arg("x-overflow", "reject-publish"))?;
        keep_texts(&ch, "q", &["1", "2"])?;
        let ch = life.restart()?;
        ch.confirm_select()?;
        ch.publish_with(&persistent("q", "3"))?;
        check!(!ch.confirm()?.ack, "taken although full");
        check_eq!(ch.get_all("q")?, ["1", "2"]);
        Ok(())
    };
    "delivery-count", "a quorum queue's x-delivery-count goes on",
    |life| {
        let ch = life.channel()?;
        ch.declare_with(Queue::new("q").durable().arg("x-queue-type", "quorum"))?;
        keep_texts(&ch, "q", &["m"])?;
        for _ in 0..2 {
            let d = ch.wait_get("q")?;
            ch.nack(d.tag, false, true)?;
            ch.wait_messages("q", 1)?;
        }
        life.settle(&ch)?;
        let ch = life.restart()?;
        let d = ch.wait_get("q")?;
        let headers = d.props.headers.clone().unwrap_or_default();
        check_eq!(headers.get("x-delivery-count").and_then(Value::as_int), Some(2));
        Ok(())
    };
    "delivery-limit", "returns before and after a restart count towards the delivery limit",
    |life| {
        let ch = life.channel()?;
        durable(&ch, "dead")?;
        ch.declare_with(
            Queue::new("q").durable().arg("x-queue-type", "quorum").arg("x-delivery-limit", 2)
                .arg("x-dead-letter-exchange", "").arg("x-dead-letter-routing-key", "dead"),
        )?;
        keep_texts(&ch, "q", &["m"])?;
        let back = |ch: &Channel| -> Result {
            let d = ch.wait_get("q")?;
            ch.nack(d.tag, false, true)
        };
        back(&ch)?;
        ch.wait_messages("q", 1)?;
        back(&ch)?;
        ch.wait_messages("q", 1)?;
        life.settle(&ch)?;
        let ch = life.restart()?;
        ch.wait_messages("q", 1)?;
        back(&ch)?;
        let d = ch.wait_get("dead")?;
        check_eq!(death(&d, "reason")?, Value::from("delivery_limit"));
        Ok(())
    };
}

/// Waits until a queue is gone, without asking for it: that would put its
/// expiry off.
fn wait_unroutable(ch: &Channel, queue: &str) -> Result {
    let deadline = Instant::now() + WAIT;
    while Instant::now() < deadline {
        ch.publish_with(&Publish::to_queue(queue).mandatory())?;
        ch.sync()?;
        let returned = |m: &Msg| m.method.name() == "basic.return";
        let soon = Duration::from_millis(20);
        if ch.conn.find(ch.id, soon, returned)?.is_some() {
            return Ok(());
        }
    }
    fail(format!("{queue} still there after {WAIT:?}"))
}

/// A queue whose dead letters go to another, both durable.
fn dead_letters(ch: &Channel, queue: &str, dead: &str) -> Result {
    durable(ch, dead)?;
    let q = Queue::new(queue)
        .durable()
        .arg("x-dead-letter-exchange", "");
    ch.declare_with(q.arg("x-dead-letter-routing-key", dead))
        .map(drop)
}

/// A field of a delivery's last death.
fn death(d: &Delivery, field: &str) -> Result<Value> {
    let headers = d.props.headers.clone().unwrap_or_default();
    let Some(Value::Array(deaths)) = headers.get("x-death") else {
        return fail(format!("no x-death in {headers:?}"));
    };
    let last = deaths.first().and_then(Value::as_table);
    match last.and_then(|death| death.get(field)) {
        Some(value) => Ok(value.clone()),
        None => fail(format!("no {field} in {deaths:?}")),
    }
}

/// A message that expires while the broker is down is not there afterwards.
fn ttl(life: &mut Life, queue: Queue, expiration: &str) -> Result {
    let ch = life.channel()?;
    ch.declare_with(queue)?;
    let mut props = Props::persistent();
    if !expiration.is_empty() {
        props = props.expiration(expiration);
    }
    keep(&ch, &[Publish::to_queue("q").body("m").props(props)])?;
    let gone = Instant::now() + Duration::from_millis(SHORT_MS);
    check_eq!(ch.depth("q")?.messages, 1, "there until its time is over");
    life.end()?;
    wait_until(gone);
    let ch = life.start()?;
    // Counted from the publish it is over; counted from the start it is not.
    check!(ch.get("q")?.is_none(), "its time began anew");
    Ok(())
}
