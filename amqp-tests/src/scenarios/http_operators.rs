//! Scenarios: what operators change over the management API, and what it says of who did what.

use super::http::{Api, LAG, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.operators.protection",
        "a protected vhost is not deleted until its protection is taken away, restarts between or not",
        "management 1.2",
        protection,
    )
    .seconds(180)
    .deviation("an addition of RabbitMQ 4.x (RULINGS 22 b)"),
    over_http(
        "http.operators.declared_by",
        "an exchange names the user who declared it, over AMQP, HTTP or by import, after a restart too",
        "management 1.5",
        declared_by,
    )
    .seconds(180),
    over_http(
        "http.operators.queues_of_user",
        "the queues that a user declared are listed, after a restart too",
        "management 1.2",
        queues_of_user,
    )
    .seconds(180)
    .deviation("an addition of RabbitMQ 4.x (RULINGS 22 b)"),
    over_http(
        "http.operators.disk_limit",
        "the node shows the free disk space that was set while it runs",
        "management 2.3",
        disk_limit,
    ),
    over_http(
        "http.operators.reset",
        "statistics are reset, on this node only, and what is there stays",
        "management 1.2",
        reset,
    ),
    over_http(
        "http.operators.login_sources",
        "logins are counted by address, name and protocol until they are reset",
        "management 1.2",
        login_sources,
    )
    .deviation("RabbitMQ counts them only where it was switched on at run time"),
    over_http(
        "http.operators.configuration",
        "the configuration in effect is shown to administrators, without its secrets",
        "management 1.2",
        configuration,
    )
    .deviation("an addition of RabbitMQ 4.x (RULINGS 22 b)"),
];

fn protection(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let mut broker = ctx.private_own("", "")?;
    let (vhost, protection) = ("/api/vhosts/v", "/api/vhosts/v/deletion/protection");
    let mut http = broker.http()?;
    http.put(vhost, "{\"description\":\"d\"}")?.expect(201)?;
    let protect = Request::new("POST", protection);
    if ctx.is_rabbit() {
        check!(http.send(&protect)?.status >= 400, "a newer RabbitMQ");
        return http.delete(vhost)?.expect(204).map(drop);
    }
    missing(http.send(&Request::new(
        "POST",
        "/api/vhosts/nosuch/deletion/protection",
    ))?)?;
    http.send(&protect)?.expect(204)?;
    http.put(vhost, "{\"tags\":\"t\"}")?.expect(204)?;
    let text = "Refusing to delete virtual host 'v' because it is protected from deletion";
    for ending in [Ending::Clean, Ending::Kill] {
        let told = http.json(vhost)?;
        check!(told["protected_from_deletion"].is_true(), "{told}");
        check_eq!(told["description"].text(), "d");
        http.delete(vhost)?
            .refused(412, "precondition_failed", text)?;
        broker.end(ending)?;
        ctx.start_again(&mut broker)?;
        http = broker.http()?;
    }
    // It goes where the definitions go.
    let exported = http.get("/api/definitions")?.expect(200)?;
    let second = ctx.private_own("", "")?;
    let other = second.http()?;
    other.post("/api/definitions", exported.body)?.expect(204)?;
    for http in [&http, &other] {
        http.delete(vhost)?
            .refused(412, "precondition_failed", text)?;
        http.delete(protection)?.expect(204)?;
        http.delete(vhost)?.expect(204)?;
        missing(http.get(vhost)?)?;
    }
    Ok(())
}

fn declared_by(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let mut broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let user = "{\"password\":\"secret\",\"tags\":\"administrator\"}";
    http.put("/api/users/alice", user)?.expect(201)?;
    let all = "{\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}";
    http.put("/api/permissions/%2F/alice", all)?.expect(201)?;
    let alice = http.as_user("alice", "secret");
    let topic = "{\"type\":\"topic\",\"durable\":true}";
    alice
        .put("/api/exchanges/%2F/over.http", topic)?
        .expect(201)?;
    let file = "{\"exchanges\":[{\"name\":\"imported\",\"vhost\":\"/\",\"type\":\"fanout\",\
                \"durable\":true,\"auto_delete\":false,\"internal\":false,\"arguments\":{}}]}";
    alice.post("/api/definitions", file)?.expect(204)?;
    let channel = Conn::open(&broker.url_for("alice", "secret", "/"))?.channel(1)?;
    let declare = method("exchange.declare")
        .set("exchange", "over.amqp")
        .set("type", "direct")
        .set("durable", true);
    channel.call(&declare)?;
    // Declaring it again changes nothing.
    http.put("/api/exchanges/%2F/over.http", topic)?
        .expect(204)?;
    for again in [false, true] {
        if again {
            broker.end(Ending::Clean)?;
            ctx.start_again(&mut broker)?;
        }
        let http = broker.http()?;
        for (name, by) in [
            ("over.http", "alice"),
            ("over.amqp", "alice"),
            ("imported", "alice"),
            ("amq.topic", "rmq-internal"),
            ("amq.default", "rmq-internal"),
        ] {
            let path = format!("/api/exchanges/%2F/{name}");
            // RabbitMQ may not serve its API as soon as it does AMQP.
            let told = eventually(LAG, || http.json(&path))?;
            let found = told["user_who_performed_action"].text();
            check_eq!(found, by, "{name}, restarted: {again}");
        }
    }
    Ok(())
}

