//! Scenarios: definitions exported by one broker and imported by another.

use super::http::{Api, over_http};
use crate::http::{lacks, parse_json};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.definitions.recorded",
        "what RabbitMQ exported is imported, works, and is exported the same",
        "management 5.4",
        recorded,
    ),
    over_http(
        "http.definitions.round_trip",
        "an export is taken by an empty RabbitMQ and by an empty broker of the same kind",
        "management 5.4",
        round_trip,
    )
    .seconds(180),
    over_http(
        "http.definitions.vhost",
        "a vhost's definitions name no vhost and go into any other",
        "management 5.4",
        one_vhost,
    ),
    over_http(
        "http.definitions.no_vhost",
        "definitions for a vhost that is not there are 404, and make none",
        "management 1.1",
        no_vhost,
    ),
    over_http(
        "http.definitions.merge",
        "an import adds and changes, and deletes nothing",
        "management 5.4",
        merge,
    ),
    over_http(
        "http.definitions.left_out",
        "exclusive queues, predeclared exchanges and implicit bindings are not exported",
        "management 5.4",
        left_out,
    ),
    over_http(
        "http.definitions.restart",
        "everything that was set over the API is there after a restart and after a kill",
        "management 5.4",
        restart,
    )
    .seconds(180),
];

fn no_vhost(ctx: &mut Ctx) -> Result {
    let http = Api::new(ctx)?.http;
    let name = ctx.name("nosuch");
    http.post(&format!("/api/definitions/{name}"), "{}")?
        .refused(404, "not_found", "vhost_not_found")?;
    http.get(&format!("/api/vhosts/{name}"))?
        .expect(404)
        .map(drop)
}

/// What the recorded exchange of this name answered, with this node's name.
fn record(name: &str) -> Result<Json> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("management");
    let text = std::fs::read_to_string(folder.join("exchanges.jsonl"))?;
    let start = format!("{{\"name\":\"{name}\",");
    let Some(line) = text.lines().find(|l| l.starts_with(&start)) else {
        return fail(format!("no record {name}"));
    };
    match parse_json(line) {
        Ok(json) => Ok(json["answer"].clone()),
        Err(e) => fail(e),
    }
}

/// The lists of an export, each in an order of its own, without what only one
/// node has or what changes by itself.
fn canonical(definitions: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    for (kind, list) in definitions.fields() {
        for item in list.items() {
            let own = item["name"].text() == "internal_cluster_id";
            let stream = item["arguments"]["x-queue-type"].text() == "stream";
            if own || stream {
                continue;
            }
            // Later versions tell more of a vhost and a user.
            let keys: &[&str] = match kind.as_str() {
                "vhosts" => &["name"],
                "users" => &[
                    "name",
                    "password_hash",
                    "hashing_algorithm",
                    "tags",
                    "limits",
                ],
                _ => &[],
            };
            let mut fields: Vec<String> = item
                .fields()
                .iter()
                .filter(|(key, _)| keys.is_empty() || keys.contains(&key.as_str()))
                .map(|(key, value)| format!("{key}={}", sorted(value)))
                .collect();
            fields.sort();
            lines.push(format!("{kind}: {}", fields.join(" ")));
        }
    }
    lines.sort();
    lines
}

