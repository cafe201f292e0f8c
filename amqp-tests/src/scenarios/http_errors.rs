//! Scenarios: what the management API says when it refuses.

use super::http::{Api, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.error.login",
        "no login is an empty 401, a wrong one says so, and both name the realm",
        "management 1.1",
        login,
    ),
    over_http(
        "http.error.missing",
        "whatever is not there is 404 with one and the same body",
        "management 1.1",
        not_there,
    ),
    over_http(
        "http.error.missing_in",
        "what is to be put or taken in something missing is 404 with its name",
        "management 1.1",
        missing_in,
    ),
    over_http(
        "http.error.not_json",
        "a body that is no JSON object is 400, each way in its own words",
        "management 1.1",
        not_json,
    ),
    over_http(
        "http.error.missing_keys",
        "missing keys are 400 and named in the order the call wants them",
        "management 1.1",
        missing_keys,
    ),
    over_http(
        "http.error.inequivalent",
        "a redeclaration that differs is 400 with AMQP's text, an equal one 204",
        "management 1.1",
        inequivalent,
    ),
    over_http(
        "http.error.bad_argument",
        "bad arguments and types are 400 with AMQP's text",
        "management 1.1",
        bad_argument,
    ),
    over_http(
        "http.error.in_use",
        "a conditional delete whose condition fails is 400",
        "management 1.1",
        in_use,
    ),
    over_http(
        "http.error.reserved",
        "reserved names and predeclared exchanges are 401",
        "management 1.1",
        reserved,
    ),
    over_http(
        "http.error.publish",
        "a publish to a missing exchange and unusable properties or encodings are 400",
        "management 1.1",
        publish,
    ),
    over_http(
        "http.error.get_mode",
        "an unknown ackmode is refused as a bad request",
        "management 1.1",
        get_mode,
    )
    .deviation("RabbitMQ crashes with 500 (RULINGS 22 a)"),
    over_http(
        "http.error.node",
        "an unknown node is not found",
        "management 1.1",
        node,
    )
    .deviation("RabbitMQ crashes with 500 (RULINGS 22 a)"),
    over_http(
        "http.error.users",
        "users without tags, with a bad hash, and permissions of nobody are 400",
        "management 1.1, 1.5",
        users,
    ),
    over_http(
        "http.error.definitions",
        "definitions that cannot be read are 400 and change nothing",
        "management 1.1",
        definitions,
    ),
];

fn login(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let realm = "Basic realm=\"RabbitMQ Management\"";
    let none = api.http.anonymous().get("/api/overview")?.expect(401)?;
    check!(none.body.is_empty(), "{}", none.text());
    check_eq!(none.header("www-authenticate"), Some(realm));
    let monitor = api.user(ctx, "u", "monitoring", "")?;
    for (user, password) in [("guest", "bad"), ("nobody", "x"), (&monitor, "")] {
        let answer = api.http.as_user(user, password).get("/api/whoami")?;
        check_eq!(answer.header("www-authenticate"), Some(realm));
        answer.refused(401, "not_authorized", "Login failed")?;
    }
    let plain = api.user(ctx, "plain", "", ".*")?;
    let answer = api.http.as_user(&plain, "secret").get("/api/whoami")?;
    answer.refused(401, "not_authorised", "Not management user")
}

fn not_there(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    for path in [
        "/api/nosuch".into(),
        "/api/vhosts/nosuch".into(),
        "/api/vhosts/nosuch/permissions".into(),
        "/api/users/nosuch".into(),
        "/api/queues/nosuch".into(),
        "/api/exchanges/nosuch".into(),
        "/api/bindings/nosuch".into(),
        "/api/permissions/nosuch/guest".into(),
        "/api/global-parameters/nosuch".into(),
        "/api/connections/nosuch".into(),
        "/api/channels/nosuch".into(),
        "/api/aliveness-test/nosuch".into(),
        "/api/vhost-limits/nosuch".into(),
        api.path("queues", "nosuch"),
        api.path("exchanges", "nosuch"),
        api.path("policies", "nosuch"),
        api.path("operator-policies", "nosuch"),
        api.path("permissions", "nosuch"),
        api.path("bindings", "e/amq.topic/q/q/nosuch"),
    ] {
        missing(api.http.get(&path)?)?;
    }
    for path in [
        "/api/vhosts/nosuch".into(),
        "/api/users/nosuch".into(),
        "/api/connections/nosuch".into(),
        api.path("queues", "nosuch"),
        api.path("queues", "nosuch/contents"),
        api.path("exchanges", "nosuch"),
        api.path("policies", "nosuch"),
        api.path("permissions", "nosuch"),
        api.path("bindings", "e/amq.topic/q/q/nosuch"),
    ] {
        missing(api.http.delete(&path)?)?;
    }
    Ok(())
}

