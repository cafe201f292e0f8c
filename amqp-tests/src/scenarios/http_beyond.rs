//! Scenarios: what the management API has and RabbitMQ's does not.

use super::http::{Api, LAG, missing};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    Scenario::new(
        "http.beyond.peek",
        "messages are looked at by offset and stay where they are, not flagged as redelivered",
        "management 4.3",
        peek,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.positions",
        "messages are deleted and put at the end by position",
        "management 4.3",
        positions,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.positions_kept",
        "what was deleted by position stays deleted when the broker is killed after its answer",
        "management 4.3",
        positions_kept,
    )
    .seconds(90)
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.redrive",
        "dead letters go back to the queue they died in, by filter, with progress",
        "management 4.3",
        redrive,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.route",
        "a routing key can be tried: queues, their policy, what a limit would do",
        "management 4.3",
        route,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.unacked",
        "deliveries without acknowledgement are shown with consumer, tag and age",
        "management 4.3",
        unacked,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.session",
        "pages log in with a cookie that scripts cannot read and other sites cannot use",
        "management 1.2",
        session,
    )
    .deviation("an extension: RabbitMQ has no such endpoint"),
    Scenario::new(
        "http.beyond.aliveness",
        "the aliveness test leaves no queue behind",
        "management 1.5",
        aliveness,
    )
    .deviation("RabbitMQ leaves the queue aliveness-test behind"),
];

const JSON: &str = "application/json";

/// On RabbitMQ there is nothing at this path of a queue called `q`; what no resource has is looked
/// for among its pages, which know GET alone.
fn absent(api: &Api, verb: &str, path: &str) -> Result {
    api.queue("q")?;
    let request = Request::new(verb, path)
        .header("content-type", JSON)
        .body("{}");
    let status = if verb == "GET" { 404 } else { 405 };
    api.http.send(&request)?.expect(status).map(drop)
}

fn peek(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "GET", &api.path("queues", "q/peek"));
    }
    api.queue("q")?;
    for n in 0..5 {
        api.publish("amq.default", "q", &format!("m{n}"))?;
    }
    let path = api.path("queues", "q/peek?offset=1&count=2&encoding=auto");
    let told = api.http.json(&path)?;
    check_eq!(told["total"].int(), Some(5));
    check_eq!(told["messages"].each("payload"), ["m1", "m2"]);
    let first = &told["messages"].items()[0];
    check_eq!(first["position"].int(), Some(1));
    check_eq!(first["properties"]["delivery_mode"].int(), Some(2));
    check!(!first["redelivered"].is_true(), "{told}");
    let end = api.http.json(&api.path("queues", "q/peek?offset=5"))?;
    check_eq!(end["messages"].items().len(), 0);
    let taken = api.get("q", 5, "ack_requeue_false")?;
    check_eq!(taken.each("payload"), ["m0", "m1", "m2", "m3", "m4"]);
    for message in taken.items() {
        check!(!message["redelivered"].is_true(), "{message}");
    }
    missing(api.http.get(&api.path("queues", "nosuch/peek"))?)?;
    // Looking is reading.
    let user = api.user(ctx, "u", "management", "^other")?;
    api.http
        .as_user(&user, "secret")
        .get(&api.path("queues", "q/peek"))?
        .refused(401, "not_authorised", "Access refused.")
}

fn positions(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "POST", &api.path("queues", "q/messages/delete"));
    }
    api.queue("q")?;
    for n in 0..5 {
        api.publish("amq.default", "q", &format!("m{n}"))?;
    }
    let post = |what: &str, body: &str| -> Result<Json> {
        let path = api.path("queues", &format!("q/messages/{what}"));
        api.http.post(&path, body)?.expect(200)?.json()
    };
    let deleted = post("delete", "{\"positions\":[1,3,9]}")?;
    check_eq!(deleted["deleted"].int(), Some(2));
    check_eq!(deleted["missing"].int(), Some(1));
    let moved = post("requeue", "{\"positions\":[0]}")?;
    check_eq!(moved["requeued"].int(), Some(1));
    let taken = api.get("q", 5, "ack_requeue_false")?;
    check_eq!(taken.each("payload"), ["m2", "m4", "m0"]);
    api.http
        .post(&api.path("queues", "q/messages/delete"), "{}")?
        .refused(400, "bad_request", "[{key_missing,positions}]")
}

