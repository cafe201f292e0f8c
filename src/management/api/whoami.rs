//! `GET /api/whoami`: who the credentials belong to.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::management::auth::Caller;
use crate::management::state::SharedApi;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/whoami", get(whoami))
}

async fn whoami(caller: Caller) -> Json<Value> {
    Json(json!({
        "name": caller.name(),
        "tags": caller.user.tags,
        "is_internal_user": true,
    }))
}
