//! Publishing to an exchange and getting from a queue.

use std::borrow::Cow;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::queues::find;
use crate::amqp::hot::split_route;
use crate::amqp::properties::Properties;
use crate::amqp::{AmqpError, Table};
use crate::auth::Access;
use crate::broker::inject::Injected;
use crate::exchange::ExchangeType;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::segments::{Segments, exchange_name, short as short_name};
use crate::management::shape::tables::{Arguments, from_json};
use crate::management::shape::{Answer, aside};
use crate::management::state::{Api, SharedApi};
use crate::queue::MessageId;
use crate::queue::serving::Taken;
use crate::queue::settle::Settlement;
use crate::time::unix_ms;

/// Messages that one request may get.
const GET_MAX: i64 = 100_000;

/// Octets of bodies that one answer may hold; it ends with the message that exceeds them.
const GET_BYTES: usize = 64 * 1024 * 1024;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/exchanges/{vhost}/{exchange}/publish", post(publish))
        .route("/api/queues/{vhost}/{queue}/get", post(take))
}

/// What a channel would have been closed with, as RabbitMQ's API words it.
fn closed_with(error: &AmqpError) -> ApiError {
    ApiError::bad_request(format!(
        "{} {} - {}",
        error.code as u16,
        error.code.name(),
        error.text
    ))
}

/// The properties of a message to publish; RabbitMQ's names, numbers as texts too.
struct Given {
    texts: Vec<(&'static str, String)>,
    delivery_mode: Option<u8>,
    priority: Option<u8>,
    timestamp: Option<u64>,
    headers: Option<Table>,
}

const TEXTS: [&str; 10] = [
    "content_type",
    "content_encoding",
    "correlation_id",
    "reply_to",
    "expiration",
    "message_id",
    "type",
    "user_id",
    "app_id",
    "cluster_id",
];

/// A text of 255 octets at most, as a short string holds.
fn short(name: &str, value: &Value) -> Result<String, ApiError> {
    match value {
        Value::String(text) if text.len() <= 255 => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(ApiError::bad_value("not_a_string", &json!(name))),
    }
}

fn number<N: TryFrom<u64>>(name: &str, value: &Value) -> Result<N, ApiError> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| ApiError::bad_value("not_int", &json!(name)))
}

impl Given {
    fn read(fields: &Map<String, Value>) -> Result<Self, ApiError> {
        let mut texts = Vec::new();
        for name in TEXTS {
            if let Some(value) = fields.get(name) {
                texts.push((name, short(name, value)?));
            }
        }
        let headers = match fields.get("headers") {
            None | Some(Value::Null) => None,
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(Value::Object(headers)) => Some(
                from_json(headers)
                    .ok_or_else(|| ApiError::bad_request("the headers do not fit a field table"))?,
            ),
            Some(_) => return Err(ApiError::bad_value("not_an_object", &json!("headers"))),
        };
        let some = |name| fields.get(name).filter(|value| !value.is_null());
        Ok(Self {
            texts,
            delivery_mode: some("delivery_mode")
                .map(|value| number("delivery_mode", value))
                .transpose()?,
            priority: some("priority")
                .map(|value| number("priority", value))
                .transpose()?,
            timestamp: some("timestamp")
                .map(|value| number("timestamp", value))
                .transpose()?,
            headers,
        })
    }

    fn properties(&self) -> Properties<'_> {
        let text = |name: &str| {
            let mut texts = self.texts.iter();
            let found = texts.find(|(known, _)| *known == name);
            found.map(|(_, value)| value.as_bytes())
        };
        Properties {
            content_type: text("content_type"),
            content_encoding: text("content_encoding"),
            headers: None,
            delivery_mode: self.delivery_mode,
            priority: self.priority,
            correlation_id: text("correlation_id"),
            reply_to: text("reply_to"),
            expiration: text("expiration"),
            message_id: text("message_id"),
            timestamp: self.timestamp,
            kind: text("type"),
            user_id: text("user_id"),
            app_id: text("app_id"),
            cluster_id: text("cluster_id"),
        }
    }
}

fn payload(body: &Body) -> Result<Vec<u8>, ApiError> {
    let text = body.text("payload")?.unwrap_or_default();
    match body.text("payload_encoding")?.unwrap_or_default() {
        "string" => Ok(text.as_bytes().to_vec()),
        "base64" => STANDARD
            .decode(text)
            .map_err(|_| ApiError::bad_value("not_base64", &json!(text))),
        other => Err(ApiError::bad_value("unsupported_encoding", &json!(other))),
    }
}

