//! Scenarios: messages that die more than once, in circles, or by a client's word.

use crate::prelude::*;

use super::dead_letter::{Trio, deaths, list};
use super::queue_semantics::{put, put_all};

const SOURCE: &str = "RabbitMQ, features 1.7";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "dlx.repeat.count",
        "dying again in the same queue for the same reason counts up in the one entry",
        SOURCE,
        self_reject,
    ),
    Scenario::new(
        "dlx.repeat.newest-first",
        "the newest death stands first; each further death reverses the older ones",
        "trap 22; the reversal is RabbitMQ 3.10's",
        chain,
    ),
    Scenario::new(
        "dlx.repeat.retry",
        "work and retry queue: counts rise, fields keep their first values, no cycle is seen",
        SOURCE,
        retry,
    ),
    Scenario::new(
        "dlx.repeat.first-death",
        "x-first-death-* keep the first death",
        SOURCE,
        first_death_kept,
    ),
    Scenario::new(
        "dlx.repeat.reasons",
        "the same queue with another reason is another entry",
        SOURCE,
        reasons,
    ),
    Scenario::new(
        "dlx.cycle.self",
        "an expired message that would return to its own queue is dropped",
        "trap 23",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(to_queue(&q, &q).arg("x-message-ttl", 30))?;
            put(&ch, &q, &["m"])?;
            ch.wait_messages(&q, 0)?;
            // Were it kept, it would stand before the next one by now.
            put(&ch, &q, &["next"])?;
            while let Some(d) = ch.get_no_ack(&q)? {
                check_eq!((d.text().as_str(), d.props.headers), ("next", None));
            }
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.cycle.two",
        "two queues that pass expired messages to each other: dropped at the second pass",
        "trap 23",
        |ctx| {
            let ch = ctx.channel()?;
            let (a, b) = (ctx.queue("a"), ctx.queue("b"));
            ch.declare_with(to_queue(&a, &b))?;
            ch.declare_with(to_queue(&b, &a))?;
            let props = Props::new().expiration("30");
            put_all(&ch, &[Publish::to_queue(&a).body("m").props(props)])?;
            let d = ch.wait_get(&b)?;
            check_eq!(deaths(&d)?.len(), 1);
            // Put the same history into b once more, this time to expire there.
            let props = Props {
                expiration: Some(b"30".to_vec()),
                ..d.props
            };
            put_all(&ch, &[Publish::to_queue(&b).body("m").props(props)])?;
            ch.wait_messages(&b, 0)?;
            put(&ch, &b, &["fence"])?;
            let fence = ch.wait_get(&b)?;
            check_eq!(fence.text(), "fence");
            ch.reject(fence.tag, false)?;
            let first = ch.wait_get(&a)?;
            check_eq!(first.text(), "fence", "the expired one was dropped");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.cycle.maxlen",
        "a dropped head that would return to its own queue is dropped for good",
        "trap 23",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(to_queue(&q, &q).arg("x-max-length", 1))?;
            put(&ch, &q, &["1", "2"])?;
            let d = ch.wait_get(&q)?;
            check_eq!((d.text().as_str(), d.props.headers), ("2", None));
            check!(ch.get(&q)?.is_none());
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.cycle.rejected",
        "a rejection may return to its own queue for ever",
        "trap 23",
        |ctx| {
            let ch = ctx.channel()?;
            let q = ctx.queue("q");
            ch.declare_with(to_queue(&q, &q))?;
            put(&ch, &q, &["m"])?;
            for _ in 0..10 {
                let d = ch.wait_get(&q)?;
                ch.nack(d.tag, false, false)?;
            }
            let d = ch.wait_get(&q)?;
            check_eq!(deaths(&d)?[0].get("count"), Some(&Value::I64(10)));
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.cycle.others-get-it",
        "only the target that closes a cycle is left out",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-message-ttl", 30))?;
            t.ch.bind(&t.q, &t.x, "")?;
            put(&t.ch, &t.q, &["m"])?;
            check_eq!(t.ch.wait_get(&t.dead)?.text(), "m");
            t.ch.wait_messages(&t.q, 0)?;
            put(&t.ch, &t.q, &["n"])?;
            check_eq!(t.ch.wait_get(&t.dead)?.text(), "n", "m did not come again");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.cycle.rejected-in-between",
        "a rejection since the queue's own entry breaks the cycle",
        SOURCE,
        rejected_between,
    ),
    Scenario::new(
        "dlx.republished.count",
        "x-death sent by a client is believed: its count goes on",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let mine = Table::new()
                .with("count", Value::I64(7))
                .with("reason", "rejected")
                .with("queue", &t.q)
                .with("time", Value::Timestamp(5))
                .with("exchange", "ex")
                .with("routing-keys", list(&["rk"]));
            let d = republish(&t, vec![Value::Table(mine.clone())])?;
            let mut expected = mine;
            expected.0[0].1 = Value::I64(8);
            check_eq!(sorted_deaths(&d)?, [expected.sorted()]);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.republished.moved-front",
        "a client's entry that dies again moves to the front, extra fields and all",
        SOURCE,
        moved_front,
    ),
    Scenario::new(
        "dlx.republished.int-count",
        "a count that came as a short integer type goes on as a long",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let mine = Table::new()
                .with("queue", &t.q)
                .with("reason", "rejected")
                .with("count", Value::I32(1));
            let d = republish(&t, vec![Value::Table(mine)])?;
            check_eq!(deaths(&d)?[0].get("count"), Some(&Value::I64(2)));
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.republished.no-count",
        "an entry without a count gets 1",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let mine = Table::new().with("queue", &t.q).with("reason", "rejected");
            let d = republish(&t, vec![Value::Table(mine)])?;
            check_eq!(deaths(&d)?[0].get("count"), Some(&Value::I64(1)));
            check_eq!(deaths(&d)?.len(), 1);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.republished.first-death",
        "with an x-death of a client no x-first-death-* is added, and theirs are kept",
        SOURCE,
        republished_first_death,
    ),
    Scenario::new(
        "dlx.republished.not-an-array",
        "an x-death that is no array is replaced",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let props = Props::new().header("x-death", "nonsense");
            put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
            let d = t.rejected()?;
            let all = deaths(&d)?;
            check_eq!(all.len(), 1);
            check_eq!(all[0].get("count"), Some(&Value::I64(1)));
            check_eq!(all[0].get("queue"), Some(&Value::from(&t.q)));
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.republished.cycle",
        "the cycle rule believes a client's x-death too",
        SOURCE,
        republished_cycle,
    ),
];

/// A queue whose dead letters go straight to queue `target`.
fn to_queue(q: &str, target: &str) -> Queue {
    Queue::new(q)
        .arg("x-dead-letter-exchange", "")
        .arg("x-dead-letter-routing-key", target)
}

/// Publishes with this x-death, rejects, and gets the dead letter.
fn republish(t: &Trio, deaths: Vec<Value>) -> Result<Delivery> {
    let props = Props::new().header("x-death", Value::Array(deaths));
    put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
    t.rejected()
}

/// The entries of x-death, their fields sorted by name.
fn sorted_deaths(d: &Delivery) -> Result<Vec<Table>> {
    Ok(deaths(d)?.into_iter().map(Table::sorted).collect())
}

fn self_reject(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.declare_with(to_queue(&q, &q))?;
    ch.bind(&q, "amq.direct", &q)?;
    ch.publish("amq.direct", &q, "m")?;
    let mut first = None;
    for count in 1..4i64 {
        let d = ch.wait_get(&q)?;
        ch.nack(d.tag, false, false)?;
        let d = ch.wait_get(&q)?;
        let all = deaths(&d)?;
        check_eq!(all.len(), 1);
        check_eq!(all[0].get("count"), Some(&Value::I64(count)));
        check_eq!(
            all[0].get("exchange"),
            Some(&Value::from("amq.direct")),
            "the first one's"
        );
        let time = all[0].get("time").cloned();
        check_eq!(
            *first.get_or_insert(time.clone()),
            time,
            "the time of the first death"
        );
        ch.nack(d.tag, false, true)?;
    }
    Ok(())
}

fn chain(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let names: Vec<String> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|n| ctx.queue(n))
        .collect();
    for pair in names.windows(2) {
        ch.declare_with(to_queue(&pair[0], &pair[1]))?;
    }
    ch.declare(&names[4])?;
    put(&ch, &names[0], &["m"])?;
    let orders: [&[usize]; 4] = [&[0], &[1, 0], &[2, 0, 1], &[3, 1, 0, 2]];
    for (pair, order) in names.windows(2).zip(orders) {
        let d = ch.wait_get(&pair[0])?;
        ch.reject(d.tag, false)?;
        let d = ch.wait_get(&pair[1])?;
        let queues: Vec<_> = deaths(&d)?
            .iter()
            .filter_map(|e| e.get("queue")?.as_str())
            .collect();
        let expected: Vec<_> = order.iter().map(|i| names[*i].clone()).collect();
        check_eq!(queues, expected);
        ch.nack(d.tag, false, true)?;
    }
    Ok(())
}

