//! Server-sent events: `GET /api/events` has a `sample` whenever there are new numbers, with the
//! totals of what its reader sees. An administrator is also told what happens, as `event`: queues,
//! connections, users and policies that come and go, alarms, under the names of RabbitMQ's event
//! exchange. These are numbered: a reader that comes back is told what it missed, if that is kept.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use axum::routing::get;
use futures::stream::{self, unfold};
use futures::{Stream, StreamExt};
use serde_json::{Value, json};

use crate::management::answer;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::state::{Api, SharedApi};
use crate::management::streams;
use crate::time::unix_ms;

/// How often a page hears of new numbers: as often as they are taken.
const EVERY: Duration = Duration::from_secs(5);

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/events", get(samples))
}

/// The connections that the caller sees in its list.
fn connections(api: &Api, caller: &Caller) -> usize {
    let connections = &api.broker.connections;
    if caller.user.is_monitor() {
        return connections.len();
    }
    let all = connections.all();
    all.iter().filter(|own| own.user == caller.name()).count()
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
        "connections": connections(api, caller),
        "alarm": broker.alarms.reason(),
    })
}

/// The sample of the caller as it is now; `None` when it may not look on any more. Many queues take
/// their time, which those who serve connections do not have.
async fn next(api: &SharedApi, caller: &Caller) -> Option<Event> {
    let shared = SharedApi::clone(api);
    let caller = caller.again(api)?;
    let sample = answer::aside(move || sample(&shared, &caller)).await.ok()?;
    Some(Event::default().event("sample").data(sample.to_string()))
}

async fn samples(
    State(api): State<SharedApi>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = api.streams.place(&caller)?;
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let seen = seen.and_then(|id| id.parse().ok());
    let happened = happened(SharedApi::clone(&api), caller.clone(), seen);
    let state = (SharedApi::clone(&api), caller, true);
    let stream = unfold(state, |(api, caller, first)| async move {
        if !first {
            tokio::time::sleep(EVERY).await;
        }
        let event = next(&api, &caller).await?;
        Some((event, (api, caller, false)))
    });
    let both = stream::select(stream, happened);
    Ok(streams::answer(api, place, both))
}

/// What happens from now on, or from the event on that the reader saw last, for administrators and
/// as long as they are.
fn happened(api: SharedApi, caller: Caller, seen: Option<u64>) -> impl Stream<Item = Event> {
    let last = api.broker.events().last();
    // A number from another life says nothing.
    let from = seen.filter(|seen| *seen <= last).unwrap_or(last);
    let batches = unfold((from, api, caller), |(from, api, caller)| async move {
        let may = |caller: &Caller| caller.require_administrator().is_ok();
        if !may(&caller) {
            return None;
        }
        let events = api.broker.events();
        events.grown_beyond(from).await;
        let caller = caller.again(&api).filter(may)?;
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
        Some((stream::iter(told), (since.last, api, caller)))
    });
    batches.flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::management::tests::Stage;

    #[tokio::test]
    async fn who_may_not_look_on_any_more_hears_no_more() {
        let stage = Stage::new();
        for change in 0..4 {
            stage.user("u", "management");
            let caller = stage.caller("u");
            assert!(next(&stage.api, &caller).await.is_some());
            match change {
                0 => stage.api.broker.admin_delete_user("u").unwrap(),
                1 => stage.user("u", "none"),
                2 => stage.password("u", "another"),
                _ => continue,
            }
            assert!(next(&stage.api, &caller).await.is_none(), "{change}");
        }
        assert!(next(&stage.api, &Caller::operator()).await.is_some());
    }

    #[tokio::test]
    async fn administrators_are_told_what_happens() {
        let stage = Stage::new();
        stage.user("a", "administrator");
        stage.user("m", "monitoring");
        let told = |user: &str, seen| {
            let api = SharedApi::clone(&stage.api);
            Box::pin(happened(api, stage.caller(user), seen))
        };
        assert!(told("m", Some(0)).next().await.is_none());
        let mut news = told("a", None);
        stage.queue("q", None);
        assert!(news.next().await.is_some());
        assert!(told("a", Some(0)).next().await.is_some());
        stage.user("a", "monitoring");
        let rest = news.collect::<Vec<_>>();
        let rest = tokio::time::timeout(Duration::from_secs(60), rest).await;
        assert!(rest.unwrap().is_empty(), "who is no administrator any more");
    }

    #[tokio::test]
    async fn a_sample_is_of_what_its_reader_sees() {
        let stage = Stage::new();
        stage.user("u", "management");
        stage.user("m", "monitoring");
        stage.queue("q", None);
        stage.connection("u");
        stage.connection("other");
        let seen = |user: &str| {
            let sample = sample(&stage.api, &stage.caller(user));
            (sample["queues"].clone(), sample["connections"].clone())
        };
        assert_eq!(seen("u"), (json!(1), json!(1)));
        assert_eq!(seen("m"), (json!(1), json!(2)));
    }
}
