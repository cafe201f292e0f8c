//! The parameters behind a path's question mark.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::error::ApiError;
use super::state::SharedApi;

/// Parameters, a request may have at most; more are no client's.
const PARAMETERS_MAX: usize = 64;

/// The parameters of a request, in their order; of several with one name the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `a=b&c=d`, percent-encoded, with `+` for a space.
    pub fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let decoded = pairs.take(PARAMETERS_MAX).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        });
        Self(decoded.collect())
    }

    /// The value of `name`, empty where it has none.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.0.iter();
        let found = pairs.find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// True when `name` stands there as `true`.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced)
        .decode_utf8_lossy()
        .into_owned()
}

impl FromRequestParts<SharedApi> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApi) -> Result<Self, ApiError> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_encoded_pairs_and_the_first_of_a_name_counts() {
        let params = Params::parse("name=a+b%2Fc&name=x&empty=&bare&flag=true");
        assert_eq!(params.get("name"), Some("a b/c"));
        assert_eq!(params.get("empty"), Some(""));
        assert_eq!(params.get("bare"), Some(""));
        assert_eq!(params.get("none"), None);
        assert!(params.flag("flag") && !params.flag("name"));
        assert_eq!(Params::parse(""), Params::default());
    }
}
