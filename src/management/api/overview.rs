//! `GET /api/overview`: the broker at a glance.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::management::auth::Caller;
use crate::management::state::SharedApi;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/overview", get(overview))
}

async fn overview(State(api): State<SharedApi>, _caller: Caller) -> Json<Value> {
    let node = &api.settings.node;
    Json(json!({
        "management_version": node.product_version,
        "product_name": node.product_name,
        "product_version": node.product_version,
        "rabbitmq_version": node.product_version,
        "leveret_version": env!("CARGO_PKG_VERSION"),
        "cluster_name": api.cluster_name(),
        "node": api.node.name,
        "object_totals": {
            "connections": api.broker.connections.len(),
        },
    }))
}
