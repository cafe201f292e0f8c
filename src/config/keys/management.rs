//! Keys of the management API and its pages.

use super::row::{Default::*, Key, put, put_some};
use crate::config::settings::RatesMode;
use crate::config::value::{boolean, integer, ip, size, text};

const PORT: &str = "a port, 0 to 65535";
const IP: &str = "an IP address";
const PATH: &str = "the path of a file";
const BOOLEAN: &str = "true or false";
const POLICY: &str = "the value of a response header";

/// A prefix with its leading slash and without a trailing one; `/` and nothing are none.
fn prefix(text: &str) -> Option<String> {
    let inner = text.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if text.is_empty() || !inner.chars().all(plain) {
        return None;
    }
    Some(if inner.is_empty() {
        String::new()
    } else {
        format!("/{inner}")
    })
}

pub const KEYS: &[Key] = &[
    Key::new(
        "management.tcp.port",
        Value("15672"),
        PORT,
        "The port of the management API.",
        |s, _, v| put(&mut s.management.port, integer(v, 0, 65_535)),
    ),
    Key::new(
        "management.tcp.ip",
        Unset,
        IP,
        "Its address; unset, every address.",
        |s, _, v| put_some(&mut s.management.ip, ip(v)),
    ),
    Key::new(
        "management.ssl.port",
        Unset,
        PORT,
        "The port of the management API over TLS, by custom 15671; unset, there is none.",
        |s, _, v| put_some(&mut s.management.tls.port, integer(v, 0, 65_535)),
    ),
    Key::new(
        "management.ssl.ip",
        Unset,
        IP,
        "Its address; unset, every address.",
        |s, _, v| put_some(&mut s.management.tls.ip, ip(v)),
    ),
    Key::new(
        "management.ssl.certfile",
        Unset,
        PATH,
        "PEM file of the management API's certificate; unset, ssl_options.certfile.",
        |s, _, v| put_some(&mut s.management.tls.certfile, text(v)),
    ),
    Key::new(
        "management.ssl.keyfile",
        Unset,
        PATH,
        "PEM file of its private key, not encrypted; unset, ssl_options.keyfile.",
        |s, _, v| put_some(&mut s.management.tls.keyfile, text(v)),
    ),
    Key::new(
        "management.ssl.cacertfile",
        Unset,
        PATH,
        "PEM file of the authorities that its clients' certificates are checked against.",
        |s, _, v| put_some(&mut s.management.tls.cacertfile, text(v)),
    ),
    Key::new(
        "management.ssl.verify",
        Value("verify_none"),
        "verify_peer or verify_none",
        "Whether its clients are asked for a certificate, which is then checked.",
        |s, _, v| {
            let verify = match v {
                "verify_peer" => true,
                "verify_none" => false,
                _ => return None,
            };
            put(&mut s.management.tls.verify_peer, Some(verify))
        },
    ),
    Key::new(
        "management.ssl.fail_if_no_peer_cert",
        Value("false"),
        BOOLEAN,
        "With verify_peer: refuses its clients without a certificate.",
        |s, _, v| put(&mut s.management.tls.fail_if_no_peer_cert, boolean(v)),
    ),
    Key::new(
        "management.path_prefix",
        Unset,
        "letters, digits, / - . _ ~",
        "Everything is served below this path, as behind a proxy that keeps it.",
        |s, _, v| put(&mut s.management.path_prefix, prefix(v)),
    ),
    Key::new(
        "management.http.max_body_size",
        Value("20000000"),
        "a size in bytes (units: k, KiB, KB, M, MiB, MB, G, GiB, GB)",
        "The largest request body; leveretctl may send 1 GiB.",
        |s, _, v| put(&mut s.management.max_body_bytes, size(v)),
    ),
    Key::new(
        "management.login_session_timeout",
        Value("480"),
        "minutes, 1 to 525600",
        "How long a login to the pages lasts.",
        |s, _, v| {
            put(
                &mut s.management.login_session_timeout_min,
                integer(v, 1, 525_600),
            )
        },
    ),
    Key::new(
        "collect_statistics_interval",
        Value("5000"),
        "milliseconds, 1000 to 600000",
        "How often the numbers of all objects are noted: rates are of one such interval, and of each \
         queue, exchange, channel and connection the last 13 are kept.",
        |s, _, v| {
            put(
                &mut s.management.statistics_interval_ms,
                integer(v, 1_000, 600_000),
            )
        },
    ),
    Key::new(
        "management.rates_mode",
        Value("basic"),
        "basic, detailed or none",
        "Taken for compatibility: rates of each object are shown, as with basic. Another mode is \
         answered with a warning at the start.",
        |s, _, v| {
            let mode = match v {
                "basic" => RatesMode::Basic,
                "detailed" => RatesMode::Detailed,
                "none" => RatesMode::None,
                _ => return None,
            };
            put(&mut s.management.rates_mode, Some(mode))
        },
    ),
    Key::new(
        "management.disable_stats",
        Value("false"),
        BOOLEAN,
        "Leaves rates out of every answer.",
        |s, _, v| put(&mut s.management.disable_stats, boolean(v)),
    ),
    Key::new(
        "management.enable_queue_totals",
        Value("false"),
        BOOLEAN,
        "Shows message counts of queues all the same.",
        |s, _, v| put(&mut s.management.enable_queue_totals, boolean(v)),
    ),
    Key::new(
        "management.cors.allow_origins.$n",
        Unset,
        "an origin such as https://example.com, or *",
        "Pages of other sites that may use the API; others change nothing.",
        |s, _, v| {
            s.management.cors_origins.push(text(v)?);
            Some(())
        },
    ),
    Key::new(
        "management.cors.max_age",
        Value("1800"),
        "seconds, 0 to 86400",
        "How long browsers may remember that.",
        |s, _, v| put(&mut s.management.cors_max_age_s, integer(v, 0, 86_400)),
    ),
    Key::new(
        "management.csp.policy",
        Unset,
        POLICY,
        "Content-Security-Policy of the pages in place of our own, which allows nothing foreign.",
        |s, _, v| put_some(&mut s.management.csp, text(v)),
    ),
    Key::new(
        "management.hsts.policy",
        Unset,
        POLICY,
        "Strict-Transport-Security, for instance max-age=31536000; includeSubDomains.",
        |s, _, v| put_some(&mut s.management.hsts, text(v)),
    ),
];

#[cfg(test)]
mod tests {
    use super::prefix;

    #[test]
    fn prefixes_are_brought_into_one_form() {
        for (text, expected) in [
            ("/mq", "/mq"),
            ("mq", "/mq"),
            ("/mq/a/", "/mq/a"),
            ("/", ""),
        ] {
            assert_eq!(prefix(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(prefix("/a b"), None);
        assert_eq!(prefix("/a?b"), None);
    }
}