/// Who says to be somebody else must be allowed to.
fn check_user_id(caller: &Caller, properties: &Properties<'_>) -> Result<(), ApiError> {
    let Some(claimed) = properties.user_id else {
        return Ok(());
    };
    let free = caller.operator || caller.user.is_impersonator();
    if free || claimed == caller.name().as_bytes() {
        return Ok(());
    }
    Err(closed_with(&AmqpError::precondition_failed(format!(
        "user_id property set to '{}' but authenticated user was '{}'",
        String::from_utf8_lossy(claimed),
        caller.name()
    ))))
}

async fn publish(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, segment)): Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    body.require(&["properties", "routing_key", "payload", "payload_encoding"])?;
    let name = exchange_name(&segment);
    let exchange = match name {
        "" => None,
        name => Some(
            vhost
                .existing_exchange(name.as_bytes())
                .map_err(|error| closed_with(&error))?,
        ),
    };
    caller.permit(&api.broker, &host, Access::Write, name)?;
    let routing_key = body.text("routing_key")?.unwrap_or_default();
    short_name("routing_key", routing_key)?;
    let topic = exchange.is_some_and(|exchange| exchange.kind == ExchangeType::Topic);
    if topic && !caller.operator {
        let tables = api.broker.users.tables();
        let key = routing_key.as_bytes();
        if !tables.topic_allows(caller.name(), &host, name.as_bytes(), Access::Write, key) {
            return Err(ApiError::access_refused());
        }
    }
    let given = Given::read(&body.object("properties")?)?;
    let properties = given.properties();
    check_user_id(&caller, &properties)?;
    let payload = payload(&body)?;
    let message = Injected {
        exchange: name.as_bytes(),
        routing_key: routing_key.as_bytes(),
        properties,
        headers: given.headers.as_ref(),
        body: &payload,
    };
    let outcome = api
        .broker
        .inject(&vhost, message, unix_ms())
        .map_err(|error| closed_with(&error))?;
    api.stored(outcome.ticket).await?;
    Ok(Json(json!({ "routed": outcome.routed })))
}

/// What becomes of the messages that are got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AckMode {
    /// They stay.
    Requeue,
    /// They are gone.
    Ack,
    /// They are rejected: gone, or dead-lettered.
    Reject,
}

impl AckMode {
    fn read(text: &str) -> Result<Self, ApiError> {
        match text {
            "ack_requeue_true" | "reject_requeue_true" => Ok(Self::Requeue),
            "ack_requeue_false" => Ok(Self::Ack),
            "reject_requeue_false" => Ok(Self::Reject),
            other => Err(ApiError::bad_value("unknown_ackmode", &json!(other))),
        }
    }
}

/// A message as the API shows it.
#[derive(Debug, Serialize)]
struct Got {
    payload_bytes: usize,
    redelivered: bool,
    exchange: String,
    routing_key: String,
    message_count: u64,
    properties: Value,
    payload: String,
    payload_encoding: &'static str,
}

/// A body as a text where it is one and `auto` is asked for, else in base64.
pub fn shown_payload(body: &[u8], auto: bool, most: usize) -> (String, &'static str) {
    let cut = body.get(..body.len().min(most)).unwrap_or_default();
    if auto {
        let text = String::from_utf8_lossy(cut);
        // A cut may go through a character, which is no reason to call the body binary.
        match (text, cut.len() < body.len()) {
            (Cow::Borrowed(text), _) => return (text.to_owned(), "string"),
            (Cow::Owned(_), true) => {
                if let Err(error) = std::str::from_utf8(cut)
                    && error.error_len().is_none()
                {
                    let whole = cut.get(..error.valid_up_to()).unwrap_or_default();
                    return (String::from_utf8_lossy(whole).into_owned(), "string");
                }
            }
            (Cow::Owned(_), false) => {}
        }
    }
    (STANDARD.encode(cut), "base64")
}

/// The properties of a message as the API shows them.
pub fn shown_properties(raw: &[u8]) -> Value {
    let properties = Properties::read(raw).unwrap_or_default();
    let mut shown = Map::new();
    let texts = [
        ("content_type", properties.content_type),
        ("content_encoding", properties.content_encoding),
        ("correlation_id", properties.correlation_id),
        ("reply_to", properties.reply_to),
        ("expiration", properties.expiration),
        ("message_id", properties.message_id),
        ("type", properties.kind),
        ("user_id", properties.user_id),
        ("app_id", properties.app_id),
        ("cluster_id", properties.cluster_id),
    ];
    for (name, octets) in texts {
        if let Some(octets) = octets {
            shown.insert(name.to_owned(), String::from_utf8_lossy(octets).into());
        }
    }
    let numbers = [
        ("delivery_mode", properties.delivery_mode.map(u64::from)),
        ("priority", properties.priority.map(u64::from)),
        ("timestamp", properties.timestamp),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            shown.insert(name.to_owned(), number.into());
        }
    }
    if properties.headers.is_some() {
        let headers = properties.headers_table();
        let headers = serde_json::to_value(Arguments(&headers)).unwrap_or_default();
        shown.insert("headers".to_owned(), headers);
    }
    // RabbitMQ's clients expect a list where there is nothing.
    if shown.is_empty() {
        return json!([]);
    }
    Value::Object(shown)
}

