//! `GET /api/queues/{vhost}/{queue}/unacked`: which consumer has held which message for how long.

use std::collections::HashMap;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::peek::readable;
use crate::broker::unacked::HeldRun;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};
use crate::queue::MessageId;
use crate::time::unix_ms;

/// Deliveries of one answer, the oldest of all.
const DELIVERIES_MAX: usize = 1_000;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/queues/{vhost}/{queue}/unacked", get(held))
}

/// Who is at the other end of a connection.
fn connections(api: &Api) -> HashMap<u64, (String, Value, String)> {
    let all = api.broker.connections.all().into_iter();
    all.map(|handle| {
        let peer = json!({
            "peer_host": handle.peer.map(|peer| peer.ip().to_canonical().to_string()),
            "peer_port": handle.peer.map(|peer| peer.port()),
        });
        (handle.id, (handle.title(), peer, handle.user.clone()))
    })
    .collect()
}

async fn held(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, name)): Segments<(String, String)>,
    listing: Listing,
) -> Result<Json<Value>, ApiError> {
    let (_, queue) = readable(&api, &caller, &host, &name)?;
    let held = api.broker.held_of(&queue).await;
    let deliveries: Vec<(&HeldRun, u64)> = held
        .runs
        .iter()
        .flat_map(|run| (0..u64::from(run.len)).map(move |at| (run, at)))
        .take(DELIVERIES_MAX)
        .collect();
    let ids: Vec<MessageId> = deliveries
        .iter()
        .map(|(run, at)| MessageId::from_raw(run.message.raw() + at))
        .collect();
    let redelivered = api.broker.redelivered(&queue, &ids);
    let connections = connections(&api);
    let now_s = unix_ms() / 1000;
    let items = deliveries
        .iter()
        .zip(&redelivered)
        .map(|((run, at), redelivered)| {
            let known = connections.get(&run.connection);
            let connection = known.map_or("", |(name, ..)| name.as_str());
            json!({
                "delivery_tag": run.tag + at,
                "consumer_tag": run.consumer_tag,
                "redelivered": redelivered,
                "delivered_at": run.at_s * 1000,
                "age_ms": now_s.saturating_sub(run.at_s) * 1000,
                "channel_details": {
                    "connection_name": connection,
                    "name": format!("{connection} ({})", run.channel),
                    "number": run.channel,
                    "peer_host": known.map(|(_, peer, _)| peer["peer_host"].clone()),
                    "peer_port": known.map(|(_, peer, _)| peer["peer_port"].clone()),
                    "user": known.map(|(.., user)| user.clone()),
                },
                "queue": { "name": name, "vhost": host },
            })
        })
        .collect();
    if held.silent > 0 {
        tracing::debug!("{} connections did not tell what they hold", held.silent);
    }
    Ok(Json(listing.answer(items, &["delivered_at"])?))
}
