//! Server-sent events: `GET /api/events` has a `sample` whenever there are new numbers, with the
//! broker's totals. An administrator is also told what happens, as `event`: queues, connections,
//! users and policies that come and go, alarms, under the names of RabbitMQ's event exchange. These
//! are numbered: a reader that comes back is told what it missed, if that is still kept.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures::stream::{self, unfold};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::state::{Api, SharedApi};
use crate::time::unix_ms;

/// How often a page hears of new numbers: as often as they are taken.
const EVERY: Duration = Duration::from_secs(5);

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/events", get(samples))
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

async fn samples(
    State(api): State<SharedApi>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, ApiError> {
    let place = api.stream_place()?;
    let happened = if caller.require_administrator().is_ok() {
        happened(Arc::clone(&api), &headers).right_stream()
    } else {
        stream::empty().left_stream()
    };
    let ended = Arc::clone(&api);
    let samples = unfold(
        (api, caller, place, true),
        |(api, caller, place, first)| async move {
            if !first {
                tokio::time::sleep(EVERY).await;
            }
            let event = Event::default().event("sample");
            let event = event.data(sample(&api, &caller).to_string());
            Some((event, (api, caller, place, false)))
        },
    );
    let end = async move { ended.stopped().await };
    let both = stream::select(samples, happened).take_until(Box::pin(end));
    Ok(Sse::new(both.map(Ok)).keep_alive(KeepAlive::default()))
}

/// What happens from now on, or from the event on that the reader saw last.
fn happened(api: SharedApi, headers: &HeaderMap) -> impl Stream<Item = Event> + use<> {
    let last = api.broker.events().last();
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen = seen.and_then(|id| id.parse().ok());
    let from = seen.filter(|seen| *seen <= last).unwrap_or(last);
    let batches = unfold((from, api), |(from, api)| async move {
        let events = api.broker.events();
        events.grown_beyond(from).await;
        let since = events.since(from);
        let before = since.last.saturating_sub(since.entries.len() as u64);
        let numbers = before.saturating_add(1)..;
        let told: Vec<Event> = numbers
            .zip(&since.entries)
            .map(|(number, event)| {
                let told = Event::default().event("event").id(number.to_string());
                told.data(event.json().to_string())
            })
            .collect();
        Some((stream::iter(told), (since.last, api)))
    });
    batches.flatten()
}
