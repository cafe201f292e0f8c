//! Logins of the pages: `POST /api/session` (or RabbitMQ's `/api/login`) opens a session and sets
//! its cookie, `DELETE /api/session` ends it. `GET /api/auth` tells a page how to log in.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::{Value, json};

use crate::auth::{Credentials, Proof};
use crate::limits;
use crate::management::auth::{Caller, Sessions, session_token};
use crate::management::body::{Body, RawBody};
use crate::management::cors::check_site;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::server::Peer;
use crate::management::state::SharedApi;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/auth", get(how))
        .route("/api/login", post(log_in))
        .route("/api/session", post(log_in).delete(log_out))
        .layer(DefaultBodyLimit::max(limits::LOGIN_BODY_BYTES))
}

/// Asked before a login, by pages that would offer OAuth.
async fn how() -> Json<Value> {
    Json(json!({ "enable_uaa": false, "uaa_client_id": "", "uaa_location": "" }))
}

/// Name and password, as a form or as JSON.
fn credentials(headers: &HeaderMap, octets: &[u8]) -> Result<Credentials, ApiError> {
    let kind = headers.get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let (user, password) = if is_json {
        let body = Body::parse(octets)?;
        body.require(&["username", "password"])?;
        let text = |key| {
            body.text(key)
                .map(|text| text.unwrap_or_default().to_owned())
        };
        (text("username")?, text("password")?)
    } else {
        let form = Params::parse(&String::from_utf8_lossy(octets));
        let text = |key| form.get(key).unwrap_or_default().to_owned();
        (text("username"), text("password"))
    };
    Ok(Credentials {
        user,
        proof: Proof::Password(password.into_bytes()),
    })
}

/// The body of somebody who has not logged in: all of it within `limit`.
async fn body_within(
    limit: Duration,
    request: Request,
    api: &SharedApi,
) -> Result<RawBody, ApiError> {
    let body = tokio::time::timeout(limit, RawBody::from_request(request, api)).await;
    body.unwrap_or_else(|_| Err(ApiError::late()))
}

async fn log_in(
    State(api): State<SharedApi>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, ApiError> {
    let origins = &api.settings.management.cors_origins;
    check_site(&Method::POST, &headers, origins)?;
    let RawBody(octets) = body_within(limits::LOGIN_BODY_TIMEOUT, request, &api).await?;
    let credentials = credentials(&headers, &octets)?;
    let caller = Caller::log_in(&api, &credentials, &peer)
        .await
        .map_err(ApiError::without_challenge)?;
    let token = api.sessions.open(&caller.user);
    let prefix = &api.settings.management.path_prefix;
    Ok(with_cookie(
        Json(json!("ok")).into_response(),
        &api.sessions.cookie(&token, prefix, peer.tls),
    ))
}

async fn log_out(
    State(api): State<SharedApi>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
) -> Response {
    if let Some(token) = session_token(&headers) {
        api.sessions.close(&token);
    }
    let prefix = &api.settings.management.path_prefix;
    with_cookie(
        StatusCode::NO_CONTENT.into_response(),
        &Sessions::no_cookie(prefix, peer.tls),
    )
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    // A cookie's value is of letters, digits and signs that a header may hold.
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().insert(header::SET_COOKIE, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::{Body as Stream, Bytes};
    use futures::stream::unfold;

    use super::*;
    use crate::management::tests::Stage;

    #[tokio::test]
    async fn a_body_that_trickles_for_ever_is_given_up() {
        let stage = Stage::new();
        let drops = unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        let request = Request::new(Stream::from_stream(drops));
        let limit = Duration::from_millis(20);
        let refused = body_within(limit, request, &stage.api).await.unwrap_err();
        assert_eq!(refused, ApiError::late());
    }
}
