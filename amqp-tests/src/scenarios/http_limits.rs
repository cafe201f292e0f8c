//! Scenarios: limits of vhosts and users, and deletions that end connections.

use super::http::{Api, LAG, missing, over_http};
use crate::prelude::*;

/// The scenarios of this area.
pub const ALL: &[Scenario] = &[
    over_http(
        "http.limit.vhost_queues",
        "at its limit a vhost takes no further queue, over HTTP 400 and over AMQP 406",
        "management 8",
        vhost_queues,
    ),
    over_http(
        "http.limit.vhost_connections",
        "at its limit a vhost takes no further connection: 530 with the limit",
        "management 8",
        vhost_connections,
    ),
    over_http(
        "http.limit.user_connections",
        "at its limit a user opens no further connection: 530 with the limit",
        "management 8",
        user_connections,
    ),
    over_http(
        "http.limit.user_channels",
        "at its limit a user opens no further channel, on whichever connection",
        "management 8",
        user_channels,
    ),
    over_http(
        "http.limit.listed",
        "limits are listed as set, are taken back, and unknown ones are refused",
        "management 1.5",
        listed,
    ),
    over_http(
        "http.limit.vhost_deleted",
        "deleting a vhost closes its connections with 320 and takes everything in it along",
        "management 1.2; RabbitMQ",
        vhost_deleted,
    ),
    over_http(
        "http.limit.user_deleted",
        "deleting a user closes its connections with 320, and nobody logs in by that name",
        "management 1.2; RabbitMQ",
        user_deleted,
    ),
    over_http(
        "http.limit.permission_revoked",
        "a permission taken back acts on channels that are open",
        "management 8",
        permission_revoked,
    ),
    over_http(
        "http.limit.connection_closed",
        "closing a connection tells the client why, by the X-Reason header",
        "management 1.5",
        connection_closed,
    ),
    over_http(
        "http.limit.user_closed",
        "all connections of one user are closed at once",
        "management 1.2",
        user_closed,
    ),
];

fn put(api: &Api, path: &str, value: i64) -> Result<()> {
    let body = format!("{{\"value\":{value}}}");
    api.http.put(path, body)?.expect(204).map(drop)
}

/// A connection up to its open, which is to be refused.
fn knocking(url: &Url) -> Result<Conn> {
    let conn = Conn::tcp(url)?;
    conn.start()?;
    conn.start_ok(&Options::default())?;
    conn.tune(&Options::default())?;
    conn.send(
        0,
        &method("connection.open").set("virtual-host", &url.vhost),
    )?;
    Ok(conn)
}

/// Opens a connection; statistics and counters may lag behind the last close.
fn open_at_last(url: &Url) -> Result<Conn> {
    eventually(LAG, || Conn::open(url))
}

fn vhost_queues(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let limit = api.path("vhost-limits", "max-queues");
    put(&api, &limit, 1)?;
    api.queue("first")?;
    let text =
        |q: &str| format!("cannot declare queue '{q}': queue limit in vhost '{v}' (1) is reached");
    api.http
        .put(&api.path("queues", "second"), "{\"durable\":true}")?
        .refused(400, "bad_request", &text("second"))?;
    let ch = api.channel()?;
    ch.refused(
        &method("queue.declare").set("queue", "third"),
        406,
        text("third"),
    )?;
    let ch = ch.reopen()?;
    // What is there already may be declared again.
    ch.declare_with(Queue::new("first").durable())?;
    put(&api, &limit, 2)?;
    ch.declare("third")?;
    put(&api, &limit, 0)?;
    ch.delete("third")?;
    api.http
        .put(&api.path("queues", "second"), "{}")?
        .expect(400)?;
    put(&api, &limit, -1)?;
    api.queue("second")
}

fn vhost_connections(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let user = api.user(ctx, "u", "", ".*")?;
    let limit = api.path("vhost-limits", "max-connections");
    let text = |n: u32| {
        format!(
            "access to vhost '{v}' refused for user '{user}': connection limit ({n}) is reached"
        )
    };
    put(&api, &limit, 0)?;
    knocking(&api.url(&user))?.expect_close(530, (10, 40), text(0))?;
    put(&api, &limit, 1)?;
    let first = Conn::open(&api.url(&user))?;
    eventually(LAG, || {
        knocking(&api.url(&user))?.expect_close(530, (10, 40), text(1))
    })?;
    first.expect_alive()?;
    first.close()?;
    // RabbitMQ counts it until its socket is gone.
    first.drop_socket();
    open_at_last(&api.url(&user))?;
    api.http.delete(&limit)?.expect(204)?;
    open_at_last(&api.url(&user)).map(drop)
}

