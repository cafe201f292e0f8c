//! What scenarios of the management API share: a broker, a vhost of their own.

use crate::prelude::*;
use std::sync::Arc;

/// How long statistics and counters may lag behind what happened.
pub const LAG: Duration = Duration::from_secs(20);

/// A scenario of the API: it may wait for statistics, so it gets more time.
pub const fn over_http(
    id: &'static str,
    rule: &'static str,
    source: &'static str,
    run: fn(&mut Ctx) -> Result,
) -> Scenario {
    Scenario::new(id, rule, source, run).seconds(90)
}

/// The API as guest, and a vhost that no other scenario uses.
pub struct Api {
    /// The API, as the administrator guest.
    pub http: Http,
    /// The broker behind it.
    pub broker: Arc<Broker>,
    /// The vhost's name; it needs no encoding in a path.
    pub v: String,
}

impl Api {
    /// The broker that scenarios of this API share, and a new vhost in it.
    pub fn new(ctx: &Ctx) -> Result<Self> {
        ctx.http()?;
        let broker = ctx.private("", "")?;
        Self::of(ctx, broker)
    }
    /// A new vhost of this broker.
    pub fn of(ctx: &Ctx, broker: Arc<Broker>) -> Result<Self> {
        let http = broker.http()?;
        let v = ctx.name("v");
        http.put(&format!("/api/vhosts/{v}"), "{}")?.expect(201)?;
        Ok(Self { http, broker, v })
    }
    /// A path inside the vhost: `queues`, `q/get` gives `/api/queues/VHOST/q/get`.
    pub fn path(&self, kind: &str, rest: &str) -> String {
        let slash = if rest.is_empty() || rest.starts_with('?') {
            ""
        } else {
            "/"
        };
        format!("/api/{kind}/{}{slash}{rest}", self.v)
    }
    /// Declares a durable queue.
    pub fn queue(&self, name: &str) -> Result<()> {
        self.queue_with(name, "{}")
    }
    /// Declares a durable queue with these arguments.
    pub fn queue_with(&self, name: &str, arguments: &str) -> Result<()> {
        let body = format!("{{\"durable\":true,\"arguments\":{arguments}}}");
        self.http
            .put(&self.path("queues", name), body)?
            .expect(201)
            .map(drop)
    }
    /// Declares a durable exchange.
    pub fn exchange(&self, name: &str, kind: &str) -> Result<()> {
        let body = format!("{{\"durable\":true,\"type\":\"{kind}\"}}");
        self.http
            .put(&self.path("exchanges", name), body)?
            .expect(201)
            .map(drop)
    }
    /// Binds a queue.
    pub fn bind(&self, exchange: &str, queue: &str, key: &str) -> Result<()> {
        let path = self.path("bindings", &format!("e/{exchange}/q/{queue}"));
        let body = format!("{{\"routing_key\":\"{key}\",\"arguments\":{{}}}}");
        self.http.post(&path, body)?.expect(201).map(drop)
    }
    /// Publishes a persistent message; whether it was routed.
    pub fn publish(&self, exchange: &str, key: &str, payload: &str) -> Result<bool> {
        let body = format!(
            "{{\"properties\":{{\"delivery_mode\":2}},\"routing_key\":\"{key}\",\
             \"payload\":\"{payload}\",\"payload_encoding\":\"string\"}}"
        );
        let path = self.path("exchanges", &format!("{exchange}/publish"));
        let told = self.http.post(&path, body)?.expect(200)?.json()?;
        Ok(told["routed"].is_true())
    }
    /// Takes up to `count` messages; the API's list.
    pub fn get(&self, queue: &str, count: usize, ackmode: &str) -> Result<Json> {
        let body = format!("{{\"count\":{count},\"ackmode\":\"{ackmode}\",\"encoding\":\"auto\"}}");
        let path = self.path("queues", &format!("{queue}/get"));
        self.http.post(&path, body)?.expect(200)?.json()
    }
    /// Makes a user with these tags and the password `secret`; unless `access`
    /// is empty it is the pattern of all three permissions in the vhost.
    pub fn user(&self, ctx: &Ctx, name: &str, tags: &str, access: &str) -> Result<String> {
        let name = ctx.name(name);
        let body = format!("{{\"password\":\"secret\",\"tags\":\"{tags}\"}}");
        self.http
            .put(&format!("/api/users/{name}"), body)?
            .expect(201)?;
        if !access.is_empty() {
            self.permit(&name, access)?;
        }
        Ok(name)
    }
    /// Sets all three permissions of a user in the vhost.
    pub fn permit(&self, user: &str, access: &str) -> Result<()> {
        let body =
            format!("{{\"configure\":\"{access}\",\"write\":\"{access}\",\"read\":\"{access}\"}}");
        let path = self.path("permissions", user);
        let status = self.http.put(&path, body)?.status;
        check!(status == 201 || status == 204, "permissions: {status}");
        Ok(())
    }
    /// Where to log in over AMQP: this user (password `secret`) in the vhost.
    pub fn url(&self, user: &str) -> Url {
        self.broker.url_for(user, "secret", &self.v)
    }
    /// A channel of guest in the vhost.
    pub fn channel(&self) -> Result<Channel> {
        let url = self.broker.url_for("guest", "guest", &self.v);
        Conn::open(&url)?.channel(1)
    }
    /// Waits until a queue has this many messages; statistics may lag.
    pub fn wait_messages(&self, queue: &str, count: i64) -> Result<()> {
        let path = self.path("queues", queue);
        eventually(LAG, || {
            let told = self.http.json(&path)?["messages"].int();
            check_eq!(told, Some(count), "messages of {queue}");
            Ok(())
        })
    }
}

/// What the API says of anything that is not there.
pub fn missing(answer: Answer) -> Result<()> {
    answer.refused(404, "Object Not Found", "Not Found")
}
