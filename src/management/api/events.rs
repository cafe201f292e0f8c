//! Server-sent events for the pages: `GET /api/events` has a `sample` whenever there are new
//! numbers, with the totals of what its reader sees.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use axum::routing::get;
use futures::stream::unfold;
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

async fn samples(State(api): State<SharedApi>, caller: Caller) -> Result<Response, ApiError> {
    let place = api.streams.place(&caller)?;
    let state = (SharedApi::clone(&api), caller, true);
    let stream = unfold(state, |(api, caller, first)| async move {
        if !first {
            tokio::time::sleep(EVERY).await;
        }
        let event = next(&api, &caller).await?;
        Some((event, (api, caller, false)))
    });
    Ok(streams::answer(api, place, stream))
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
