//! What pages of other sites may do: nothing, unless the configuration names their origin.
//!
//! The session cookie stays within its site, so such a page brings a name and a password along.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use super::auth::OWN_PAGE;
use super::error::ApiError;
use crate::config::ManagementSettings;

/// How near the page is that a request comes from, as browsers tell.
const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request says of the page it comes from.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    origin: Option<HeaderValue>,
    /// The headers that a browser asks about before the page may send them.
    headers: Option<HeaderValue>,
    /// It asks which methods there are.
    preflight: bool,
}

impl Asked {
    /// Reads a request.
    pub fn of(method: &Method, headers: &HeaderMap) -> Self {
        Self {
            origin: headers.get(header::ORIGIN).cloned(),
            headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
            preflight: method == Method::OPTIONS,
        }
    }
}

fn allows(origins: &[String], origin: &HeaderValue) -> bool {
    let fits = |known: &String| known == "*" || known.as_bytes() == origin.as_bytes();
    origins.iter().any(fits)
}

/// Refuses a change that a page of another site asks for, with the password that the browser keeps
/// for this one, unless `origins` let that page in. Browsers say how near a page is or, without
/// encryption, its origin alone; what says neither is no browser and brings its password itself.
pub fn check_site(
    method: &Method,
    headers: &HeaderMap,
    origins: &[String],
) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let origin = headers.get(header::ORIGIN);
    let own = match headers.get(SITE) {
        Some(site) => [b"same-origin".as_slice(), b"none"].contains(&site.as_bytes()),
        // A proxy may have changed the host; the header of our own pages no foreign page can set.
        None => {
            headers.contains_key(OWN_PAGE) || origin.is_none_or(|origin| is_host(origin, headers))
        }
    };
    if own || origin.is_some_and(|origin| allows(origins, origin)) {
        return Ok(());
    }
    Err(ApiError::not_authorised(
        "a page of another site may not change anything here",
    ))
}

/// True where a page of this origin comes from the host that the request went to.
fn is_host(origin: &HeaderValue, headers: &HeaderMap) -> bool {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let origin = text(origin);
    let origin = origin.as_deref().and_then(|text| text.split_once("://"));
    let host = headers.get(header::HOST).and_then(text);
    origin.is_some_and(|(_, host_of_page)| host.as_deref() == Some(host_of_page))
}

/// The configured origins.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Vec<String>,
    max_age: HeaderValue,
}

impl Cors {
    /// As configured.
    pub fn new(settings: &ManagementSettings) -> Self {
        Self {
            origins: settings.cors_origins.clone(),
            max_age: settings.cors_max_age_s.into(),
        }
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        allows(&self.origins, origin)
    }

    /// Adds what the page's browser looks for.
    pub fn apply(&self, asked: &Asked, answer: &mut HeaderMap) {
        let Some(origin) = asked.origin.as_ref().filter(|origin| self.allows(origin)) else {
            return;
        };
        let yes = HeaderValue::from_static("true");
        answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
        let location = HeaderValue::from_static("location");
        answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, location);
        if !asked.preflight {
            return;
        }
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        if let Some(methods) = answer.get(header::ALLOW).cloned() {
            answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(headers) = &asked.headers {
            answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(origins: &[&str], origin: &'static str, method: Method) -> HeaderMap {
        let cors = Cors::new(&ManagementSettings {
            cors_origins: origins.iter().map(|o| (*o).to_owned()).collect(),
            cors_max_age_s: 30,
            ..ManagementSettings::default()
        });
        let mut request = HeaderMap::new();
        request.insert(header::ORIGIN, HeaderValue::from_static(origin));
        let asks = HeaderValue::from_static("authorization");
        request.insert(header::ACCESS_CONTROL_REQUEST_HEADERS, asks);
        let mut answer = HeaderMap::new();
        answer.insert(header::ALLOW, HeaderValue::from_static("GET, OPTIONS"));
        cors.apply(&Asked::of(&method, &request), &mut answer);
        answer
    }

    #[test]
    fn only_configured_origins_are_let_in() {
        let origin = "https://a.example";
        assert_eq!(answer(&[], origin, Method::GET).len(), 1);
        assert_eq!(answer(&["https://b.example"], origin, Method::GET).len(), 1);
        for configured in [origin, "*"] {
            let answer = answer(&[configured], origin, Method::GET);
            assert_eq!(answer[header::ACCESS_CONTROL_ALLOW_ORIGIN], origin);
            assert!(!answer.contains_key(header::ACCESS_CONTROL_MAX_AGE));
        }
    }

    #[test]
    fn changes_are_for_our_own_pages_and_those_let_in() {
        let check = |method: Method, site: Option<&'static str>, origins: &[&str]| {
            let mut headers = HeaderMap::new();
            if let Some(site) = site {
                headers.insert(SITE, HeaderValue::from_static(site));
                let origin = HeaderValue::from_static("https://a.example");
                headers.insert(header::ORIGIN, origin);
            }
            let origins: Vec<String> = origins.iter().map(|o| (*o).to_owned()).collect();
            check_site(&method, &headers, &origins).is_ok()
        };
        assert!(check(Method::DELETE, None, &[]), "no browser");
        for site in ["same-origin", "none"] {
            assert!(check(Method::POST, Some(site), &[]), "{site}");
        }
        for site in ["cross-site", "same-site", "whatever"] {
            for method in [Method::PUT, Method::POST, Method::DELETE] {
                assert!(!check(method.clone(), Some(site), &[]), "{site}");
                assert!(!check(method.clone(), Some(site), &["https://b.example"]));
                assert!(check(method, Some(site), &["https://a.example"]));
            }
            assert!(check(Method::GET, Some(site), &[]), "{site}");
        }
    }

    #[test]
    fn without_encryption_the_origin_tells() {
        let check = |origin: &'static str, own: bool, origins: &[String]| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ORIGIN, HeaderValue::from_static(origin));
            headers.insert(header::HOST, HeaderValue::from_static("mq.example:15672"));
            if own {
                headers.insert(OWN_PAGE, HeaderValue::from_static("leveret"));
            }
            check_site(&Method::POST, &headers, origins).is_ok()
        };
        assert!(check("http://mq.example:15672", false, &[]));
        assert!(check("http://MQ.example:15672", false, &[]));
        for foreign in ["http://a.example", "http://mq.example", "null", "x"] {
            assert!(!check(foreign, false, &[]), "{foreign}");
            assert!(check(foreign, true, &[]), "{foreign} behind a proxy");
            assert!(check(foreign, false, &[foreign.to_owned()]), "{foreign}");
        }
    }

    #[test]
    fn a_browser_that_asks_first_hears_of_methods_and_headers() {
        let answer = answer(&["*"], "https://a.example", Method::OPTIONS);
        let shown = |name: header::HeaderName| answer[name].to_str().unwrap().to_owned();
        assert_eq!(shown(header::ACCESS_CONTROL_ALLOW_METHODS), "GET, OPTIONS");
        assert_eq!(shown(header::ACCESS_CONTROL_ALLOW_HEADERS), "authorization");
        assert_eq!(shown(header::ACCESS_CONTROL_MAX_AGE), "30");
    }
}
