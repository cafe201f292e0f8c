//! Request bodies: JSON objects, whatever content type they claim to have.
//!
//! RabbitMQ's clients write booleans and numbers as texts, so both are taken. An empty body is an
//! empty object: every key of a queue has a default.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use serde_json::{Map, Value};
use tower_http::timeout::TimeoutError;

use super::error::ApiError;
use super::server::Peer;
use super::state::SharedApi;
use crate::limits;

/// A body as it came: up to the configured size, on the operator's socket up to its own limit.
#[derive(Debug, Clone, Default)]
pub struct RawBody(pub Bytes);

impl FromRequest<SharedApi> for RawBody {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, api: &SharedApi) -> Result<Self, ApiError> {
        // Everybody else's limit stands in the router.
        let peer = request.extensions().get::<Peer>();
        if peer.is_some_and(|peer| peer.operator) {
            DefaultBodyLimit::max(limits::OPERATOR_BODY_BYTES).apply(&mut request);
        }
        match Bytes::from_request(request, api).await {
            Ok(octets) => Ok(Self(octets)),
            Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ApiError::too_large())
            }
            Err(error) if is_late(&error) => Err(ApiError::late()),
            Err(_) => Err(ApiError::bad_request("the request body ended early")),
        }
    }
}

/// True where the next part of a body has not come in time.
fn is_late(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|error| error.is::<TimeoutError>())
}

/// A body that is a JSON object.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Body(pub Map<String, Value>);

impl FromRequest<SharedApi> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &SharedApi) -> Result<Self, ApiError> {
        let RawBody(octets) = RawBody::from_request(request, api).await?;
        Self::parse(&octets)
    }
}

impl Body {
    /// Reads an object; nothing at all and `null` are an empty one, as in RabbitMQ.
    pub fn parse(octets: &[u8]) -> Result<Self, ApiError> {
        if octets.is_empty() || octets == b"undefined" {
            return Ok(Self::default());
        }
        match serde_json::from_slice(octets) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(Value::Null) => Ok(Self::default()),
            Ok(Value::String(_)) => Err(ApiError::bad_request(
                "invalid payload: the request body JSON-decoded to a string. Is the input \
                 doubly-JSON-encoded?",
            )),
            _ => Err(ApiError::bad_request("not_json")),
        }
    }

    /// Fails with RabbitMQ's text where one of `keys` is missing.
    pub fn require(&self, keys: &[&str]) -> Result<(), ApiError> {
        let missing: Vec<String> = keys
            .iter()
            .filter(|key| !self.0.contains_key(**key))
            .map(|key| format!("{{key_missing,{key}}}"))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(ApiError::bad_request(format!("[{}]", missing.join(","))))
    }

    /// The value of `key` as it came.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A boolean, or its name as a text.
    pub fn boolean(&self, key: &str) -> Result<Option<bool>, ApiError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text == "true" => Ok(Some(true)),
            Some(Value::String(text)) if text == "false" => Ok(Some(false)),
            Some(other) => Err(ApiError::bad_value("not_boolean", other)),
        }
    }

    /// A whole number, or one written as a text.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, ApiError> {
        let refused = |value: &Value| ApiError::bad_value("not_integer", value);
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(value @ Value::Number(number)) => match number.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(refused(value)),
            },
            Some(value @ Value::String(text)) => match text.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(refused(value)),
            },
            Some(value) => Err(refused(value)),
        }
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ApiError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ApiError::bad_value("not_a_string", other)),
        }
    }

    /// An object; where it is missing, or an empty list (how some clients write it), an empty one.
    pub fn object(&self, key: &str) -> Result<Map<String, Value>, ApiError> {
        match self.get(key) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(fields)) => Ok(fields.clone()),
            Some(Value::Array(all)) if all.is_empty() => Ok(Map::new()),
            Some(other) => Err(ApiError::bad_value("not_an_object", other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn body(text: &str) -> Body {
        Body::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn nothing_is_an_empty_object() {
        for text in ["", "null", "undefined", "{}"] {
            assert_eq!(body(text), Body::default(), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["{", "[]", "1", "\"{}\"", "\u{0}"] {
            let status = Body::parse(text.as_bytes())
                .unwrap_err()
                .into_response()
                .status();
            assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        }
    }

    #[test]
    fn booleans_and_numbers_may_be_texts() {
        let body = body(r#"{"t":true,"f":"false","n":7,"m":"-7","x":"xx","o":{},"d":1.5}"#);
        assert_eq!(body.boolean("t"), Ok(Some(true)));
        assert_eq!(body.boolean("f"), Ok(Some(false)));
        assert_eq!(body.boolean("none"), Ok(None));
        assert_eq!(
            body.boolean("x"),
            Err(ApiError::bad_request("not_boolean: xx"))
        );
        assert_eq!(body.integer("n"), Ok(Some(7)));
        assert_eq!(body.integer("m"), Ok(Some(-7)));
        assert!(body.integer("x").is_err() && body.integer("o").is_err());
        assert!(body.integer("d").is_err());
        assert_eq!(body.text("x"), Ok(Some("xx")));
        assert!(body.text("n").is_err());
    }

    #[test]
    fn missing_keys_are_named_together() {
        let missing = body(r#"{"a":1}"#).require(&["a", "b", "c"]).unwrap_err();
        assert_eq!(
            missing,
            ApiError::bad_request("[{key_missing,b},{key_missing,c}]")
        );
        assert_eq!(body(r#"{"a":1}"#).require(&["a"]), Ok(()));
    }
}
