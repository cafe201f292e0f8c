//! Scenarios: policies and operator policies, set while queues are in use.

use super::http::{Api, LAG, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "policy.max_length",
        "a maximum length trims a queue that is longer, from its head, and holds from then on",
        "features 1.9",
        max_length,
    ),
    over_http(
        "policy.reject_publish",
        "overflow by policy refuses publishes with basic.nack",
        "features 1.9",
        reject_publish,
    ),
    over_http(
        "policy.message_ttl",
        "a message TTL by policy expires what is published to a queue that exists",
        "features 1.9",
        message_ttl,
    ),
    over_http(
        "policy.message_ttl_queued",
        "a message TTL by policy leaves the messages alone that are in the queue already, and what came under it keeps its expiry",
        "RabbitMQ 3.10.8",
        message_ttl_queued,
    ),
    over_http(
        "policy.dead_letter",
        "a dead-letter exchange by policy takes what is rejected, as long as the policy holds",
        "features 1.9",
        dead_letter,
    ),
    over_http(
        "policy.alternate",
        "an alternate exchange by policy takes what an exchange cannot route",
        "features 1.9",
        alternate,
    ),
    over_http(
        "policy.expires",
        "a queue expiry by policy deletes a queue that exists and is not used",
        "features 1.9",
        expires,
    ),
    over_http(
        "policy.priority",
        "of the policies that match the one of the highest priority holds, alone",
        "features 1.9",
        priority,
    ),
    over_http(
        "policy.operator",
        "an operator policy is merged with the policy: of two limits the lower holds",
        "features 1.9",
        operator,
    ),
    over_http(
        "policy.argument",
        "of a limit by argument and one by policy the lower holds",
        "features 1.9",
        argument,
    ),
    over_http(
        "policy.apply_to",
        "a policy applies to queues, exchanges or both, whose names match its pattern",
        "features 1.9",
        apply_to,
    ),
    over_http(
        "policy.invalid",
        "unknown keys, bad values, bad patterns and empty definitions are refused by name",
        "management 1.1",
        invalid,
    ),
];

fn put(api: &Api, kind: &str, name: &str, body: &str) -> Result<()> {
    let status = api.http.put(&api.path(kind, name), body)?.status;
    check!(status == 201 || status == 204, "{kind} {name}: {status}");
    Ok(())
}

/// A policy for queues that match; it holds when the queue says so.
fn policy(api: &Api, name: &str, pattern: &str, definition: &str) -> Result<()> {
    let body = format!(
        "{{\"pattern\":\"{pattern}\",\"definition\":{definition},\"apply-to\":\"queues\"}}"
    );
    put(api, "policies", name, &body)
}

/// Waits until a queue or exchange tells this as its policy, empty for none.
fn holds(api: &Api, kind: &str, object: &str, name: &str) -> Result<()> {
    let path = api.path(kind, object);
    eventually(LAG, || {
        let told = api.http.json(&path)?;
        check_eq!(told["policy"].text(), name, "policy of {object}");
        Ok(())
    })
}

fn payloads(api: &Api, queue: &str) -> Result<String> {
    let list = api.get(queue, 100, "ack_requeue_false")?;
    Ok(list.each("payload").join(" "))
}

fn max_length(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("long")?;
    let ch = api.channel()?;
    for n in 1..=10 {
        ch.publish("", "long", &n.to_string())?;
    }
    ch.wait_messages("long", 10)?;
    policy(&api, "short", "^long$", "{\"max-length\":3}")?;
    ch.wait_messages("long", 3)?;
    ch.publish("", "long", "11")?;
    ch.wait_depth("long", |d| d.messages == 3)?;
    eventually(LAG, || {
        let first = api.get("long", 1, "ack_requeue_true")?;
        check_eq!(first.each("payload"), ["9"]);
        Ok(())
    })?;
    holds(&api, "queues", "long", "short")?;
    api.http
        .delete(&api.path("policies", "short"))?
        .expect(204)?;
    missing(api.http.get(&api.path("policies", "short"))?)?;
    holds(&api, "queues", "long", "")?;
    for n in 12..=14 {
        ch.publish("", "long", &n.to_string())?;
    }
    ch.wait_messages("long", 6)?;
    check_eq!(payloads(&api, "long")?, "9 10 11 12 13 14");
    Ok(())
}

