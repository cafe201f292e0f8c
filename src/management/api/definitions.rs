//! Definitions as a file: `/api/definitions`, of the whole broker or of one virtual host.

use axum::extract::{FromRequest, Multipart, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::broker::admin::{Scope, Writer};
use crate::management::answer;
use crate::management::auth::{Administrator, Caller};
use crate::management::body::RawBody;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/definitions", get(export).post(import))
        .route("/api/all-configuration", get(export).post(import))
        .route(
            "/api/definitions/{vhost}",
            get(export_vhost).post(import_vhost),
        )
        .route("/api/leveret/imports", get(imports))
}

fn exported(api: &Api, scope: Scope<'_>) -> Option<Value> {
    let node = &api.settings.node;
    let writer = Writer {
        rabbitmq_version: &node.product_version,
        product_name: &node.product_name,
        product_version: &node.product_version,
    };
    api.broker.export_definitions(scope, writer)
}

/// The file; as a download where the request names one.
fn file(definitions: Value, params: &Params) -> Response {
    let mut response = Json(definitions).into_response();
    if let Some(name) = params.get("download") {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._- @+".contains(c);
        let name: String = name.chars().filter(|c| plain(*c)).collect();
        let text = format!("attachment; filename=\"{name}\"");
        if let Ok(value) = HeaderValue::from_str(&text) {
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, value);
        }
    }
    response
}

async fn export(
    State(api): State<SharedApi>,
    _: Administrator,
    params: Params,
) -> Result<Response, ApiError> {
    let default_vhost = api.settings.defaults.vhost.clone();
    let definitions = answer::aside(move || {
        exported(
            &api,
            Scope::Broker {
                default_vhost: &default_vhost,
            },
        )
    })
    .await?;
    let definitions = definitions.ok_or_else(ApiError::not_found)?;
    Ok(file(definitions, &params))
}

async fn export_vhost(
    State(api): State<SharedApi>,
    _: Administrator,
    params: Params,
    Segments(vhost): Segments<String>,
) -> Result<Response, ApiError> {
    let definitions = answer::aside(move || exported(&api, Scope::Vhost(&vhost))).await?;
    let definitions = definitions.ok_or_else(|| ApiError::bad_request("vhost_not_found"))?;
    Ok(file(definitions, &params))
}

/// The text of a request: its body, or the file of a form.
async fn text(api: &SharedApi, request: Request) -> Result<String, ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE);
    let is_form = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    let octets = if is_form {
        form_file(api, request).await?
    } else {
        let RawBody(octets) = RawBody::from_request(request, api).await?;
        octets.to_vec()
    };
    String::from_utf8(octets).map_err(|_| ApiError::bad_request("failed_to_parse_json"))
}

async fn form_file(api: &SharedApi, request: Request) -> Result<Vec<u8>, ApiError> {
    let broken = |error: &dyn std::fmt::Display| ApiError::bad_request(format!("form: {error}"));
    let mut form = Multipart::from_request(request, api)
        .await
        .map_err(|error| broken(&error))?;
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        if field.name() == Some("file") {
            let octets = field.bytes().await.map_err(|error| broken(&error))?;
            return Ok(octets.to_vec());
        }
    }
    Err(ApiError::bad_request("[{key_missing,file}]"))
}

async fn import(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    request: Request,
) -> Result<StatusCode, ApiError> {
    let text = text(&api, request).await?;
    put(&api, &caller, text, None).await
}

async fn import_vhost(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    Segments(vhost): Segments<String>,
    request: Request,
) -> Result<StatusCode, ApiError> {
    if api.broker.vhost(vhost.as_bytes()).is_none() {
        return Err(ApiError::missing("vhost_not_found"));
    }
    let text = text(&api, request).await?;
    put(&api, &caller, text, Some(vhost)).await
}

/// How far the imports under way have come.
async fn imports(State(api): State<SharedApi>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.require_administrator()?;
    let all = api.broker.imports.all();
    let shown = all.iter().map(|import| {
        let progress = import.progress();
        json!({
            "source": import.source,
            "done": progress.done,
            "total": progress.total,
            "elapsed_ms": u64::try_from(import.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    });
    Ok(Json(shown.collect()))
}

/// All of the file or none of it.
async fn put(
    api: &SharedApi,
    caller: &Caller,
    text: String,
    vhost: Option<String>,
) -> Result<StatusCode, ApiError> {
    let shared = SharedApi::clone(api);
    let by = caller.name().to_owned();
    let work = move || {
        let scope = match &vhost {
            Some(name) => Scope::Vhost(name),
            None => Scope::Broker {
                default_vhost: &shared.settings.defaults.vhost,
            },
        };
        let source = "definitions over HTTP";
        shared.broker.import_in_sight(&text, scope, &by, source)
    };
    match answer::aside(work).await? {
        Ok(()) => answer::done(&api.broker).await,
        Err(failure) if failure.is_not_json() => Err(ApiError::bad_request("failed_to_parse_json")),
        Err(failure) => Err(ApiError::bad_request(failure.to_string())),
    }
}
