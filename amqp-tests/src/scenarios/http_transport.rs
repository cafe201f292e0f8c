//! Scenarios: how the management API uses HTTP.

use super::http::{Api, missing, over_http};
use crate::prelude::*;
use std::io::Write;
use std::process::{Command, Stdio};

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.transport.headers",
        "answers are JSON that is not cached, of a length told in advance",
        "management 1.1",
        headers,
    ),
    over_http(
        "http.transport.head_options",
        "HEAD answers as GET without a body; OPTIONS tells the verbs without a login",
        "management 1.1",
        head_options,
    ),
    over_http(
        "http.transport.accept",
        "what accepts no JSON is 406; a list with JSON or a wildcard in it is answered",
        "management 1.1",
        accept,
    ),
    over_http(
        "http.transport.bert",
        "kbudde's exporter prefers application/bert: Leveret answers it in JSON, its second choice",
        "management 1.1",
        bert,
    )
    .deviation("RabbitMQ speaks Erlang's binary terms (RULINGS 22 a)"),
    over_http(
        "http.transport.gzip",
        "a client that accepts gzip gets the same JSON compressed",
        "management 1.1",
        gzip,
    ),
    over_http(
        "http.transport.verbs",
        "a wrong verb is 405 with an empty body and the right ones in allow",
        "management 1.1",
        verbs,
    ),
    over_http(
        "http.transport.paths",
        "a trailing slash is tolerated, a plus is no space, an unknown path is 404",
        "management 1.1, 1.6",
        paths,
    ),
    over_http(
        "http.transport.body",
        "a body's content-type is not looked at, and none at all means every default",
        "management 1.1",
        body,
    ),
    over_http(
        "http.transport.scalars",
        "booleans and integers may be strings; flags default to false; unknown keys are ignored",
        "management 1.1; trap 30",
        scalars,
    ),
    over_http(
        "http.transport.root",
        "the user interface is at the root, an HTML page",
        "management 1.1",
        root,
    ),
];

fn headers(ctx: &mut Ctx) -> Result {
    let answer = Api::new(ctx)?.http.get("/api/overview")?.expect(200)?;
    check_eq!(answer.header("content-type"), Some("application/json"));
    check_eq!(answer.header("cache-control"), Some("no-cache"));
    let length = answer.body.len().to_string();
    check_eq!(answer.header("content-length"), Some(length.as_str()));
    let vary = answer.header("vary").unwrap_or("");
    for name in ["accept", "accept-encoding", "origin"] {
        check!(vary.split(", ").any(|v| v == name), "vary: {vary}");
    }
    check!(answer.header("content-security-policy").is_some());
    check!(
        answer.json()?["rabbitmq_version"]
            .text()
            .starts_with("3.10")
    );
    Ok(())
}

fn head_options(ctx: &mut Ctx) -> Result {
    let http = Api::new(ctx)?.http;
    let head = http
        .send(&Request::new("HEAD", "/api/whoami"))?
        .expect(200)?;
    let get = http.get("/api/whoami")?.expect(200)?;
    check!(head.body.is_empty());
    for name in ["content-type", "content-length", "cache-control"] {
        check_eq!(head.header(name), get.header(name), "{name}");
    }
    let options = Request::new("OPTIONS", "/api/overview")
        .header("origin", "http://example.com")
        .header("access-control-request-method", "GET");
    let told = http.anonymous().send(&options)?.expect(200)?;
    check_eq!(told.header("allow"), Some("HEAD, GET, OPTIONS"));
    // Other origins are not let in unless the configuration names them.
    check_eq!(told.header("access-control-allow-origin"), None);
    check!(told.body.is_empty());
    Ok(())
}

fn accepting(http: &Http, accept: &str) -> Result<Answer> {
    http.send(&Request::new("GET", "/api/whoami").header("accept", accept))
}

fn accept(ctx: &mut Ctx) -> Result {
    let http = Api::new(ctx)?.http;
    let refused = accepting(&http, "text/html")?.expect(406)?;
    check!(refused.body.is_empty());
    for list in [
        "*/*",
        "application/json",
        "text/html;q=0.9, */*;q=0.1",
        "text/plain, application/json;q=0.5",
        "application/*",
    ] {
        let answer = accepting(&http, list)?.expect(200)?;
        check_eq!(answer.json()?["name"].text(), "guest", "{list}");
    }
    Ok(())
}

fn bert(ctx: &mut Ctx) -> Result {
    let http = Api::new(ctx)?.http;
    let answer = accepting(&http, "application/bert, application/json;q=0.1")?.expect(200)?;
    let kind = ctx.on("application/bert", "application/json");
    check_eq!(answer.header("content-type"), Some(kind));
    Ok(())
}