fn reject_publish(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let limit = "{\"max-length\":2,\"overflow\":\"reject-publish\"}";
    policy(&api, "p", "^q$", limit)?;
    holds(&api, "queues", "q", "p")?;
    let ch = api.channel()?;
    ch.confirm_select()?;
    let mut taken = Vec::new();
    for n in 1..=4 {
        ch.publish("", "q", &n.to_string())?;
        taken.push(ch.confirms(n, n)?[0]);
    }
    check_eq!(taken, [true, true, false, false]);
    check_eq!(payloads(&api, "q")?, "1 2");
    Ok(())
}

fn message_ttl(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let ch = api.channel()?;
    policy(&api, "p", "^q$", "{\"message-ttl\":50}")?;
    holds(&api, "queues", "q", "p")?;
    ch.publish("", "q", "soon gone")?;
    ch.wait_messages("q", 0)?;
    api.http.delete(&api.path("policies", "p"))?.expect(204)?;
    holds(&api, "queues", "q", "")?;
    ch.publish("", "q", "stays")?;
    ch.wait_messages("q", 1)?;
    check_eq!(payloads(&api, "q")?, "stays");
    Ok(())
}

fn message_ttl_queued(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let ch = api.channel()?;
    ch.confirm_select()?;
    let publish = |queue: &str, body: &str| {
        ch.publish("", queue, body)?;
        ch.confirm()
    };
    for kind in ["classic", "quorum"] {
        let (clock, still) = (format!("clock-{kind}"), format!("still-{kind}"));
        for queue in [&clock, &still] {
            ch.declare_with(Queue::new(queue).durable().arg("x-queue-type", kind))?;
            publish(queue, "old")?;
        }
        let set = |ttl: &str| {
            let definition = format!("{{\"message-ttl\":{ttl}}}");
            policy(&api, kind, &format!("-{kind}$"), &definition)?;
            holds(&api, "queues", &clock, kind)?;
            holds(&api, "queues", &still, kind)
        };
        set("50")?;
        // Out of the way, since only the head of a queue of RabbitMQ's expires.
        let held = ch.wait_get(&clock)?;
        publish(&clock, "new")?;
        ch.wait_messages(&clock, 0)?;
        set("1500")?;
        publish(&clock, "under the policy")?;
        api.http.delete(&api.path("policies", kind))?.expect(204)?;
        holds(&api, "queues", &clock, "")?;
        ch.wait_messages(&clock, 0)?;
        ch.reject(held.tag, true)?;
        for queue in [&clock, &still] {
            ch.wait_messages(queue, 1)?;
            check_eq!(ch.get_all(queue)?, ["old"], "{queue}");
        }
    }
    Ok(())
}

fn dead_letter(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    for name in ["work", "dead"] {
        api.queue(name)?;
    }
    api.exchange("dlx", "fanout")?;
    api.bind("dlx", "dead", "")?;
    let letters = "{\"dead-letter-exchange\":\"dlx\",\"dead-letter-routing-key\":\"k2\"}";
    policy(&api, "letters", "^work$", letters)?;
    holds(&api, "queues", "work", "letters")?;
    let ch = api.channel()?;
    ch.publish("", "work", "refused")?;
    ch.reject(ch.wait_get("work")?.tag, false)?;
    let dead = ch.wait_get("dead")?;
    check_eq!((dead.text().as_str(), dead.key.as_str()), ("refused", "k2"));
    api.http
        .delete(&api.path("policies", "letters"))?
        .expect(204)?;
    holds(&api, "queues", "work", "")?;
    ch.publish("", "work", "dropped")?;
    ch.reject(ch.wait_get("work")?.tag, false)?;
    ch.wait_messages("work", 0)?;
    ch.expect_silence_of("dead")?;
    check_eq!(ch.depth("dead")?.messages, 0);
    Ok(())
}

