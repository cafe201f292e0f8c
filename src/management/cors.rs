//! What pages of other sites may do: nothing, unless the configuration names their origin.
//!
//! The session cookie stays within its site, so such a page brings a name and a password along.

use axum::http::{HeaderMap, HeaderValue, Method, header};

use crate::config::ManagementSettings;

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
        let fits = |known: &String| known == "*" || known.as_bytes() == origin.as_bytes();
        self.origins.iter().any(fits)
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
    fn a_browser_that_asks_first_hears_of_methods_and_headers() {
        let answer = answer(&["*"], "https://a.example", Method::OPTIONS);
        let shown = |name: header::HeaderName| answer[name].to_str().unwrap().to_owned();
        assert_eq!(shown(header::ACCESS_CONTROL_ALLOW_METHODS), "GET, OPTIONS");
        assert_eq!(shown(header::ACCESS_CONTROL_ALLOW_HEADERS), "authorization");
        assert_eq!(shown(header::ACCESS_CONTROL_MAX_AGE), "30");
    }
}