fn gzip(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let path = api.path("exchanges", "");
    let request = Request::new("GET", &path).header("accept-encoding", "gzip, deflate");
    let answer = api.http.send(&request)?.expect(200)?;
    check_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut tool = Command::new("gzip")
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = tool.stdin.take() {
        input.write_all(&answer.body)?;
    }
    let plain = tool.wait_with_output()?.stdout;
    let packed = Answer {
        body: plain,
        ..answer
    };
    check_eq!(packed.json()?, api.http.json(&path)?);
    Ok(())
}

fn verbs(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let sorted = |answer: &Answer| {
        let mut verbs: Vec<String> = answer
            .header("allow")
            .unwrap_or("")
            .split(", ")
            .map(Into::into)
            .collect();
        verbs.sort();
        verbs.join(" ")
    };
    for (verb, path, allowed) in [
        ("DELETE", "/api/overview".into(), "GET HEAD OPTIONS"),
        ("POST", "/api/queues".into(), "GET HEAD OPTIONS"),
        (
            "PUT",
            api.path("bindings", "e/a/q/b/k"),
            "DELETE GET HEAD OPTIONS",
        ),
        ("GET", api.path("queues", "q/contents"), "DELETE OPTIONS"),
        (
            "POST",
            api.path("queues", "q"),
            "DELETE GET HEAD OPTIONS PUT",
        ),
    ] {
        let answer = api.http.send(&Request::new(verb, &path))?.expect(405)?;
        check_eq!(sorted(&answer), allowed, "{verb} {path}");
        check!(answer.body.is_empty(), "{}", answer.text());
    }
    Ok(())
}

fn paths(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    for list in ["queues", "vhosts", "users"] {
        let told = api.http.json(&format!("/api/{list}/"))?;
        check!(matches!(told, Json::List(_)), "{list}: {told}");
    }
    api.http
        .put(&api.path("queues", "a%20b"), "{\"durable\":true}")?
        .expect(201)?;
    let told = api.http.json(&api.path("queues", "a%20b"))?;
    check_eq!(told["name"].text(), "a b");
    missing(api.http.get(&api.path("queues", "a+b"))?)?;
    missing(api.http.get(&api.path("queues", "a%2Bb"))?)?;
    missing(api.http.get("/api/nosuch")?)
}

fn body(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let path = api.path("queues", "text");
    let request = Request::new("PUT", &path).header("content-type", "text/plain");
    let put = api.http.send(&request.body("{\"durable\":true}"))?;
    put.expect(201)?;
    check!(api.http.json(&path)?["durable"].is_true());
    let bare = api.path("queues", "bare");
    api.http.send(&Request::new("PUT", &bare))?.expect(201)?;
    let told = api.http.json(&bare)?;
    for flag in ["durable", "auto_delete", "exclusive"] {
        check_eq!(told[flag], Json::Bool(false), "{flag}");
    }
    check_eq!(told["arguments"], Json::Object(Vec::new()));
    Ok(())
}

fn scalars(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let q = api.path("queues", "q");
    let strings = "{\"durable\":\"true\",\"auto_delete\":\"false\",\"arguments\":{},\
                   \"name\":\"other\",\"vhost\":\"/\",\"nosuch\":[1]}";
    api.http.put(&q, strings)?.expect(201)?;
    let told = api.http.json(&q)?;
    check!(
        told["durable"].is_true() && told["name"].text() == "q",
        "{told}"
    );
    api.http
        .put(&api.path("queues", "x"), "{\"durable\":\"xx\"}")?
        .expect(400)?;
    missing(api.http.get(&api.path("queues", "x"))?)?;
    let x = api.path("exchanges", "x");
    api.http
        .put(
            &x,
            "{\"type\":\"topic\",\"durable\":\"false\",\"internal\":\"true\"}",
        )?
        .expect(201)?;
    let told = api.http.json(&x)?;
    check!(
        told["internal"].is_true() && !told["durable"].is_true(),
        "{told}"
    );
    let publish = "{\"properties\":{},\"routing_key\":\"q\",\"payload\":\"m\",\
                   \"payload_encoding\":\"string\"}";
    let to = api.path("exchanges", "amq.default/publish");
    let told = api.http.post(&to, publish)?.expect(200)?.json()?;
    check!(told["routed"].is_true(), "{told}");
    let get = "{\"count\":\"1\",\"ackmode\":\"ack_requeue_false\",\"encoding\":\"auto\",\
               \"truncate\":\"50000\"}";
    let from = api.path("queues", "q/get");
    let told = api.http.post(&from, get)?.expect(200)?.json()?;
    check_eq!(told.each("payload"), ["m"]);
    Ok(())
}

fn root(ctx: &mut Ctx) -> Result {
    let answer = Api::new(ctx)?.http.anonymous().get("/")?.expect(200)?;
    let kind = answer.header("content-type").unwrap_or("");
    check!(kind.starts_with("text/html"), "{kind}");
    check!(answer.text().to_lowercase().contains("<!doctype html>"));
    Ok(())
}