fn alternate(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.exchange("x", "direct")?;
    api.exchange("rest", "fanout")?;
    api.queue("lost")?;
    api.bind("rest", "lost", "")?;
    check!(!api.publish("x", "nowhere", "m")?);
    let body = "{\"pattern\":\"^x$\",\"definition\":{\"alternate-exchange\":\"rest\"},\
                \"apply-to\":\"exchanges\"}";
    put(&api, "policies", "ae", body)?;
    holds(&api, "exchanges", "x", "ae")?;
    check!(api.publish("x", "nowhere", "m")?);
    check_eq!(payloads(&api, "lost")?, "m");
    api.http.delete(&api.path("policies", "ae"))?.expect(204)?;
    holds(&api, "exchanges", "x", "")?;
    check!(!api.publish("x", "nowhere", "m")?);
    Ok(())
}

fn expires(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("idle")?;
    api.queue("stays")?;
    policy(&api, "p", "^idle$", "{\"expires\":200}")?;
    eventually(LAG, || missing(api.http.get(&api.path("queues", "idle"))?))?;
    api.http.json(&api.path("queues", "stays")).map(drop)
}

fn priority(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    for (name, priority, definition) in [
        ("low", 1, "{\"max-length\":1,\"message-ttl\":60000}"),
        ("high", 9, "{\"max-length\":9}"),
        ("other", 99, "{\"max-length\":99}"),
    ] {
        let pattern = if name == "other" { "^z" } else { "q" };
        let body = format!(
            "{{\"pattern\":\"{pattern}\",\"definition\":{definition},\"priority\":{priority}}}"
        );
        put(&api, "policies", name, &body)?;
    }
    holds(&api, "queues", "q", "high")?;
    let told = api.http.json(&api.path("queues", "q"))?;
    check_eq!(
        told["effective_policy_definition"].to_string(),
        "{\"max-length\":9}"
    );
    api.http
        .delete(&api.path("policies", "high"))?
        .expect(204)?;
    holds(&api, "queues", "q", "low")?;
    // One that is declared later has its policy from the start.
    api.queue("q2")?;
    holds(&api, "queues", "q2", "low")?;
    let list = api.http.json(&api.path("policies", ""))?;
    check_eq!(list.items().len(), 2);
    let low = list.find("name", "low");
    check_eq!(low["apply-to"].text(), "all");
    check_eq!(low["priority"].int(), Some(1));
    Ok(())
}

fn operator(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    policy(
        &api,
        "p",
        "^q$",
        "{\"max-length\":10,\"dead-letter-exchange\":\"amq.fanout\"}",
    )?;
    let body = "{\"pattern\":\"^q\",\"definition\":{\"max-length\":2,\"message-ttl\":60000},\
                \"apply-to\":\"queues\"}";
    put(&api, "operator-policies", "o", body)?;
    let path = api.path("queues", "q");
    let effective = |wanted: &[(&str, Json)]| {
        eventually(LAG, || {
            let told = api.http.json(&path)?;
            let definition = &told["effective_policy_definition"];
            check_eq!(definition.fields().len(), wanted.len(), "{definition}");
            for (key, value) in wanted {
                check_eq!(&definition[*key], value, "{key}");
            }
            Ok(told)
        })
    };
    let told = effective(&[
        ("max-length", Json::Int(2)),
        ("message-ttl", Json::Int(60000)),
        ("dead-letter-exchange", "amq.fanout".into()),
    ])?;
    check_eq!(
        (told["policy"].text(), told["operator_policy"].text()),
        ("p", "o")
    );
    let ch = api.channel()?;
    for n in 1..=4 {
        ch.publish("", "q", &n.to_string())?;
    }
    ch.wait_messages("q", 2)?;
    check_eq!(payloads(&api, "q")?, "3 4");
    // It is no looser than what it limits.
    policy(&api, "p", "^q$", "{\"max-length\":1}")?;
    effective(&[
        ("max-length", Json::Int(1)),
        ("message-ttl", Json::Int(60000)),
    ])?;
    api.http.delete(&api.path("policies", "p"))?.expect(204)?;
    effective(&[
        ("max-length", Json::Int(2)),
        ("message-ttl", Json::Int(60000)),
    ])?;
    api.http
        .delete(&api.path("operator-policies", "o"))?
        .expect(204)?;
    eventually(LAG, || {
        let told = api.http.json(&path)?;
        check_eq!(told["operator_policy"].text(), "");
        Ok(())
    })
}

