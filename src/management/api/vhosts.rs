//! Virtual hosts: `/api/vhosts`.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::users::tags;
use super::vhost_stats;
use crate::broker::admin::{VhostChange, VhostView};
use crate::broker::observe::views as observe;
use crate::ids::Name;
use crate::management::answer;
use crate::management::auth::Administrator;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::reading::Reading;
use crate::management::segments::{Segments, short};
use crate::management::shape::ranges::Ranges;
use crate::management::state::{Api, SharedApi};

/// What the creator of a virtual host may do in it, as in RabbitMQ: everything.
const CREATOR: [&str; 3] = [".*", ".*", ".*"];

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/vhosts", get(list))
        .route("/api/vhosts/{vhost}", get(one).put(replace).delete(remove))
        .route("/api/vhosts/{vhost}/start/{node}", post(start))
        .route(
            "/api/vhosts/{vhost}/deletion/protection",
            post(protect::<true>).delete(protect::<false>),
        )
}

/// What is configured of a virtual host.
fn item(api: &Api, view: &VhostView) -> Map<String, Value> {
    let kind = view.default_queue_type.as_deref();
    let kind = kind.unwrap_or_else(|| api.broker.options.default_kind.name());
    let fields = json!({
        "name": view.name,
        "description": view.description,
        "tags": view.tags,
        "default_queue_type": kind,
        "metadata": {
            "description": view.description,
            "tags": view.tags,
            "default_queue_type": kind,
            "protected_from_deletion": view.protected,
        },
        "tracing": view.tracing,
        "protected_from_deletion": view.protected,
        "cluster_state": { api.node.name.as_str(): "running" },
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

async fn list(Reading(api, caller, listing, ranges): Reading) -> Result<Json<Value>, ApiError> {
    let views = api.broker.admin_list_vhosts().into_iter();
    let seen =
        views.filter(|view| caller.user.is_monitor() || caller.has_access(&api.broker, &view.name));
    let mut numbers: HashMap<Name, observe::VhostView> = observe::vhost::vhosts(&api.broker)
        .into_iter()
        .map(|view| (view.vhost.name.clone(), view))
        .collect();
    let items = seen.map(|view| {
        let mut fields = item(&api, &view);
        if let Some(seen) = numbers.remove(view.name.as_bytes()) {
            vhost_stats::add(&api, &seen, ranges, &mut fields);
        }
        Value::Object(fields)
    });
    Ok(Json(listing.answer(items.collect(), &["name"])?))
}

async fn one(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
    ranges: Ranges,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    let view = api.broker.admin_get_vhost(&name);
    let view = view.ok_or_else(ApiError::not_found)?;
    let mut fields = item(&api, &view);
    if let Some(vhost) = api.broker.vhost(name.as_bytes()) {
        let seen = observe::VhostView::of(&api.broker, &vhost);
        vhost_stats::add(&api, &seen, ranges, &mut fields);
    }
    Ok(Json(listing.columns.apply(Value::Object(fields))))
}

/// What a body says of a virtual host.
pub(super) fn change(body: &Body) -> Result<VhostChange, ApiError> {
    Ok(VhostChange {
        description: body.text("description")?.map(str::to_owned),
        tags: body.get("tags").map(tags).transpose()?,
        default_queue_type: body.text("default_queue_type")?.map(str::to_owned),
        tracing: body.boolean("tracing")?,
        protected: body.boolean("protected_from_deletion")?,
    })
}

async fn replace(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    Segments(name): Segments<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    short("vhost", &name)?;
    let created = api.broker.admin_put_vhost(&name, change(&body)?)?;
    if created.0 && !caller.operator {
        api.broker
            .admin_put_permissions(&name, caller.name(), CREATOR)?;
    }
    answer::put(&api.broker, created).await
}

async fn remove(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments(name): Segments<String>,
) -> Result<StatusCode, ApiError> {
    let shared = SharedApi::clone(&api);
    // Every queue in it is deleted one by one.
    answer::aside(move || shared.broker.admin_delete_vhost(&name)).await??;
    answer::done(&api.broker).await
}

/// Protects a virtual host from being deleted, or takes that back.
async fn protect<const ON: bool>(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments(name): Segments<String>,
) -> Result<StatusCode, ApiError> {
    api.broker.admin_protect_vhost(&name, ON)?;
    answer::done(&api.broker).await
}

/// A virtual host of a running node runs.
async fn start(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    Segments((vhost, node)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    caller.vhost(&api.broker, &vhost)?;
    if node != api.node.name {
        return Err(ApiError::bad_request(format!(
            "Request to node {node} failed with nodedown"
        )));
    }
    Ok(StatusCode::NO_CONTENT)
}