fn retry(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (work, retry) = (ctx.queue("work"), ctx.queue("retry"));
    ch.declare_with(to_queue(&work, &retry))?;
    ch.declare_with(to_queue(&retry, &work).arg("x-message-ttl", 20))?;
    put(&ch, &work, &["job"])?;
    let d = ch.wait_get(&work)?;
    check_eq!(d.props.headers, None);
    ch.reject(d.tag, false)?;
    for count in 1..4i64 {
        let d = ch.wait_get(&work)?;
        let all = deaths(&d)?;
        check_eq!(all.len(), 2);
        for (entry, q, reason) in [(&all[0], &retry, "expired"), (&all[1], &work, "rejected")] {
            check_eq!(entry.get("queue"), Some(&Value::from(q)));
            check_eq!(entry.get("reason"), Some(&Value::from(reason)));
            check_eq!(entry.get("count"), Some(&Value::I64(count)));
            check_eq!(entry.get("exchange"), Some(&Value::from("")));
            check_eq!(entry.get("routing-keys"), Some(&list(&[q])));
        }
        ch.reject(d.tag, false)?;
    }
    Ok(())
}

fn first_death_kept(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (a, b, c) = (ctx.queue("a"), ctx.queue("b"), ctx.queue("c"));
    ch.declare_with(to_queue(&a, &b).arg("x-message-ttl", 20))?;
    ch.declare_with(to_queue(&b, &c))?;
    ch.declare(&c)?;
    put(&ch, &a, &["m"])?;
    let d = ch.wait_get(&b)?;
    ch.reject(d.tag, false)?;
    let headers = ch.wait_get(&c)?.props.headers.unwrap_or_default();
    check_eq!(
        headers.get("x-first-death-reason"),
        Some(&Value::from("expired"))
    );
    check_eq!(headers.get("x-first-death-queue"), Some(&Value::from(&a)));
    check_eq!(
        headers.get("x-first-death-exchange"),
        Some(&Value::from(""))
    );
    Ok(())
}

