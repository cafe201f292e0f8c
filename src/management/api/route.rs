//! `POST /api/route`: where a message would go, without sending one: which queues, under which
//! policy, and what a limit of theirs would do.

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::amqp::properties::Properties;
use crate::auth::Access;
use crate::broker::SharedQueue;
use crate::broker::route::{RoutedMessage, extra_keys};
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::segments::exchange_name;
use crate::management::shape::tables::from_json;
use crate::management::state::SharedApi;
use crate::queue::{Overflow, QueueArguments};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/route", post(route))
}

/// What the next message would meet in a queue that is full; `None` where there is room.
fn limit(settings: &QueueArguments, messages: u64) -> Option<String> {
    let length = settings.max_length.filter(|most| messages >= *most)?;
    let what = match settings.overflow {
        Overflow::DropHead if settings.dead_letter_exchange.is_some() => {
            "the oldest message would be dead-lettered"
        }
        Overflow::DropHead => "the oldest message would be dropped",
        Overflow::RejectPublishDlx => "the message would be refused and dead-lettered",
        Overflow::RejectPublish => "the message would be refused",
    };
    Some(format!("max-length {length} is reached: {what}"))
}

fn item(queue: &SharedQueue) -> Value {
    let status = queue.status();
    let policy = queue.policy();
    let name_of = |name: Option<&String>| name.cloned();
    json!({
        "name": queue.name.to_string(),
        "vhost": queue.vhost_name.to_string(),
        "type": queue.settings.kind.name(),
        "durable": queue.durable,
        "exclusive": queue.owner.is_some(),
        "policy": policy.as_ref().and_then(|p| name_of(p.policy.as_ref())),
        "operator_policy": policy.as_ref().and_then(|p| name_of(p.operator_policy.as_ref())),
        "messages": status.ready + status.unacked,
        "messages_ready": status.ready,
        "consumers": status.consumers,
        "max_length": queue.in_force(|settings| settings.max_length),
        "message_ttl": queue.in_force(|settings| settings.message_ttl_ms),
        "limit": queue.in_force(|settings| limit(settings, status.ready)),
    })
}

async fn route(
    State(api): State<SharedApi>,
    caller: Caller,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    body.require(&["vhost", "exchange", "routing_key"])?;
    let host = body.text("vhost")?.unwrap_or_default();
    let vhost = caller.vhost(&api.broker, host)?;
    let name = exchange_name(body.text("exchange")?.unwrap_or_default());
    let routing_key = body.text("routing_key")?.unwrap_or_default();
    let headers = from_json(&body.object("headers")?)
        .ok_or_else(|| ApiError::bad_request("the headers do not fit a field table"))?;
    let extra = extra_keys(&headers).map_err(ApiError::bad_request)?;
    let mut keys = vec![routing_key.as_bytes()];
    keys.extend(extra.iter().map(Vec::as_slice));
    let route = if name.is_empty() {
        vhost.route_default(&keys)
    } else {
        let exchange = vhost
            .exchange(name.as_bytes())
            .ok_or_else(|| ApiError::missing(format!("no exchange '{name}' in vhost '{host}'")))?;
        vhost.route(
            &exchange,
            RoutedMessage {
                keys: &keys,
                headers: Some(&headers),
                properties: &Properties::default(),
                random: rand::random(),
            },
        )
    };
    let queues: Vec<Value> = route.queues.iter().map(|queue| item(queue)).collect();
    let permitted = caller
        .permit(&api.broker, host, Access::Write, name)
        .is_ok();
    Ok(Json(json!({
        "routed": !queues.is_empty(),
        "permitted": permitted,
        "queues": queues,
    })))
}
