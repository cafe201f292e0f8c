//! Scenarios: what a dead-lettered message looks like.

use crate::prelude::*;

use super::queue_semantics::{put, put_all};

const SOURCE: &str = "RabbitMQ, features 1.7";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "dlx.death.entry",
        "x-death is an array of one table with exactly these fields and types",
        SOURCE,
        entry,
    ),
    Scenario::new(
        "dlx.death.time",
        "the time of a death is a timestamp in seconds of now",
        SOURCE,
        time,
    ),
    Scenario::new(
        "dlx.death.exchange-and-keys",
        "an entry names the exchange it was published to and its routing key",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            t.ch.bind(&t.q, "amq.topic", &format!("{}.#", t.q))?;
            t.ch.publish("amq.topic", &format!("{}.a.b", t.q), "m")?;
            let d = t.rejected()?;
            let death = first_death(&d)?;
            check_eq!(death.get("exchange"), Some(&Value::from("amq.topic")));
            check_eq!(
                death.get("routing-keys"),
                Some(&keys(&[&format!("{}.a.b", t.q)]))
            );
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.death.original-expiration",
        "an entry keeps the expiration, which the message loses, also on reject",
        "trap 22",
        original_expiration,
    ),
    Scenario::new(
        "dlx.death.no-original-expiration",
        "without the property there is no original-expiration, also when the queue's time ran out",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-message-ttl", 30))?;
            put(&t.ch, &t.q, &["m"])?;
            let death = first_death(&t.ch.wait_get(&t.dead)?)?;
            check_eq!(death.get("reason"), Some(&Value::from("expired")));
            check_eq!(death.get("original-expiration"), None);
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.death.first-death",
        "x-first-death-reason, -queue and -exchange are long strings beside x-death",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["m"])?;
            let headers = t.rejected()?.props.headers.unwrap_or_default();
            check_eq!(
                headers.get("x-first-death-reason"),
                Some(&Value::from("rejected"))
            );
            check_eq!(headers.get("x-first-death-queue"), Some(&Value::from(&t.q)));
            check_eq!(
                headers.get("x-first-death-exchange"),
                Some(&Value::from(""))
            );
            check_eq!(headers.len(), 4, "x-death and these three");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.death.cc",
        "CC keys are among the routing-keys, BCC keys are not",
        "trap 22",
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            let props = Props::new()
                .header("CC", list(&["c1", "c2"]))
                .header("BCC", list(&["b"]));
            put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
            let death = first_death(&t.rejected()?)?;
            check_eq!(death.get("routing-keys"), Some(&keys(&[&t.q, "c1", "c2"])));
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.properties.kept",
        "all properties but expiration survive, and other headers",
        SOURCE,
        properties_kept,
    ),
    Scenario::new(
        "dlx.not-redelivered",
        "a dead letter is a new message: not redelivered, exchange is the DLX",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q)?;
            put(&t.ch, &t.q, &["m"])?;
            let d = t.rejected()?;
            check!(!d.redelivered);
            check_eq!(
                (d.exchange.as_str(), d.key.as_str()),
                (t.x.as_str(), t.q.as_str())
            );
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.mandatory-not-kept",
        "a dead letter that nothing takes is neither returned nor confirmed again",
        SOURCE,
        unroutable,
    ),
    Scenario::new(
        "dlx.key.set",
        "x-dead-letter-routing-key replaces the key; CC and BCC are removed and not used",
        SOURCE,
        |ctx| {
            let t = Trio::bare(ctx, "direct", |q| q.arg("x-dead-letter-routing-key", "new"))?;
            let (cc, bcc) = (ctx.queue("cc"), ctx.queue("bcc"));
            for (q, key) in [(&t.dead, "new"), (&cc, "cc"), (&bcc, "bcc")] {
                t.ch.declare(q)?;
                t.ch.bind(q, &t.x, key)?;
            }
            let props = Props::new()
                .header("CC", list(&["cc"]))
                .header("BCC", list(&["bcc"]));
            put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
            let d = t.rejected()?;
            check_eq!(d.key, "new");
            let headers = d.props.headers.clone().unwrap_or_default();
            check_eq!((headers.get("CC"), headers.get("BCC")), (None, None));
            check_eq!(
                first_death(&d)?.get("routing-keys"),
                Some(&keys(&[&t.q, "cc"]))
            );
            check_eq!(
                (t.ch.depth(&cc)?.messages, t.ch.depth(&bcc)?.messages),
                (0, 0)
            );
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.key.empty",
        "an empty x-dead-letter-routing-key is a key",
        SOURCE,
        |ctx| {
            let t = Trio::bare(ctx, "direct", |q| q.arg("x-dead-letter-routing-key", ""))?;
            t.ch.declare(&t.dead)?;
            t.ch.bind(&t.dead, &t.x, "")?;
            put(&t.ch, &t.q, &["m"])?;
            check_eq!(t.rejected()?.key, "");
            Ok(())
        },
    ),
    Scenario::new(
        "dlx.key.original",
        "without it all original keys are used, CC and BCC too",
        SOURCE,
        |ctx| {
            let t = Trio::bare(ctx, "direct", |q| q)?;
            let (cc, bcc) = (ctx.queue("cc"), ctx.queue("bcc"));
            for (q, key) in [(&t.dead, t.q.as_str()), (&cc, "cc"), (&bcc, "bcc")] {
                t.ch.declare(q)?;
                t.ch.bind(q, &t.x, key)?;
            }
            let props = Props::new()
                .header("CC", list(&["cc"]))
                .header("BCC", list(&["bcc"]));
            put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
            let headers = t.rejected()?.props.headers.unwrap_or_default();
            check_eq!(
                headers.get("CC"),
                Some(&list(&["cc"])),
                "CC stays on the message"
            );
            check_eq!(headers.get("BCC"), None);
            t.ch.wait_messages(&cc, 1)?;
            t.ch.wait_messages(&bcc, 1)
        },
    ),
    Scenario::new(
        "dlx.order",
        "dead letters keep the order of the queue",
        SOURCE,
        |ctx| {
            let t = Trio::new(ctx, |q| q.arg("x-max-length", 3))?;
            let bodies: Vec<String> = (0..20).map(|i| i.to_string()).collect();
            put(
                &t.ch,
                &t.q,
                &bodies.iter().map(String::as_str).collect::<Vec<_>>(),
            )?;
            t.ch.wait_messages(&t.dead, 17)?;
            check_eq!(t.ch.get_all(&t.dead)?, bodies[..17]);
            Ok(())
        },
    ),
];

