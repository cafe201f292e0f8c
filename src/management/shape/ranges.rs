//! The ranges a request asks samples for: `lengths_age=60&lengths_incr=5` and the like.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::broker::observe::points::Range;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::state::SharedApi;

/// Samples that one range may have, as in RabbitMQ.
const SAMPLES_MAX: u64 = 500;

/// What samples are wanted of. An extractor: it fails with RabbitMQ's 400.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ranges {
    /// Of numbers of messages.
    pub lengths: Option<Range>,
    /// Of what happens to messages, and of comings and goings.
    pub msg_rates: Option<Range>,
    /// Of octets.
    pub data_rates: Option<Range>,
    /// Of what the node uses.
    pub node_stats: Option<Range>,
}

impl FromRequestParts<SharedApi> for Ranges {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApi) -> Result<Self, ApiError> {
        Self::of(&Params::parse(parts.uri.query().unwrap_or_default()))
    }
}

impl Ranges {
    /// Reads the parameters.
    pub fn of(params: &Params) -> Result<Self, ApiError> {
        Ok(Self {
            lengths: range(params, "lengths_age", "lengths_incr")?,
            msg_rates: range(params, "msg_rates_age", "msg_rates_incr")?,
            data_rates: range(params, "data_rates_age", "data_rates_incr")?,
            node_stats: range(params, "node_stats_age", "node_stats_incr")?,
        })
    }
}

fn range(params: &Params, age: &str, incr: &str) -> Result<Option<Range>, ApiError> {
    let (Some(age), Some(incr)) = (params.get(age), params.get(incr)) else {
        return Ok(None);
    };
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| ApiError::bad_request(format!("[\"not_integer\",{text:?}]")))
    };
    let (age_s, incr_s) = (number(age)?, number(incr)?);
    let fits = incr_s > 0 && age_s > 0 && age_s / incr_s <= SAMPLES_MAX;
    if !fits {
        return Err(ApiError::bad_request(format!(
            "Invalid range parameters: age {age_s}, incr {incr_s}"
        )));
    }
    Ok(Some(Range { age_s, incr_s }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_both_parts_and_few_samples() {
        let of = |query: &str| Ranges::of(&Params::parse(query));
        let ranges = of("lengths_age=60&lengths_incr=5&msg_rates_age=60").unwrap();
        let minute = Range {
            age_s: 60,
            incr_s: 5,
        };
        assert_eq!(ranges.lengths, Some(minute));
        assert_eq!(ranges.msg_rates, None);
        assert_eq!(
            of("lengths_age=60000&lengths_incr=1"),
            Err(ApiError::bad_request(
                "Invalid range parameters: age 60000, incr 1"
            ))
        );
        assert!(of("node_stats_age=60&node_stats_incr=0").is_err());
        assert!(of("data_rates_age=x&data_rates_incr=1").is_err());
    }
}
