//! How much is read of a request, from whom, and for how long.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures::stream;
use serde_json::json;

use super::stage::Stage;
use crate::limits;
use crate::management::Peer;

/// A body of which nothing ever comes.
fn unsent() -> Body {
    Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
}

fn login(body: Body) -> Request<Body> {
    let request = Request::post("/api/session").header("content-type", "application/json");
    request.body(body).unwrap()
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let mut stage = Stage::new();
    stage.user("admin", "administrator");
    stage.transport.body_idle = Duration::from_millis(10);
    let (status, told) = stage.send(login(unsent()), Peer::default()).await;
    assert_eq!((status, &told["error"]), late(), "{told}");
    for what in ["PUT /api/vhosts/w", "POST /api/definitions"] {
        let request = stage.request("admin", what).body(unsent()).unwrap();
        let (status, told) = stage.send(request, Peer::default()).await;
        assert_eq!((status, &told["error"]), late(), "{what}: {told}");
    }
}

fn late() -> (StatusCode, &'static serde_json::Value) {
    static WORD: std::sync::LazyLock<serde_json::Value> =
        std::sync::LazyLock::new(|| json!("request_timeout"));
    (StatusCode::REQUEST_TIMEOUT, &WORD)
}

/// Every request with a body, but for logins: with no login it is refused without its body, however
/// long that would take to come.
#[tokio::test]
async fn who_is_nobody_is_refused_before_the_body() {
    let stage = Stage::new();
    let requests = [
        "PUT /api/queues/v/q",
        "PUT /api/exchanges/v/x",
        "POST /api/bindings/v/e/x/q/q",
        "PUT /api/vhosts/w",
        "PUT /api/users/u",
        "POST /api/users/bulk-delete",
        "PUT /api/permissions/v/u",
        "PUT /api/topic-permissions/v/u",
        "PUT /api/policies/v/p",
        "PUT /api/operator-policies/v/p",
        "PUT /api/parameters/shovel/v/s",
        "PUT /api/global-parameters/g",
        "PUT /api/cluster-name",
        "PUT /api/vhost-limits/v/max-queues",
        "PUT /api/user-limits/u/max-channels",
        "POST /api/definitions",
        "POST /api/definitions/v",
        "POST /api/all-configuration",
        "POST /api/exchanges/v/x/publish",
        "POST /api/queues/v/q/get",
        "POST /api/queues/v/q/actions",
        "POST /api/queues/v/q/messages/delete",
        "POST /api/queues/v/q/messages/requeue",
        "POST /api/queues/v/q/redrive",
        "POST /api/route",
        "POST /api/auth/hash_password",
    ];
    for what in requests {
        let (method, path) = what.split_once(' ').unwrap();
        let request = Request::builder().method(method).uri(path);
        let request = request.body(unsent()).unwrap();
        let (status, _) = stage.send(request, Peer::default()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{what}");
    }
}

#[tokio::test]
async fn a_login_is_short() {
    let stage = Stage::new();
    stage.user("u", "management");
    let with = |room: usize| {
        let text = json!({"username": "u", "password": "secret", "room": "x".repeat(room)});
        login(Body::from(text.to_string()))
    };
    let (status, told) = stage.send(with(1_000), Peer::default()).await;
    assert_eq!((status, told), (StatusCode::OK, json!("ok")));
    let long = with(limits::LOGIN_BODY_BYTES);
    let (status, _) = stage.send(long, Peer::default()).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_operators_own_limit_is_not_the_configured_one() {
    let stage = Stage::new();
    stage.user("admin", "administrator");
    let most = stage.api.settings.management.max_body_bytes;
    let most = usize::try_from(most).unwrap();
    // What is more than everybody's limit, and is read to its end.
    let file = json!({"explanation": "x".repeat(most)});
    let what = "POST /api/definitions";
    let (status, _) = stage.ask("admin", what, &file).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    let (status, told) = stage.operate(what, &file).await;
    assert_eq!(status, StatusCode::NO_CONTENT, "{told}");
}
