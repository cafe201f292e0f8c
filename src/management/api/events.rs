//! Server-sent events for the pages: `GET /api/events` has a `sample` whenever there are new
//! numbers, with the broker's totals.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use futures::Stream;
use futures::stream::unfold;
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
