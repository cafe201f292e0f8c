//! Scenarios: who may do what over the management API.

use super::http::{Api, LAG, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.access.tags",
        "each endpoint wants its tag, and says which",
        "management 1.1, 1.7",
        tags,
    ),
    over_http(
        "http.access.vhosts",
        "a user sees the vhosts it may enter and what is in them, monitoring sees all",
        "management 1.7",
        vhosts,
    ),
    over_http(
        "http.access.permissions",
        "declaring, binding, publishing and getting need the permissions that AMQP wants",
        "management 1.7",
        permissions,
    ),
    over_http(
        "http.access.policymaker",
        "a policymaker sets policies and parameters in its vhosts, operator policies it does not",
        "management 1.7",
        policymaker,
    ),
    over_http(
        "http.access.side_doors",
        "what bounds a policymaker is an administrator's, as a parameter too",
        "management 1.7",
        side_doors,
    )
    .deviation("RabbitMQ guards these at their own endpoints and leaves the parameters open"),
    over_http(
        "http.access.connections",
        "a plain user sees and closes its own connections, and no others",
        "management 1.7",
        connections,
    ),
    over_http(
        "http.access.loopback",
        "guest may log in on the loopback only, as over AMQP",
        "management 1.1, 8",
        loopback,
    ),
    over_http(
        "http.access.revoked",
        "without its permissions a user is refused at once",
        "management 1.7",
        revoked,
    ),
    over_http(
        "http.access.password",
        "a new password holds from the next request on, and one of none lets nobody in",
        "management 1.5",
        password,
    ),
];

const NOT: [(&str, &str); 3] = [
    ("administrator", "Not administrator user"),
    ("monitoring", "Not monitor user"),
    ("policymaker", "User not authorised to access object"),
];

fn tags(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let node = api.http.json("/api/overview")?["node"].text().to_string();
    let mut users = Vec::new();
    for tag in ["management", "policymaker", "monitoring", "administrator"] {
        let name = api.user(ctx, tag, tag, ".*")?;
        users.push((tag, api.http.as_user(&name, "secret")));
    }
    let any: Vec<String> = vec![
        "/api/overview".into(),
        "/api/whoami".into(),
        "/api/vhosts".into(),
        "/api/queues".into(),
        "/api/exchanges".into(),
        "/api/bindings".into(),
        "/api/consumers".into(),
        "/api/connections".into(),
        "/api/channels".into(),
        "/api/extensions".into(),
        "/api/cluster-name".into(),
        "/api/health/checks/alarms".into(),
        api.path("queues", ""),
        api.path("policies", ""),
        api.path("vhost-limits", ""),
        api.path("aliveness-test", ""),
    ];
    for path in &any {
        for (tag, http) in &users {
            let status = http.get(path)?.status;
            check_eq!(status, 200, "{tag}: {path}");
        }
    }
    let guarded: Vec<(String, &str)> = vec![
        ("/api/nodes".into(), "monitoring"),
        (format!("/api/nodes/{node}"), "monitoring"),
        (format!("/api/nodes/{node}/memory"), "monitoring"),
        (format!("/api/auth/attempts/{node}"), "monitoring"),
        ("/api/users".into(), "administrator"),
        ("/api/users/guest".into(), "administrator"),
        ("/api/users/guest/permissions".into(), "administrator"),
        ("/api/permissions".into(), "administrator"),
        (api.path("permissions", "guest"), "administrator"),
        ("/api/topic-permissions".into(), "administrator"),
        ("/api/parameters".into(), "policymaker"),
        ("/api/global-parameters".into(), "policymaker"),
        (
            format!("/api/vhosts/{}/permissions", api.v),
            "administrator",
        ),
    ];
    for (path, wanted) in &guarded {
        for (tag, http) in &users {
            let answer = http.get(path)?;
            if may(tag, wanted) {
                check_eq!(answer.status, 200, "{tag}: {path}");
            } else {
                let text = NOT
                    .iter()
                    .find(|(tag, _)| tag == wanted)
                    .map_or("", |n| n.1);
                answer.refused(401, "not_authorised", text)?;
            }
        }
    }
    Ok(())
}

fn may(tag: &str, wanted: &str) -> bool {
    match wanted {
        "monitoring" => tag == "monitoring" || tag == "administrator",
        "policymaker" => tag == "policymaker" || tag == "administrator",
        _ => tag == wanted,
    }
}