fn positions_kept(ctx: &mut Ctx) -> Result {
    if ctx.is_rabbit() {
        let api = Api::new(ctx)?;
        return absent(&api, "POST", &api.path("queues", "q/messages/delete"));
    }
    ctx.http()?;
    let mut broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let path = "/api/queues/%2F/q";
    http.put(path, "{\"durable\":true}")?.expect(201)?;
    let message = "{\"properties\":{\"delivery_mode\":2},\"routing_key\":\"q\",\
                   \"payload\":\"m\",\"payload_encoding\":\"string\"}";
    for _ in 0..3 {
        let exchange = "/api/exchanges/%2F/amq.default/publish";
        http.post(exchange, message)?.expect(200)?;
    }
    let delete = format!("{path}/messages/delete");
    http.post(&delete, "{\"positions\":[0,2]}")?.expect(200)?;
    broker.kill();
    broker.wait_exit(LAG)?;
    ctx.start_again(&mut broker)?;
    let told = broker.http()?.json(&format!("{path}/peek"))?;
    check_eq!(told["total"].int(), Some(1), "{told}");
    Ok(())
}

fn redrive(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "POST", &api.path("queues", "q/redrive"));
    }
    api.exchange("dlx", "fanout")?;
    api.queue("dead")?;
    api.bind("dlx", "dead", "")?;
    for queue in ["one", "two"] {
        api.queue_with(queue, "{\"x-dead-letter-exchange\":\"dlx\"}")?;
        for n in 0..3 {
            api.publish("amq.default", queue, &format!("{queue}{n}"))?;
        }
        api.get(queue, 3, "reject_requeue_false")?;
    }
    api.wait_messages("dead", 6)?;
    let path = api.path("queues", "dead/redrive");
    let run = |body: &str| -> Result<Json> {
        let started = api.http.post(&path, body)?.expect(200)?.json()?;
        let own = format!("{path}/{}", started["id"].text());
        eventually(Duration::from_secs(15), || {
            let told = api.http.json(&own)?;
            check_eq!(told["state"].text(), "done");
            Ok(told)
        })
    };
    let told = run("{\"filter\":{\"routing_key\":\"two\",\"reason\":\"rejected\"},\"limit\":2}")?;
    check_eq!(told["moved"].int(), Some(2));
    api.wait_messages("two", 2)?;
    api.wait_messages("one", 0)?;
    let told = run("{}")?;
    check_eq!(
        (told["moved"].int(), told["failed"].int()),
        (Some(4), Some(0))
    );
    api.wait_messages("dead", 0)?;
    let back = api.get("one", 3, "ack_requeue_false")?;
    check_eq!(back.each("payload"), ["one0", "one1", "one2"]);
    check_eq!(back.each("routing_key"), ["one", "one", "one"]);
    api.queue("other")?;
    let told = {
        let path = api.path("queues", "two/redrive");
        let body = "{\"to_queue\":\"other\",\"rate\":1000}";
        let started = api.http.post(&path, body)?.expect(200)?.json()?;
        check_eq!(started["total"].int(), Some(3));
        started
    };
    check_eq!(told["queue"].text(), "two");
    api.wait_messages("other", 3)?;
    missing(api.http.get(&format!("{path}/0"))?)
}

