//! `GET /api/health/checks/certificate-expiration/{within}/{unit}`: no certificate that a listener
//! shows, or checks its clients' against, ends within that time.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};
use crate::time::unix_ms;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Certificates of one file that are looked at; a bundle of authorities has some 150.
const CERTIFICATES_MAX: usize = 1_024;

/// A listener whose certificates end soon is told with the times.
pub async fn check(
    State(api): State<SharedApi>,
    _caller: Caller,
    Segments((within, unit)): Segments<(String, String)>,
) -> Result<Json<Value>, ApiError> {
    let seconds = seconds(&within, &unit)?;
    // Files are read: not on the threads that serve connections.
    let looked = tokio::task::spawn_blocking(move || expiring(&api, seconds)).await;
    let expiring = looked.map_err(|_| ApiError::unavailable("the check was cut short"))?;
    if expiring.is_empty() {
        return Ok(Json(json!({ "status": "ok" })));
    }
    Err(ApiError::check_failed(
        json!({ "reason": "Certificates expiring", "expired": expiring }),
    ))
}

fn seconds(within: &str, unit: &str) -> Result<i64, ApiError> {
    let count: i64 = within
        .parse()
        .map_err(|_| ApiError::bad_request("Invalid expiration value."))?;
    let unit = match unit.to_lowercase().as_str() {
        "days" => DAY,
        "weeks" => 7 * DAY,
        "months" => 365 * DAY / 12,
        "years" => 365 * DAY,
        _ => {
            return Err(ApiError::bad_request(
                "Time unit not recognised. Supported units: days, weeks, months, years.",
            ));
        }
    };
    Ok(count.saturating_mul(unit))
}

fn expiring(api: &Api, seconds: i64) -> Vec<Value> {
    let now = i64::try_from(unix_ms() / 1000).unwrap_or(i64::MAX);
    let until = now.saturating_add(seconds);
    let with_tls = api.node.listeners.iter().filter(|l| l.certfile.is_some());
    with_tls
        .filter_map(|listener| {
            let ends = |path: Option<&Path>| match path {
                Some(path) => ends_before(path, until),
                None => Vec::new(),
            };
            let certfile = ends(listener.certfile.as_deref());
            let cacertfile = ends(listener.cacertfile.as_deref());
            if certfile.is_empty() && cacertfile.is_empty() {
                return None;
            }
            Some(json!({
                "node": api.node.name,
                "protocol": listener.protocol,
                "interface": listener.address.ip().to_string(),
                "port": listener.address.port(),
                "certfile": listener.certfile,
                "cacertfile": listener.cacertfile,
                "certfile_expires_on": certfile,
                "cacertfile_expires_on": cacertfile,
            }))
        })
        .collect()
}

/// When the certificates of a file end that do so before `until`; what cannot be read counts as
/// ended, with the reason.
fn ends_before(path: &Path, until: i64) -> Vec<String> {
    let octets = match std::fs::read(path) {
        Ok(octets) => octets,
        Err(error) => return vec![format!("cannot be read: {error}")],
    };
    let mut ends = Vec::new();
    let mut found = 0;
    for pem in Pem::iter_from_buffer(&octets).take(CERTIFICATES_MAX) {
        let Ok(pem) = pem else { break };
        if pem.label != "CERTIFICATE" {
            continue;
        }
        found += 1;
        match pem.parse_x509() {
            Ok(certificate) => {
                let end = certificate.validity().not_after;
                if end.timestamp() < until {
                    ends.push(shown(end));
                }
            }
            Err(error) => ends.push(format!("is no certificate: {error}")),
        }
    }
    if found == 0 {
        ends.push("holds no certificate".to_owned());
    }
    ends
}

/// `2027-11-21 08:05:00`.
fn shown(time: ASN1Time) -> String {
    match jiff::Timestamp::from_second(time.timestamp()) {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_as_rabbitmq_counts_them() {
        assert_eq!(seconds("2", "weeks"), Ok(14 * DAY));
        assert_eq!(seconds("1", "Years"), Ok(365 * DAY));
        assert_eq!(seconds("12", "months"), Ok(365 * DAY));
        assert!(seconds("x", "days").is_err() && seconds("1", "hours").is_err());
    }

    #[test]
    fn what_holds_no_certificate_counts_as_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.pem");
        assert_eq!(ends_before(&path, 0).len(), 1);
        std::fs::write(&path, "").unwrap();
        assert_eq!(ends_before(&path, 0), ["holds no certificate"]);
    }
}
