//! Server-sent events for the pages: `GET /api/events` has a `sample` whenever there are new
//! numbers, with the broker's totals; `GET /api/logs` has a `log` for every line of the log, from the
//! last ones on. A line's number is the event's id, so that a browser that comes back goes on where
//! it was.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures::Stream;
use futures::stream::unfold;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use crate::logs::{Logs, Record};
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::state::{Api, SharedApi};
use crate::time::unix_ms;

/// How often a page hears of new numbers: as often as they are taken.
const EVERY: Duration = Duration::from_secs(5);

/// Lines of the past that a page begins with.
const LINES_BEFORE: u64 = 200;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/events", get(samples))
        .route("/api/logs", get(lines))
}

/// The sums that every page shows.
fn sample(api: &Api, caller: &Caller) -> Value {
    let broker = &api.broker;
    let (mut ready, mut unacked, mut queues) = (0u64, 0u64, 0u64);
    for vhost in caller.visible_vhosts(broker) {
        for queue in vhost.all_queues() {
            let status = queue.status();
            ready += status.ready;
            unacked += status.unacked;
            queues += 1;
        }
    }
    json!({
        "timestamp": unix_ms(),
        "messages_ready": ready,
        "messages_unacknowledged": unacked,
        "messages": ready + unacked,
        "queues": queues,
        "connections": broker.connections.len(),
        "alarm": broker.alarms.reason(),
    })
}

/// One line, whole and in parts.
fn line(record: &Record) -> Value {
    let at = Timestamp::from_microsecond(record.at_us).unwrap_or(Timestamp::UNIX_EPOCH);
    let time = at.strftime("%Y-%m-%d %H:%M:%S%.6f+00:00").to_string();
    let (level, pid) = (record.level.name(), record.process());
    json!({
        "time": time,
        "level": level,
        "category": record.category.name(),
        "pid": pid,
        "msg": record.text,
        "line": format!("{time} [{level}] {pid} {}", record.text),
    })
}

/// What has come since line `last`, as events, and the newest number.
fn fresh(logs: &Logs, last: u64) -> (VecDeque<Event>, u64) {
    let since = logs.tail().since(last);
    let first = since.last + 1 - since.entries.len() as u64;
    let mut events = VecDeque::with_capacity(since.entries.len() + 1);
    if since.missed > 0 && last > 0 {
        let missed = json!({ "missed": since.missed }).to_string();
        events.push_back(Event::default().event("missed").data(missed));
    }
    for (record, number) in since.entries.iter().zip(first..) {
        let event = Event::default().event("log").id(number.to_string());
        events.push_back(event.data(line(record).to_string()));
    }
    (events, since.last)
}

/// A page's way through the log.
struct Follower {
    api: SharedApi,
    logs: Arc<Logs>,
    _place: OwnedSemaphorePermit,
    waiting: VecDeque<Event>,
    last: u64,
}

impl Follower {
    /// The next line; `None` when the node stops.
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some((Ok(event), self));
            }
            tokio::select! {
                () = self.logs.tail().grown_beyond(self.last) => {}
                () = self.api.stopped() => return None,
            }
            (self.waiting, self.last) = fresh(&self.logs, self.last);
        }
    }
}

async fn lines(
    State(api): State<SharedApi>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    caller.require_administrator()?;
    let logs = api.broker.logs().cloned();
    let logs = logs.ok_or_else(|| ApiError::unavailable("there is no log"))?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let newest = logs.tail().last();
    let begin = match seen.and_then(|id| id.parse().ok()) {
        Some(id) if id <= newest => id,
        _ => newest.saturating_sub(LINES_BEFORE),
    };
    let (waiting, last) = fresh(&logs, begin);
    let follower = Follower {
        _place: api.stream_place()?,
        api,
        logs,
        waiting,
        last,
    };
    Ok(Sse::new(unfold(follower, Follower::next)).keep_alive(KeepAlive::default()))
}

async fn samples(
    State(api): State<SharedApi>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = api.stream_place()?;
    let stream = unfold(
        (api, caller, place, true),
        |(api, caller, place, first)| async move {
            if !first {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = api.stopped() => return None,
                }
            }
            let event = Event::default().event("sample");
            let event = event.data(sample(&api, &caller).to_string());
            Some((Ok(event), (api, caller, place, false)))
        },
    );
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}
