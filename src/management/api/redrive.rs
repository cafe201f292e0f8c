//! Sending a queue's messages on: `POST /api/queues/{vhost}/{queue}/redrive` starts it and answers
//! with its state, `GET .../redrive/{id}` follows it, `DELETE` stops it.
//!
//! `to_queue` names the target; without it each dead letter goes to the queue where it died first.
//! `filter` (`routing_key`, `queue`, `reason`), `rate` (messages a second) and `limit` are optional.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::peek;
use crate::auth::Access;
use crate::broker::redrive::{Filter, Order, Progress, Target};
use crate::broker::{SharedQueue, Vhost};
use crate::management::answer;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};
use crate::time::unix_ms;

/// Works that are remembered; a new one takes the place of the oldest that has ended.
const WORKS_MAX: usize = 64;

/// Messages that are sent on before others get the thread.
const AT_ONCE: u64 = 128;

/// Steps a second where there is a rate: its messages come in so many parts.
const STEPS: u64 = 10;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/queues/{vhost}/{queue}/redrive", post(start).get(all))
        .route(
            "/api/queues/{vhost}/{queue}/redrive/{id}",
            get(one).delete(stop),
        )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Done,
    Stopped,
    Failed,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

#[derive(Debug)]
struct Seen {
    state: Stage,
    done: Progress,
    error: Option<String>,
}

/// One order being carried out.
#[derive(Debug)]
pub struct Work {
    id: u64,
    vhost: String,
    queue: String,
    /// Ready messages when it began: it looks at no more.
    total: u64,
    seen: Mutex<Seen>,
}

impl Work {
    fn is_running(&self) -> bool {
        self.seen.lock().state == Stage::Running
    }

    fn end(&self, state: Stage, error: Option<String>) {
        let mut seen = self.seen.lock();
        if seen.state == Stage::Running {
            seen.state = state;
            seen.error = error;
        }
    }

    fn shown(&self) -> Value {
        let seen = self.seen.lock();
        json!({
            "id": self.id.to_string(),
            "vhost": self.vhost,
            "queue": self.queue,
            "state": seen.state.name(),
            "total": self.total,
            "seen": seen.done.seen,
            "moved": seen.done.moved,
            "kept": seen.done.kept,
            "failed": seen.done.failed,
            "error": seen.error,
        })
    }
}

/// The works of this node, the oldest first.
#[derive(Debug, Default)]
pub struct Works(Mutex<Vec<Arc<Work>>>);

impl Works {
    fn add(&self, work: &Arc<Work>) -> Result<(), ApiError> {
        let mut works = self.0.lock();
        let busy = |known: &Arc<Work>| {
            known.is_running() && known.vhost == work.vhost && known.queue == work.queue
        };
        if works.iter().any(busy) {
            return Err(ApiError::bad_request(
                "messages of this queue are being sent on already",
            ));
        }
        if works.len() >= WORKS_MAX {
            let ended = works.iter().position(|known| !known.is_running());
            match ended {
                Some(at) => drop(works.remove(at)),
                None => return Err(ApiError::unavailable("too many queues are being redriven")),
            }
        }
        works.push(Arc::clone(work));
        Ok(())
    }

    fn of(&self, vhost: &str, queue: &str) -> Vec<Arc<Work>> {
        let works = self.0.lock();
        let own = works
            .iter()
            .filter(|work| work.vhost == vhost && work.queue == queue);
        own.cloned().collect()
    }
}

/// What a request orders.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    order: Order,
    rate: Option<u64>,
    limit: u64,
}

impl Wanted {
    fn of(body: &Body) -> Result<Self, ApiError> {
        let filter = Body(body.object("filter")?);
        let text = |key: &str| -> Result<Option<String>, ApiError> {
            let text = filter.text(key)?.filter(|text| !text.is_empty());
            Ok(text.map(str::to_owned))
        };
        let positive = |key: &str| -> Result<Option<u64>, ApiError> {
            match body.integer(key)? {
                None => Ok(None),
                Some(number) => match u64::try_from(number) {
                    Ok(number) if number > 0 => Ok(Some(number)),
                    _ => Err(ApiError::bad_request(format!("{key} must be above 0"))),
                },
            }
        };
        let target = match body.text("to_queue")?.filter(|name| !name.is_empty()) {
            Some(name) => Target::Queue(name.to_owned()),
            None => Target::Origin,
        };
        Ok(Self {
            order: Order {
                target,
                filter: Filter {
                    routing_key: text("routing_key")?,
                    queue: text("queue")?,
                    reason: text("reason")?,
                },
            },
            rate: positive("rate")?,
            limit: positive("limit")?.unwrap_or(u64::MAX),
        })
    }
}

