//! What pages in a browser ask for: our own, and those of other sites.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::stage::{Stage, denied};
use crate::config::Settings;
use crate::limits;
use crate::management::Peer;

const THEIRS: &str = "https://theirs.example";

/// A request as a browser sends it for a page of another site, with the login that it keeps.
async fn from_another_site(stage: &Stage, what: &str, body: &Value) -> (StatusCode, Value) {
    let request = stage
        .request("admin", what)
        .header("sec-fetch-site", "cross-site")
        .header("origin", THEIRS)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()));
    stage.send(request.unwrap(), Peer::default()).await
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing_unless_it_is_let_in() {
    let mut open = Settings::default();
    open.management.cors_origins = vec![THEIRS.to_owned()];
    let login = json!({"username": "admin", "password": "secret"});
    for (settings, let_in) in [(Settings::default(), false), (open, true)] {
        let stage = Stage::with(settings);
        stage.user("admin", "administrator");
        let user = json!({"tags": "administrator", "password": "theirs"});
        let none = json!({});
        for (what, body, fine) in [
            ("PUT /api/users/theirs", &user, StatusCode::CREATED),
            ("DELETE /api/users/theirs", &none, StatusCode::NO_CONTENT),
            ("POST /api/session", &login, StatusCode::OK),
        ] {
            let told = from_another_site(&stage, what, body).await;
            if let_in {
                assert_eq!(told.0, fine, "{what}: {told:?}");
            } else {
                let reason = "a page of another site may not change anything here";
                assert_eq!(told, denied(reason), "{what}");
            }
        }
        // What it may look at the browser keeps from it.
        let seen = from_another_site(&stage, "GET /api/whoami", &json!({})).await;
        assert_eq!(seen.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn one_user_does_not_take_every_stream() {
    let stage = Stage::new();
    stage.user("one", "management");
    stage.user("two", "management");
    let listen = async |user: &str| {
        let request: Request<Body> = stage
            .request(user, "GET /api/events")
            .body(Body::empty())
            .unwrap();
        stage.transport.answer(request, Peer::default()).await
    };
    let mut held = Vec::new();
    for _ in 0..limits::MANAGEMENT_STREAMS_OF_USER {
        let stream = listen("one").await;
        assert_eq!(stream.status(), StatusCode::OK);
        held.push(stream);
    }
    let refused = listen("one").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(listen("two").await.status(), StatusCode::OK);
    held.pop();
    assert_eq!(listen("one").await.status(), StatusCode::OK);
}