fn missing_in(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    api.queue("q")?;
    for path in ["/api/queues/nosuch/q", "/api/exchanges/nosuch/x"] {
        let answer = api.http.put(path, "{\"type\":\"fanout\"}")?;
        answer.refused(404, "not_found", "vhost_not_found")?;
    }
    let key = "{\"routing_key\":\"x\",\"arguments\":{}}";
    let answer = api.http.post(&api.path("bindings", "e/nosuch/q/q"), key)?;
    answer.refused(
        404,
        "not_found",
        &format!("no exchange 'nosuch' in vhost '{v}'"),
    )?;
    let answer = api
        .http
        .post(&api.path("bindings", "e/amq.topic/q/nosuch"), key)?;
    answer.refused(
        404,
        "not_found",
        &format!("no queue 'nosuch' in vhost '{v}'"),
    )?;
    let get = "{\"count\":1,\"ackmode\":\"ack_requeue_true\",\"encoding\":\"auto\"}";
    let answer = api.http.post(&api.path("queues", "nosuch/get"), get)?;
    let text = format!("NOT_FOUND - no queue 'nosuch' in vhost '{v}'");
    answer.refused(404, "not_found", &text)
}

fn not_json(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let q = api.path("queues", "q");
    api.http
        .put(&q, "{bad")?
        .refused(400, "bad_request", "not_json")?;
    let twice = "invalid payload: the request body JSON-decoded to a string. \
                 Is the input doubly-JSON-encoded?";
    api.http
        .put(&q, "\"\"")?
        .refused(400, "bad_request", twice)?;
    missing(api.http.get(&q)?)
}

fn missing_keys(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let user = api.user(ctx, "u", "", "")?;
    let put = |path: &str, body: &str, keys: &[&str]| {
        let list: Vec<String> = keys
            .iter()
            .map(|k| format!("{{key_missing,{k}}}"))
            .collect();
        let reason = format!("[{}]", list.join(","));
        api.http
            .put(path, body)?
            .refused(400, "bad_request", &reason)
    };
    put(
        &api.path("permissions", &user),
        "{\"configure\":\".*\"}",
        &["write", "read"],
    )?;
    put(
        &api.path("policies", "p"),
        "{\"definition\":{\"max-length\":1}}",
        &["pattern"],
    )?;
    put(&api.path("policies", "p"), "{}", &["pattern", "definition"])?;
    put("/api/cluster-name", "{\"x\":1}", &["name"])?;
    let post = |path: &str, body: &str, keys: &str| {
        api.http.post(path, body)?.refused(400, "bad_request", keys)
    };
    post(
        &api.path("exchanges", "amq.default/publish"),
        "{\"properties\":{},\"payload\":\"x\"}",
        "[{key_missing,routing_key},{key_missing,payload_encoding}]",
    )?;
    post(
        &api.path("queues", "q/get"),
        "{\"count\":1}",
        "[{key_missing,ackmode},{key_missing,encoding}]",
    )
}

fn inequivalent(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let q = api.path("queues", "q");
    api.queue_with("q", "{\"x-max-length\":10}")?;
    let same = "{\"durable\":true,\"auto_delete\":false,\"arguments\":{\"x-max-length\":10}}";
    let again = api.http.put(&q, same)?.expect(204)?;
    check!(again.body.is_empty());
    let text = format!(
        "inequivalent arg 'durable' for queue 'q' in vhost '{v}': \
         received 'false' but current is 'true'"
    );
    api.http
        .put(&q, "{\"durable\":false}")?
        .refused(400, "bad_request", &text)?;
    let text = format!(
        "inequivalent arg 'x-max-length' for queue 'q' in vhost '{v}': \
         received '11' but current is '10'"
    );
    let body = "{\"durable\":true,\"arguments\":{\"x-max-length\":11}}";
    api.http.put(&q, body)?.refused(400, "bad_request", &text)?;
    api.exchange("x", "topic")?;
    let text = format!(
        "inequivalent arg 'type' for exchange 'x' in vhost '{v}': \
         received 'fanout' but current is 'topic'"
    );
    api.http
        .put(
            &api.path("exchanges", "x"),
            "{\"type\":\"fanout\",\"durable\":true}",
        )?
        .refused(400, "bad_request", &text)
}

fn bad_argument(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let q = api.path("queues", "q");
    let text =
        format!("invalid arg 'x-message-ttl' for queue 'q' in vhost '{v}': {{value_negative,-1}}");
    api.http
        .put(
            &q,
            "{\"durable\":true,\"arguments\":{\"x-message-ttl\":-1}}",
        )?
        .refused(400, "bad_request", &text)?;
    let answer = api.http.put(&q, "{\"durable\":\"xx\"}")?.expect(400)?;
    let told = answer.json()?;
    check_eq!(told["error"].text(), "bad_request");
    check!(told["reason"].to_string().contains("not_boolean"), "{told}");
    missing(api.http.get(&q)?)?;
    let x = api.path("exchanges", "x");
    api.http.put(&x, "{\"type\":\"no.such\"}")?.refused(
        400,
        "bad_request",
        "unknown exchange type 'no.such'",
    )?;
    missing(api.http.get(&x)?)
}

