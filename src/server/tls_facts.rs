//! What is shown of a TLS connection, in the words of RabbitMQ's runtime.

use rustls::{CommonState, ProtocolVersion};
use x509_parser::parse_x509_certificate;

use crate::broker::connections::TlsFacts;

/// What the handshake has settled.
pub fn facts(connection: &CommonState) -> TlsFacts {
    let mut facts = TlsFacts {
        protocol: match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "tlsv1.3".to_owned(),
            Some(ProtocolVersion::TLSv1_2) => "tlsv1.2".to_owned(),
            _ => String::new(),
        },
        ..TlsFacts::default()
    };
    if let Some(suite) = connection.negotiated_cipher_suite() {
        let name = suite.suite().as_str().unwrap_or_default();
        (facts.key_exchange, facts.cipher, facts.hash) = parts(name);
    }
    let certificate = connection.peer_certificates().and_then(<[_]>::first);
    if let Some(der) = certificate
        && let Ok((_, certificate)) = parse_x509_certificate(der.as_ref())
    {
        let validity = certificate.validity();
        facts.peer_cert_subject = certificate.subject().to_string();
        facts.peer_cert_issuer = certificate.issuer().to_string();
        facts.peer_cert_validity = format!("{} - {}", validity.not_before, validity.not_after);
    }
    facts
}

/// Key exchange, cipher and code of a suite. Every suite in use authenticates what it encrypts, so
/// there is no code besides.
fn parts(suite: &str) -> (String, String, String) {
    let (exchange, rest) = match suite.strip_prefix("TLS13_") {
        Some(rest) => ("any".to_owned(), rest),
        None => match suite.trim_start_matches("TLS_").split_once("_WITH_") {
            Some((exchange, rest)) => (exchange.to_lowercase(), rest),
            None => return Default::default(),
        },
    };
    let cipher = rest.rsplit_once('_').map_or(rest, |(cipher, _)| cipher);
    (exchange, cipher.to_lowercase(), "aead".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_taken_apart() {
        let words = |suite| {
            let (exchange, cipher, hash) = parts(suite);
            format!("{exchange} {cipher} {hash}")
        };
        assert_eq!(words("TLS13_AES_256_GCM_SHA384"), "any aes_256_gcm aead");
        assert_eq!(
            words("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
            "ecdhe_rsa aes_128_gcm aead"
        );
        assert_eq!(words("unknown"), "  ");
    }
}
