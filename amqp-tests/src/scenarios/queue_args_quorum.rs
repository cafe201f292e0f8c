//! Scenarios: arguments and properties that `x-queue-type=quorum` changes.

use crate::prelude::*;

use super::queue_args::invalid;

const SOURCE: &str = "RabbitMQ, features 1.5; RULINGS 19";

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "args.quorum.non-durable",
        "a quorum queue must be durable",
        SOURCE,
        |ctx| property(ctx, |q| Queue::new(q), "non-durable"),
    ),
    Scenario::new(
        "args.quorum.exclusive",
        "a quorum queue cannot be exclusive",
        SOURCE,
        |ctx| {
            property(
                ctx,
                |q| Queue::new(q).durable().exclusive(),
                "exclusive-owner",
            )
        },
    ),
    Scenario::new(
        "args.quorum.auto-delete",
        "a quorum queue cannot be auto-delete",
        SOURCE,
        |ctx| {
            property(
                ctx,
                |q| Queue::new(q).durable().auto_delete(),
                "auto-delete",
            )
        },
    ),
    Scenario::new(
        "args.quorum.property-order",
        "of several wrong properties auto-delete is named first, then exclusive, then durable",
        SOURCE,
        |ctx| {
            property(
                ctx,
                |q| Queue::new(q).exclusive().auto_delete(),
                "auto-delete",
            )?;
            property(
                ctx,
                |q| Queue::new(q).durable().exclusive().auto_delete(),
                "auto-delete",
            )
        },
    ),
    Scenario::new(
        "args.quorum.server-named",
        "a quorum queue cannot be server-named",
        SOURCE,
        |ctx| {
            let ch = ctx.channel()?;
            let declare = Queue::new("").durable().arg("x-queue-type", "quorum");
            let text = "Cannot declare a server-named queue for type rabbit_quorum_queue";
            ch.refused(&declare.method(), 406, text)
        },
    ),
    Scenario::new(
        "args.quorum.supported",
        "the arguments that quorum queues share with classic ones are taken",
        SOURCE,
        |ctx| {
            taken(ctx, "x-message-ttl", 1000.into())?;
            taken(ctx, "x-expires", 600_000.into())?;
            taken(ctx, "x-max-length", 1.into())?;
            taken(ctx, "x-max-length-bytes", 1.into())?;
            taken(ctx, "x-dead-letter-exchange", "".into())?;
            taken(ctx, "x-single-active-consumer", true.into())?;
            taken(ctx, "x-overflow", "drop-head".into())?;
            taken(ctx, "x-overflow", "reject-publish".into())?;
            taken(ctx, "x-overflow", "reject-publish-dlx".into())
        },
    ),
    Scenario::new(
        "args.quorum.own",
        "the arguments of quorum queues alone are taken",
        SOURCE,
        |ctx| {
            taken(ctx, "x-delivery-limit", 5.into())?;
            taken(ctx, "x-dead-letter-strategy", "at-most-once".into())?;
            taken(ctx, "x-dead-letter-strategy", "at-least-once".into())?;
            taken(ctx, "x-quorum-initial-group-size", 1.into())?;
            taken(ctx, "x-max-in-memory-length", 0.into())?;
            taken(ctx, "x-max-in-memory-bytes", 5.into())?;
            for locator in ["client-local", "balanced", "random", "least-leaders"] {
                taken(ctx, "x-queue-leader-locator", locator.into())?;
            }
            Ok(())
        },
    ),
    Scenario::new(
        "args.quorum.delivery-limit.negative",
        "a negative x-delivery-limit is accepted on a quorum queue",
        "trap 28",
        |ctx| {
            taken(ctx, "x-delivery-limit", Value::I32(-1))?;
            taken(ctx, "x-delivery-limit", Value::I32(0))
        },
    ),
    Scenario::new(
        "args.quorum.unknown.ignored",
        "unknown arguments are ignored on quorum queues too",
        SOURCE,
        |ctx| taken(ctx, "x-no-such-argument", Value::Void),
    ),
    Scenario::new(
        "args.quorum.bad-values",
        "shared arguments are checked in the same words on quorum queues",
        SOURCE,
        |ctx| {
            bad(ctx, "x-message-ttl", Value::I32(-1), "{value_negative,-1}")?;
            bad(ctx, "x-expires", Value::I32(0), "{value_zero,0}")?;
            bad(ctx, "x-max-length", Value::I32(-1), "{value_negative,-1}")?;
            bad(ctx, "x-overflow", "foo".into(), "invalid_overflow")?;
            let sac = "x-single-active-consumer";
            bad(ctx, sac, Value::I32(1), "{unacceptable_type,signedint}")?;
            let dlrk = "x-dead-letter-routing-key";
            bad(ctx, dlrk, "a".into(), "routing_key_but_no_dlx_defined")
        },
    ),
    Scenario::new(
        "args.quorum.bad-own-values",
        "arguments of quorum queues alone are checked",
        SOURCE,
        |ctx| {
            let strategy = "x-dead-letter-strategy";
            bad(ctx, strategy, "twice".into(), "invalid_dlx_strategy")?;
            bad(
                ctx,
                strategy,
                Value::I32(1),
                "{unacceptable_type,signedint}",
            )?;
            let locator = "x-queue-leader-locator";
            bad(ctx, locator, "nowhere".into(), "invalid_queue_locator_arg")?;
            let size = "x-quorum-initial-group-size";
            bad(ctx, size, Value::I32(0), "{value_zero,0}")?;
            bad(ctx, size, "1".into(), "\"expected integer, got longstr\"")?;
            bad(
                ctx,
                "x-max-in-memory-length",
                Value::I32(-1),
                "{value_negative,-1}",
            )?;
            bad(
                ctx,
                "x-max-in-memory-bytes",
                Value::I32(-1),
                "{value_negative,-1}",
            )
        },
    ),
    Scenario::new(
        "args.quorum.unsupported",
        "arguments of classic queues and streams are refused on a quorum queue",
        SOURCE,
        unsupported,
    ),
    Scenario::new(
        "args.quorum.equivalence",
        "quorum and classic are not equivalent, in each of the three wordings",
        SOURCE,
        equivalence,
    ),
    Scenario::new(
        "args.quorum.equivalence.own",
        "x-delivery-limit and x-dead-letter-strategy are compared on quorum queues",
        SOURCE,
        equivalence_own,
    ),
];