fn in_use(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    api.queue("q")?;
    api.exchange("x", "topic")?;
    api.bind("x", "q", "k")?;
    api.publish("amq.default", "q", "m")?;
    let q = api.path("queues", "q");
    api.http.delete(&format!("{q}?if-empty=true"))?.refused(
        400,
        "bad_request",
        &format!("queue 'q' in vhost '{v}' not empty"),
    )?;
    let ch = api.channel()?;
    ch.call(&method("basic.consume").set("queue", "q"))?;
    api.http.delete(&format!("{q}?if-unused=true"))?.refused(
        400,
        "bad_request",
        &format!("queue 'q' in vhost '{v}' in use"),
    )?;
    let x = api.path("exchanges", "x");
    api.http.delete(&format!("{x}?if-unused=true"))?.refused(
        400,
        "bad_request",
        &format!("exchange 'x' in vhost '{v}' in use"),
    )?;
    api.http.delete(&q)?.expect(204)?;
    api.http
        .delete(&format!("{x}?if-unused=true"))?
        .expect(204)?;
    missing(api.http.get(&x)?)
}

fn reserved(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let refused = |answer: Answer| answer.refused(401, "not_authorised", "Access refused.");
    refused(api.http.put(&api.path("queues", "amq.q"), "{}")?)?;
    let fanout = "{\"type\":\"fanout\"}";
    refused(api.http.put(&api.path("exchanges", "amq.x"), fanout)?)?;
    refused(api.http.delete(&api.path("exchanges", "amq.direct"))?)?;
    api.queue("q")?;
    let key = "{\"routing_key\":\"x\",\"arguments\":{}}";
    refused(
        api.http
            .post(&api.path("bindings", "e/amq.default/q/q"), key)?,
    )
}

fn publish(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let send = |x: &str, properties: &str, encoding: &str| {
        let body = format!(
            "{{\"properties\":{properties},\"routing_key\":\"x\",\"payload\":\"!\",\
             \"payload_encoding\":\"{encoding}\"}}"
        );
        api.http
            .post(&api.path("exchanges", &format!("{x}/publish")), body)
    };
    let text = format!("404 NOT_FOUND - no exchange 'nosuch' in vhost '{v}'");
    send("nosuch", "{}", "string")?.refused(400, "bad_request", &text)?;
    let told = |answer: Answer| -> Result<String> {
        let body = answer.expect(400)?.json()?;
        check_eq!(body["error"].text(), "bad_request");
        Ok(body["reason"].to_string())
    };
    let reason = told(send("amq.topic", "{}", "nosuch")?)?;
    check!(
        reason.contains("unsupported_encoding") && reason.contains("nosuch"),
        "{reason}"
    );
    let reason = told(send("amq.topic", "{\"delivery_mode\":\"abc\"}", "string")?)?;
    check!(
        reason.contains("not_int") && reason.contains("delivery_mode"),
        "{reason}"
    );
    let reason = told(send("amq.topic", "{}", "base64")?)?;
    check!(reason.contains("not_base64"), "{reason}");
    check!(!api.publish("amq.default", "nosuch", "x")?);
    Ok(())
}

fn get_mode(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    api.publish("amq.default", "q", "m")?;
    let body = "{\"count\":1,\"ackmode\":\"nosuch\",\"encoding\":\"auto\"}";
    api.http
        .post(&api.path("queues", "q/get"), body)?
        .expect(ctx.on(500, 400))?;
    let left = api.get("q", 1, "ack_requeue_false")?;
    check_eq!(left.each("payload"), ["m"]);
    Ok(())
}

fn node(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let answer = api.http.get("/api/nodes/rabbit@nosuch")?;
    if ctx.is_rabbit() {
        return answer.expect(500).map(drop);
    }
    missing(answer)
}

fn users(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let path = format!("/api/users/{}", ctx.name("u"));
    api.http
        .put(&path, "{\"password\":\"x\"}")?
        .refused(400, "bad_request", "tags_not_present")?;
    let answer = api
        .http
        .put(&path, "{\"password_hash\":\"!!!\",\"tags\":\"management\"}")?
        .expect(400)?;
    check!(answer.text().contains("not_base64"), "{}", answer.text());
    missing(api.http.get(&path)?)?;
    let all = "{\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"}";
    for path in [
        api.path("permissions", "nobody"),
        "/api/permissions/nosuch/guest".into(),
    ] {
        api.http
            .put(&path, all)?
            .refused(400, "bad_request", "vhost_or_user_not_found")?;
    }
    let broken = "{\"configure\":\"(\",\"write\":\".*\",\"read\":\".*\"}";
    let answer = api
        .http
        .put(&api.path("permissions", "guest"), broken)?
        .expect(400)?;
    check!(
        answer.text().contains("invalid_regexp"),
        "{}",
        answer.text()
    );
    Ok(())
}

fn definitions(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.http
        .post("/api/definitions", "{x")?
        .refused(400, "bad_request", "failed_to_parse_json")?;
    let half = "{\"queues\":[{\"name\":\"x\"}]}";
    let answer = api
        .http
        .post(&api.path("definitions", ""), half)?
        .expect(400)?;
    check_eq!(answer.json()?["error"].text(), "bad_request");
    missing(api.http.get(&api.path("queues", "x"))?)
}
