//! Connections: all, of a virtual host, of a user, one; and their end.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::broker::connections::ConnectionHandle;
use crate::broker::observe::views::connection::connection;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::reading::Reading;
use crate::management::rows::ConnectionRow;
use crate::management::segments::Segments;
use crate::management::shape::{Answer, Ranges, aside};
use crate::management::state::{Api, SharedApi};

/// Why a connection is closed where the request does not say.
const REASON: &str = "Closed via management plugin";

/// Octets of a reason that the client is told; more does not fit its close method.
const REASON_MAX: usize = 128;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/connections", get(all))
        .route("/api/connections/{name}", get(one).delete(close))
        .route(
            "/api/connections/username/{user}",
            get(of_user).delete(close_of_user),
        )
        .route("/api/vhosts/{vhost}/connections", get(of_vhost))
}

/// Monitors see every connection, others their own.
pub fn sees(caller: &Caller, handle: &ConnectionHandle) -> bool {
    caller.user.is_monitor() || handle.user == caller.name()
}

/// The connection of a path, which must be there (404) and the user's own or a monitor's to see
/// (401).
pub fn visible_connection(
    api: &Api,
    caller: &Caller,
    name: &str,
) -> Result<Arc<ConnectionHandle>, ApiError> {
    let handle = connection(&api.broker, name).ok_or_else(ApiError::not_found)?;
    if sees(caller, &handle) {
        return Ok(handle);
    }
    Err(ApiError::not_authorised(
        "User not authorised to access object",
    ))
}

fn list(
    api: &Api,
    handles: Vec<Arc<ConnectionHandle>>,
    listing: &Listing,
    ranges: Ranges,
) -> Result<Answer, ApiError> {
    listing.rows(
        handles,
        &["name"],
        |handle| handle.title(),
        |handle, _| ConnectionRow::of(api, handle, false, ranges),
    )
}

async fn all(Reading(api, caller, listing, ranges): Reading) -> Result<Answer, ApiError> {
    aside(move || {
        let mut handles = api.broker.connections.all();
        handles.retain(|handle| sees(&caller, handle));
        list(&api, handles, &listing, ranges)
    })
    .await
}

async fn of_vhost(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    caller.monitored_vhost(&api.broker, &name)?;
    aside(move || {
        let mut handles = api.broker.connections.all();
        handles.retain(|handle| handle.vhost == name && sees(&caller, handle));
        list(&api, handles, &listing, ranges)
    })
    .await
}

async fn one(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    let handle = visible_connection(&api, &caller, &name)?;
    let row = ConnectionRow::of(&api, &handle, true, ranges);
    Answer::row(&row, &listing.columns)
}

/// What a client is told when its connection is closed for it.
fn reason(headers: &HeaderMap) -> String {
    let asked = headers.get("x-reason").map(HeaderValue::as_bytes);
    let Some(asked) = asked.filter(|octets| !octets.is_empty()) else {
        return REASON.to_owned();
    };
    let mut reason = String::from_utf8_lossy(asked).into_owned();
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    reason
}

fn close_all(handles: &[Arc<ConnectionHandle>], caller: &Caller, reason: &str) {
    for handle in handles {
        tracing::info!(
            "closing connection {} at the wish of user '{}': {reason}",
            handle.title(),
            caller.name()
        );
        handle.close(reason);
    }
}

async fn close(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let handle = connection(&api.broker, &name).ok_or_else(ApiError::not_found)?;
    // Their own, or an administrator's to close.
    if handle.user != caller.name() {
        caller.require_administrator()?;
    }
    close_all(&[handle], &caller, &reason(&headers));
    Ok(StatusCode::NO_CONTENT)
}

fn connections_of(api: &Api, user: &str) -> Vec<Arc<ConnectionHandle>> {
    let mut handles = api.broker.connections.all();
    handles.retain(|handle| handle.user == user);
    handles
}

fn demand_user(caller: &Caller, user: &str) -> Result<(), ApiError> {
    if caller.user.is_monitor() || caller.name() == user {
        return Ok(());
    }
    Err(ApiError::not_authorised(
        "User not authorised to access object",
    ))
}

async fn of_user(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(user): Segments<String>,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    demand_user(&caller, &user)?;
    let items = connections_of(&api, &user)
        .iter()
        .map(|handle| {
            json!({
                "name": handle.title(),
                "node": api.node.name,
                "user": handle.user,
                "vhost": handle.vhost,
            })
        })
        .collect();
    listing.answer(items, &["name"]).map(Json)
}

async fn close_of_user(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(user): Segments<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    if user != caller.name() {
        caller.require_administrator()?;
    }
    close_all(&connections_of(&api, &user), &caller, &reason(&headers));
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_short_and_never_empty() {
        let mut headers = HeaderMap::new();
        assert_eq!(reason(&headers), REASON);
        headers.insert("x-reason", "because".parse().unwrap());
        assert_eq!(reason(&headers), "because");
        headers.insert("x-reason", "x".repeat(500).parse().unwrap());
        assert_eq!(reason(&headers).len(), REASON_MAX);
        let octets = |text: &str| HeaderValue::from_bytes(text.as_bytes()).unwrap();
        headers.insert("x-reason", octets("Wartung für Gerät"));
        assert_eq!(reason(&headers), "Wartung für Gerät");
        headers.insert("x-reason", octets(&format!("x{}", "ü".repeat(100))));
        assert_eq!(reason(&headers), format!("x{}", "ü".repeat(63)));
        headers.insert("x-reason", "".parse().unwrap());
        assert_eq!(reason(&headers), REASON);
    }
}