fn user_connections(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "", ".*")?;
    let limit = format!("/api/user-limits/{user}/max-connections");
    let text = |n: u32| {
        format!("connection refused for user '{user}': user connection limit ({n}) is reached")
    };
    put(&api, &limit, 0)?;
    knocking(&api.url(&user))?.expect_close(530, (10, 40), text(0))?;
    put(&api, &limit, 1)?;
    let first = Conn::open(&api.url(&user))?;
    eventually(LAG, || {
        knocking(&api.url(&user))?.expect_close(530, (10, 40), text(1))
    })?;
    first.close()?;
    // RabbitMQ counts it until its socket is gone.
    first.drop_socket();
    open_at_last(&api.url(&user))?;
    put(&api, &limit, -1)?;
    open_at_last(&api.url(&user)).map(drop)
}

fn user_channels(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "", ".*")?;
    let limit = format!("/api/user-limits/{user}/max-channels");
    put(&api, &limit, 1)?;
    let conn = Conn::open(&api.url(&user))?;
    conn.channel(1)?;
    let text = format!(
        "number of channels opened for user '{user}' has reached the maximum allowed user limit of (1)"
    );
    conn.send(2, &method("channel.open"))?;
    conn.expect_close(530, (0, 0), text)?;
    api.http.delete(&limit)?.expect(204)?;
    eventually(LAG, || {
        let conn = Conn::open(&api.url(&user))?;
        conn.channel(1)?;
        conn.channel(2).map(drop)
    })
}

fn listed(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "", "")?;
    let path = api.path("vhost-limits", "");
    check_eq!(api.http.json(&path)?.items().len(), 0);
    put(&api, &api.path("vhost-limits", "max-queues"), 7)?;
    put(&api, &api.path("vhost-limits", "max-connections"), 0)?;
    let told = api.http.json(&path)?;
    check_eq!(told.each("vhost"), [api.v.as_str()]);
    check_eq!(told[0]["value"]["max-queues"].int(), Some(7));
    check_eq!(told[0]["value"]["max-connections"].int(), Some(0));
    let all = api.http.json("/api/vhost-limits")?;
    check_eq!(all.find("vhost", &api.v), &told[0]);
    let delete = |name: &str| {
        let path = api.path("vhost-limits", name);
        api.http.delete(&path)?.expect(204).map(drop)
    };
    delete("max-queues")?;
    delete("max-connections")?;
    check_eq!(api.http.json(&path)?.items().len(), 0);
    let answer = api
        .http
        .put(&api.path("vhost-limits", "nosuch"), "{\"value\":1}")?;
    let body = answer.expect(400)?.json()?;
    check!(body["reason"].text().contains("nosuch"), "{body}");
    let of_user = format!("/api/user-limits/{user}");
    put(&api, &format!("{of_user}/max-channels"), 9)?;
    let told = api.http.json(&of_user)?;
    check_eq!(told[0]["value"]["max-channels"].int(), Some(9));
    let told = api.http.json(&format!("/api/users/{user}"))?;
    check_eq!(told["limits"]["max-channels"].int(), Some(9));
    let answer = api
        .http
        .put(&format!("{of_user}/nosuch"), "{\"value\":1}")?;
    let body = answer.expect(400)?.json()?;
    check!(body["reason"].text().contains("nosuch"), "{body}");
    missing(api.http.get("/api/user-limits/nobody")?)?;
    missing(api.http.get("/api/vhost-limits/nosuch")?)
}

fn vhost_deleted(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    api.queue("q")?;
    api.exchange("x", "topic")?;
    let conns = [api.channel()?.conn, api.channel()?.conn];
    let other = api.broker.connect()?;
    let path = format!("/api/vhosts/{}", api.v);
    api.http.delete(&path)?.expect(204)?;
    for conn in &conns {
        // "is deleted", or "is down" where the vhost was stopped first.
        let text = format!("vhost '{}' is d", api.v);
        conn.expect_close(320, (0, 0), Text::starts(text))?;
    }
    other.expect_alive()?;
    missing(api.http.get(&path)?)?;
    missing(api.http.get(&api.path("queues", ""))?)?;
    let permissions = api.http.json("/api/users/guest/permissions")?;
    check!(
        !permissions.each("vhost").contains(&api.v.as_str()),
        "{permissions}"
    );
    let guest = api.broker.url_for("guest", "guest", &api.v);
    knocking(&guest)?.expect_close(530, (10, 40), format!("vhost {} not found", api.v))?;
    // Made anew it is empty.
    api.http.put(&path, "{}")?.expect(201)?;
    check_eq!(api.http.json(&api.path("queues", ""))?.items().len(), 0);
    missing(api.http.get(&api.path("exchanges", "x"))?)
}

