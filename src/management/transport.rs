//! What holds for every request and answer: prefix and trailing slash, methods that a path does
//! not have, headers, compression, a length instead of chunks.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};
use tower_http::timeout::TimeoutBody;

use super::cors::{Asked, Cors};
use super::error::ApiError;
use super::metrics;
use super::router;
use super::server::{Answers, Peer};
use super::state::{Api, SharedApi};
use crate::limits;

/// Answers below this many octets are not worth compressing.
const COMPRESS_FROM: u16 = 300;

/// The order in which RabbitMQ names methods.
const METHODS: [&str; 6] = ["HEAD", "GET", "PUT", "POST", "DELETE", "OPTIONS"];

const VARY: HeaderValue = HeaderValue::from_static("accept, accept-encoding, origin");
const VARY_REFUSED: HeaderValue = HeaderValue::from_static("origin");
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache");
const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");

/// Nothing foreign, no evaluated text; styles that scripts set on elements are allowed.
const CSP: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
                   img-src 'self' data:; object-src 'none'; base-uri 'self'; \
                   frame-ancestors 'none'; form-action 'self'";

/// The whole API as one function from request to response.
#[derive(Clone)]
pub struct Transport {
    api: SharedApi,
    router: Router,
    /// What stands before every path.
    prefix: String,
    csp: HeaderValue,
    hsts: Option<HeaderValue>,
    cors: Cors,
    /// Time in which the next part of a body has to come.
    pub(super) body_idle: Duration,
}

impl Transport {
    /// Everything, over `api`.
    pub fn new(api: SharedApi) -> Self {
        let prefix = api.settings.management.path_prefix.clone();
        let router = router::all(&api);
        Self::over(api, router, prefix)
    }

    /// The metrics, which have a listener of their own.
    pub fn of_metrics(api: SharedApi) -> Self {
        let router = metrics::router(&api);
        Self::over(api, router, String::new())
    }

    fn over(api: SharedApi, router: Router, prefix: String) -> Self {
        let compression = CompressionLayer::new().gzip(true).compress_when(
            SizeAbove::new(COMPRESS_FROM).and(NotForContentType::const_new("text/event-stream")),
        );
        let router = router.layer(compression);
        let management = &api.settings.management;
        let value = |text: &String| HeaderValue::from_str(text).ok();
        Self {
            csp: management
                .csp
                .as_ref()
                .and_then(value)
                .unwrap_or(HeaderValue::from_static(CSP)),
            hsts: management.hsts.as_ref().and_then(value),
            cors: Cors::new(management),
            body_idle: limits::MANAGEMENT_BODY_IDLE,
            router,
            prefix,
            api,
        }
    }

    /// The state behind it.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Answers a request of `peer`.
    pub async fn answer<B>(&self, request: Request<B>, peer: Peer) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let mut request = request.map(|body| Body::new(TimeoutBody::new(self.body_idle, body)));
        request.extensions_mut().insert(peer);
        let method = request.method().clone();
        // The operator's tool knows no prefix: it is for those who come through a proxy.
        let prefix = match peer.operator {
            true => "",
            false => self.prefix.as_str(),
        };
        let asked = Asked::of(&method, request.headers());
        let path = request.uri().path();
        let response = match path_within(path, prefix) {
            Some(path) => {
                let is_api = path == "/api" || path.starts_with("/api/");
                if let Some(uri) = with_path(request.uri(), &path) {
                    *request.uri_mut() = uri;
                }
                let answered: Result<Response, Infallible> =
                    self.router.clone().oneshot(request).await;
                let Ok(response) = answered;
                settle_method(response, &method, is_api)
            }
            None if path == "/" => self.to_prefix(),
            None => ApiError::not_found().into_response(),
        };
        let mut response = self.finish(response).await;
        self.cors.apply(&asked, response.headers_mut());
        response
    }

    /// Leads whoever asks for the root to where the pages are.
    fn to_prefix(&self) -> Response {
        let location = (header::LOCATION, format!("{}/", self.prefix));
        (StatusCode::MOVED_PERMANENTLY, [location]).into_response()
    }

    /// The headers of every answer, and its length.
    async fn finish(&self, response: Response) -> Response {
        let (mut parts, body) = response.into_parts();
        let headers = &mut parts.headers;
        let fine = parts.status.is_success() || parts.status == StatusCode::NOT_MODIFIED;
        headers.insert(header::VARY, if fine { VARY } else { VARY_REFUSED });
        if fine {
            headers.entry(header::CACHE_CONTROL).or_insert(NO_CACHE);
        }
        headers
            .entry(header::CONTENT_SECURITY_POLICY)
            .or_insert_with(|| self.csp.clone());
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        if let Some(hsts) = &self.hsts {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        let compressed = headers.contains_key(header::CONTENT_ENCODING);
        if !compressed {
            return Response::from_parts(parts, body);
        }
        // Clients expect a length; what was compressed lies in memory anyway.
        match body.collect().await {
            Ok(collected) => {
                let octets = collected.to_bytes();
                parts
                    .headers
                    .insert(header::CONTENT_LENGTH, octets.len().into());
                Response::from_parts(parts, Body::from(octets))
            }
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    }
}

impl Answers for Transport {
    async fn answer<B>(&self, request: Request<B>, peer: Peer) -> Response
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        Self::answer(self, request, peer).await
    }

    async fn stopped(&self) {
        self.api.stopped().await;
    }
}

