//! Answers that are JSON octets already, and the threads that write them.

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::ser::{Error, Serialize, SerializeSeq, Serializer};

use super::fields::{Row, Written};
use crate::management::error::ApiError;
use crate::management::listing::Columns;

/// A JSON document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer(Vec<u8>);

impl Answer {
    /// Writes `value`.
    pub fn of(value: &impl Serialize) -> Result<Self, ApiError> {
        match serde_json::to_vec(value) {
            Ok(octets) => Ok(Self(octets)),
            // A map with a key that is no text, which no row has.
            Err(error) => Err(ApiError::unavailable(format!("no JSON: {error}"))),
        }
    }

    /// Writes one row.
    pub fn row(row: &impl Row, columns: &Columns) -> Result<Self, ApiError> {
        Self::of(&One { row, columns })
    }

    /// Its octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let json = HeaderValue::from_static("application/json");
        ([(header::CONTENT_TYPE, json)], self.0).into_response()
    }
}

/// One row, cut down to the columns.
struct One<'a, R> {
    row: &'a R,
    columns: &'a Columns,
}

impl<R: Row> Serialize for One<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = Written(self.row, self.columns);
        if !self.columns.has_parts() {
            return written.serialize(serializer);
        }
        let value = serde_json::to_value(written).map_err(S::Error::custom)?;
        self.columns.apply(value).serialize(serializer)
    }
}

/// Rows of things, each made when it is written.
#[derive(Debug)]
pub struct Rows<'a, T, F> {
    /// What is listed.
    pub things: &'a [T],
    /// Makes a row with the columns at least.
    pub look: F,
    /// What is wanted of each.
    pub columns: &'a Columns,
}

impl<T, R: Row, F: Fn(&T, &Columns) -> R> Serialize for Rows<'_, T, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.things.len()))?;
        for thing in self.things {
            let row = (self.look)(thing, self.columns);
            list.serialize_element(&One {
                row: &row,
                columns: self.columns,
            })?;
        }
        list.end()
    }
}

/// Runs what may take milliseconds beside the threads that serve connections.
pub async fn aside<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(ApiError::unavailable("the answer could not be written")),
    }
}
