//! Exchanges: all, of a virtual host, one; their bindings; declaring and deleting them.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::amqp::Value;
use crate::auth::Access;
use crate::broker::Vhost;
use crate::broker::declare_exchange::exchange_type;
use crate::broker::exchange::ExchangeSpec;
use crate::broker::observe::views::ExchangeView;
use crate::broker::observe::views::binding::{from_default, from_exchange, to_destination};
use crate::broker::observe::views::exchange::exchanges;
use crate::exchange::Destination;
use crate::ids::Name;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::query::Params;
use crate::management::reading::Reading;
use crate::management::rows::{BindingRow, ExchangeRow};
use crate::management::segments::{Segments, exchange_name, short};
use crate::management::shape::{Answer, Ranges, aside, tables};
use crate::management::state::{Api, SharedApi};

/// The routes.
pub fn routes() -> Router<SharedApi> {
    let one = "/api/exchanges/{vhost}/{exchange}";
    Router::new()
        .route("/api/exchanges", get(all))
        .route("/api/exchanges/{vhost}", get(of_vhost))
        .route(one, get(show).put(declare).delete(delete))
        .route(&format!("{one}/bindings/source"), get(bindings_from))
        .route(&format!("{one}/bindings/destination"), get(bindings_to))
}

fn list(
    api: &Api,
    vhosts: &[Arc<Vhost>],
    listing: &Listing,
    ranges: Ranges,
) -> Result<Answer, ApiError> {
    let views = vhosts
        .iter()
        .flat_map(|vhost| exchanges(&api.broker, vhost))
        .collect();
    listing.rows(
        views,
        &["vhost", "name"],
        |view: &ExchangeView| view.name.to_string(),
        |view, _| ExchangeRow::new(api, view.clone(), false, ranges),
    )
}

async fn all(Reading(api, caller, listing, ranges): Reading) -> Result<Answer, ApiError> {
    aside(move || {
        let vhosts = caller.visible_vhosts(&api.broker);
        list(&api, &vhosts, &listing, ranges)
    })
    .await
}

async fn of_vhost(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &name)?;
    aside(move || list(&api, &[vhost], &listing, ranges)).await
}

fn view(api: &Api, vhost: &Vhost, segment: &str) -> Result<ExchangeView, ApiError> {
    let name = exchange_name(segment);
    let exchange = match name {
        "" => None,
        name => Some(
            vhost
                .exchange(name.as_bytes())
                .ok_or_else(ApiError::not_found)?,
        ),
    };
    Ok(ExchangeView::of(&api.broker, vhost, exchange))
}

async fn show(
    Reading(api, caller, listing, ranges): Reading,
    Segments((vhost, segment)): Segments<(String, String)>,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &vhost)?;
    let row = ExchangeRow::new(&api, view(&api, &vhost, &segment)?, true, ranges);
    Answer::row(&row, &listing.columns)
}

async fn bindings_from(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((vhost, segment)): Segments<(String, String)>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &vhost)?;
    let view = view(&api, &vhost, &segment)?;
    aside(move || {
        let views = match &view.exchange {
            Some(exchange) => from_exchange(exchange),
            None => from_default(&vhost),
        };
        super::bindings::list(&vhost, views, &listing)
    })
    .await
}

async fn bindings_to(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((vhost, segment)): Segments<(String, String)>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &vhost)?;
    let view = view(&api, &vhost, &segment)?;
    let views = match view.exchange {
        Some(_) => to_destination(&vhost, &Destination::Exchange(view.name)),
        None => Vec::new(),
    };
    super::bindings::list(&vhost, views, &listing)
}

async fn declare(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, segment)): Segments<(String, String)>,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.put_vhost(&api.broker, &host)?;
    body.require(&["type"])?;
    let kind = exchange_type(body.text("type")?.unwrap_or_default().as_bytes())?;
    let name = changeable(&segment)?;
    let permit = |access, name: &str| caller.permit(&api.broker, &host, access, name);
    permit(Access::Configure, name)?;
    short("exchange", name)?;
    let existing = vhost.exchange(name.as_bytes());
    if existing.is_none() && name.starts_with("amq.") {
        return Err(ApiError::access_refused());
    }
    let arguments = tables::of_body(&body)?;
    let alternate = arguments
        .get(b"alternate-exchange")
        .and_then(Value::as_long_string);
    if let Some(alternate) = alternate {
        permit(Access::Read, name)?;
        permit(Access::Write, &String::from_utf8_lossy(alternate))?;
    }
    vhost.declare_exchange(ExchangeSpec {
        name: Name::from(name),
        kind,
        durable: body.boolean("durable")?.unwrap_or(false),
        auto_delete: body.boolean("auto_delete")?.unwrap_or(false),
        internal: body.boolean("internal")?.unwrap_or(false),
        arguments,
        declared_by: Name::from(caller.name()),
    })?;
    api.settled().await?;
    Ok(match existing {
        Some(_) => StatusCode::NO_CONTENT,
        None => StatusCode::CREATED,
    })
}

/// The default exchange can be neither declared nor deleted.
fn changeable(segment: &str) -> Result<&str, ApiError> {
    match exchange_name(segment) {
        "" => Err(ApiError::access_refused()),
        name => Ok(name),
    }
}

async fn delete(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments((host, segment)): Segments<(String, String)>,
    params: Params,
) -> Result<StatusCode, ApiError> {
    let vhost = caller.vhost(&api.broker, &host)?;
    let name = changeable(&segment)?;
    if vhost.exchange(name.as_bytes()).is_none() {
        return Err(ApiError::not_found());
    }
    if name.starts_with("amq.") {
        return Err(ApiError::access_refused());
    }
    caller.permit(&api.broker, &host, Access::Configure, name)?;
    vhost.delete_exchange(name.as_bytes(), params.flag("if-unused"))?;
    api.settled().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rows of the bindings of `vhost`.
pub fn binding_rows(
    vhost: &Vhost,
    views: Vec<crate::broker::observe::views::BindingView>,
) -> Vec<BindingRow> {
    let row = |view| BindingRow {
        view,
        vhost: vhost.name.clone(),
    };
    views.into_iter().map(row).collect()
}