fn argument(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue_with("low", "{\"x-max-length\":2}")?;
    api.queue_with("high", "{\"x-max-length\":8}")?;
    policy(&api, "p", "^", "{\"max-length\":4}")?;
    holds(&api, "queues", "high", "p")?;
    holds(&api, "queues", "low", "p")?;
    let ch = api.channel()?;
    for queue in ["low", "high"] {
        for n in 1..=9 {
            ch.publish("", queue, &n.to_string())?;
        }
    }
    ch.wait_messages("low", 2)?;
    ch.wait_messages("high", 4)
}

fn apply_to(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("a.q")?;
    api.exchange("a.x", "topic")?;
    let body = |to: &str, definition: &str| {
        format!("{{\"pattern\":\"^a\",\"definition\":{definition},\"apply-to\":\"{to}\"}}")
    };
    put(&api, "policies", "p", &body("queues", "{\"max-length\":1}"))?;
    holds(&api, "queues", "a.q", "p")?;
    holds(&api, "exchanges", "a.x", "")?;
    let ae = "{\"alternate-exchange\":\"amq.fanout\"}";
    put(&api, "policies", "p", &body("exchanges", ae))?;
    holds(&api, "queues", "a.q", "")?;
    holds(&api, "exchanges", "a.x", "p")?;
    put(&api, "policies", "p", &body("all", "{\"max-length\":1}"))?;
    holds(&api, "queues", "a.q", "p")?;
    holds(&api, "exchanges", "a.x", "p")
}

fn invalid(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let path = api.path("policies", "bad");
    let told = |pattern: &str, definition: &str| -> Result<String> {
        let body = format!("{{\"pattern\":\"{pattern}\",\"definition\":{definition}}}");
        let answer = api.http.put(&path, body)?.expect(400)?.json()?;
        check_eq!(answer["error"].text(), "bad_request");
        Ok(answer["reason"].text().to_string())
    };
    check_eq!(
        told("x", "{\"max-length\":-1}")?,
        "Validation failed\n\n-1 is not a valid maximum length\n"
    );
    check_eq!(
        told("x", "{}")?,
        "Validation failed\n\nno policy provided\n"
    );
    let unknown = told("x", "{\"nosuch\":1}")?;
    check!(unknown.starts_with("Validation failed\n\n"), "{unknown}");
    check!(
        unknown.contains("nosuch") && unknown.ends_with("are not recognised policy settings\n"),
        "{unknown}"
    );
    let pattern = told("(", "{\"max-length\":1}")?;
    let start = "Validation failed\n\npattern should be regular expression but is invalid: ";
    check!(pattern.starts_with(start), "{pattern}");
    for (key, value) in [
        ("message-ttl", "\"x\""),
        ("expires", "0"),
        ("overflow", "\"nosuch\""),
        ("dead-letter-exchange", "7"),
        ("max-length-bytes", "-5"),
    ] {
        let reason = told("x", &format!("{{\"{key}\":{value}}}"))?;
        check!(
            reason.starts_with("Validation failed\n\n"),
            "{key}: {reason}"
        );
    }
    missing(api.http.get(&path)?)
}