fn vhosts(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    let plain = api.user(ctx, "plain", "management", ".*")?;
    let monitor = api.user(ctx, "monitor", "monitoring", "")?;
    let (plain, monitor) = (
        api.http.as_user(&plain, "secret"),
        api.http.as_user(&monitor, "secret"),
    );
    check_eq!(plain.json("/api/vhosts")?.each("name"), [api.v.as_str()]);
    let seen = plain.json("/api/queues")?;
    check!(
        seen.items().iter().all(|q| q["vhost"].text() == api.v),
        "{seen}"
    );
    let seen = plain.json("/api/exchanges")?;
    check!(
        seen.items().iter().all(|x| x["vhost"].text() == api.v),
        "{seen}"
    );
    let refused = |answer: Answer| {
        let text = "User not authorised to access virtual host";
        answer.refused(401, "not_authorised", text)
    };
    for path in [
        "/api/queues/%2F",
        "/api/exchanges/%2F",
        "/api/exchanges/%2F/amq.topic",
        "/api/bindings/%2F",
        "/api/policies/%2F",
    ] {
        refused(plain.get(path)?)?;
    }
    refused(plain.put("/api/queues/%2F/q", "{}")?)?;
    let all = monitor.json("/api/vhosts")?;
    check!(all.each("name").contains(&"/"), "{all}");
    check!(all.each("name").contains(&api.v.as_str()), "{all}");
    Ok(())
}

fn permissions(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("theirs")?;
    api.exchange("theirs.x", "topic")?;
    let mine = api.user(ctx, "mine", "management", "^mine")?;
    let http = api.http.as_user(&mine, "secret");
    let queue = "{\"durable\":true}";
    http.put(&api.path("queues", "mine.q"), queue)?
        .expect(201)?;
    let topic = "{\"type\":\"topic\"}";
    http.put(&api.path("exchanges", "mine.x"), topic)?
        .expect(201)?;
    let refused = |answer: Answer| answer.refused(401, "not_authorised", "Access refused.");
    refused(http.put(&api.path("queues", "other"), queue)?)?;
    refused(http.put(&api.path("exchanges", "other"), topic)?)?;
    refused(http.delete(&api.path("queues", "theirs"))?)?;
    refused(http.delete(&api.path("exchanges", "theirs.x"))?)?;
    refused(http.delete(&api.path("queues", "theirs/contents"))?)?;
    let key = "{\"routing_key\":\"k\",\"arguments\":{}}";
    refused(http.post(&api.path("bindings", "e/theirs.x/q/mine.q"), key)?)?;
    refused(http.post(&api.path("bindings", "e/mine.x/q/theirs"), key)?)?;
    http.post(&api.path("bindings", "e/mine.x/q/mine.q"), key)?
        .expect(201)?;
    // It may look at what it may not touch.
    http.json(&api.path("queues", "theirs"))?;
    let publish = "{\"properties\":{},\"routing_key\":\"k\",\"payload\":\"m\",\
                   \"payload_encoding\":\"string\"}";
    let to = api.path("exchanges", "mine.x/publish");
    let told = http.post(&to, publish)?.expect(200)?.json()?;
    check!(told["routed"].is_true(), "{told}");
    let status = http
        .post(&api.path("exchanges", "theirs.x/publish"), publish)?
        .status;
    check!(status == 400 || status == 401, "publish: {status}");
    let get = "{\"count\":1,\"ackmode\":\"ack_requeue_false\",\"encoding\":\"auto\"}";
    let told = http.post(&api.path("queues", "mine.q/get"), get)?;
    check_eq!(told.expect(200)?.json()?.each("payload"), ["m"]);
    let status = http.post(&api.path("queues", "theirs/get"), get)?.status;
    check!(status == 400 || status == 401, "get: {status}");
    Ok(())
}

fn policymaker(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let maker = api.user(ctx, "maker", "policymaker", ".*")?;
    let plain = api.user(ctx, "plain", "management", ".*")?;
    let (maker, plain) = (
        api.http.as_user(&maker, "secret"),
        api.http.as_user(&plain, "secret"),
    );
    let policy = "{\"pattern\":\"^x\",\"definition\":{\"max-length\":1}}";
    let path = api.path("policies", "p");
    maker.put(&path, policy)?.expect(201)?;
    maker.put(&path, policy)?.expect(204)?;
    let object = "User not authorised to access object";
    plain
        .put(&path, policy)?
        .refused(401, "not_authorised", object)?;
    maker
        .put(&api.path("operator-policies", "o"), policy)?
        .refused(401, "not_authorised", "Not administrator user")?;
    maker
        .put("/api/policies/%2F/p", policy)?
        .refused(401, "not_authorised", object)?;
    maker.delete(&path)?.expect(204).map(drop)
}

