//! Limits of virtual hosts and users: `/api/vhost-limits`, `/api/user-limits`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, put};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::broker::admin::{UserView, VhostLimits};
use crate::management::answer;
use crate::management::auth::{Administrator, Caller};
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::Segments;
use crate::management::state::SharedApi;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/vhost-limits", get(list))
        .route("/api/vhost-limits/{vhost}", get(of_vhost))
        .route("/api/vhost-limits/{vhost}/{name}", put(set).delete(clear))
        .route("/api/user-limits", get(list_users))
        .route("/api/user-limits/{user}", get(of_user))
        .route(
            "/api/user-limits/{user}/{name}",
            put(set_user).delete(clear_user),
        )
}

fn item(limits: &VhostLimits) -> Value {
    json!({ "vhost": limits.vhost, "value": limits.value })
}

/// `None` where no limit is set.
fn user_item(user: &UserView) -> Option<Value> {
    let named = user.limits.named();
    let value: Map<String, Value> = named
        .into_iter()
        .map(|(name, limit)| (name, json!(limit)))
        .collect();
    (!value.is_empty()).then(|| json!({ "user": user.name, "value": value }))
}

async fn list(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    let limits = api.broker.admin_list_vhost_limits(None);
    let seen = limits
        .iter()
        .filter(|limits| caller.user.is_monitor() || caller.has_access(&api.broker, &limits.vhost));
    Ok(Json(listing.answer(seen.map(item).collect(), &["vhost"])?))
}

async fn of_vhost(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(vhost): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.monitored_vhost(&api.broker, &vhost)?;
    let limits = api.broker.admin_list_vhost_limits(Some(&vhost));
    let set = limits.iter().filter(|limits| !limits.value.is_empty());
    Ok(Json(listing.answer(set.map(item).collect(), &["vhost"])?))
}

/// The limit of a body, also where it is a number written as a text.
fn limit(body: &Body) -> Result<Value, ApiError> {
    body.require(&["value"])?;
    let value = body.get("value").cloned().unwrap_or_default();
    let number = value.as_str().and_then(|text| text.parse::<i64>().ok());
    Ok(number.map_or(value, Value::from))
}

async fn set(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, name)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let limit = limit(&body)?;
    api.broker.admin_put_vhost_limit(&vhost, &name, &limit)?;
    answer::done(&api.broker).await
}

async fn clear(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.broker.admin_delete_vhost_limit(&vhost, Some(&name))?;
    answer::done(&api.broker).await
}

async fn list_users(
    State(api): State<SharedApi>,
    _caller: Caller,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    // RabbitMQ shows them to whoever may use the API.
    let users = api.broker.admin_list_users();
    let items = users.iter().filter_map(user_item).collect();
    Ok(Json(listing.answer(items, &["user"])?))
}

async fn of_user(
    State(api): State<SharedApi>,
    _caller: Caller,
    listing: Listing,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    let user = api.broker.admin_get_user(&name);
    let user = user.ok_or_else(ApiError::not_found)?;
    let items = user_item(&user).into_iter().collect();
    Ok(Json(listing.answer(items, &["user"])?))
}

async fn set_user(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((user, name)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let limits = Map::from_iter([(name, limit(&body)?)]);
    api.broker.admin_set_user_limits(&user, &limits)?;
    answer::done(&api.broker).await
}

async fn clear_user(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((user, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.broker.admin_delete_user_limit(&user, Some(&name))?;
    answer::done(&api.broker).await
}
