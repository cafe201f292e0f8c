//! The three endpoints.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};

use super::aggregate::{Aggregate, Identity};
use super::column::Column;
use super::exposition::Exposition;
use super::families::{Wanted, per_object};
use super::pieces::Pieces;
use super::{channels, connections, global, node, own, queues};
use crate::management::state::{Api, SharedApi};

const PREFIX: &str = "rabbitmq_";
const DETAILED: &str = "rabbitmq_detailed_";
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// The routes, below `prometheus.path`.
pub fn router(api: &SharedApi) -> Router {
    let path = &api.settings.prometheus.path;
    let first = if api.settings.prometheus.return_per_object_metrics {
        get(objects)
    } else {
        get(aggregated)
    };
    let below = |name: &str| format!("{}/{name}", path.trim_end_matches('/'));
    Router::new()
        .route(path, first)
        .route(&below("per-object"), get(objects))
        .route(&below("detailed"), get(detailed))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .with_state(SharedApi::clone(api))
}

async fn aggregated(State(api): State<SharedApi>) -> Response {
    let mut out = Exposition::default();
    write_aggregated(&api, &mut out);
    ([(CONTENT_TYPE, TEXT)], out.0).into_response()
}

/// Everything of `/metrics`.
pub fn write_aggregated(api: &Api, out: &mut Exposition) {
    let all = &Aggregate::of(&api.broker);
    node::alarms(all, out);
    node::churn(api, all, PREFIX, out);
    node::coarse(all, PREFIX, out);
    node::limits(api, all, PREFIX, out);
    node::persister(api, all, PREFIX, out);
    node::raft(PREFIX, out);
    node::logins(api, PREFIX, out);
    for columns in [
        queues::COARSE,
        queues::CONSUMERS,
        queues::DETAILS,
        queues::PUBLISHED,
    ] {
        totals(columns, all, out);
    }
    for columns in [
        channels::METRICS,
        channels::PUBLISHING,
        channels::PROCESS,
        channels::DELIVERING,
    ] {
        totals(columns, all, out);
    }
    totals(connections::COARSE, all, out);
    totals(connections::DETAILS, all, out);
    finish(api, "aggregated", all, out);
    own::write(api, all, out);
}

fn totals<T>(columns: &[Column<T>], all: &Aggregate, out: &mut Exposition) {
    for column in columns {
        column.write_total(PREFIX, all, out);
    }
}

/// What stands at the end of `/metrics` and `/metrics/per-object`.
fn finish(api: &Api, endpoint: &'static str, all: &Aggregate, out: &mut Exposition) {
    node::objects(api, all, out);
    node::identity(&Identity::of(api, endpoint), out);
    global::write(all, out);
}

async fn objects(State(api): State<SharedApi>) -> Response {
    let all = Aggregate::of(&api.broker);
    let (mut begin, mut end) = (Exposition::default(), Exposition::default());
    node::alarms(&all, &mut begin);
    finish(&api, "per-object", &all, &mut end);
    streamed(Pieces::new(
        &api,
        &per_object(),
        &[],
        PREFIX,
        (begin.0, end.0),
    ))
}

async fn detailed(
    State(api): State<SharedApi>,
    Query(pairs): Query<Vec<(String, String)>>,
) -> Response {
    let wanted = Wanted::from_query(&pairs);
    let mut end = Exposition::default();
    node::identity(&Identity::of(&api, "detailed"), &mut end);
    let around = (String::new(), end.0);
    let pieces = Pieces::new(&api, &wanted.families, &wanted.vhosts, DETAILED, around);
    streamed(pieces)
}

/// Sends pieces as they are made.
fn streamed(pieces: Pieces) -> Response {
    let pieces = stream::unfold(pieces, |mut pieces| async {
        // Others first: an answer about many objects is work for a while.
        tokio::task::yield_now().await;
        let piece = pieces.next()?;
        Some((Ok::<_, Infallible>(piece), pieces))
    });
    // Who compresses asks once more behind the end.
    let body = Body::from_stream(pieces.fuse());
    ([(CONTENT_TYPE, TEXT)], body).into_response()
}
