//! The management API over the broker's socket: one request at a time, each on a connection of its
//! own. Who may, the broker reads off the socket itself; nothing is logged in here.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use leveret::node::control::socket_path;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use crate::failure::{Failure, NO_PERMISSION, SOFTWARE, UNAVAILABLE};

/// Answers are lists and definitions; a million queues take less than this.
const ANSWER_MAX: usize = 2 << 30;

/// What stays as it is in a part of a path.
const PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// A path whose parts are encoded one by one.
pub fn path(parts: &[&str]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| utf8_percent_encode(part, PART).to_string())
        .collect();
    format!("/api/{}", parts.join("/"))
}

/// What the broker answered.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body, as it came.
    pub body: Bytes,
}

impl Reply {
    /// The body as JSON; null where there is none.
    pub fn json(&self) -> Result<Value, Failure> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body)
            .map_err(|error| Failure::refused(SOFTWARE, format!("the answer is not JSON: {error}")))
    }

    /// Whether it was done.
    pub fn is_done(&self) -> bool {
        self.status.is_success()
    }

    /// Whether what was asked for is missing.
    pub fn is_missing(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// The kind of refusal, where it was refused with one.
    pub fn error(&self) -> Option<String> {
        if self.is_done() {
            return None;
        }
        let body = self.json().ok()?;
        body.get("error")?.as_str().map(str::to_owned)
    }

    /// Why it was refused.
    pub fn reason(&self) -> String {
        let told = self.json().ok().and_then(|body| {
            let reason = body.get("reason")?;
            Some(match reason.as_str() {
                Some(text) => text.to_owned(),
                None => reason.to_string(),
            })
        });
        told.unwrap_or_else(|| format!("the broker answered {}", self.status))
    }

    /// A refusal that has no text of its own.
    pub fn failure(&self) -> Failure {
        Failure::refused(UNAVAILABLE, self.reason().trim_end().to_owned())
    }
}

/// A text as a header holds it: its octets, with spaces for what would end a line.
fn in_header(text: &str) -> Vec<u8> {
    let control = |octet: u8| octet.is_ascii_control();
    let octets = text.bytes();
    octets.map(|o| if control(o) { b' ' } else { o }).collect()
}

/// The way to a broker.
#[derive(Debug)]
pub struct Client {
    socket: PathBuf,
    runtime: Runtime,
    /// When the whole command has to be done.
    deadline: Cell<Option<Instant>>,
}

/// Why a request has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// Nobody listens there.
    Down(String),
    /// The socket may not be used.
    Denied(String),
    /// It took too long.
    Late,
    /// The connection broke off.
    Broken(String),
}

impl NoAnswer {
    /// As a failure of a command on `node`.
    pub fn failure(&self, operation: &str, node: &str, timeout_ms: u64) -> Failure {
        match self {
            Self::Down(why) => Failure::plain(UNAVAILABLE, unreachable(node, why)),
            Self::Denied(why) => Failure::plain(NO_PERMISSION, format!("Error: {why}")),
            Self::Late => Failure::plain(
                crate::failure::TIMEOUT,
                format!(
                    "Error: operation {operation} on node {node} timed out. \
                     Timeout value used: {timeout_ms}"
                ),
            ),
            Self::Broken(why) => Failure::plain(
                UNAVAILABLE,
                format!("Error: the broker broke off the connection: {why}"),
            ),
        }
    }
}

fn unreachable(node: &str, why: &str) -> String {
    format!(
        "Error: unable to perform an operation on node '{node}'. Please see diagnostics information \
         and suggestions below.\n\n\
         Most common reasons for this are:\n\n \
         * The broker is not running\n \
         * It uses another data folder: name it with --data-dir or LEVERET_DATA_DIR\n \
         * This user may not enter the data folder: the broker's own user and root may\n\n\
         DIAGNOSTICS\n===========\n\n{why}\n"
    )
}

impl Client {
    /// The broker with this data folder. Everything has to be done within `timeout`.
    pub fn new(data_dir: &Path, timeout: Option<Duration>) -> std::io::Result<Self> {
        Ok(Self {
            socket: socket_path(data_dir),
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?,
            deadline: Cell::new(timeout.map(|timeout| Instant::now() + timeout)),
        })
    }

    /// Everything that follows has to be done within `timeout` from now.
    pub fn begin_anew(&self, timeout: Option<Duration>) {
        self.deadline
            .set(timeout.map(|timeout| Instant::now() + timeout));
    }

    /// Sends a request and waits for the answer. `reason` is what a connection that is closed is told.
    pub fn send(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
        reason: Option<&str>,
    ) -> Result<Reply, NoAnswer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", "application/json");
        if let Some(reason) = reason {
            request = request.header("x-reason", in_header(reason));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        let exchange = self.exchange(request);
        match self.deadline.get() {
            None => self.runtime.block_on(exchange),
            Some(deadline) => self.runtime.block_on(async {
                tokio::time::timeout_at(deadline.into(), exchange)
                    .await
                    .unwrap_or(Err(NoAnswer::Late))
            }),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, NoAnswer> {
        let mut sender = self.connect().await?;
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_MAX)
            .collect()
            .await
            .map_err(|error| NoAnswer::Broken(error.to_string()))?
            .to_bytes();
        Ok(Reply { status, body })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, NoAnswer> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| {
            let why = format!("{}: {error}", self.socket.display());
            match error.kind() {
                std::io::ErrorKind::PermissionDenied => NoAnswer::Denied(why),
                _ => NoAnswer::Down(why),
            }
        })?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| NoAnswer::Broken(error.to_string()))?;
        // Ends with the exchange; its errors come back through the request.
        self.runtime.spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_are_encoded() {
        assert_eq!(
            path(&["queues", "/", "a b/ä"]),
            "/api/queues/%2F/a%20b%2F%C3%A4"
        );
    }

    #[test]
    fn any_reason_fits_a_header() {
        let value = hyper::header::HeaderValue::try_from(in_header("für\r\nx: y\u{7f}\0"));
        assert_eq!(value.unwrap().as_bytes(), "für  x: y  ".as_bytes());
    }

    #[test]
    fn a_missing_broker_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let client = Client::new(folder.path(), None).unwrap();
        let answer = client.send(Method::GET, "/api/whoami", Vec::new(), None);
        let failure = match answer {
            Err(why) => why.failure("list_users", "a@b", 1000),
            Ok(_) => panic!("nobody is there"),
        };
        assert_eq!(failure.code(), UNAVAILABLE);
        let start = "Error: unable to perform an operation on node 'a@b'.";
        assert!(failure.text().starts_with(start), "{}", failure.text());
    }
}
