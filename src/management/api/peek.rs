//! Looking into a queue without taking, and deleting or moving what was found:
//! `GET /api/queues/{vhost}/{queue}/peek`, `POST .../messages/delete`, `POST .../messages/requeue`.
//!
//! `offset` (0 leaves next), `count`, `encoding` (`auto` or `base64`) and `truncate` are as for
//! RabbitMQ's get. Positions are those of the moment: a message that leaves in between shifts the
//! ones behind it, but none is deleted for another.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::messages::{shown_payload, shown_properties};
use super::queues::check_exclusive;
use crate::amqp::hot::split_route;
use crate::auth::Access;
use crate::broker::browse::Peeked;
use crate::broker::{SharedQueue, Vhost};
use crate::management::answer;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};
use crate::store::StoreError;
use crate::time::unix_ms;

/// Messages of one answer.
const COUNT_MAX: usize = 1_000;

/// Messages of one answer where the request names no number.
const COUNT: usize = 50;

/// Octets of bodies of one answer; the message that reaches it is the last.
const BODIES_MAX: u64 = 32 * 1024 * 1024;

/// Positions of one request.
const POSITIONS_MAX: usize = 10_000;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/queues/{vhost}/{queue}/peek", get(peek))
        .route("/api/queues/{vhost}/{queue}/messages/delete", post(delete))
        .route(
            "/api/queues/{vhost}/{queue}/messages/requeue",
            post(requeue),
        )
}

/// A queue that the caller may read.
pub(super) fn readable(
    api: &Api,
    caller: &Caller,
    host: &str,
    name: &str,
) -> Result<(Arc<Vhost>, Arc<SharedQueue>), ApiError> {
    let vhost = caller.vhost(&api.broker, host)?;
    let queue = vhost
        .queue(name.as_bytes())
        .ok_or_else(ApiError::not_found)?;
    caller.permit(&api.broker, host, Access::Read, name)?;
    Ok((vhost, queue))
}

/// The same, and the messages may be seen, deleted and sent on: those of an exclusive queue are its
/// connection's, and open to the operator of the machine besides.
pub(super) fn open(
    api: &Api,
    caller: &Caller,
    host: &str,
    name: &str,
) -> Result<(Arc<Vhost>, Arc<SharedQueue>), ApiError> {
    let (vhost, queue) = readable(api, caller, host, name)?;
    check_exclusive(caller, &queue)?;
    Ok((vhost, queue))
}

/// What the disk did not give.
pub(super) fn unreadable(error: &StoreError) -> ApiError {
    ApiError::unavailable(format!("the messages cannot be read: {error}"))
}

fn number(params: &Params, name: &str, default: u64) -> Result<u64, ApiError> {
    match params.get(name) {
        None | Some("") => Ok(default),
        Some(text) => text
            .parse()
            .map_err(|_| ApiError::bad_value("not_integer", &json!(text))),
    }
}

fn item(peeked: &Peeked, auto: bool, truncate: usize) -> Value {
    let record = peeked.chunk.record(peeked.offset);
    let (exchange, routing_key) = split_route(record.route);
    let (payload, encoding) = shown_payload(record.body, auto, truncate);
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("position", peeked.position.into());
    put("id", peeked.id.raw().to_string().into());
    put("payload_bytes", record.body.len().into());
    put("redelivered", peeked.redelivered.into());
    put("delivery_count", peeked.count.into());
    put("exchange", String::from_utf8_lossy(exchange).into());
    put("routing_key", String::from_utf8_lossy(routing_key).into());
    put("properties", shown_properties(record.properties));
    put("payload", payload.into());
    put("payload_encoding", encoding.into());
    if peeked.expires_at != u64::MAX {
        put("expires_at", peeked.expires_at.into());
    }
    Value::Object(fields)
}

async fn peek(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    let (_, queue) = open(&api, &caller, &host, &name)?;
    let offset = number(&params, "offset", 0)?;
    let count = number(&params, "count", COUNT as u64)?;
    let count = usize::try_from(count).unwrap_or(COUNT_MAX).min(COUNT_MAX);
    let truncate = number(&params, "truncate", u64::MAX)?;
    let truncate = usize::try_from(truncate).unwrap_or(usize::MAX);
    let auto = match params.get("encoding") {
        None | Some("" | "auto") => true,
        Some("base64") => false,
        Some(other) => {
            return Err(ApiError::bad_value("unsupported_encoding", &json!(other)));
        }
    };
    let work = move || {
        let broker = &api.broker;
        let peeked = broker.peek(&queue, offset, count, BODIES_MAX, unix_ms())?;
        let items: Vec<Value> = peeked
            .iter()
            .map(|peeked| item(peeked, auto, truncate))
            .collect();
        Ok(json!({
            "total": queue.status().ready,
            "offset": offset,
            "messages": items,
        }))
    };
    let answered: Result<Value, StoreError> = answer::aside(work).await?;
    answered.map(Json).map_err(|error| unreadable(&error))
}

/// The positions of a body, sorted, each once.
fn positions(body: &Body) -> Result<Vec<u64>, ApiError> {
    body.require(&["positions"])?;
    let refused = || ApiError::bad_request("positions must be a list of whole numbers from 0");
    let Some(Value::Array(items)) = body.get("positions") else {
        return Err(refused());
    };
    if items.len() > POSITIONS_MAX {
        return Err(ApiError::bad_request(format!(
            "at most {POSITIONS_MAX} positions at a time"
        )));
    }
    let mut positions = items
        .iter()
        .map(|item| match item {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        })
        .collect::<Option<Vec<u64>>>()
        .ok_or_else(refused)?;
    positions.sort_unstable();
    positions.dedup();
    Ok(positions)
}

async fn delete(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (_, queue) = open(&api, &caller, &host, &name)?;
    let positions = positions(&body)?;
    let asked = positions.len();
    let shared = SharedApi::clone(&api);
    let work = move || shared.broker.delete_at(&queue, &positions, unix_ms());
    let deleted = answer::aside(work).await?.map_err(|e| unreadable(&e))?;
    api.stored(api.broker.journal.last_ticket()).await?;
    Ok(Json(
        json!({ "deleted": deleted, "missing": asked.saturating_sub(deleted) }),
    ))
}

async fn requeue(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (_, queue) = open(&api, &caller, &host, &name)?;
    let positions = positions(&body)?;
    let asked = positions.len();
    let shared = SharedApi::clone(&api);
    let work = move || shared.broker.requeue_at(&queue, &positions, unix_ms());
    let moved = answer::aside(work).await?.map_err(|e| unreadable(&e))?;
    api.stored(api.broker.journal.last_ticket()).await?;
    Ok(Json(
        json!({ "requeued": moved, "missing": asked.saturating_sub(moved) }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_sorted_and_each_stands_once() {
        let of = |text: &str| positions(&Body::parse(text.as_bytes()).unwrap());
        assert_eq!(of(r#"{"positions":[3,"1",3,0]}"#).unwrap(), [0, 1, 3]);
        for bad in [
            "{}",
            r#"{"positions":1}"#,
            r#"{"positions":[-1]}"#,
            r#"{"positions":["x"]}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
