//! What stands behind the operator's socket: the management API while the broker runs, and what an
//! operator can ask of a process whose broker does not.
//!
//! ```text
//! booting --> running --> stopping --> stopped --> booting ...
//! ```
//!
//! The node moves it along (`set`); requests below `/api/leveret/app` become wishes, which the node
//! carries out one after the other.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::body::Bytes;
use axum::http::{Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use parking_lot::RwLock;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::error::ApiError;
use super::server::{Answers, Peer};
use super::transport::Transport;

/// Wishes that may wait for the one that is carried out.
const WISHES_MAX: usize = 16;

/// What tells clients of the socket that only a running broker answers this.
pub const NOT_RUNNING: &str = "app_not_running";

/// The same for what only a stopped one may be asked.
pub const RUNNING: &str = "app_running";

/// Where the broker of this process is.
#[derive(Clone)]
pub enum Phase {
    /// It reads what it has.
    Booting,
    /// It serves: its API, and where the API's work is done.
    Running(Box<Transport>, Handle),
    /// It closes.
    Stopping,
    /// There is none.
    Stopped,
}

impl Phase {
    /// Its name in the API.
    fn name(&self) -> &'static str {
        match self {
            Self::Booting => "booting",
            Self::Running(..) => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

/// What an operator wants of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// The broker is to run.
    Start,
    /// It is not to run.
    Stop,
    /// It is to forget everything; only while it does not run.
    Reset,
}

/// Why a wish was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfulfilled {
    /// The broker runs.
    Running,
    /// It failed, as the text says.
    Failed(String),
}

/// A wish and who waits for it.
#[derive(Debug)]
pub struct Asked {
    /// What.
    pub wish: Wish,
    /// For how it ended.
    pub answer: oneshot::Sender<Result<(), Unfulfilled>>,
}

/// What a process tells of itself, whether its broker runs or not.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The node's name.
    pub name: String,
    /// The product that clients are shown.
    pub product_name: String,
    /// Its version.
    pub product_version: String,
    /// When the process started.
    pub started: Instant,
}

impl Identity {
    /// As the API shows it.
    pub fn facts(&self, state: &str) -> Value {
        json!({
            "name": self.name,
            "pid": std::process::id(),
            "version": env!("CARGO_PKG_VERSION"),
            "product_name": self.product_name,
            "product_version": self.product_version,
            "uptime_s": self.started.elapsed().as_secs(),
            "state": state,
        })
    }
}

/// The gate.
pub struct Gate {
    identity: Identity,
    phase: RwLock<Phase>,
    wishes: mpsc::Sender<Asked>,
    end: Arc<Notify>,
    ended: watch::Sender<bool>,
}

impl Gate {
    /// Of a broker that is about to boot, and the wishes that come; `end` is notified when the
    /// process is to end.
    pub fn new(identity: Identity, end: Arc<Notify>) -> (Arc<Self>, mpsc::Receiver<Asked>) {
        let (wishes, coming) = mpsc::channel(WISHES_MAX);
        let gate = Self {
            identity,
            phase: RwLock::new(Phase::Booting),
            wishes,
            end,
            ended: watch::Sender::new(false),
        };
        (Arc::new(gate), coming)
    }

    /// The broker has come this far.
    pub fn set(&self, phase: Phase) {
        *self.phase.write() = phase;
    }

    /// The process ends: connections finish their request.
    pub fn end(&self) {
        self.ended.send_replace(true);
    }

    async fn wish(&self, wish: Wish) -> Response {
        let (answer, ended) = oneshot::channel();
        let gone = || ApiError::unavailable("the node is stopping").into_response();
        if self.wishes.send(Asked { wish, answer }).await.is_err() {
            return gone();
        }
        match ended.await {
            Ok(Ok(())) => StatusCode::NO_CONTENT.into_response(),
            Ok(Err(Unfulfilled::Running)) => {
                let text = "the broker has to be stopped first";
                ApiError::refused_as(RUNNING, text).into_response()
            }
            Ok(Err(Unfulfilled::Failed(reason))) => ApiError::unavailable(reason).into_response(),
            Err(_) => gone(),
        }
    }

    /// What a process without a broker answers.
    fn alone(&self, method: &Method, path: &str, state: &str) -> Response {
        match (method, path) {
            (&Method::GET, "/api/leveret/node") => Json(self.identity.facts(state)).into_response(),
            (&Method::POST, "/api/leveret/stop") => {
                tracing::info!("stopping: the operator asked for it");
                self.end.notify_one();
                StatusCode::NO_CONTENT.into_response()
            }
            _ => (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({
                    "error": NOT_RUNNING,
                    "reason": format!("the broker of this node is {state}"),
                })),
            )
                .into_response(),
        }
    }
}

