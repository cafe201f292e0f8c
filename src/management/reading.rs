//! What a request that only looks brings along.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::auth::Caller;
use super::error::ApiError;
use super::listing::Listing;
use super::shape::ranges::Ranges;
use super::state::SharedApi;

/// The API's state, who asks, which rows and fields of them are wanted, and which samples.
#[derive(Debug)]
pub struct Reading(pub SharedApi, pub Caller, pub Listing, pub Ranges);

impl FromRequestParts<SharedApi> for Reading {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &SharedApi) -> Result<Self, ApiError> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let listing = Listing::from_request_parts(parts, api).await?;
        let ranges = Ranges::from_request_parts(parts, api).await?;
        Ok(Self(SharedApi::clone(api), caller, listing, ranges))
    }
}
