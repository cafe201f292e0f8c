//! Answers with the embedded files, and with 304 where the browser has them already.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use sha2::{Digest, Sha256};

use super::assets::{ASSETS, Asset, INDEX};

/// What stands in the index for the root that addresses in the pages are relative to.
const BASE: &str = "<base href=\"/\">";

/// Octets of a digest that tell two versions of a file apart.
const ETAG_OCTETS: usize = 12;

/// A file with what is said about it.
struct File {
    octets: Bytes,
    content_type: HeaderValue,
    etag: HeaderValue,
    modified: Option<HeaderValue>,
}

/// The paths of the pages: `/` and one a file. `prefix` is what the API's paths begin with, empty
/// or such as `/mq`: a browser may have come without the slash after it.
pub fn routes<S>(prefix: &str) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let modified = last_modified();
    let mut router = Router::new();
    for asset in ASSETS {
        let file = Arc::new(File::new(asset, prefix, modified.clone()));
        if asset.path == INDEX {
            router = router.route("/", answering(Arc::clone(&file)));
        }
        router = router.route(&format!("/{}", asset.path), answering(file));
    }
    router
}

fn answering<S>(file: Arc<File>) -> axum::routing::MethodRouter<S>
where
    S: Clone + Send + Sync + 'static,
{
    get(move |headers: HeaderMap| async move { file.answer(&headers) })
}

/// The files are part of the program: they changed when it did.
fn last_modified() -> Option<HeaderValue> {
    let program = std::env::current_exe().ok()?;
    http_date(std::fs::metadata(program).ok()?.modified().ok()?)
}

fn http_date(time: SystemTime) -> Option<HeaderValue> {
    let stamp = Timestamp::try_from(time).ok()?;
    let text = DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&stamp)
        .ok()?;
    HeaderValue::from_str(&text).ok()
}

/// The index below a prefix, whose root is another.
fn based(index: &[u8], prefix: &str) -> Bytes {
    let escaped = prefix.replace('&', "&amp;").replace('"', "&quot;");
    let base = format!("<base href=\"{escaped}/\">");
    Bytes::from(String::from_utf8_lossy(index).replacen(BASE, &base, 1))
}

impl File {
    fn new(asset: &Asset, prefix: &str, modified: Option<HeaderValue>) -> Self {
        let octets = if asset.path == INDEX && !prefix.is_empty() {
            based(asset.octets, prefix)
        } else {
            Bytes::from_static(asset.octets)
        };
        let digest = Sha256::digest(&octets);
        let hex: String = digest
            .iter()
            .take(ETAG_OCTETS)
            .map(|octet| format!("{octet:02x}"))
            .collect();
        Self {
            octets,
            content_type: HeaderValue::from_static(asset.content_type()),
            // Weak: the same file may be sent compressed.
            etag: HeaderValue::from_str(&format!("W/\"{hex}\""))
                .unwrap_or(HeaderValue::from_static("W/\"0\"")),
            modified,
        }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let mut response = if self.is_known(asked) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = Body::from(self.octets.clone()).into_response();
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, self.content_type.clone());
            headers.insert(header::CONTENT_LENGTH, self.octets.len().into());
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.etag.clone());
        if let Some(modified) = &self.modified {
            headers.insert(header::LAST_MODIFIED, modified.clone());
        }
        response
    }

    /// True when the browser has this version. Its tag says so; a date counts where there is none.
    fn is_known(&self, asked: &HeaderMap) -> bool {
        let bare = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let own = bare(self.etag.to_str().unwrap_or_default());
        if let Some(tags) = asked.get(header::IF_NONE_MATCH) {
            let tags = tags.to_str().unwrap_or_default();
            return tags.trim() == "*" || tags.split(',').any(|tag| bare(tag) == own);
        }
        let since = asked.get(header::IF_MODIFIED_SINCE);
        since.is_some() && since == self.modified.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn ask(prefix: &str, path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        let mut request = Request::builder().uri(path);
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        let request = request.body(Body::empty()).unwrap();
        routes::<()>(prefix).oneshot(request).await.unwrap()
    }

    async fn octets(response: Response) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    #[tokio::test]
    async fn every_file_is_served_with_its_octets_and_type() {
        for asset in ASSETS {
            let response = ask("", &format!("/{}", asset.path), &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{}", asset.path);
            let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap();
            let fits = match asset.path.rsplit('.').next() {
                Some("js") => kind.starts_with("text/javascript"),
                Some("css") => kind.starts_with("text/css"),
                Some("html") => kind.starts_with("text/html"),
                Some("svg") => kind == "image/svg+xml",
                _ => kind.starts_with("text/plain"),
            };
            assert!(fits, "{} is {kind}", asset.path);
            assert!(response.headers().contains_key(header::LAST_MODIFIED));
            assert!(octets(response).await == asset.octets, "{}", asset.path);
        }
        assert_eq!(
            ask("", "/js/none.js", &[]).await.status(),
            StatusCode::NOT_FOUND
        );
    }

    #[tokio::test]
    async fn what_the_browser_has_is_not_sent_again() {
        let first = ask("", "/", &[]).await;
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let date = first.headers()[header::LAST_MODIFIED].to_str().unwrap();
        let known = [
            (header::IF_NONE_MATCH, tag.as_str()),
            (header::IF_NONE_MATCH, tag.trim_start_matches("W/")),
            (header::IF_NONE_MATCH, "*"),
            (header::IF_MODIFIED_SINCE, date),
        ];
        for condition in known {
            let again = ask("", "/", std::slice::from_ref(&condition)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{condition:?}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
            assert!(octets(again).await.is_empty());
        }
        let other = [
            (header::IF_NONE_MATCH, "\"other\""),
            (header::IF_MODIFIED_SINCE, date),
        ];
        assert_eq!(ask("", "/", &other).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn the_index_names_the_prefix() {
        let plain = octets(ask("", "/", &[]).await).await;
        assert!(String::from_utf8_lossy(&plain).contains(BASE));
        let below = octets(ask("/mq", "/", &[]).await).await;
        assert!(String::from_utf8_lossy(&below).contains("<base href=\"/mq/\">"));
    }
}