/// A queue `q` whose dead letters go to exchange `x` and so to queue `dead`.
pub(super) struct Trio {
    pub(super) ch: Channel,
    pub(super) q: String,
    pub(super) x: String,
    pub(super) dead: String,
}

impl Trio {
    /// All three, where `x` is a fanout.
    pub(super) fn new(ctx: &Ctx, build: fn(Queue) -> Queue) -> Result<Self> {
        let t = Self::bare(ctx, "fanout", build)?;
        t.ch.declare(&t.dead)?;
        t.ch.bind(&t.dead, &t.x, "")?;
        Ok(t)
    }
    /// Without `dead`.
    pub(super) fn bare(ctx: &Ctx, kind: &str, build: fn(Queue) -> Queue) -> Result<Self> {
        let ch = ctx.channel()?;
        let (q, x, dead) = (ctx.queue("q"), ctx.exchange("x"), ctx.queue("dead"));
        ch.exchange(&x, kind)?;
        ch.declare_with(build(
            Queue::new(&q).arg("x-dead-letter-exchange", x.as_str()),
        ))?;
        Ok(Self { ch, q, x, dead })
    }
    /// Takes a message from `q`, rejects it, and gets it from `dead`.
    pub(super) fn rejected(&self) -> Result<Delivery> {
        let d = self.ch.wait_get(&self.q)?;
        self.ch.reject(d.tag, false)?;
        self.ch.wait_get(&self.dead)
    }
}

/// An array of long strings.
pub(super) fn list(texts: &[&str]) -> Value {
    Value::Array(texts.iter().map(|t| Value::from(*t)).collect())
}

fn keys(texts: &[&str]) -> Value {
    list(texts)
}

