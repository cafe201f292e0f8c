//! Queues: all, of a virtual host, one; their bindings; declaring, purging and deleting them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete as on_delete, get, post};
use serde_json::json;

use crate::auth::Access;
use crate::broker::declare_queue::{Declared, QuorumAsked, check_quorum};
use crate::broker::observe::views::binding::to_destination;
use crate::broker::observe::views::queue::queues;
use crate::broker::shared_queue::{QueueSpec, queue_subject};
use crate::broker::{SharedQueue, Vhost};
use crate::exchange::Destination;
use crate::ids::Name;
use crate::management::auth::{Administrator, Caller};
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::query::Params;
use crate::management::reading::Reading;
use crate::management::rows::QueueRow;
use crate::management::rows::queue::Shown;
use crate::management::segments::{Segments, short};
use crate::management::shape::{Answer, Ranges, aside, tables};
use crate::management::state::{Api, SharedApi};
use crate::queue::{QueueArguments, QueueKind};
use crate::time::unix_ms;

/// Who the API is among connections: no connection has this number, so that it owns no queue.
const NO_CONNECTION: u64 = 0;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    let one = "/api/queues/{vhost}/{queue}";
    Router::new()
        .route("/api/queues", get(all))
        .route("/api/queues/detailed", get(all))
        .route("/api/queues/{vhost}", get(of_vhost))
        .route("/api/users/{user}/queues", get(of_user))
        .route(one, get(show).put(declare).delete(delete))
        .route(&format!("{one}/bindings"), get(bindings))
        .route(&format!("{one}/contents"), on_delete(purge))
        .route(&format!("{one}/actions"), post(act))
}

/// How much of each queue a list shows.
fn shown(api: &Api, params: &Params) -> Shown {
    let management = &api.settings.management;
    let disabled = match params.get("disable_stats") {
        Some(text) => text == "true",
        None => management.disable_stats,
    };
    let totals = match params.get("enable_queue_totals") {
        Some(text) => text == "true",
        None => management.enable_queue_totals,
    };
    match (disabled, totals) {
        (false, _) => Shown::List,
        (true, true) => Shown::Totals,
        (true, false) => Shown::Declared,
    }
}

fn list(
    api: &Api,
    queues: Vec<Arc<SharedQueue>>,
    listing: &Listing,
    (shown, ranges): (Shown, Ranges),
) -> Result<Answer, ApiError> {
    listing.rows(
        queues,
        &["vhost", "name"],
        |queue| queue.name.to_string(),
        |queue, _| QueueRow::of(api, queue, shown, ranges),
    )
}

async fn all(
    Reading(api, caller, listing, ranges): Reading,
    params: Params,
) -> Result<Answer, ApiError> {
    aside(move || {
        let all = caller
            .visible_vhosts(&api.broker)
            .iter()
            .flat_map(|vhost| queues(&api.broker, Some(vhost)))
            .collect();
        list(&api, all, &listing, (shown(&api, &params), ranges))
    })
    .await
}

async fn of_vhost(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
    params: Params,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &name)?;
    aside(move || {
        let all = queues(&api.broker, Some(&vhost));
        list(&api, all, &listing, (shown(&api, &params), ranges))
    })
    .await
}

/// The queues that a user declared, as RabbitMQ 4.x lists them.
async fn of_user(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
    params: Params,
) -> Result<Answer, ApiError> {
    caller.require_administrator()?;
    let user = api.broker.admin_get_user(&name);
    let user = user.ok_or_else(ApiError::not_found)?;
    aside(move || {
        let mut all = queues(&api.broker, None);
        all.retain(|queue| queue.declared_by.as_bytes() == user.name.as_bytes());
        list(&api, all, &listing, (shown(&api, &params), ranges))
    })
    .await
}

/// An exclusive queue is its connection's, and the operator's of the machine besides.
pub(super) fn check_exclusive(caller: &Caller, queue: &SharedQueue) -> Result<(), ApiError> {
    if !caller.operator {
        queue.check_access(NO_CONNECTION)?;
    }
    Ok(())
}