impl Answers for Arc<Gate> {
    async fn answer<B>(&self, request: Request<B>, peer: Peer) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let wish = match (request.method(), request.uri().path()) {
            (&Method::POST, "/api/leveret/app/start") => Some(Wish::Start),
            (&Method::POST, "/api/leveret/app/stop") => Some(Wish::Stop),
            (&Method::POST, "/api/leveret/app/reset") => Some(Wish::Reset),
            _ => None,
        };
        if let Some(wish) = wish {
            return self.wish(wish).await;
        }
        let phase = self.phase.read().clone();
        let Phase::Running(transport, runtime) = phase else {
            return self.alone(request.method(), request.uri().path(), phase.name());
        };
        // On the broker's own threads: what the API starts ends with them.
        let work = runtime.spawn(async move { transport.answer(request, peer).await });
        match work.await {
            Ok(response) => response,
            Err(_) => ApiError::unavailable("the broker has been stopped").into_response(),
        }
    }

    async fn stopped(&self) {
        // The sender lives as long as the gate, so that waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};

    use super::*;

    fn gate() -> (Arc<Gate>, mpsc::Receiver<Asked>) {
        let identity = Identity {
            name: "a@b".to_owned(),
            product_name: "P".to_owned(),
            product_version: "1".to_owned(),
            started: Instant::now(),
        };
        Gate::new(identity, Arc::new(Notify::new()))
    }

    async fn ask(gate: &Arc<Gate>, method: Method, path: &str) -> (StatusCode, Value) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        let answer = gate.answer(request, Peer::operator()).await;
        let status = answer.status();
        let octets = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
        (status, serde_json::from_slice(&octets).unwrap_or_default())
    }

    #[tokio::test]
    async fn a_process_without_a_broker_says_so() {
        let (gate, _wishes) = gate();
        let (status, facts) = ask(&gate, Method::GET, "/api/leveret/node").await;
        assert_eq!(
            (status, &facts["state"]),
            (StatusCode::OK, &json!("booting"))
        );
        gate.set(Phase::Stopped);
        let (_, facts) = ask(&gate, Method::GET, "/api/leveret/node").await;
        assert_eq!(
            (&facts["state"], &facts["name"]),
            (&json!("stopped"), &json!("a@b"))
        );
        let (status, body) = ask(&gate, Method::GET, "/api/queues").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(body["error"], NOT_RUNNING);
        let stop = Arc::clone(&gate.end);
        let (status, _) = ask(&gate, Method::POST, "/api/leveret/stop").await;
        assert_eq!(status, StatusCode::NO_CONTENT);
        stop.notified().await;
    }

    #[tokio::test]
    async fn wishes_are_answered_when_they_have_been_carried_out() {
        let (gate, mut wishes) = gate();
        let node = tokio::spawn(async move {
            let mut seen = Vec::new();
            for answer in [Ok(()), Err(Unfulfilled::Running)] {
                let asked = wishes.recv().await.unwrap();
                seen.push(asked.wish);
                asked.answer.send(answer).unwrap();
            }
            let asked = wishes.recv().await.unwrap();
            seen.push(asked.wish);
            let why = Unfulfilled::Failed("busy".to_owned());
            asked.answer.send(Err(why)).unwrap();
            seen
        });
        let (done, _) = ask(&gate, Method::POST, "/api/leveret/app/stop").await;
        let (refused, body) = ask(&gate, Method::POST, "/api/leveret/app/reset").await;
        let (failed, why) = ask(&gate, Method::POST, "/api/leveret/app/start").await;
        assert_eq!(node.await.unwrap(), [Wish::Stop, Wish::Reset, Wish::Start]);
        assert_eq!(done, StatusCode::NO_CONTENT);
        assert_eq!(
            (refused, &body["error"]),
            (StatusCode::BAD_REQUEST, &json!(RUNNING))
        );
        assert_eq!(
            (failed, &why["reason"]),
            (StatusCode::SERVICE_UNAVAILABLE, &json!("busy"))
        );
        // Nobody is left to carry anything out.
        let (gone, _) = ask(&gate, Method::POST, "/api/leveret/app/start").await;
        assert_eq!(gone, StatusCode::SERVICE_UNAVAILABLE);
    }
}