/// The entries of x-death.
pub(super) fn deaths(d: &Delivery) -> Result<Vec<Table>> {
    let headers = d.props.headers.clone().unwrap_or_default();
    let Some(Value::Array(entries)) = headers.get("x-death") else {
        return fail(format!("no x-death array in {headers:?}"));
    };
    let tables = entries.iter().map(|e| e.as_table().cloned());
    match tables.collect::<Option<Vec<_>>>() {
        Some(tables) => Ok(tables),
        None => fail(format!("x-death holds more than tables: {entries:?}")),
    }
}

fn first_death(d: &Delivery) -> Result<Table> {
    match deaths(d)?.first() {
        Some(table) => Ok(table.clone()),
        None => fail("x-death is empty"),
    }
}

fn entry(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q)?;
    put(&t.ch, &t.q, &["m"])?;
    let d = t.rejected()?;
    check_eq!(d.text(), "m");
    let all = deaths(&d)?;
    check_eq!(all.len(), 1);
    let time = match all[0].get("time") {
        Some(Value::Timestamp(time)) => *time,
        other => return fail(format!("time is {other:?}")),
    };
    let expected = Table::new()
        .with("count", Value::I64(1))
        .with("exchange", "")
        .with("queue", &t.q)
        .with("reason", "rejected")
        .with("routing-keys", keys(&[&t.q]))
        .with("time", Value::Timestamp(time));
    check_eq!(all[0].clone().sorted(), expected);
    Ok(())
}

fn time(ctx: &mut Ctx) -> Result {
    let seconds = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map(|d| d.as_secs()).unwrap_or_default()
    };
    let t = Trio::new(ctx, |q| q)?;
    put(&t.ch, &t.q, &["m"])?;
    let before = seconds();
    let death = first_death(&t.rejected()?)?;
    let Some(Value::Timestamp(at)) = death.get("time") else {
        return fail("no timestamp");
    };
    check!(
        (before - 1..=seconds() + 1).contains(at),
        "died at {at}, rejected at {before}"
    );
    Ok(())
}

fn original_expiration(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q)?;
    for (expiration, reject) in [("030", false), ("600000", true)] {
        let props = Props::new().expiration(expiration);
        put_all(&t.ch, &[Publish::to_queue(&t.q).props(props)])?;
        let d = if reject {
            t.rejected()?
        } else {
            t.ch.wait_get(&t.dead)?
        };
        check_eq!(d.props.expiration, None);
        let death = first_death(&d)?;
        check_eq!(
            death.get("original-expiration"),
            Some(&Value::from(expiration))
        );
        check_eq!(death.len(), 7);
    }
    Ok(())
}

fn properties_kept(ctx: &mut Ctx) -> Result {
    let t = Trio::new(ctx, |q| q)?;
    let props = Props::new()
        .content_type("text/plain")
        .content_encoding("utf-8")
        .header("mine", 7)
        .delivery_mode(2)
        .priority(4)
        .correlation_id("c")
        .reply_to("r")
        .expiration("600000")
        .message_id("m")
        .timestamp(5)
        .kind("k")
        .user_id("guest")
        .app_id("a")
        .cluster_id("cl");
    put_all(
        &t.ch,
        &[Publish::to_queue(&t.q).body("body").props(props.clone())],
    )?;
    let d = t.rejected()?;
    check_eq!(d.text(), "body");
    let headers = d.props.headers.clone().unwrap_or_default();
    check_eq!(headers.get("mine"), Some(&Value::I32(7)));
    let rest = Props {
        headers: None,
        ..d.props
    };
    check_eq!(
        rest,
        Props {
            headers: None,
            expiration: None,
            ..props
        }
    );
    Ok(())
}

fn unroutable(ctx: &mut Ctx) -> Result {
    let t = Trio::bare(ctx, "direct", |q| q.arg("x-max-length", 1))?;
    t.ch.confirm_select()?;
    for body in ["1", "2"] {
        t.ch.publish_with(&Publish::to_queue(&t.q).body(body).mandatory())?;
    }
    check_eq!(t.ch.confirms(1, 2)?, [true, true]);
    t.ch.expect_silence_of(&t.q)?;
    check_eq!(t.ch.get_all(&t.q)?, ["2"]);
    Ok(())
}
