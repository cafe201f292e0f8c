//! What users may do in virtual hosts: `/api/permissions` and `/api/topic-permissions`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::auth::Pattern;
use crate::broker::admin::{PermissionView, TopicPermissionView};
use crate::management::answer;
use crate::management::auth::Administrator;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::{Segments, short};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/permissions", get(list))
        .route(
            "/api/permissions/{vhost}/{user}",
            get(one).put(replace).delete(remove),
        )
        .route("/api/topic-permissions", get(list_topics))
        .route(
            "/api/topic-permissions/{vhost}/{user}",
            get(topics).put(replace_topic).delete(remove_topics),
        )
        .route(
            "/api/topic-permissions/{vhost}/{user}/{exchange}",
            axum::routing::delete(remove_topic),
        )
        .route("/api/vhosts/{vhost}/permissions", get(of_vhost))
        .route(
            "/api/vhosts/{vhost}/topic-permissions",
            get(topics_of_vhost),
        )
}

fn item(view: &PermissionView) -> Value {
    json!({
        "user": view.user,
        "vhost": view.vhost,
        "configure": view.configure,
        "write": view.write,
        "read": view.read,
    })
}

fn topic_item(view: &TopicPermissionView) -> Value {
    json!({
        "user": view.user,
        "vhost": view.vhost,
        "exchange": view.exchange,
        "write": view.write,
        "read": view.read,
    })
}

/// The permissions of a virtual host, a user, or all.
pub(super) fn answer(
    api: &Api,
    listing: &Listing,
    vhost: Option<&str>,
    user: Option<&str>,
) -> Result<Json<Value>, ApiError> {
    let views = api.broker.admin_list_permissions(vhost, user);
    let items = views.iter().map(item).collect();
    Ok(Json(listing.answer(items, &["vhost", "user"])?))
}

/// The permissions for topic exchanges of a virtual host, a user, or all.
pub(super) fn answer_topics(
    api: &Api,
    listing: &Listing,
    vhost: Option<&str>,
    user: Option<&str>,
) -> Result<Json<Value>, ApiError> {
    let views = api.broker.admin_list_topic_permissions(vhost, user);
    let items = views.iter().map(topic_item).collect();
    Ok(Json(listing.answer(items, &["vhost", "user", "exchange"])?))
}

async fn list(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    answer(&api, &listing, None, None)
}

async fn list_topics(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    answer_topics(&api, &listing, None, None)
}

async fn of_vhost(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    listing: Listing,
    Segments(vhost): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &vhost)?;
    answer(&api, &listing, Some(&vhost), None)
}

async fn topics_of_vhost(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    listing: Listing,
    Segments(vhost): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &vhost)?;
    answer_topics(&api, &listing, Some(&vhost), None)
}

async fn one(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
    Segments((vhost, user)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let views = api.broker.admin_list_permissions(Some(&vhost), Some(&user));
    let view = views.first().ok_or_else(ApiError::not_found)?;
    Ok(Json(listing.columns.apply(item(view))))
}

async fn topics(
    State(api): State<SharedApi>,
    _: Administrator,
    listing: Listing,
    Segments((vhost, user)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let views = api
        .broker
        .admin_list_topic_permissions(Some(&vhost), Some(&user));
    if views.is_empty() {
        return Err(ApiError::not_found());
    }
    answer_topics(&api, &listing, Some(&vhost), Some(&user))
}

/// The patterns under `keys`, each one compiled once to see whether it can be.
fn patterns<'a, const N: usize>(body: &'a Body, keys: [&str; N]) -> Result<[&'a str; N], ApiError> {
    let mut found = [""; N];
    for (place, key) in found.iter_mut().zip(keys) {
        let text = body.text(key)?.unwrap_or_default();
        if let Err(error) = Pattern::new(text) {
            return Err(ApiError::bad_request(format!("invalid_regexp: {error}")));
        }
        *place = text;
    }
    Ok(found)
}

async fn replace(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, user)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let keys = ["configure", "write", "read"];
    body.require(&keys)?;
    let patterns = patterns(&body, keys)?;
    let created = api.broker.admin_put_permissions(&vhost, &user, patterns)?;
    answer::put(&api.broker, created).await
}

async fn remove(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, user)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.broker.admin_delete_permissions(&vhost, &user)?;
    answer::done(&api.broker).await
}

async fn replace_topic(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, user)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    body.require(&["exchange", "write", "read"])?;
    let exchange = body.text("exchange")?.unwrap_or_default();
    short("exchange", exchange)?;
    let patterns = patterns(&body, ["write", "read"])?;
    let created = api
        .broker
        .admin_put_topic_permissions(&vhost, &user, exchange, patterns)?;
    answer::put(&api.broker, created).await
}

async fn remove_topics(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, user)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    api.broker
        .admin_delete_topic_permissions(&vhost, &user, None)?;
    answer::done(&api.broker).await
}

async fn remove_topic(
    State(api): State<SharedApi>,
    _: Administrator,
    Segments((vhost, user, exchange)): Segments<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    api.broker
        .admin_delete_topic_permissions(&vhost, &user, Some(&exchange))?;
    answer::done(&api.broker).await
}