fn queues_of_user(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let mut broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let user = "{\"password\":\"secret\",\"tags\":\"management\"}";
    http.put("/api/users/alice", user)?.expect(201)?;
    let all = "{\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}";
    http.put("/api/permissions/%2F/alice", all)?.expect(201)?;
    let path = "/api/users/alice/queues";
    if ctx.is_rabbit() {
        return missing(http.get(path)?);
    }
    check_eq!(http.json(path)?.to_string(), "[]");
    let durable = "{\"durable\":true}";
    let alice = http.as_user("alice", "secret");
    alice.put("/api/queues/%2F/hers", durable)?.expect(201)?;
    http.put("/api/queues/%2F/another", durable)?.expect(201)?;
    let channel = Conn::open(&broker.url_for("alice", "secret", "/"))?.channel(1)?;
    channel.call(&Queue::new("over.amqp").durable().method())?;
    for again in [false, true] {
        if again {
            broker.end(Ending::Kill)?;
            ctx.start_again(&mut broker)?;
        }
        let told = broker.http()?.json(&format!("{path}?sort=name"))?;
        check_eq!(told.each("name"), ["hers", "over.amqp"], "{told}");
    }
    let http = broker.http()?;
    missing(http.get("/api/users/nosuch/queues")?)?;
    let alice = http.as_user("alice", "secret");
    let refused = alice.get(path)?;
    refused.refused(401, "not_authorised", "Not administrator user")
}

fn disk_limit(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("disk_free_limit.absolute = 60MB", "")?;
    let http = broker.http()?;
    let shown = |octets: i64| {
        eventually(LAG, || {
            let nodes = http.json("/api/nodes")?;
            let told = nodes.items().first().map(|n| n["disk_free_limit"].clone());
            check_eq!(told, Some(Json::Int(octets)));
            Ok(())
        })
    };
    shown(60_000_000)?;
    let words = ["set_disk_free_limit", "70MB"].map(str::to_owned);
    let run = broker.cli("rabbitmqctl", &words)?;
    check!(run.output.status.success(), "{:?}", run.output);
    shown(70_000_000)
}

fn reset(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("", "")?;
    let api = Api::of(ctx, std::sync::Arc::new(broker))?;
    api.queue("q")?;
    api.publish("amq.default", "q", "m")?;
    let node = api.http.json("/api/overview")?["node"].text().to_string();
    for path in [
        "/api/reset".to_string(),
        format!("/api/reset/{}", segment(&node)),
    ] {
        api.http.delete(&path)?.expect(204)?;
        api.wait_messages("q", 1)?;
    }
    missing(api.http.delete("/api/reset/nosuch%40host")?)?;
    let monitor = api.user(ctx, "monitor", "monitoring", "")?;
    let refused = api.http.as_user(&monitor, "secret").delete("/api/reset")?;
    refused.refused(401, "not_authorised", "Not administrator user")?;
    check_eq!(api.get("q", 1, "ack_requeue_false")?.items().len(), 1);
    Ok(())
}

fn login_sources(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let node = http.json("/api/overview")?["node"].text().to_string();
    let path = format!("/api/auth/attempts/{}/source", segment(&node));
    http.as_user("nobody", "wrong")
        .get("/api/whoami")?
        .expect(401)?;
    broker.connect()?.channel(1)?;
    let told = http.json(&path)?;
    if ctx.is_rabbit() {
        check_eq!(told.to_string(), "[]");
        return Ok(());
    }
    let find = |told: &Json, user: &str, protocol: &str| {
        let fits = |row: &&Json| {
            row["username"].text() == user
                && row["protocol"].text() == protocol
                && row["remote_address"].text() == "127.0.0.1"
        };
        told.items().iter().find(fits).cloned()
    };
    for (user, protocol, outcome) in [
        ("nobody", "http", "auth_attempts_failed"),
        ("guest", "amqp091", "auth_attempts_succeeded"),
        ("guest", "http", "auth_attempts_succeeded"),
    ] {
        let row = find(&told, user, protocol).unwrap_or(Json::Null);
        check!(row[outcome].int() >= Some(1), "{user} {protocol}: {told}");
        check_eq!(row["auth_attempts"], row[outcome]);
    }
    http.delete(&path)?.expect(204)?;
    let told = http.json(&path)?;
    check_eq!(find(&told, "nobody", "http"), None);
    // Asking is a login too.
    check!(find(&told, "guest", "http").is_some(), "{told}");
    Ok(())
}

fn configuration(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let conf = "default_pass = guest\nheartbeat = 33";
    let broker = ctx.private(conf, "")?;
    let api = Api::of(ctx, broker)?;
    let path = "/api/config/effective";
    if ctx.is_rabbit() {
        return missing(api.http.get(path)?);
    }
    let told = api.http.json(path)?;
    check_eq!(told["heartbeat"].text(), "33");
    check_eq!(told["collect_statistics_interval"].text(), "5000");
    check!(told["default_pass"].text() != "guest", "{told}");
    let monitor = api.user(ctx, "monitor", "monitoring", "")?;
    api.http.as_user(&monitor, "secret").get(path)?.refused(
        401,
        "not_authorised",
        "Not administrator user",
    )
}
