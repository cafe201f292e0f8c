//! Consumers: all, of a virtual host.

use axum::Router;
use axum::extract::State;
use axum::routing::get;

use crate::broker::observe::views::consumer::{ConsumerView, consumers_of};
use crate::broker::observe::views::queue::queues;
use crate::broker::{Broker, Vhost};
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::rows::ConsumerRow;
use crate::management::segments::Segments;
use crate::management::shape::{Answer, aside};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/consumers", get(all))
        .route("/api/consumers/{vhost}", get(of_vhost))
}

fn consumers(broker: &Broker, vhost: &Vhost) -> Vec<ConsumerView> {
    queues(broker, Some(vhost))
        .iter()
        .flat_map(|queue| consumers_of(broker, queue))
        .collect()
}

fn list(api: &Api, views: Vec<ConsumerView>, listing: &Listing) -> Result<Answer, ApiError> {
    listing.rows(
        views,
        &["queue.vhost", "queue.name"],
        |view| view.facts.tag.to_string(),
        |view, _| ConsumerRow::new(api, view.clone()),
    )
}

async fn all(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Answer, ApiError> {
    aside(move || {
        let views = caller
            .visible_vhosts(&api.broker)
            .iter()
            .flat_map(|vhost| consumers(&api.broker, vhost))
            .collect();
        list(&api, views, &listing)
    })
    .await
}

async fn of_vhost(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &name)?;
    aside(move || {
        let views = consumers(&api.broker, &vhost);
        list(&api, views, &listing)
    })
    .await
}
