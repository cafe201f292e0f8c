//! What there is one of per cluster, and requests of RabbitMQ's clients that have one right answer
//! on a single node without Erlang: feature flags, rebalancing, links of plugins.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::management::auth::{Administrator, Caller};
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::Segments;
use crate::management::state::SharedApi;

/// RabbitMQ's feature flags of 3.10 and 4.x that clients and operators look for; what each stands
/// for is part of this broker, so that they are enabled for good. That of streams is not here.
const FEATURE_FLAGS: [(&str, &str); 13] = [
    (
        "classic_mirrored_queue_version",
        "Versions of mirrored classic queues",
    ),
    (
        "classic_queue_type_delivery_support",
        "Deliveries of classic queues by type",
    ),
    (
        "detailed_queues_endpoint",
        "A list of queues with every field",
    ),
    (
        "direct_exchange_routing_v2",
        "Routing of direct exchanges by table",
    ),
    (
        "drop_unroutable_metric",
        "Counts of unroutable messages that were dropped",
    ),
    (
        "empty_basic_get_metric",
        "Counts of basic.get on empty queues",
    ),
    ("feature_flags_v2", "Feature flags, second version"),
    (
        "implicit_default_bindings",
        "Bindings of the default exchange are implied",
    ),
    ("listener_records_in_ets", "Listeners in memory"),
    ("maintenance_mode_status", "Maintenance mode"),
    ("quorum_queue", "Queues of type quorum"),
    ("user_limits", "Limits of users"),
    (
        "virtual_host_metadata",
        "Descriptions and tags of virtual hosts",
    ),
];

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/extensions", get(extensions))
        .route("/api/version", get(version))
        .route("/api/feature-flags", get(flags))
        .route("/api/feature-flags/{name}/enable", put(enable_flag))
        .route("/api/deprecated-features", get(nothing))
        .route("/api/deprecated-features/used", get(nothing))
        .route("/api/rebalance/queues", post(rebalance))
        .route("/api/reset", delete(reset))
        .route("/api/reset/{node}", delete(reset_node))
        .route("/api/federation-links", get(nothing))
        .route("/api/federation-links/{vhost}", get(nothing_of))
        .route("/api/shovels", get(nothing))
        .route("/api/shovels/{vhost}", get(nothing_of))
}

async fn extensions(_caller: Caller) -> Json<Value> {
    Json(json!([{ "javascript": "dispatcher.js" }]))
}

async fn version(State(api): State<SharedApi>, _caller: Caller) -> Json<Value> {
    Json(json!(api.settings.node.product_version))
}

async fn flags(_: Administrator, listing: Listing) -> Result<Json<Value>, ApiError> {
    let flags = FEATURE_FLAGS.map(|(name, meaning)| {
        json!({
            "name": name,
            "desc": meaning,
            "doc_url": "",
            "state": "enabled",
            "stability": "stable",
            "provided_by": "rabbit",
        })
    });
    Ok(Json(listing.answer(flags.to_vec(), &["name"])?))
}

async fn enable_flag(
    _: Administrator,
    Segments(name): Segments<String>,
) -> Result<StatusCode, ApiError> {
    if FEATURE_FLAGS.iter().any(|(known, _)| *known == name) {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::bad_request("unsupported"))
    }
}

/// There is none of these: nothing here is deprecated, and no link runs.
async fn nothing(_caller: Caller) -> Json<Value> {
    Json(json!([]))
}

async fn nothing_of(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(vhost): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &vhost)?;
    Ok(Json(json!([])))
}

/// One node has nothing to move to another.
async fn rebalance(_: Administrator) -> Result<StatusCode, ApiError> {
    Ok(StatusCode::NO_CONTENT)
}

/// Throws the samples away, so that charts and rates begin anew. Counters go on: what they say is
/// about the objects, and is the same as the metrics say.
async fn reset(State(api): State<SharedApi>, _: Administrator) -> Result<StatusCode, ApiError> {
    tracing::warn!("Resetting RabbitMQ management storage");
    api.broker.observer.forget();
    Ok(StatusCode::NO_CONTENT)
}

async fn reset_node(
    State(api): State<SharedApi>,
    caller: Administrator,
    Segments(node): Segments<String>,
) -> Result<StatusCode, ApiError> {
    if node != api.node.name {
        return Err(ApiError::not_found());
    }
    reset(State(api), caller).await
}