/// The queue of a path.
pub fn find(vhost: &Vhost, name: &str) -> Result<Arc<SharedQueue>, ApiError> {
    vhost.queue(name.as_bytes()).ok_or_else(ApiError::not_found)
}

async fn show(
    Reading(api, caller, listing, ranges): Reading,
    Segments((vhost, name)): Segments<(String, String)>,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &vhost)?;
    let queue = find(&vhost, &name)?;
    let row = QueueRow::of(&api, &queue, Shown::Single, ranges);
    Answer::row(&row, &listing.columns)
}

async fn bindings(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((vhost, name)): Segments<(String, String)>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &vhost)?;
    let queue = find(&vhost, &name)?;
    let views = to_destination(&vhost, &Destination::Queue(queue.name.clone()));
    super::bindings::list(&vhost, views, &listing)
}

async fn declare(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.put_vhost(&api.broker, &host)?;
    let permit = |access, name: &str| caller.permit(&api.broker, &host, access, name);
    permit(Access::Configure, &name)?;
    short("queue", &name)?;
    let durable = body.boolean("durable")?.unwrap_or(false);
    let auto_delete = body.boolean("auto_delete")?.unwrap_or(false);
    let arguments = tables::of_body(&body)?;
    let now = unix_ms();
    if let Some(queue) = vhost.queue(name.as_bytes()) {
        let declared = Declared {
            durable,
            owner: None,
            auto_delete,
            arguments: &arguments,
        };
        vhost.same_queue(&queue, &declared, NO_CONNECTION)?;
        queue.touch(now);
        vhost.churn.declared.add(1);
        return Ok(StatusCode::NO_CONTENT);
    }
    if name.starts_with("amq.") {
        return Err(ApiError::access_refused());
    }
    let subject = queue_subject(name.as_bytes(), &vhost.name);
    let settings = QueueArguments::parse(&arguments, &subject, vhost.default_kind())?;
    if settings.kind == QueueKind::Quorum {
        let asked = QuorumAsked {
            durable,
            exclusive: false,
            auto_delete,
            nameless: name.is_empty(),
        };
        check_quorum(&subject, &asked)?;
    }
    if let Some(exchange) = settings.dead_letter_exchange.as_deref() {
        permit(Access::Read, &name)?;
        permit(Access::Write, &String::from_utf8_lossy(exchange))?;
    }
    let spec = QueueSpec {
        name: Name::from(name.as_str()),
        durable,
        owner: None,
        auto_delete,
        arguments,
        settings,
        declared_by: Name::from(caller.name()),
    };
    let (_, new) = vhost.declare_queue(&api.broker, spec, NO_CONNECTION, now)?;
    vhost.churn.declared.add(1);
    api.settled().await?;
    Ok(match new {
        true => StatusCode::CREATED,
        false => StatusCode::NO_CONTENT,
    })
}

async fn delete(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    let queue = find(&vhost, &name)?;
    caller.permit(&api.broker, &host, Access::Configure, &name)?;
    check_exclusive(&caller, &queue)?;
    vhost.delete_queue(&queue, params.flag("if-unused"), params.flag("if-empty"))?;
    api.settled().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn purge(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    let queue = find(&vhost, &name)?;
    caller.permit(&api.broker, &host, Access::Read, &name)?;
    check_exclusive(&caller, &queue)?;
    let purged = aside({
        let api = SharedApi::clone(&api);
        move || Ok(queue.purge(&api.broker))
    })
    .await?;
    if purged.is_none() {
        return Err(ApiError::not_found());
    }
    api.stored(api.broker.journal.last_ticket()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Mirrors, which `sync` and `cancel_sync` are about, do not exist on a single node.
async fn act(
    State(api): State<SharedApi>,
    Administrator(caller): Administrator,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    find(&vhost, &name)?;
    body.require(&["action"])?;
    match body.text("action")? {
        Some("sync" | "cancel_sync") => Ok(StatusCode::NO_CONTENT),
        other => Err(ApiError::bad_value("unknown", &json!(other))),
    }
}