fn route(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "POST", "/api/route");
    }
    api.exchange("x", "topic")?;
    api.queue_with(
        "full",
        "{\"x-max-length\":1,\"x-overflow\":\"reject-publish\"}",
    )?;
    api.queue("free")?;
    api.bind("x", "full", "a.#")?;
    api.bind("x", "free", "a.*")?;
    api.publish("amq.default", "full", "m")?;
    let policy = "{\"pattern\":\"^free\",\"definition\":{\"message-ttl\":60000}}";
    api.http
        .put(&api.path("policies", "p"), policy)?
        .expect(201)?;
    let v = &api.v;
    let ask = |exchange: &str, key: &str| -> Result<Json> {
        let body =
            format!("{{\"vhost\":\"{v}\",\"exchange\":\"{exchange}\",\"routing_key\":\"{key}\"}}");
        api.http.post("/api/route", body)?.expect(200)?.json()
    };
    let both = ask("x", "a.b")?;
    check_eq!(both["queues"].items().len(), 2);
    let full = both["queues"].find("name", "full");
    check!(full["limit"].text().contains("refused"), "{both}");
    let free = both["queues"].find("name", "free");
    check_eq!(free["policy"].text(), "p");
    check_eq!(free["message_ttl"].int(), Some(60_000));
    check_eq!(ask("x", "a.b.c")?["queues"].each("name"), ["full"]);
    check!(!ask("x", "b")?["routed"].is_true());
    check_eq!(ask("amq.default", "free")?["queues"].each("name"), ["free"]);
    // Nothing was sent.
    api.wait_messages("free", 0)?;
    api.wait_messages("full", 1)
}

fn unacked(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "GET", &api.path("queues", "q/unacked"));
    }
    api.queue("q")?;
    for n in 0..3 {
        api.publish("amq.default", "q", &format!("m{n}"))?;
    }
    let ch = api.channel()?;
    let consume = method("basic.consume")
        .set("queue", "q")
        .set("consumer-tag", "mine");
    ch.call(&consume)?;
    let path = api.path("queues", "q/unacked");
    let told = eventually(Duration::from_secs(15), || {
        let told = api.http.json(&path)?;
        check_eq!(told.items().len(), 3, "{told}");
        Ok(told)
    })?;
    for (held, tag) in told.items().iter().zip(1..) {
        check_eq!(held["consumer_tag"].text(), "mine");
        check_eq!(held["delivery_tag"].int(), Some(tag));
        check_eq!(held["channel_details"]["number"].int(), Some(1));
        check!(held["age_ms"].int().is_some(), "{held}");
        check!(!held["redelivered"].is_true(), "{held}");
    }
    drop(ch);
    eventually(Duration::from_secs(15), || {
        check_eq!(api.http.json(&path)?.items().len(), 0);
        Ok(())
    })
}

fn session(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    if ctx.is_rabbit() {
        return absent(&api, "POST", "/api/session");
    }
    let user = api.user(ctx, "u", "administrator", ".*")?;
    let nobody = api.http.anonymous();
    let log_in = |password: &str| {
        let body = format!("{{\"username\":\"{user}\",\"password\":\"{password}\"}}");
        let request = Request::new("POST", "/api/session")
            .header("content-type", JSON)
            .body(body);
        nobody.send(&request)
    };
    let refused = log_in("wrong")?.expect(401)?;
    check_eq!(refused.header("set-cookie"), None);
    // The page asks again, not the browser.
    check_eq!(refused.header("www-authenticate"), None);
    let granted = log_in("secret")?.expect(200)?;
    let cookie = granted.header("set-cookie").unwrap_or_default().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        check!(cookie.contains(part), "{cookie}");
    }
    check!(!cookie.contains("secret"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    let with = |verb: &str, path: &str, own: bool| {
        let request = Request::new(verb, path).header("cookie", &cookie);
        nobody.send(&match own {
            true => request.header("x-leveret-ui", "1"),
            false => request,
        })
    };
    check_eq!(
        with("GET", "/api/whoami", false)?.expect(200)?.json()?["name"].text(),
        user
    );
    let q = api.path("queues", "q");
    with("PUT", &q, false)?.expect(401)?;
    missing(api.http.get(&q)?)?;
    with("PUT", &q, true)?.expect(201)?;
    with("DELETE", "/api/session", true)?.expect(204)?;
    with("GET", "/api/whoami", false)?.expect(401).map(drop)
}

fn aliveness(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let path = format!("/api/aliveness-test/{}", api.v);
    check_eq!(api.http.json(&path)?["status"].text(), "ok");
    let left = api.http.json(&api.path("queues", ""))?;
    check_eq!(left.items().len(), ctx.on(1, 0));
    Ok(())
}