fn reasons(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let dead = ctx.queue("dead");
    ch.declare_with(to_queue(&q, &dead))?;
    ch.declare(&dead)?;
    put(&ch, &q, &["m"])?;
    let d = ch.wait_get(&q)?;
    ch.reject(d.tag, false)?;
    let d = ch.wait_get(&dead)?;
    let props = Props {
        expiration: Some(b"20".to_vec()),
        ..d.props
    };
    put_all(&ch, &[Publish::to_queue(&q).props(props)])?;
    let d = ch.wait_get(&dead)?;
    let all = deaths(&d)?;
    let reasons: Vec<_> = all.iter().map(|e| e.get("reason").cloned()).collect();
    check_eq!(
        reasons,
        [Some(Value::from("expired")), Some(Value::from("rejected"))]
    );
    let counts: Vec<_> = all.iter().map(|e| e.get("count").cloned()).collect();
    check_eq!(counts, [Some(Value::I64(1)), Some(Value::I64(1))]);
    Ok(())
}

fn rejected_between(ctx: &mut Ctx) -> Result {
    let ch = ctx.channel()?;
    let (a, b) = (ctx.queue("a"), ctx.queue("b"));
    ch.declare_with(to_queue(&a, &b).arg("x-message-ttl", 20))?;
    ch.declare_with(to_queue(&b, &a))?;
    put(&ch, &a, &["m"])?;
    for count in 1..4i64 {
        // Expired in a, rejected in b, expired in a again: b's rejection stands
        // before a's own entry, so a may have it again.
        let d = ch.wait_get(&b)?;
        check_eq!(deaths(&d)?[0].get("count"), Some(&Value::I64(count)));
        ch.reject(d.tag, false)?;
    }
    ch.wait_get(&b).map(drop)
}

fn moved_front(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q)?;
    let other = Table::new()
        .with("count", Value::I64(3))
        .with("queue", "other");
    let other = other.with("reason", "expired");
    let mine = Table::new()
        .with("queue", &t.q)
        .with("reason", "rejected")
        .with("count", Value::I64(2))
        .with("extra", "kept");
    let d = republish(&t, vec![Value::Table(other.clone()), Value::Table(mine)])?;
    let expected = Table::new()
        .with("count", Value::I64(3))
        .with("extra", "kept")
        .with("queue", &t.q)
        .with("reason", "rejected");
    check_eq!(sorted_deaths(&d)?, [expected, other]);
    Ok(())
}

fn republished_first_death(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q)?;
    let entry = Table::new()
        .with("queue", "other")
        .with("reason", "expired");
    let d = republish(&t, vec![Value::Table(entry.clone())])?;
    let headers = d.props.headers.unwrap_or_default();
    check_eq!(headers.len(), 1, "x-death alone: {headers:?}");
    let props = Props::new()
        .header("x-death", Value::Array(vec![Value::Table(entry)]))
        .header("x-first-death-queue", "theirs");
    put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
    let headers = t.rejected()?.props.headers.unwrap_or_default();
    check_eq!(
        headers.get("x-first-death-queue"),
        Some(&Value::from("theirs"))
    );
    check_eq!(headers.get("x-first-death-reason"), None);
    Ok(())
}

fn republished_cycle(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q.arg("x-message-ttl", 20))?;
    let expired = Table::new()
        .with("queue", &t.dead)
        .with("reason", "expired")
        .with("count", Value::I64(1));
    let rejected = Table::new()
        .with("queue", &t.dead)
        .with("reason", "rejected")
        .with("count", Value::I64(1));
    let with = |body: &str, entries: Vec<Value>| {
        let props = Props::new().header("x-death", Value::Array(entries));
        Publish::to_queue(&t.q).body(body).props(props)
    };
    put_all(
        &t.ch,
        &[
            with("closes a cycle", vec![Value::Table(expired)]),
            with("was rejected there", vec![Value::Table(rejected)]),
        ],
    )?;
    check_eq!(t.ch.wait_get(&t.dead)?.text(), "was rejected there");
    t.ch.wait_messages(&t.q, 0)?;
    check!(t.ch.get(&t.dead)?.is_none());
    Ok(())
}