fn user_deleted(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "management", ".*")?;
    let other = api.user(ctx, "other", "", ".*")?;
    let conn = Conn::open(&api.url(&user))?;
    let stays = Conn::open(&api.url(&other))?;
    let path = format!("/api/users/{user}");
    api.http.delete(&path)?.expect(204)?;
    conn.expect_close(320, (0, 0), format!("user '{user}' is deleted"))?;
    stays.expect_alive()?;
    missing(api.http.get(&path)?)?;
    missing(api.http.delete(&path)?)?;
    let mut users = api.http.json(&api.path("vhosts", ""))?;
    users = match users {
        Json::Null => users,
        _ => api
            .http
            .json(&format!("/api/vhosts/{}/permissions", api.v))?,
    };
    check!(!users.each("user").contains(&user.as_str()), "{users}");
    check!(Conn::open(&api.url(&user)).is_err(), "still logs in");
    Ok(())
}

fn permission_revoked(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let v = &api.v;
    let user = api.user(ctx, "u", "", ".*")?;
    let conn = Conn::open(&api.url(&user))?;
    let ch = conn.channel(1)?;
    ch.declare("mine")?;
    ch.publish("", "mine", "m")?;
    ch.wait_messages("mine", 1)?;
    api.permit(&user, "^other")?;
    // RabbitMQ keeps a decision for a while in each channel; a new channel has none.
    let fresh = conn.channel(2)?;
    let text = format!("access to queue 'mine' in vhost '{v}' refused for user '{user}'");
    fresh.refused(&method("basic.get").set("queue", "mine"), 403, text)?;
    if !ctx.is_rabbit() {
        let text = format!("access to queue 'mine' in vhost '{v}' refused for user '{user}'");
        ch.refused(&method("basic.get").set("queue", "mine"), 403, text)?;
    }
    api.permit(&user, ".*")?;
    check!(conn.channel(3)?.get("mine")?.is_some());
    Ok(())
}

/// The name of a connection of this user, once it is listed.
fn listed_name(api: &Api, user: &str) -> Result<String> {
    eventually(LAG, || {
        let path = format!("/api/vhosts/{}/connections", api.v);
        let list = api.http.json(&path)?;
        let name = list.find("user", user)["name"].text();
        check!(!name.is_empty(), "{user} is not listed");
        Ok(name.to_string())
    })
}

fn connection_closed(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "", ".*")?;
    for reason in [Some("maintenance tonight"), Some("Wartung für heute"), None] {
        let conn = Conn::open(&api.url(&user))?;
        let name = listed_name(&api, &user)?;
        check_eq!(
            name,
            format!(
                "{} -> 127.0.0.1:{}",
                conn.local_addr()?,
                api.broker.url.port
            )
        );
        let path = format!("/api/connections/{}", segment(&name));
        let mut request = Request::new("DELETE", &path);
        if let Some(reason) = reason {
            request = request.header("x-reason", reason);
        }
        api.http.send(&request)?.expect(204)?;
        conn.expect_close(
            320,
            (0, 0),
            reason.unwrap_or("Closed via management plugin"),
        )?;
        eventually(LAG, || missing(api.http.get(&path)?))?;
    }
    missing(api.http.delete("/api/connections/nosuch")?)
}

fn user_closed(ctx: &mut Ctx) -> Result {
    let api = Api::new(ctx)?;
    let user = api.user(ctx, "u", "", ".*")?;
    let conns = [Conn::open(&api.url(&user))?, Conn::open(&api.url(&user))?];
    let other = api.channel()?.conn;
    let path = format!("/api/connections/username/{user}");
    eventually(LAG, || {
        let list = api.http.json(&path)?;
        check_eq!(list.items().len(), 2);
        check_eq!(list[0]["user"].text(), user);
        Ok(())
    })?;
    api.http.delete(&path)?.expect(204)?;
    for conn in &conns {
        conn.expect_close(320, (0, 0), "Closed via management plugin")?;
    }
    other.expect_alive()
}
