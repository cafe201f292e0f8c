//! Keys of the metrics.

use super::row::{Default::*, Key, put, put_some};
use crate::config::value::{boolean, integer, ip, text};

const PORT: &str = "a port, 0 to 65535";
const IP: &str = "an IP address";
const PATH: &str = "the path of a file";
const BOOLEAN: &str = "true or false";

/// A path with its leading slash and without a trailing one.
fn path(text: &str) -> Option<String> {
    let inner = text.trim_matches('/');
    let plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    (!inner.is_empty() && inner.chars().all(plain)).then(|| format!("/{inner}"))
}

pub const KEYS: &[Key] = &[
    Key::new(
        "prometheus.tcp.port",
        Value("15692"),
        PORT,
        "The port of the metrics.",
        |s, _, v| put(&mut s.prometheus.port, integer(v, 0, 65_535)),
    ),
    Key::new(
        "prometheus.tcp.ip",
        Unset,
        IP,
        "Its address; unset, every address.",
        |s, _, v| put_some(&mut s.prometheus.ip, ip(v)),
    ),
    Key::new(
        "prometheus.path",
        Value("/metrics"),
        "letters, digits, / - . _ ~",
        "Where the metrics are; those of each object are below it.",
        |s, _, v| put(&mut s.prometheus.path, path(v)),
    ),
    Key::new(
        "prometheus.return_per_object_metrics",
        Value("false"),
        BOOLEAN,
        "The metrics of each object in place of the sums, which is much with many objects.",
        |s, _, v| put(&mut s.prometheus.return_per_object_metrics, boolean(v)),
    ),
    Key::new(
        "prometheus.ssl.port",
        Unset,
        PORT,
        "The port of the metrics over TLS, by custom 15691; unset, there is none.",
        |s, _, v| put_some(&mut s.prometheus.tls.port, integer(v, 0, 65_535)),
    ),
    Key::new(
        "prometheus.ssl.ip",
        Unset,
        IP,
        "Its address; unset, every address.",
        |s, _, v| put_some(&mut s.prometheus.tls.ip, ip(v)),
    ),
    Key::new(
        "prometheus.ssl.certfile",
        Unset,
        PATH,
        "PEM file of the certificate; unset, ssl_options.certfile.",
        |s, _, v| put_some(&mut s.prometheus.tls.certfile, text(v)),
    ),
    Key::new(
        "prometheus.ssl.keyfile",
        Unset,
        PATH,
        "PEM file of its private key, not encrypted; unset, ssl_options.keyfile.",
        |s, _, v| put_some(&mut s.prometheus.tls.keyfile, text(v)),
    ),
    Key::new(
        "prometheus.ssl.cacertfile",
        Unset,
        PATH,
        "PEM file of the authorities that certificates of scrapers are checked against.",
        |s, _, v| put_some(&mut s.prometheus.tls.cacertfile, text(v)),
    ),
    Key::new(
        "prometheus.ssl.verify",
        Value("verify_none"),
        "verify_peer or verify_none",
        "Whether scrapers are asked for a certificate, which is then checked.",
        |s, _, v| {
            let verify = match v {
                "verify_peer" => true,
                "verify_none" => false,
                _ => return None,
            };
            put(&mut s.prometheus.tls.verify_peer, Some(verify))
        },
    ),
    Key::new(
        "prometheus.ssl.fail_if_no_peer_cert",
        Value("false"),
        BOOLEAN,
        "With verify_peer: refuses scrapers without a certificate.",
        |s, _, v| put(&mut s.prometheus.tls.fail_if_no_peer_cert, boolean(v)),
    ),
];

#[cfg(test)]
mod tests {
    use super::path;

    #[test]
    fn paths_are_brought_into_one_form() {
        for (text, expected) in [("/metrics", "/metrics"), ("m/x/", "/m/x")] {
            assert_eq!(path(text).as_deref(), Some(expected));
        }
        assert_eq!(path("/"), None);
        assert_eq!(path("/a b"), None);
    }
}
