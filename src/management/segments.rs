//! The names in a path, decoded: `%2F` is a slash within a name, `+` is a plus.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::state::SharedApi;

/// Names from the path, as axum's `Path` gives them; what is no UTF-8 names nothing.
#[derive(Debug)]
pub struct Segments<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<SharedApi> for Segments<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
        match Path::<T>::from_request_parts(parts, api).await {
            Ok(Path(names)) => Ok(Self(names)),
            Err(_) => Err(ApiError::not_found()),
        }
    }
}

/// Octets of a name: what a short string of AMQP holds, and what definitions are taken back with.
const NAME_MAX: usize = 255;

/// Refuses a name that is too long, in RabbitMQ's words for a queue's; `what` it is the name of.
pub fn short(what: &str, name: &str) -> Result<(), ApiError> {
    if name.len() <= NAME_MAX {
        return Ok(());
    }
    let length = name.len();
    Err(ApiError::bad_request(format!(
        "{what} should be less than {NAME_MAX} bytes, actually was {length}\n"
    )))
}

/// The name of an exchange as the broker knows it: the default exchange, whose name is empty,
/// goes by `amq.default` in paths.
pub fn exchange_name(segment: &str) -> &str {
    if segment == "amq.default" {
        ""
    } else {
        segment
    }
}