async fn start(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let (vhost, queue) = peek::open(&api, &caller, &host, &name)?;
    // They go straight to a queue, as the default exchange sends them.
    caller.permit(&api.broker, &host, Access::Write, "")?;
    let wanted = Wanted::of(&body)?;
    if let Target::Queue(target) = &wanted.order.target {
        let found = vhost.queue(target.as_bytes()).ok_or_else(|| {
            ApiError::bad_request(format!("no queue '{target}' in vhost '{host}'"))
        })?;
        if found.id == queue.id {
            return Err(ApiError::bad_request("the queue is the one they are in"));
        }
    }
    let work = Arc::new(Work {
        id: api.broker.next_id(),
        vhost: host,
        queue: name,
        total: queue.status().ready,
        seen: Mutex::new(Seen {
            state: Stage::Running,
            done: Progress::default(),
            error: None,
        }),
    });
    api.redrives.add(&work)?;
    tracing::info!(
        "redrive of queue '{}' in vhost '{}' started by user '{}'",
        work.queue,
        work.vhost,
        caller.name()
    );
    let shown = work.shown();
    tokio::spawn(run(api, vhost, queue, wanted, work));
    Ok(Json(shown))
}

/// Carries out an order to its end.
async fn run(
    api: SharedApi,
    vhost: Arc<Vhost>,
    queue: Arc<SharedQueue>,
    wanted: Wanted,
    work: Arc<Work>,
) {
    let pace = Pace::of(wanted.rate);
    let order = Arc::new(wanted.order);
    while work.is_running() {
        let done = work.seen.lock().done;
        let left = work.total.saturating_sub(done.seen).min(pace.most);
        let limit = wanted.limit.saturating_sub(done.moved).min(pace.most);
        if left == 0 || limit == 0 {
            break;
        }
        let (shared, vhost, queue) = (SharedApi::clone(&api), Arc::clone(&vhost), queue.clone());
        let order = Arc::clone(&order);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        let step = move || {
            let broker = &shared.broker;
            broker.redrive_some(&vhost, &queue, &order, done.last, most, limit, unix_ms())
        };
        match answer::aside(step).await {
            Ok(Ok(step)) => {
                add(&mut work.seen.lock().done, step);
                // Fewer than asked for: that was the end of the queue.
                if step.seen < left && step.moved < limit {
                    break;
                }
            }
            Ok(Err(error)) => work.end(Stage::Failed, Some(error.to_string())),
            Err(_) => work.end(Stage::Failed, Some("it was cut short".to_owned())),
        }
        tokio::select! {
            () = tokio::time::sleep(pace.pause) => {}
            () = api.stopped() => work.end(Stage::Stopped, None),
        }
    }
    work.end(Stage::Done, None);
}

/// How many messages at a time, and how long after them nothing.
struct Pace {
    most: u64,
    pause: Duration,
}

impl Pace {
    fn of(rate: Option<u64>) -> Self {
        match rate {
            None => Self {
                most: AT_ONCE,
                pause: Duration::ZERO,
            },
            Some(rate) if rate < STEPS => Self {
                most: 1,
                pause: Duration::from_millis(1000 / rate.max(1)),
            },
            Some(rate) => Self {
                most: rate / STEPS,
                pause: Duration::from_millis(1000 / STEPS),
            },
        }
    }
}

fn add(done: &mut Progress, step: Progress) {
    done.seen += step.seen;
    done.moved += step.moved;
    done.kept += step.kept;
    done.failed += step.failed;
    done.last = step.last.or(done.last);
}

async fn all(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &host)?;
    let works = api.redrives.of(&host, &name);
    Ok(Json(works.iter().map(|work| work.shown()).collect()))
}

fn find(api: &Api, host: &str, name: &str, id: &str) -> Result<Arc<Work>, ApiError> {
    let mut works = api.redrives.of(host, name).into_iter();
    let found = works.find(|work| work.id.to_string() == id);
    found.ok_or_else(ApiError::not_found)
}

async fn one(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name, id)): Segments<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    caller.vhost(&api.broker, &host)?;
    Ok(Json(find(&api, &host, &name, &id)?.shown()))
}

async fn stop(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name, id)): Segments<(String, String, String)>,
) -> Result<Json<Value>, ApiError> {
    peek::open(&api, &caller, &host, &name)?;
    let work = find(&api, &host, &name, &id)?;
    work.end(Stage::Stopped, None);
    Ok(Json(work.shown()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<Wanted, ApiError> {
        Wanted::of(&Body::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn an_order_has_a_target_a_filter_and_bounds() {
        let plain = wanted("{}").unwrap();
        assert_eq!(plain.order.target, Target::Origin);
        assert_eq!((plain.rate, plain.limit), (None, u64::MAX));
        let full = wanted(
            r#"{"to_queue":"q","filter":{"routing_key":"k","reason":""},"rate":"5","limit":2}"#,
        )
        .unwrap();
        assert_eq!(full.order.target, Target::Queue("q".to_owned()));
        assert_eq!(full.order.filter.routing_key.as_deref(), Some("k"));
        assert_eq!(full.order.filter.reason, None);
        assert_eq!((full.rate, full.limit), (Some(5), 2));
        assert!(wanted(r#"{"rate":0}"#).is_err() && wanted(r#"{"limit":-1}"#).is_err());
    }

    #[test]
    fn a_rate_is_met_over_a_second() {
        for rate in [1, 3, 9, 10, 250] {
            let pace = Pace::of(Some(rate));
            let steps = 1000 / u64::try_from(pace.pause.as_millis()).unwrap();
            assert!(steps * pace.most <= rate, "{rate}");
        }
    }
}
