//! Bindings: all, of a virtual host, between two ends, one; making and deleting them.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::get;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::exchanges::binding_rows;
use crate::auth::Access;
use crate::broker::Vhost;
use crate::broker::observe::views::BindingView;
use crate::broker::observe::views::binding::{bindings, from_default, from_exchange};
use crate::exchange::{Binding, Destination, ExchangeType};
use crate::ids::Name;
use crate::management::auth::Caller;
use crate::management::body::Body;
use crate::management::error::ApiError;
use crate::management::listing::Listing;
use crate::management::rows::BindingRow;
use crate::management::rows::binding::{properties_key, quoted};
use crate::management::segments::{Segments, exchange_name, short};
use crate::management::shape::{Answer, aside, tables};
use crate::management::state::{Api, SharedApi};

/// What `Location` leaves as it is.
const PLAIN: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The routes.
pub fn routes() -> Router<SharedApi> {
    let pair = "/api/bindings/{vhost}/e/{source}/{kind}/{destination}";
    Router::new()
        .route("/api/bindings", get(all))
        .route("/api/bindings/{vhost}", get(of_vhost))
        .route(pair, get(between).post(bind))
        .route(&format!("{pair}/{{key}}"), get(show).delete(unbind))
}

/// The answer over bindings of one virtual host.
pub fn list(vhost: &Vhost, views: Vec<BindingView>, listing: &Listing) -> Result<Answer, ApiError> {
    rows(binding_rows(vhost, views), listing)
}

fn rows(rows: Vec<BindingRow>, listing: &Listing) -> Result<Answer, ApiError> {
    let order = ["vhost", "source", "destination_type", "destination"];
    listing.rows(
        rows,
        &order,
        |row| row.view.destination.name().to_string(),
        |row, _| row.clone(),
    )
}

async fn all(
    State(api): State<SharedApi>,
    caller: Caller,
    listing: Listing,
) -> Result<Answer, ApiError> {
    aside(move || {
        let all = caller
            .visible_vhosts(&api.broker)
            .iter()
            .flat_map(|vhost| binding_rows(vhost, bindings(vhost)))
            .collect();
        rows(all, &listing)
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
    aside(move || list(&vhost, bindings(&vhost), &listing)).await
}

/// The two ends in a path.
#[derive(Debug, serde::Deserialize)]
struct Ends {
    vhost: String,
    source: String,
    kind: String,
    destination: String,
}

#[derive(Debug, serde::Deserialize)]
struct Named {
    vhost: String,
    source: String,
    kind: String,
    destination: String,
    key: String,
}

impl Ends {
    fn source(&self) -> &str {
        exchange_name(&self.source)
    }

    fn destination(&self) -> Result<Destination, ApiError> {
        match self.kind.as_str() {
            "q" => Ok(Destination::queue(self.destination.as_bytes())),
            "e" => Ok(Destination::exchange(
                exchange_name(&self.destination).as_bytes(),
            )),
            _ => Err(ApiError::not_found()),
        }
    }

    /// The bindings between the two: none where one of them is missing, as in RabbitMQ.
    fn views(&self, vhost: &Vhost) -> Result<Vec<BindingView>, ApiError> {
        let destination = self.destination()?;
        let mut views = match self.source() {
            "" => from_default(vhost),
            name => {
                let exchange = vhost.exchange(name.as_bytes());
                exchange.map_or_else(Vec::new, |exchange| from_exchange(exchange.as_ref()))
            }
        };
        views.retain(|view| view.destination == destination);
        Ok(views)
    }
}

impl Named {
    fn split(self) -> (Ends, String) {
        let ends = Ends {
            vhost: self.vhost,
            source: self.source,
            kind: self.kind,
            destination: self.destination,
        };
        (ends, self.key)
    }
}

async fn between(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(ends): Segments<Ends>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let vhost = caller.vhost(&api.broker, &ends.vhost)?;
    list(&vhost, ends.views(&vhost)?, &listing)
}

fn find(vhost: &Vhost, ends: &Ends, key: &str) -> Result<BindingRow, ApiError> {
    let rows = binding_rows(vhost, ends.views(vhost)?);
    let named = |key: &str| rows.iter().find(|row| row.properties_key() == key).cloned();
    // Clients that quote a path once mean the routing key itself.
    let found = named(key).or_else(|| named(&quoted(key)));
    found.ok_or_else(ApiError::not_found)
}

async fn show(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(named): Segments<Named>,
    listing: Listing,
) -> Result<Answer, ApiError> {
    let (ends, key) = named.split();
    let vhost = caller.vhost(&api.broker, &ends.vhost)?;
    Answer::row(&find(&vhost, &ends, &key)?, &listing.columns)
}

/// The user's permissions for a binding, as a channel checks them.
fn permit(
    api: &Api,
    caller: &Caller,
    vhost: &Vhost,
    source: &str,
    binding: &Binding,
) -> Result<(), ApiError> {
    let host = vhost.name.to_string();
    let destination = binding.destination.name().to_string();
    // Nothing is bound to or from the default exchange.
    let default = matches!(binding.destination, Destination::Exchange(_)) && destination.is_empty();
    if default || source.is_empty() {
        return Err(ApiError::access_refused());
    }
    caller.permit(&api.broker, &host, Access::Write, &destination)?;
    caller.permit(&api.broker, &host, Access::Read, source)?;
    let exchange = vhost.exchange(source.as_bytes());
    if caller.operator || exchange.is_none_or(|exchange| exchange.kind != ExchangeType::Topic) {
        return Ok(());
    }
    let tables = api.broker.users.tables();
    let key = binding.routing_key.as_bytes();
    if tables.topic_allows(caller.name(), &host, source.as_bytes(), Access::Read, key) {
        return Ok(());
    }
    Err(ApiError::access_refused())
}

async fn bind(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(ends): Segments<Ends>,
    body: Body,
) -> Result<(StatusCode, [(HeaderName, String); 1]), ApiError> {
    let vhost = caller.put_vhost(&api.broker, &ends.vhost)?;
    let routing_key = body.text("routing_key")?.unwrap_or_default();
    short("routing_key", routing_key)?;
    let binding = Binding {
        destination: ends.destination()?,
        routing_key: Name::from(routing_key),
        arguments: tables::of_body(&body)?,
    };
    permit(&api, &caller, &vhost, ends.source(), &binding)?;
    vhost.bind(ends.source().as_bytes(), &binding)?;
    api.settled().await?;
    let key = properties_key(&binding.routing_key, &binding.arguments);
    let encode = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let location = format!("{}/{}", encode(&ends.destination), encode(&key));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]))
}

async fn unbind(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(named): Segments<Named>,
) -> Result<StatusCode, ApiError> {
    let (ends, key) = named.split();
    let vhost = caller.vhost(&api.broker, &ends.vhost)?;
    let row = find(&vhost, &ends, &key)?;
    let binding = Binding {
        destination: row.view.destination,
        routing_key: row.view.routing_key,
        arguments: row.view.arguments,
    };
    permit(&api, &caller, &vhost, ends.source(), &binding)?;
    vhost.unbind(ends.source().as_bytes(), &binding)?;
    api.settled().await?;
    Ok(StatusCode::NO_CONTENT)
}
