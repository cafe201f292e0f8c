//! Channels: all, of a virtual host, of a connection, one.

use axum::Router;
use axum::routing::get;

use super::connections::{sees, visible_connection};
use crate::broker::observe::views::ChannelView;
use crate::broker::observe::views::channel::{channel, channels, channels_of};
use crate::broker::observe::views::consumer::consumers_of;
use crate::broker::observe::views::queue::queues;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::reading::Reading;
use crate::management::rows::ChannelRow;
use crate::management::segments::Segments;
use crate::management::shape::{Answer, Ranges, aside};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new()
        .route("/api/channels", get(all))
        .route("/api/channels/{name}", get(one))
        .route("/api/vhosts/{vhost}/channels", get(of_vhost))
        .route("/api/connections/{name}/channels", get(of_connection))
}

fn list(
    api: &Api,
    views: Vec<ChannelView>,
    listing: &Listing,
    ranges: Ranges,
) -> Result<Answer, ApiError> {
    listing.rows(views, &["name"], ChannelView::title, |view, _| {
        ChannelRow::new(api, view.clone(), ranges)
    })
}

async fn all(Reading(api, caller, listing, ranges): Reading) -> Result<Answer, ApiError> {
    aside(move || {
        let mut views = channels(&api.broker);
        views.retain(|view| sees(&caller, &view.connection));
        list(&api, views, &listing, ranges)
    })
    .await
}

async fn of_vhost(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    caller.monitored_vhost(&api.broker, &name)?;
    aside(move || {
        let mut views = channels(&api.broker);
        views.retain(|view| view.connection.vhost == name && sees(&caller, &view.connection));
        list(&api, views, &listing, ranges)
    })
    .await
}

async fn of_connection(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    let handle = visible_connection(&api, &caller, &name)?;
    aside(move || {
        let views = channels_of(&api.broker, &handle);
        list(&api, views, &listing, ranges)
    })
    .await
}

async fn one(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    let view = channel(&api.broker, &name).ok_or_else(ApiError::not_found)?;
    if !sees(&caller, &view.connection) {
        return Err(ApiError::not_authorised(
            "User not authorised to access object",
        ));
    }
    aside(move || {
        let mut consumers = Vec::new();
        if view.stats.consumers.get() > 0
            && let Some(vhost) = api.broker.vhost(view.connection.vhost.as_bytes())
        {
            for queue in queues(&api.broker, Some(&vhost)) {
                consumers.extend(consumers_of(&api.broker, &queue));
            }
        }
        consumers.retain(|consumer| {
            consumer.facts.channel == view.stats.number
                && consumer
                    .connection
                    .as_ref()
                    .is_some_and(|handle| handle.id == view.connection.id)
        });
        let row = ChannelRow::new(&api, view, ranges).single(consumers);
        Answer::row(&row, &listing.columns)
    })
    .await
}
