//! Answers without an end of their own, as server-sent events: how many there are at a time, and when
//! they end.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Response, Sse};
use futures::{Stream, StreamExt};
use parking_lot::Mutex;

use super::auth::Caller;
use super::error::ApiError;
use super::state::SharedApi;
use crate::limits;

/// A stream ends after this; the page comes back with its login, which may have ended meanwhile.
const LASTS: Duration = Duration::from_secs(10 * 60);

/// How many streams each user has open.
#[derive(Debug, Default)]
pub struct Streams(Arc<Mutex<HashMap<String, usize>>>);

/// A place for one stream, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    open: Arc<Mutex<HashMap<String, usize>>>,
    user: String,
}

impl Streams {
    /// A place for a stream of this user, unless all or those of one user are taken.
    pub fn place(&self, caller: &Caller) -> Result<Place, ApiError> {
        let mut open = self.0.lock();
        let all: usize = open.values().sum();
        let own = open.get(caller.name()).copied().unwrap_or_default();
        if all >= limits::MANAGEMENT_STREAMS || own >= limits::MANAGEMENT_STREAMS_OF_USER {
            return Err(ApiError::unavailable("too many pages listen for events"));
        }
        open.insert(caller.name().to_owned(), own + 1);
        Ok(Place {
            open: Arc::clone(&self.0),
            user: caller.name().to_owned(),
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.open.lock();
        if let Some(own) = open.get_mut(&self.user) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                open.remove(&self.user);
            }
        }
    }
}

/// A stream that holds its place, and ends with the node or when its time is up.
pub fn answer(
    api: SharedApi,
    place: Place,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    answer_within(LASTS, api, place, events)
}

fn answer_within(
    lasts: Duration,
    api: SharedApi,
    place: Place,
    events: impl Stream<Item = Event> + Send + 'static,
) -> Response {
    let end = async move {
        // Which of the two it was makes no difference.
        let _ = tokio::time::timeout(lasts, api.stopped()).await;
    };
    let events = events.take_until(Box::pin(end)).map(move |event| {
        let _held = &place;
        Ok::<_, Infallible>(event)
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;
    use crate::management::tests::Stage;

    #[test]
    fn places_are_bounded_for_each_and_for_all_and_given_back() {
        let stage = Stage::new();
        let caller = |name: &str| {
            stage.user(name, "management");
            stage.caller(name)
        };
        let streams = Streams::default();
        let mut held = Vec::new();
        let (one, two) = (caller("one"), caller("two"));
        for _ in 0..limits::MANAGEMENT_STREAMS_OF_USER {
            held.push(streams.place(&one).unwrap());
        }
        assert!(streams.place(&one).is_err());
        held.push(streams.place(&two).unwrap());
        held.remove(0);
        held.push(streams.place(&one).unwrap());
        let mut number = 0;
        while held.len() < limits::MANAGEMENT_STREAMS {
            number += 1;
            let user = caller(&format!("user {number}"));
            let room = limits::MANAGEMENT_STREAMS - held.len();
            let most = limits::MANAGEMENT_STREAMS_OF_USER.min(room);
            held.extend((0..most).map(|_| streams.place(&user).unwrap()));
        }
        assert!(streams.place(&two).is_err());
        drop(held);
        assert!(streams.0.lock().is_empty());
    }

    #[tokio::test]
    async fn a_stream_ends_when_its_time_is_up_and_gives_its_place_back() {
        let stage = Stage::new();
        stage.user("one", "management");
        let streams = Streams::default();
        let place = streams.place(&stage.caller("one")).unwrap();
        let lasts = Duration::from_millis(10);
        let events = futures::stream::pending();
        let response = answer_within(lasts, stage.api.clone(), place, events);
        let ended = response.into_body().collect().await.unwrap();
        assert!(ended.to_bytes().is_empty());
        assert!(streams.0.lock().is_empty());
    }
}