fn got(taken: &Taken, auto: bool, most: usize) -> Got {
    let record = taken.chunk.record(taken.offset);
    let (exchange, routing_key) = split_route(record.route);
    let (payload, payload_encoding) = shown_payload(record.body, auto, most);
    Got {
        payload_bytes: record.body.len(),
        redelivered: taken.redelivered,
        exchange: String::from_utf8_lossy(exchange).into_owned(),
        routing_key: String::from_utf8_lossy(routing_key).into_owned(),
        message_count: taken.ready,
        properties: shown_properties(record.properties),
        payload,
        payload_encoding,
    }
}

async fn take(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    body.require(&["count", "ackmode", "encoding"])?;
    let queue = vhost.queue(name.as_bytes()).ok_or_else(|| {
        let error = vhost.no_queue(name.as_bytes());
        ApiError::missing(format!("{} - {}", error.code.name(), error.text))
    })?;
    caller.permit(&api.broker, &host, Access::Read, &name)?;
    if !caller.operator {
        queue.check_access(0).map_err(|error| closed_with(&error))?;
    }
    let count = body.integer("count")?.unwrap_or(1).clamp(0, GET_MAX);
    let mode = AckMode::read(body.text("ackmode")?.unwrap_or_default())?;
    let auto = match body.text("encoding")?.unwrap_or_default() {
        "auto" => true,
        "base64" => false,
        other => return Err(ApiError::bad_value("unsupported_encoding", &json!(other))),
    };
    let truncate = body.integer("truncate")?;
    let most = truncate.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(0));
    let answer = aside({
        let api = SharedApi::clone(&api);
        move || {
            let queue = find(&vhost, &name)?;
            collect(&api, &queue, count, mode, |taken| got(taken, auto, most))
        }
    })
    .await?;
    drop(queue);
    api.stored(api.broker.journal.last_ticket()).await?;
    Ok(answer)
}

fn collect(
    api: &Api,
    queue: &std::sync::Arc<crate::broker::SharedQueue>,
    count: i64,
    mode: AckMode,
    show: impl Fn(&Taken) -> Got,
) -> Result<Answer, ApiError> {
    let now = unix_ms();
    let mut all = Vec::new();
    let mut ids: Vec<MessageId> = Vec::new();
    let mut octets = 0;
    for _ in 0..count {
        let no_ack = mode == AckMode::Ack;
        let Some(Some(taken)) = api.broker.extract(queue, no_ack, now) else {
            break;
        };
        if !no_ack {
            ids.push(taken.id);
        }
        let shown = show(&taken);
        octets += shown.payload.len();
        all.push(shown);
        if octets > GET_BYTES {
            break;
        }
    }
    let how = match mode {
        AckMode::Reject => Settlement::Reject,
        _ => Settlement::Requeue,
    };
    if !ids.is_empty() {
        api.broker.end_extracts(queue, &ids, how, now);
    }
    Answer::of(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_a_text_where_it_is_one() {
        let text = "grün".as_bytes();
        assert_eq!(shown_payload(text, true, 100), ("grün".into(), "string"));
        // The cut goes through the ü.
        assert_eq!(shown_payload(text, true, 3), ("gr".into(), "string"));
        assert_eq!(shown_payload(text, false, 100).1, "base64");
        let binary = [0xff, 0xfe, b'a'];
        assert_eq!(shown_payload(&binary, true, 100), ("//5h".into(), "base64"));
        assert_eq!(shown_payload(&binary, true, 1), ("/w==".into(), "base64"));
    }

    #[test]
    fn properties_go_in_and_come_out() {
        let given = json!({
            "content_type": "text/plain", "delivery_mode": "2", "priority": 3, "timestamp": 7,
            "headers": { "n": 1 }, "type": "t",
        });
        let given = Given::read(given.as_object().unwrap()).unwrap();
        let mut raw = Vec::new();
        given.properties().write(&mut raw, given.headers.as_ref());
        assert_eq!(
            shown_properties(&raw),
            json!({
                "content_type": "text/plain", "delivery_mode": 2, "priority": 3, "timestamp": 7,
                "headers": { "n": 1 }, "type": "t",
            })
        );
        assert_eq!(shown_properties(&[0, 0]), json!([]));
        for wrong in [
            json!({ "delivery_mode": "abc" }),
            json!({ "priority": 256 }),
            json!({ "headers": 1 }),
            json!({ "type": "x".repeat(256) }),
        ] {
            assert!(Given::read(wrong.as_object().unwrap()).is_err(), "{wrong}");
        }
    }
}