fn quorum(q: &str) -> Queue {
    Queue::new(q).durable().arg("x-queue-type", "quorum")
}

fn property(ctx: &mut Ctx, build: fn(&str) -> Queue, name: &str) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    let text = format!(
        "invalid property '{name}' for queue '{q}' in vhost '{}'",
        ctx.vhost()
    );
    ch.refused(&build(&q).arg("x-queue-type", "quorum").method(), 406, text)
}

fn taken(ctx: &mut Ctx, key: &str, value: Value) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    check_eq!(ch.declare_with(quorum(&q).arg(key, value))?.queue, q);
    ch.delete(&q).map(drop)
}

fn bad(ctx: &mut Ctx, key: &str, value: Value, why: &str) -> Result {
    let ch = ctx.channel()?;
    let q = ctx.queue("q");
    ch.refused(
        &quorum(&q).arg(key, value).method(),
        406,
        invalid(ctx, key, &q, why),
    )
}

fn unsupported(ctx: &mut Ctx) -> Result {
    for (key, value) in [
        ("x-max-priority", Value::I32(5)),
        ("x-queue-mode", Value::from("lazy")),
        ("x-queue-mode", Value::from("default")),
        ("x-queue-version", Value::I32(1)),
        ("x-queue-master-locator", Value::from("random")),
        ("x-max-age", Value::from("5m")),
        ("x-initial-cluster-size", Value::I32(1)),
    ] {
        let ch = ctx.channel()?;
        let q = ctx.queue("q");
        let text = format!(
            "invalid arg '{key}' for queue '{q}' in vhost '{}' of queue type rabbit_quorum_queue",
            ctx.vhost()
        );
        ch.refused(&quorum(&q).arg(key, value).method(), 406, text)?;
    }
    Ok(())
}

fn inequivalent(ctx: &Ctx, first: Queue, second: Queue, q: &str, rest: &str) -> Result {
    let ch = ctx.channel()?;
    ch.declare_with(first)?;
    let text = |key: &str, rest: &str| {
        format!(
            "inequivalent arg '{key}' for queue '{q}' in vhost '{}': {rest}",
            ctx.vhost()
        )
    };
    let (key, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    ch.refused(&second.method(), 406, text(key, rest))?;
    ch.reopen()?.delete(q).map(drop)
}

fn equivalence(ctx: &mut Ctx) -> Result {
    let q = ctx.queue("q");
    let plain = Queue::new(&q).durable();
    let classic = plain.clone().arg("x-queue-type", "classic");
    let none = "x-queue-type received none but current is the value 'quorum' of type 'longstr'";
    inequivalent(ctx, quorum(&q), plain.clone(), &q, none)?;
    let some = "x-queue-type received the value 'quorum' of type 'longstr' but current is none";
    inequivalent(ctx, plain, quorum(&q), &q, some)?;
    let other = "x-queue-type received 'classic' but current is 'quorum'";
    inequivalent(ctx, quorum(&q), classic, &q, other)
}

fn equivalence_own(ctx: &mut Ctx) -> Result {
    let q = ctx.queue("q");
    let limited = quorum(&q).arg("x-delivery-limit", 3);
    let some = "x-delivery-limit received the value '3' of type 'signedint' but current is none";
    inequivalent(ctx, quorum(&q), limited.clone(), &q, some)?;
    let none = "x-delivery-limit received none but current is the value '3' of type 'signedint'";
    inequivalent(ctx, limited, quorum(&q), &q, none)?;
    let strategy = quorum(&q).arg("x-dead-letter-strategy", "at-most-once");
    let some = "x-dead-letter-strategy received the value 'at-most-once' of type 'longstr' \
                but current is none";
    inequivalent(ctx, quorum(&q), strategy, &q, some)
}
