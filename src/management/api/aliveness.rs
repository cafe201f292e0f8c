//! `GET /api/aliveness-test/{vhost}`: a message goes through the virtual host. RabbitMQ leaves its
//! queue behind; here none is left.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::auth::Access;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::segments::Segments;
use crate::management::state::SharedApi;
use crate::time::unix_ms;

/// The queue that RabbitMQ declares: whether the user may is part of the test.
const QUEUE: &str = "aliveness-test";

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/aliveness-test/{vhost}", get(test))
}

async fn test(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    let vhost = caller.vhost(&api.broker, &name)?;
    for (access, what) in [
        (Access::Configure, QUEUE),
        (Access::Write, ""),
        (Access::Read, QUEUE),
    ] {
        caller.permit(&api.broker, &name, access, what)?;
    }
    if let Some(failure) = api.broker.journal.log().and_then(|log| log.failure()) {
        return Err(ApiError::check_failed(
            json!({ "reason": failure.to_string() }),
        ));
    }
    match api.broker.probe(&vhost, unix_ms()) {
        Ok(()) => Ok(Json(json!({ "status": "ok" }))),
        Err(reason) => Err(ApiError::check_failed(json!({ "reason": reason }))),
    }
}
