//! Refusals in RabbitMQ's words: a status, and a JSON object with `error` and `reason`.
//!
//! RabbitMQ's API knows no 403 and no 409: what a user may not do is a 401 with a body, what does
//! not fit the objects there are is a 400.

use std::borrow::Cow;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::amqp::{AmqpError, ReplyCode};

/// The realm that RabbitMQ's clients know.
const REALM: HeaderValue = HeaderValue::from_static("Basic realm=\"RabbitMQ Management\"");

/// A request that was not carried out.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    status: StatusCode,
    body: Option<Value>,
    challenge: bool,
}

impl ApiError {
    fn with(status: StatusCode, error: &str, reason: impl Into<Value>) -> Self {
        Self {
            status,
            body: Some(json!({ "error": error, "reason": reason.into() })),
            challenge: false,
        }
    }

    fn empty(status: StatusCode) -> Self {
        Self {
            status,
            body: None,
            challenge: false,
        }
    }

    /// The object that the path names is not there.
    pub fn not_found() -> Self {
        Self::with(StatusCode::NOT_FOUND, "Object Not Found", "Not Found")
    }

    /// Something else that the request names is not there.
    pub fn missing(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(StatusCode::NOT_FOUND, "not_found", reason.into())
    }

    /// The request does not make sense.
    pub fn bad_request(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, "bad_request", reason.into())
    }

    /// A value that does not make sense: RabbitMQ's word for what is wrong, and the value. (RabbitMQ
    /// gives these two as a list, on which its typed clients fail.)
    pub fn bad_value(word: &str, value: &Value) -> Self {
        let shown = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Self::bad_request(format!("{word}: {shown}"))
    }

    /// A 400 with another word for `error`.
    pub fn refused_as(error: &str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, error, reason.into())
    }

    /// What stands in the way has to be taken away first.
    pub fn precondition_failed(reason: impl Into<Cow<'static, str>>) -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self::with(status, "precondition_failed", reason.into())
    }

    /// The user may not do this.
    pub fn not_authorised(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(StatusCode::UNAUTHORIZED, "not_authorised", reason.into())
    }

    /// The user's permissions in the virtual host do not cover this.
    pub fn access_refused() -> Self {
        Self::not_authorised("Access refused.")
    }

    /// The request names nobody.
    pub fn unauthenticated() -> Self {
        Self {
            challenge: true,
            ..Self::empty(StatusCode::UNAUTHORIZED)
        }
    }

    /// The credentials are wrong. (RabbitMQ writes this one with z.)
    pub fn login_failed() -> Self {
        Self {
            challenge: true,
            ..Self::with(StatusCode::UNAUTHORIZED, "not_authorized", "Login failed")
        }
    }

    /// No login, or one that has ended, of a page that asks for it by itself: the browser is not
    /// made to ask.
    pub fn session_ended() -> Self {
        Self::with(StatusCode::UNAUTHORIZED, "not_authorized", "Not logged in")
    }

    /// The same, and the browser is not made to ask for a password.
    pub fn without_challenge(self) -> Self {
        Self {
            challenge: false,
            ..self
        }
    }

    /// None of the types the client accepts is JSON.
    pub fn not_acceptable() -> Self {
        Self::empty(StatusCode::NOT_ACCEPTABLE)
    }

    /// A request larger than it may be.
    pub fn too_large() -> Self {
        Self::with(
            StatusCode::PAYLOAD_TOO_LARGE,
            "payload_too_large",
            "the request body is larger than it may be (management.http.max_body_size)",
        )
    }

    /// A request whose body does not come.
    pub fn late() -> Self {
        Self::with(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the request body did not come in time",
        )
    }

    /// Too many requests from there.
    pub fn too_many(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            reason.into(),
        )
    }

    /// A check that found something wrong: `status` is `failed` beside the check's own fields.
    pub fn check_failed(mut body: Value) -> Self {
        if let Some(fields) = body.as_object_mut() {
            fields.insert("status".to_owned(), "failed".into());
        }
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            body: Some(body),
            challenge: false,
        }
    }

    /// What cannot be done at the moment, or not here.
    pub fn unavailable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::with(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            reason.into(),
        )
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// What the broker refuses as it would over AMQP: access is 401, anything else a 400 with the
/// reply text; something missing is the 404 of that object.
impl From<AmqpError> for ApiError {
    fn from(error: AmqpError) -> Self {
        match error.code {
            ReplyCode::AccessRefused => Self::access_refused(),
            ReplyCode::NotFound => Self::missing(error.text),
            _ => Self::bad_request(error.text),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        if self.challenge {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, REALM);
        }
        response
    }
}
