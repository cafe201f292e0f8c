//! What the operator's tool asks that RabbitMQ's HTTP API does not have, below `/api/leveret`.
//!
//! Changes of the node itself go over the operator's socket only, where the system vouches for the
//! caller; what is only read, administrators may read from elsewhere too.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::auth::{Credentials, Proof, authenticate};
use crate::broker::alarms::resident_memory;
use crate::config::parse_size;
use crate::management::auth::Administrator;
use crate::management::body::Body;
use crate::management::gate::Identity;
use crate::management::operations::{Amount, Operations};
use crate::management::{Api, ApiError, Caller, SharedApi};

/// The paths of this file.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/leveret/node", get(node))
        .route("/api/leveret/status", get(status))
        .route("/api/leveret/environment", get(environment))
        // RabbitMQ 4.x's path of the same.
        .route("/api/config/effective", get(environment))
        .route("/api/leveret/stop", post(stop))
        .route("/api/leveret/logs/rotate", post(rotate_logs))
        .route("/api/leveret/logs/level", put(set_log_level))
        .route("/api/leveret/memory-high-watermark", put(set_memory_limit))
        .route("/api/leveret/disk-free-limit", put(set_disk_limit))
        .route("/api/leveret/authenticate", post(authenticate_user))
}

/// The node behind the API; in tests of the API there is none.
fn operations(api: &Api) -> Result<&dyn Operations, ApiError> {
    api.operations
        .get()
        .map(AsRef::as_ref)
        .ok_or_else(|| ApiError::unavailable("the node is starting"))
}

/// Only who is at this machine and may enter the broker's folder.
fn require_operator(caller: &Caller) -> Result<(), ApiError> {
    if caller.operator {
        return Ok(());
    }
    Err(ApiError::not_authorised(
        "this is done over the operator's socket only (leveretctl)",
    ))
}

async fn node(State(api): State<SharedApi>, _: Administrator) -> Result<Json<Value>, ApiError> {
    let node = &api.settings.node;
    let identity = Identity {
        name: api.node.name.clone(),
        product_name: node.product_name.clone(),
        product_version: node.product_version.clone(),
        started: api.started,
    };
    let mut facts = identity.facts("running");
    if let Some(map) = facts.as_object_mut() {
        map.insert("cluster_name".to_owned(), api.cluster_name().into());
    }
    Ok(Json(facts))
}

async fn status(State(api): State<SharedApi>, _: Administrator) -> Result<Json<Value>, ApiError> {
    let broker = &api.broker;
    let (mut queues, mut ready, mut unacked, mut consumers) = (0u64, 0u64, 0u64, 0u64);
    let vhosts = broker.vhosts();
    for queue in vhosts.iter().flat_map(|vhost| vhost.all_queues()) {
        let status = queue.status();
        queues += 1;
        ready += status.ready;
        unacked += status.unacked;
        consumers += status.consumers as u64;
    }
    let mut facts = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "uptime_s": api.started.elapsed().as_secs(),
        "connections": broker.connections.len(),
        "vhosts": vhosts.len(),
        "queues": queues,
        "consumers": consumers,
        "messages_ready": ready,
        "messages_unacknowledged": unacked,
        "memory_used_bytes": resident_memory(),
        "memory_limit_bytes": broker.alarms.memory_limit(),
        "alarm": broker.alarms.reason(),
    });
    if let Some(map) = facts.as_object_mut() {
        for (name, octets) in operations(&api)?.store_facts() {
            map.insert(name.to_owned(), octets.into());
        }
    }
    Ok(Json(facts))
}

async fn environment(
    State(api): State<SharedApi>,
    _: Administrator,
) -> Result<Json<Value>, ApiError> {
    let settings: Map<String, Value> = operations(&api)?
        .settings()
        .into_iter()
        .map(|(key, value)| (key, value.into()))
        .collect();
    Ok(Json(Value::Object(settings)))
}

async fn stop(State(api): State<SharedApi>, caller: Caller) -> Result<StatusCode, ApiError> {
    require_operator(&caller)?;
    tracing::info!("stopping: the operator asked for it");
    operations(&api)?.stop();
    Ok(StatusCode::NO_CONTENT)
}

async fn rotate_logs(
    State(api): State<SharedApi>,
    _: Administrator,
) -> Result<StatusCode, ApiError> {
    operations(&api)?
        .rotate_logs()
        .map_err(|error| ApiError::unavailable(error.to_string()))?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_log_level(
    State(api): State<SharedApi>,
    _: Administrator,
    body: Body,
) -> Result<StatusCode, ApiError> {
    body.require(&["level"])?;
    let level = body.text("level")?.unwrap_or_default();
    operations(&api)?
        .set_log_level(body.text("category")?, level)
        .map_err(ApiError::bad_request)?;
    tracing::info!("log level set to {level}");
    Ok(StatusCode::NO_CONTENT)
}

/// A share under `relative`, or a size with its unit under `absolute`.
fn amount(body: &Body, relative: &str, most: f64) -> Result<Amount, ApiError> {
    if let Some(text) = body.text("absolute")? {
        return parse_size(text)
            .map(Amount::Absolute)
            .ok_or_else(|| ApiError::bad_request(format!("'{text}' is not a size")));
    }
    match body.get(relative).and_then(Value::as_f64) {
        Some(share) if (0.0..=most).contains(&share) => Ok(Amount::Relative(share)),
        _ => Err(ApiError::bad_request(format!(
            "either 'absolute' or '{relative}' (a number from 0 to {most}) is needed"
        ))),
    }
}

async fn set_memory_limit(
    State(api): State<SharedApi>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    require_operator(&caller)?;
    let limit = operations(&api)?.set_memory_limit(amount(&body, "relative", 1.0)?);
    tracing::info!("Memory high watermark set to {limit} bytes");
    Ok(Json(json!({ "bytes": limit })))
}

/// The largest multiple of the memory that a disk limit may be.
const DISK_SHARE_MAX: f64 = 1000.0;

async fn set_disk_limit(
    State(api): State<SharedApi>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    require_operator(&caller)?;
    let limit = operations(&api)?.set_disk_limit(amount(&body, "mem_relative", DISK_SHARE_MAX)?);
    tracing::info!("Disk free limit set to {limit} bytes");
    Ok(Json(json!({ "bytes": limit })))
}

/// Whether a user could log in: nothing of it is kept.
async fn authenticate_user(
    State(api): State<SharedApi>,
    caller: Caller,
    body: Body,
) -> Result<StatusCode, ApiError> {
    require_operator(&caller)?;
    body.require(&["username", "password"])?;
    let credentials = Credentials {
        user: body.text("username")?.unwrap_or_default().to_owned(),
        proof: Proof::Password(body.text("password")?.unwrap_or_default().into()),
    };
    let tables = api.broker.users.tables();
    let user = tables.user(&credentials.user);
    authenticate(user.map(AsRef::as_ref), &credentials).map_err(|_| ApiError::login_failed())?;
    Ok(StatusCode::NO_CONTENT)
}
