//! Moments as texts.

use jiff::Timestamp;

/// `2026-11-20T13:38:04.845+00:00`, of milliseconds since the epoch.
pub fn iso(ms: u64) -> String {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_as_rabbitmqs() {
        assert_eq!(iso(1_795_181_884_845), "2026-11-20T13:38:04.845+00:00");
        assert_eq!(iso(0), "1970-01-01T00:00:00.000+00:00");
    }
}