fn side_doors(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let maker = api.user(ctx, "maker", "policymaker", ".*")?;
    let maker = api.http.as_user(&maker, "secret");
    let policy = "{\"value\":{\"pattern\":\"^x\",\"definition\":{\"max-length\":1},\
                  \"priority\":0,\"apply-to\":\"queues\"}}";
    let limits = "{\"value\":{\"max-queues\":5}}";
    for (component, name, value) in [
        ("operator_policy", "o", policy),
        ("vhost-limits", "limits", limits),
    ] {
        let path = format!("/api/parameters/{component}/{}/{name}", api.v);
        if ctx.is_rabbit() {
            maker.put(&path, value)?.expect(201)?;
            maker.delete(&path)?.expect(204)?;
            continue;
        }
        let refused =
            |answer: Answer| answer.refused(401, "not_authorised", "Not administrator user");
        refused(maker.put(&path, value)?)?;
        api.http.put(&path, value)?.expect(201)?;
        refused(maker.delete(&path)?)?;
        api.http.delete(&path)?.expect(204)?;
    }
    Ok(())
}

fn connections(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let mut opened = Vec::new();
    for name in ["one", "two"] {
        let user = api.user(ctx, name, "management", ".*")?;
        let conn = Conn::open(&api.url(&user))?;
        opened.push((api.http.as_user(&user, "secret"), conn, user));
    }
    let (one, two) = (&opened[0], &opened[1]);
    let name = eventually(LAG, || {
        let list = one.0.json("/api/connections")?;
        check_eq!(list.each("user"), [one.2.as_str()]);
        let all = api
            .http
            .json(&format!("/api/vhosts/{}/connections", api.v))?;
        check_eq!(all.items().len(), 2);
        Ok(list[0]["name"].text().to_string())
    })?;
    let path = format!("/api/connections/{}", segment(&name));
    for verb in ["GET", "DELETE"] {
        let status = two.0.send(&Request::new(verb, &path))?.status;
        check_eq!(status, 401, "{verb} of another's connection");
    }
    one.0.json(&path)?;
    one.0.delete(&path)?.expect(204)?;
    one.1
        .expect_close(320, (0, 0), "Closed via management plugin")?;
    two.1.expect_alive()
}

/// An address of this host that is not the loopback.
fn outside() -> Option<String> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the system only chooses the address it would send from.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| ip.to_string())
}

fn loopback(ctx: &mut Ctx) -> Result {
    ctx.http()?;
    let broker = ctx.private("management.tcp.ip = 0.0.0.0", "")?;
    let api = Api::of(ctx, broker)?;
    let Some(address) = outside() else {
        // A host without a network has nobody outside.
        return Ok(());
    };
    let text = "User can only log in via localhost";
    let http = api.http.at(&address);
    http.get("/api/whoami")?
        .refused(401, "not_authorised", text)?;
    let user = api.user(ctx, "u", "monitoring", "")?;
    http.as_user(&user, "secret").json("/api/whoami")?;
    Ok(())
}

fn revoked(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "management", ".*")?;
    let http = api.http.as_user(&user, "secret");
    let q = api.path("queues", "q");
    http.put(&q, "{\"durable\":true}")?.expect(201)?;
    http.json(&q)?;
    let permission = api.path("permissions", &user);
    api.http.delete(&permission)?.expect(204)?;
    missing(api.http.delete(&permission)?)?;
    let text = "User not authorised to access virtual host";
    http.get(&q)?.refused(401, "not_authorised", text)?;
    api.http
        .delete(&format!("/api/users/{user}"))?
        .expect(204)?;
    http.get("/api/whoami")?
        .refused(401, "not_authorized", "Login failed")
}

fn password(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "management", "")?;
    let path = format!("/api/users/{user}");
    let me = |password: &str| -> Result<u16> {
        let http = api.http.as_user(&user, password);
        Ok(http.get("/api/whoami")?.status)
    };
    check_eq!((me("secret")?, me("other")?), (200, 401));
    let put = |body: &str| api.http.put(&path, body)?.expect(204).map(drop);
    put("{\"password\":\"other\",\"tags\":\"management\"}")?;
    check_eq!((me("secret")?, me("other")?), (401, 200));
    // A hash as an export tells it: of test12 with the salt 908dc60a.
    put(
        "{\"password_hash\":\"kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR\",\
         \"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"tags\":[\"management\"]}",
    )?;
    check_eq!((me("other")?, me("test12")?), (401, 200));
    let told = api.http.json(&path)?;
    check_eq!(
        told["password_hash"].text(),
        "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR"
    );
    put("{\"password_hash\":\"\",\"tags\":\"management\"}")?;
    check_eq!((me("test12")?, me("")?), (401, 401));
    // Without tags it is still there, and no user of the API.
    put("{\"password\":\"other\",\"tags\":\"\"}")?;
    api.http
        .as_user(&user, "other")
        .get("/api/whoami")?
        .refused(401, "not_authorised", "Not management user")
}