/// The path below `prefix`, without a trailing slash; `None` where it lies outside.
fn path_within(path: &str, prefix: &str) -> Option<String> {
    let inner = path.strip_prefix(prefix)?;
    if !inner.is_empty() && !inner.starts_with('/') {
        return None;
    }
    let trimmed = inner.trim_end_matches('/');
    Some(if trimmed.is_empty() {
        "/".to_owned()
    } else {
        trimmed.to_owned()
    })
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let whole = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    whole.parse().ok()
}

/// `OPTIONS` is answered with what the path has, another method that it lacks with a 405, both
/// with the methods in RabbitMQ's order and without a body. What no route knows is RabbitMQ's 404.
fn settle_method(mut response: Response, method: &Method, is_api: bool) -> Response {
    if response.status() == StatusCode::NOT_FOUND
        && is_api
        && !response.headers().contains_key(header::CONTENT_TYPE)
    {
        return ApiError::not_found().into_response();
    }
    if response.status() != StatusCode::METHOD_NOT_ALLOWED {
        return response;
    }
    let allowed = response.headers_mut().remove(header::ALLOW);
    let known = allowed.as_ref().and_then(|value| value.to_str().ok());
    let status = if method == Method::OPTIONS {
        StatusCode::OK
    } else {
        StatusCode::METHOD_NOT_ALLOWED
    };
    let mut answer = status.into_response();
    if let Ok(value) = HeaderValue::from_str(&in_order(known.unwrap_or_default())) {
        answer.headers_mut().insert(header::ALLOW, value);
    }
    answer
}

fn in_order(allowed: &str) -> String {
    let has = |method: &str| allowed.split(',').any(|known| known.trim() == method);
    let named = METHODS
        .iter()
        .filter(|method| **method == "OPTIONS" || has(method));
    named.copied().collect::<Vec<_>>().join(", ")
}

/// True when an answer in JSON suits the client: it says so, or says nothing. What it prefers
/// does not matter, since there is nothing else.
pub fn accepts_json(headers: &HeaderMap) -> bool {
    let mut asked = false;
    for value in headers.get_all(header::ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        for range in text.split(',') {
            let kind = range.split(';').next().unwrap_or_default().trim();
            if [
                "application/json",
                "application/*",
                "*/*",
                // A browser's event source names nothing else; what the events carry is JSON.
                "text/event-stream",
            ]
            .iter()
            .any(|fits| kind.eq_ignore_ascii_case(fits))
            {
                return true;
            }
            asked |= !kind.is_empty();
        }
    }
    !asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_prefix_and_trailing_slash() {
        let cases = [
            ("/api/queues/", "", Some("/api/queues")),
            ("/api/queues/%2F/", "", Some("/api/queues/%2F")),
            ("/", "", Some("/")),
            ("/mq/api/x", "/mq", Some("/api/x")),
            ("/mq", "/mq", Some("/")),
            ("/mqx/api", "/mq", None),
            ("/api", "/mq", None),
        ];
        for (path, prefix, expected) in cases {
            assert_eq!(path_within(path, prefix).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn methods_stand_in_rabbitmqs_order() {
        assert_eq!(in_order("GET,HEAD"), "HEAD, GET, OPTIONS");
        assert_eq!(
            in_order("DELETE,GET,HEAD,PUT"),
            "HEAD, GET, PUT, DELETE, OPTIONS"
        );
        assert_eq!(in_order("POST"), "POST, OPTIONS");
    }

    #[test]
    fn json_is_accepted_where_it_is_listed() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(value));
            accepts_json(&headers)
        };
        assert!(accepts_json(&HeaderMap::new()));
        for fine in [
            "*/*",
            "application/json",
            "application/bert, application/json;q=0.1",
            "text/html, */*;q=0.8",
            "text/event-stream",
            "",
        ] {
            assert!(with(fine), "{fine}");
        }
        assert!(!with("text/html"));
        assert!(!with("application/bert"));
    }
}
