//! `/api/auth/attempts/{node}`: how many logins there were, by protocol and by source. RabbitMQ has
//! the latter only where it was switched on.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::broker::observe::churn::Attempts;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/auth/attempts/{node}", get(totals).delete(reset))
        .route(
            "/api/auth/attempts/{node}/source",
            get(by_source).delete(reset),
        )
}

fn check(api: &Api, caller: &Caller, node: &str) -> Result<(), ApiError> {
    caller.require_monitor()?;
    if node == api.node.name {
        Ok(())
    } else {
        Err(ApiError::not_found())
    }
}

fn item(protocol: &str, attempts: &Attempts) -> Value {
    let (succeeded, failed) = (attempts.succeeded(), attempts.failed());
    json!({
        "protocol": protocol,
        "auth_attempts": succeeded + failed,
        "auth_attempts_failed": failed,
        "auth_attempts_succeeded": succeeded,
    })
}

async fn totals(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(node): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    check(&api, &caller, &node)?;
    let attempts = &api.broker.auth_attempts;
    Ok(Json(json!([
        item("http", &attempts.http),
        item("amqp091", &attempts.amqp),
    ])))
}

async fn by_source(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(node): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    check(&api, &caller, &node)?;
    let sources = api.broker.auth_attempts.sources.all().into_iter();
    let items = sources.map(|(source, outcomes)| {
        json!({
            "remote_address": source.address.map(|address| address.to_string()),
            "username": source.user,
            "protocol": source.protocol,
            "auth_attempts": outcomes.succeeded + outcomes.failed,
            "auth_attempts_failed": outcomes.failed,
            "auth_attempts_succeeded": outcomes.succeeded,
        })
    });
    Ok(Json(items.collect()))
}

async fn reset(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(node): Segments<String>,
) -> Result<StatusCode, ApiError> {
    check(&api, &caller, &node)?;
    api.broker.auth_attempts.reset();
    Ok(StatusCode::NO_CONTENT)
}
