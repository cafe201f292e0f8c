//! Parameters of virtual hosts (`/api/parameters`) and of the broker (`/api/global-parameters`),
//! and the cluster's name, which is one of the latter.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::broker::admin::{
    COMPONENTS_OF_ADMINISTRATORS, GLOBAL_CLUSTER_NAME, GLOBALS_OF_ADMINISTRATORS, Parameter,
};
use crate::management::answer;
use crate::management::auth::{Administrator, Caller};
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::{Segments, short};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/parameters", get(list))
        .route("/api/parameters/{component}", get(of_component))
        .route("/api/parameters/{component}/{vhost}", get(of_vhost))
        .route(
            "/api/parameters/{component}/{vhost}/{name}",
            get(one).put(replace).delete(remove),
        )
        .route("/api/global-parameters", get(list_global))
        .route(
            "/api/global-parameters/{name}",
            get(one_global).put(replace_global).delete(remove_global),
        )
        .route("/api/cluster-name", get(cluster_name).put(name_cluster))
}

fn item(parameter: &Parameter) -> Value {
    json!({
        "value": parameter.value,
        "vhost": parameter.vhost,
        "component": parameter.component,
        "name": parameter.name,
    })
}

fn answer_list(
    api: &Api,
    caller: &Caller,
    listing: &Listing,
    component: Option<&str>,
    vhost: Option<&str>,
) -> Result<Json<Value>, ApiError> {
    let found = api.broker.admin_list_parameters(component, vhost);
    let seen = found
        .iter()
        .filter(|parameter| caller.has_access(&api.broker, &parameter.vhost));
    let items = seen.map(item).collect();
    Ok(Json(
        listing.answer(items, &["vhost", "component", "name"])?,
    ))
}

async fn list(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    caller.require_policymaker()?;
    answer_list(&api, &caller, &listing, None, None)
}

async fn of_component(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(component): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.require_policymaker()?;
    answer_list(&api, &caller, &listing, Some(&component), None)
}

async fn of_vhost(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments((component, vhost)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.policymaker_in(&api.broker, &vhost)?;
    answer_list(&api, &caller, &listing, Some(&component), Some(&vhost))
}

async fn one(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments((component, vhost, name)): Segments<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.policymaker_in(&api.broker, &vhost)?;
    let found = api.broker.admin_get_parameter(&component, &vhost, &name);
    let found = found.ok_or_else(ApiError::not_found)?;
    Ok(Json(listing.columns.apply(item(&found))))
}

/// What another endpoint keeps to administrators is theirs here too.
fn require_rank(caller: &Caller, name: &str, of_administrators: &[&str]) -> Result<(), ApiError> {
    if of_administrators.contains(&name) {
        caller.require_administrator()
    } else {
        caller.require_policymaker()
    }
}

/// For changes: RabbitMQ has another word for a virtual host that is not there.
fn may_change(api: &Api, caller: &Caller, component: &str, vhost: &str) -> Result<(), ApiError> {
    require_rank(caller, component, &COMPONENTS_OF_ADMINISTRATORS)?;
    if api.broker.vhost(vhost.as_bytes()).is_none() {
        return Err(ApiError::missing("vhost_not_found"));
    }
    caller.policymaker_in(&api.broker, vhost).map(drop)
}

async fn replace(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((component, vhost, name)): Segments<(String, String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    may_change(&api, &caller, &component, &vhost)?;
    short("parameter", &name)?;
    body.require(&["value"])?;
    let parameter = Parameter {
        vhost,
        component,
        name,
        value: body.get("value").cloned().unwrap_or_default(),
    };
    let shared = SharedApi::clone(&api);
    // An operator policy is one of them.
    let created = answer::aside(move || shared.broker.admin_put_parameter(parameter)).await??;
    answer::put(&api.broker, created).await
}

async fn remove(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((component, vhost, name)): Segments<(String, String, String)>,
) -> Result<StatusCode, ApiError> {
    require_rank(&caller, &component, &COMPONENTS_OF_ADMINISTRATORS)?;
    caller.policymaker_in(&api.broker, &vhost)?;
    let shared = SharedApi::clone(&api);
    let delete = move || {
        let broker = &shared.broker;
        broker.admin_delete_parameter(&component, &vhost, &name)
    };
    answer::aside(delete).await??;
    answer::done(&api.broker).await
}

fn global_item(name: &str, value: &Value) -> Value {
    json!({ "name": name, "value": value })
}

async fn list_global(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    caller.require_policymaker()?;
    let found = api.broker.admin_list_global_parameters();
    let items = found.iter().map(|(name, value)| global_item(name, value));
    Ok(Json(listing.answer(items.collect(), &["name"])?))
}

async fn one_global(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    caller.require_policymaker()?;
    let value = api.broker.admin_get_global_parameter(&name);
    let value = value.ok_or_else(ApiError::not_found)?;
    Ok(Json(listing.columns.apply(global_item(&name, &value))))
}

async fn replace_global(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    require_rank(&caller, &name, &GLOBALS_OF_ADMINISTRATORS)?;
    short("parameter", &name)?;
    body.require(&["value"])?;
    let value = body.get("value").cloned().unwrap_or_default();
    let created = api.broker.admin_put_global_parameter(&name, value)?;
    answer::put(&api.broker, created).await
}

async fn remove_global(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<StatusCode, ApiError> {
    require_rank(&caller, &name, &GLOBALS_OF_ADMINISTRATORS)?;
    api.broker.admin_delete_global_parameter(&name)?;
    answer::done(&api.broker).await
}

async fn cluster_name(State(api): State<SharedApi>, _caller: Caller) -> Json<Value> {
    Json(json!({ "name": api.cluster_name() }))
}

async fn name_cluster(
    State(api): State<SharedApi>,
    _: Administrator,
    body: Body,
) -> Result<StatusCode, ApiError> {
    body.require(&["name"])?;
    let name = body.text("name")?.unwrap_or_default();
    api.broker
        .admin_put_global_parameter(GLOBAL_CLUSTER_NAME, json!(name))?;
    answer::done(&api.broker).await
}