/// A value with the keys of its objects in order.
fn sorted(value: &Json) -> Json {
    match value {
        Json::Object(fields) => {
            let mut fields: Vec<(String, Json)> =
                fields.iter().map(|(k, v)| (k.clone(), sorted(v))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(fields)
        }
        Json::List(items) => Json::List(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Fails with the lines that only one of two exports has.
fn same(what: &str, left: &Json, right: &Json) -> Result<()> {
    let (left, right) = (canonical(left), canonical(right));
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).cloned().collect()
    };
    let (gone, new) = (only(&left, &right), only(&right, &left));
    check!(
        gone.is_empty() && new.is_empty(),
        "{what}: lost {gone:#?}, new {new:#?}"
    );
    Ok(())
}

fn without_streams(definitions: &Json) -> Json {
    let fields = definitions.fields().iter().map(|(kind, list)| {
        let kept = |item: &&Json| item["arguments"]["x-queue-type"].text() != "stream";
        let list = match list {
            Json::List(items) => Json::List(items.iter().filter(kept).cloned().collect()),
            other => other.clone(),
        };
        (kind.clone(), list)
    });
    Json::Object(fields.collect())
}

fn import(http: &Http, definitions: &Json) -> Result<()> {
    let text = definitions.to_string();
    http.post("/api/definitions", text)?.expect(204).map(drop)
}

fn recorded(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("", "")?;
    let http = broker.http()?;
    let definitions = without_streams(&record("definitions")?);
    import(&http, &definitions)?;
    // Its guest had another password hash of the same password.
    let exported = http.json("/api/definitions")?;
    same("exported", &definitions, &exported)?;
    check!(lacks(&definitions, &exported).is_empty());
    let ch = Conn::open(&broker.url_for("guest", "guest", "scratch-mgmt"))?.channel(1)?;
    ch.publish("events", "order.new", "m")?;
    ch.wait_messages("orders", 1)?;
    http.as_user("scratch-user", "s3cret").json("/api/whoami")?;
    http.as_user("scratch-hash", "test12").json("/api/whoami")?;
    // A second time it changes nothing.
    import(&http, &definitions)?;
    same("imported twice", &exported, &http.json("/api/definitions")?)
}

/// Something of everything that definitions hold.
fn furnish(api: &Api, ctx: &Ctx) -> Result<()> {
    let put = |path: &str, body: &str| -> Result<()> {
        let status = api.http.put(path, body)?.status;
        check!(status == 201 || status == 204, "{path}: {status}");
        Ok(())
    };
    api.user(ctx, "user", "monitoring,custom", "^a")?;
    let user = ctx.name("user");
    api.queue_with("classic", "{\"x-max-length\":9,\"x-message-ttl\":60000}")?;
    api.queue_with("quorum", "{\"x-queue-type\":\"quorum\"}")?;
    api.exchange("x", "topic")?;
    api.exchange("y", "headers")?;
    api.bind("x", "classic", "a.#")?;
    let bound = api.path("bindings", "e/y/q/quorum");
    let arguments =
        "{\"routing_key\":\"\",\"arguments\":{\"x-match\":\"any\",\"n\":1,\"s\":\"t\"}}";
    api.http.post(&bound, arguments)?.expect(201)?;
    let bound = api.path("bindings", "e/x/e/y");
    api.http
        .post(&bound, "{\"routing_key\":\"k\",\"arguments\":{}}")?
        .expect(201)?;
    put(
        &api.path("policies", "p"),
        "{\"pattern\":\"^c\",\"definition\":{\"max-length\":5,\"overflow\":\"reject-publish\"},\
         \"priority\":3,\"apply-to\":\"queues\"}",
    )?;
    put(
        &api.path("operator-policies", "o"),
        "{\"pattern\":\"^q\",\"definition\":{\"max-length\":50},\"apply-to\":\"queues\"}",
    )?;
    put(
        &api.path("topic-permissions", &user),
        "{\"exchange\":\"x\",\"write\":\"^a\",\"read\":\"^b\"}",
    )?;
    put(&api.path("vhost-limits", "max-queues"), "{\"value\":77}")?;
    put(
        &format!("/api/user-limits/{user}/max-channels"),
        "{\"value\":5}",
    )?;
    put(
        &format!("/api/global-parameters/{}", ctx.name("global")),
        "{\"value\":{\"a\":[1,null,\"x\"]}}",
    )
}

fn round_trip(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = std::sync::Arc::new(ctx.private_own("", "")?);
    let api = Api::of(ctx, broker)?;
    furnish(&api, ctx)?;
    let exported = api.http.json("/api/definitions")?;
    let empty = ctx.private_own("", "")?;
    import(&empty.http()?, &exported)?;
    same(
        "itself",
        &exported,
        &empty.http()?.json("/api/definitions")?,
    )?;
    drop(empty);
    let rabbit = ctx.private_rabbit("", "")?;
    let http = rabbit.http()?;
    import(&http, &exported)?;
    let theirs = http.json("/api/definitions")?;
    same("RabbitMQ", &exported, &theirs)?;
    // And back.
    let third = ctx.private_own("", "")?;
    import(&third.http()?, &theirs)?;
    same(
        "and back",
        &theirs,
        &third.http()?.json("/api/definitions")?,
    )
}

fn one_vhost(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    furnish(&api, ctx)?;
    let exported = api.http.json(&api.path("definitions", ""))?;
    for kind in ["queues", "exchanges", "bindings"] {
        let list = exported[kind].items();
        check!(!list.is_empty(), "no {kind}");
        check!(
            list.iter().all(|item| item.get("vhost").is_none()),
            "{kind} name a vhost"
        );
    }
    for kind in ["users", "permissions", "vhosts"] {
        check!(exported.get(kind).is_none(), "{kind} are not of a vhost");
    }
    let other = ctx.name("other");
    api.http
        .put(&format!("/api/vhosts/{other}"), "{}")?
        .expect(201)?;
    let path = format!("/api/definitions/{other}");
    // Policies and parameters name their vhost, which is the other one now.
    let text = exported.to_string().replace(
        &format!("\"vhost\":\"{}\"", api.v),
        &format!("\"vhost\":\"{other}\""),
    );
    api.http.post(&path, text.clone())?.expect(204)?;
    let Ok(moved) = parse_json(&text) else {
        return fail("no JSON");
    };
    same("the other vhost", &moved, &api.http.json(&path)?)
}

fn merge(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("stays")?;
    let user = api.user(ctx, "user", "monitoring", ".*")?;
    let new = ctx.name("new");
    let v = &api.v;
    let text = format!(
        "{{\"users\":[{{\"name\":\"{new}\",\"password_hash\":\"\",\"tags\":\"management,other\"}},\
         {{\"name\":\"{user}\",\"password_hash\":\"kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR\",\
         \"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"tags\":[\"administrator\"]}}],\
         \"permissions\":[{{\"user\":\"{user}\",\"vhost\":\"{v}\",\"configure\":\"a\",\
         \"write\":\"b\",\"read\":\"c\"}}],\
         \"queues\":[{{\"name\":\"added\",\"vhost\":\"{v}\",\"durable\":true,\
         \"auto_delete\":false,\"arguments\":{{\"x-max-length\":3}}}},\
         {{\"name\":\"stays\",\"vhost\":\"{v}\",\"durable\":true,\"auto_delete\":false,\
         \"arguments\":{{}}}}]}}"
    );
    api.http.post("/api/definitions", text)?.expect(204)?;
    let queues = api.http.json(&api.path("queues", ""))?;
    check_eq!(queues.each("name"), ["added", "stays"]);
    check_eq!(queues[0]["arguments"]["x-max-length"].int(), Some(3));
    api.http.as_user(&user, "test12").json("/api/users")?;
    let told = api.http.json(&api.path("permissions", &user))?;
    check_eq!((told["configure"].text(), told["read"].text()), ("a", "c"));
    let told = api.http.json(&format!("/api/users/{new}"))?;
    check_eq!(told["tags"].to_string(), "[\"management\",\"other\"]");
    Ok(())
}

fn left_out(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let ch = api.channel()?;
    ch.declare_with(Queue::new("mine").exclusive())?;
    ch.declare_with(Queue::new("theirs").durable())?;
    let all = api.http.json("/api/definitions")?;
    let of = |kind: &str| -> Vec<String> {
        let list = all[kind].items().iter();
        let ours = list.filter(|item| item["vhost"].text() == api.v);
        ours.map(|item| item["name"].text().to_string()).collect()
    };
    check_eq!(of("queues"), ["theirs"]);
    check_eq!(of("exchanges"), [""; 0]);
    check_eq!(of("bindings"), [""; 0]);
    for key in [
        "rabbit_version",
        "rabbitmq_version",
        "product_name",
        "product_version",
    ] {
        check!(!all[key].text().is_empty(), "no {key}");
    }
    let download = api
        .http
        .get("/api/definitions?download=broker.json")?
        .expect(200)?;
    let disposition = download.header("content-disposition").unwrap_or("");
    check!(disposition.contains("broker.json"), "{disposition}");
    let nowhere = api.http.get("/api/definitions/nosuch")?;
    nowhere.refused(400, "bad_request", "vhost_not_found")
}

fn restart(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private_own("", "")?;
    let shared = std::sync::Arc::new(broker);
    let api = Api::of(ctx, shared)?;
    furnish(&api, ctx)?;
    let user = ctx.name("gone");
    api.user(ctx, "gone", "management", ".*")?;
    api.http
        .delete(&format!("/api/users/{user}"))?
        .expect(204)?;
    let before = api.http.json("/api/definitions")?;
    let Api { broker, v, .. } = api;
    let Ok(mut broker) = std::sync::Arc::try_unwrap(broker) else {
        return fail("the broker is shared");
    };
    for ending in [Ending::Clean, Ending::Kill] {
        broker.end(ending)?;
        ctx.start_again(&mut broker)?;
        let http = broker.http()?;
        same(
            "after the restart",
            &before,
            &http.json("/api/definitions")?,
        )?;
        let limits = http.json(&format!("/api/vhost-limits/{v}"))?;
        check_eq!(limits[0]["value"]["max-queues"].int(), Some(77));
    }
    Ok(())
}
