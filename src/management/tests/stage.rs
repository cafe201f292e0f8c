//! An API over a broker in memory, and short words for what the tests ask of it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::amqp::Table;
use crate::broker::admin::NewPassword;
use crate::broker::connections::{ConnectionHandle, ConnectionLimits};
use crate::broker::shared_queue::{QueueSpec, SharedQueue};
use crate::broker::{Broker, Options};
use crate::config::Settings;
use crate::ids::Name;
use crate::management::transport::Transport;
use crate::management::{Api, Caller, NodeFacts, Peer, SharedApi};
use crate::queue::{QueueArguments, QueueKind};
use crate::time::unix_ms;

/// Every user's password.
const PASSWORD: &str = "secret";

pub struct Stage {
    pub api: SharedApi,
    pub transport: Transport,
}

/// Status and body of an answer.
pub type Told = (StatusCode, Value);

/// RabbitMQ's refusal of what a tag does not allow.
pub fn denied(reason: &str) -> Told {
    let body = json!({"error": "not_authorised", "reason": reason});
    (StatusCode::UNAUTHORIZED, body)
}

impl Stage {
    /// With the virtual host `v`.
    pub fn new() -> Self {
        Self::with(Settings::default())
    }

    pub fn with(settings: Settings) -> Self {
        let broker = Broker::new(Options {
            max_message_size: 1 << 20,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        broker.put_vhost(b"v", None);
        let api = Api::new(broker, settings, NodeFacts::default(), Instant::now());
        let transport = Transport::new(Arc::clone(&api));
        Self { api, transport }
    }

    /// The caller that a request of this user would have.
    pub fn caller(&self, name: &str) -> Caller {
        let user = self.api.broker.users.tables().user(name).cloned().unwrap();
        let operator = false;
        Caller { user, operator }
    }

    /// Gives a user another password.
    pub fn password(&self, name: &str, password: &str) {
        let tags = self.caller(name).user.tags.clone();
        let password = NewPassword::Clear(password.to_owned());
        let put = self.api.broker.admin_put_user(name, password, tags);
        assert!(!put.unwrap().0, "{name} is new");
    }

    /// A connection of a user to `v`.
    pub fn connection(&self, user: &str) {
        let handle = ConnectionHandle::unserved(self.api.broker.next_id(), user, "v");
        let limits = ConnectionLimits::default();
        self.api.broker.connections.add(handle, limits).unwrap();
    }

    /// A user with one tag and all permissions in `v`. One who is there keeps the password.
    pub fn user(&self, name: &str, tag: &str) {
        let broker = &self.api.broker;
        let password = match broker.users.tables().user(name) {
            Some(_) => NewPassword::Unchanged,
            None => NewPassword::Clear(PASSWORD.to_owned()),
        };
        let tags = vec![tag.to_owned()];
        broker.admin_put_user(name, password, tags).unwrap();
        let all = [".*"; 3];
        broker.admin_put_permissions("v", name, all).unwrap();
    }

    /// A queue of `v`; exclusive where there is an owner.
    pub fn queue(&self, name: &str, owner: Option<u64>) -> Arc<SharedQueue> {
        let arguments = Table::default();
        let spec = QueueSpec {
            name: Name::from(name),
            durable: false,
            owner,
            auto_delete: false,
            settings: QueueArguments::parse(&arguments, name, QueueKind::Classic).unwrap(),
            arguments,
            declared_by: Name::from("tester"),
        };
        let vhost = self.api.broker.vhost(b"v").unwrap();
        let declared = vhost.declare_queue(&self.api.broker, spec, 1, unix_ms());
        declared.unwrap().0
    }

    /// A request without a login.
    pub async fn send(&self, request: Request<Body>, peer: Peer) -> Told {
        let response = self.transport.answer(request, peer).await;
        let status = response.status();
        let octets = response.into_body().collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&octets).unwrap_or(Value::Null);
        (status, body)
    }

    /// `METHOD PATH` of a user, with a body.
    pub async fn ask(&self, user: &str, what: &str, body: &Value) -> Told {
        let body = Body::from(body.to_string());
        let request = self.request(user, what).body(body).unwrap();
        self.send(request, Peer::default()).await
    }

    /// The head of a request of a user.
    pub fn request(&self, user: &str, what: &str) -> axum::http::request::Builder {
        let (method, path) = what.split_once(' ').unwrap();
        let login = STANDARD.encode(format!("{user}:{PASSWORD}"));
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Basic {login}"))
    }

    /// The same through the operator's socket.
    pub async fn operate(&self, what: &str, body: &Value) -> Told {
        let (method, path) = what.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path);
        let body = Body::from(body.to_string());
        self.send(request.body(body).unwrap(), Peer::operator())
            .await
    }
}
