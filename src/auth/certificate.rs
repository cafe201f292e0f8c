//! The user name that a client certificate stands for (`ssl_cert_login_from`), printed as
//! RabbitMQ prints it, so that users of an existing broker keep their names.
//!
//! TLS has verified the certificate before; nothing here trusts its octets all the same.

use std::net::IpAddr;

use x509_parser::prelude::*;

use crate::config::{AuthSettings, CertificateLogin, CertificateSan};

/// Where the user name stands in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoginFrom {
    /// The whole subject, RFC 4514: `CN=client,O=Acme`.
    #[default]
    DistinguishedName,
    /// The common name; several are joined by commas.
    CommonName,
    /// The subject alternative name of this type and, among those, this index from 0.
    SubjectAlternativeName(SanType, usize),
}

/// A type of subject alternative name (`ssl_cert_login_san_type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SanType {
    /// A host name.
    #[default]
    Dns,
    /// An IP address, as text.
    Ip,
    /// An e-mail address.
    Email,
    /// A URI.
    Uri,
}

impl LoginFrom {
    /// What the configuration says.
    pub fn configured(settings: &AuthSettings) -> Self {
        match settings.ssl_cert_login_from {
            CertificateLogin::DistinguishedName => Self::DistinguishedName,
            CertificateLogin::CommonName => Self::CommonName,
            CertificateLogin::SubjectAlternativeName => {
                let kind = match settings.ssl_cert_login_san_type {
                    CertificateSan::Dns => SanType::Dns,
                    CertificateSan::Ip => SanType::Ip,
                    CertificateSan::Email => SanType::Email,
                    CertificateSan::Uri => SanType::Uri,
                };
                Self::SubjectAlternativeName(kind, settings.ssl_cert_login_san_index)
            }
        }
    }
}

/// Why a certificate names no user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Not a DER certificate.
    #[error("the client certificate cannot be read")]
    Malformed,
    /// It has no such part.
    #[error("the client certificate has no {0}")]
    NoName(&'static str),
    /// The part is there but is no text.
    #[error("the {0} of the client certificate is not text")]
    NotText(&'static str),
}

/// The user name in the certificate `der`.
pub fn user_name_of_certificate(der: &[u8], from: LoginFrom) -> Result<String, CertificateError> {
    let (_, certificate) =
        X509Certificate::from_der(der).map_err(|_| CertificateError::Malformed)?;
    let name = match from {
        LoginFrom::DistinguishedName => distinguished_name(certificate.subject())?,
        LoginFrom::CommonName => common_name(certificate.subject())?,
        LoginFrom::SubjectAlternativeName(kind, index) => {
            alternative_name(&certificate, kind, index)?
        }
    };
    if name.is_empty() {
        Err(CertificateError::NoName(part_name(from)))
    } else {
        Ok(name)
    }
}

fn part_name(from: LoginFrom) -> &'static str {
    match from {
        LoginFrom::DistinguishedName => "subject",
        LoginFrom::CommonName => "common name",
        LoginFrom::SubjectAlternativeName(..) => "subject alternative name of the configured type",
    }
}

fn common_name(subject: &X509Name<'_>) -> Result<String, CertificateError> {
    let mut names = Vec::new();
    for attribute in subject.iter_common_name() {
        names.push(text_of(attribute).ok_or(CertificateError::NotText("common name"))?);
    }
    Ok(names.join(","))
}

fn alternative_name(
    certificate: &X509Certificate<'_>,
    kind: SanType,
    index: usize,
) -> Result<String, CertificateError> {
    let missing = CertificateError::NoName("subject alternative name of the configured type");
    let extension = certificate
        .subject_alternative_name()
        .map_err(|_| CertificateError::Malformed)?
        .ok_or(missing.clone())?;
    let of_kind = |name: &GeneralName<'_>| match (kind, name) {
        (SanType::Dns, GeneralName::DNSName(text))
        | (SanType::Email, GeneralName::RFC822Name(text))
        | (SanType::Uri, GeneralName::URI(text)) => Some((*text).to_owned()),
        (SanType::Ip, GeneralName::IPAddress(octets)) => ip_text(octets),
        _ => None,
    };
    extension
        .value
        .general_names
        .iter()
        .filter_map(of_kind)
        .nth(index)
        .ok_or(missing)
}

/// RabbitMQ hands out the raw octets here, which no user name can be; text is meant.
fn ip_text(octets: &[u8]) -> Option<String> {
    let address = match octets.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(octets).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(octets).ok()?),
        _ => return None,
    };
    Some(address.to_string())
}

/// The subject with its last part first, parts joined by commas, values of one part by plus.
fn distinguished_name(subject: &X509Name<'_>) -> Result<String, CertificateError> {
    let mut parts = Vec::new();
    for rdn in subject.iter_rdn() {
        let mut values = Vec::new();
        for attribute in rdn.iter() {
            let text = text_of(attribute).ok_or(CertificateError::NotText("subject"))?;
            values.push(format!("{}={}", type_name(attribute), escape(&text)));
        }
        parts.push(values.join("+"));
    }
    parts.reverse();
    Ok(parts.join(","))
}

/// The short names RabbitMQ has for attribute types; it prints every other one as its number.
fn type_name(attribute: &AttributeTypeAndValue<'_>) -> String {
    let number = attribute.attr_type().to_id_string();
    let short = match number.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "SERIALNUMBER",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "TITLE",
        "2.5.4.42" => "GIVENNAME",
        "2.5.4.43" => "INITIALS",
        "2.5.4.44" => "GENERATIONQUALIFIER",
        "2.5.4.65" => "PSEUDONYM",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "EMAILADDRESS",
        _ => return number,
    };
    short.to_owned()
}

/// The text of a value, whichever of X.509's string types it has.
fn text_of(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    if let Ok(text) = attribute.as_str() {
        return Some(text.to_owned());
    }
    let value = attribute.attr_value();
    match value.tag().0 {
        // TeletexString: in practice ISO 8859-1, unless its maker wrote UTF-8.
        20 => Some(match std::str::from_utf8(value.data) {
            Ok(text) => text.to_owned(),
            Err(_) => value.data.iter().map(|&octet| char::from(octet)).collect(),
        }),
        // BMPString: UTF-16, high octet first.
        30 if value.data.len() % 2 == 0 => {
            let units = value
                .data
                .as_chunks::<2>()
                .0
                .iter()
                .map(|pair| u16::from_be_bytes(*pair));
            char::decode_utf16(units)
                .collect::<Result<String, _>>()
                .ok()
        }
        _ => None,
    }
}

/// RFC 4514 with RabbitMQ's habit of writing every octet that is not printable ASCII as `\XX`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let last = text.len().saturating_sub(1);
    for (at, octet) in text.bytes().enumerate() {
        match octet {
            b' ' if at == 0 || at == last => out.push_str("\\ "),
            b'#' if at == 0 => out.push_str("\\#"),
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => {
                out.extend(['\\', char::from(octet)]);
            }
            0..32 | 126.. => out.push_str(&format!("\\{octet:02X}")),
            _ => out.push(char::from(octet)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(der: &[u8], from: LoginFrom) -> String {
        user_name_of_certificate(der, from).unwrap()
    }

    fn san(kind: SanType, index: usize) -> LoginFrom {
        LoginFrom::SubjectAlternativeName(kind, index)
    }

    /// Each expected text is what RabbitMQ 3.10.8 made of the same certificate.
    #[test]
    fn distinguished_names_read_as_in_rabbitmq() {
        let cases: [(&[u8], &str); 7] = [
            (
                include_bytes!("testdata/plain.der"),
                "CN=client-1,OU=Ops,O=Acme\\, Inc,L=Lund,ST=Skane,C=SE",
            ),
            (include_bytes!("testdata/twocn.der"), "CN=second,CN=first"),
            (
                include_bytes!("testdata/odd.der"),
                "2.5.4.9=Main,TITLE=Dr,SERIALNUMBER=77,DC=org,UID=u1,EMAILADDRESS=a@b.c,\
                 CN=\\ lead trail\\ ,O=\\#hash \\\"q\\\" \\<a\\>\\;b\\\\c",
            ),
            (
                include_bytes!("testdata/utf8.der"),
                "CN=J\\C3\\BCrgen \\E2\\9C\\93",
            ),
            (include_bytes!("testdata/multi.der"), "CN=C+O=A+OU=B"),
            (include_bytes!("testdata/nocn.der"), "O=OnlyOrg"),
            (
                include_bytes!("testdata/oid.der"),
                "PSEUDONYM=ps,2.5.4.46=dq,GENERATIONQUALIFIER=III,INITIALS=I,SN=Sur,\
                 GIVENNAME=Given,2.5.4.41=nm,2.5.4.17=12345,2.5.4.15=biz,CN=z",
            ),
        ];
        for (der, expected) in cases {
            assert_eq!(name(der, LoginFrom::DistinguishedName), expected);
        }
    }

    #[test]
    fn common_names_read_as_in_rabbitmq() {
        let cases: [(&[u8], &str); 4] = [
            (include_bytes!("testdata/plain.der"), "client-1"),
            (include_bytes!("testdata/twocn.der"), "first,second"),
            (include_bytes!("testdata/odd.der"), " lead trail "),
            (include_bytes!("testdata/utf8.der"), "Jürgen ✓"),
        ];
        for (der, expected) in cases {
            assert_eq!(name(der, LoginFrom::CommonName), expected);
        }
        let without = include_bytes!("testdata/nocn.der");
        assert_eq!(
            user_name_of_certificate(without, LoginFrom::CommonName),
            Err(CertificateError::NoName("common name"))
        );
    }

    #[test]
    fn alternative_names_by_type_and_index() {
        let der = include_bytes!("testdata/utf8.der");
        assert_eq!(name(der, san(SanType::Dns, 0)), "a.example");
        assert_eq!(name(der, san(SanType::Dns, 1)), "b.example");
        assert_eq!(name(der, san(SanType::Email, 0)), "x@y.z");
        assert_eq!(name(der, san(SanType::Uri, 0)), "urn:thing");
        assert_eq!(name(der, san(SanType::Ip, 0)), "10.1.2.3");
        assert_eq!(name(der, san(SanType::Ip, 1)), "::1");
        assert!(user_name_of_certificate(der, san(SanType::Dns, 2)).is_err());
        let without = include_bytes!("testdata/plain.der");
        assert!(user_name_of_certificate(without, san(SanType::Dns, 0)).is_err());
    }

    #[test]
    fn the_configuration_says_which_part() {
        let mut settings = crate::config::Settings::default().auth;
        assert_eq!(
            LoginFrom::configured(&settings),
            LoginFrom::DistinguishedName
        );
        settings.ssl_cert_login_from = CertificateLogin::SubjectAlternativeName;
        settings.ssl_cert_login_san_type = CertificateSan::Email;
        settings.ssl_cert_login_san_index = 2;
        assert_eq!(LoginFrom::configured(&settings), san(SanType::Email, 2));
    }

    #[test]
    fn damaged_certificates_are_refused_quietly() {
        let der: &[u8] = include_bytes!("testdata/utf8.der");
        for cut in 0..der.len() {
            assert!(user_name_of_certificate(&der[..cut], LoginFrom::CommonName).is_err());
        }
        for at in 0..der.len() {
            let mut damaged = der.to_vec();
            damaged[at] ^= 0xff;
            for from in [
                LoginFrom::CommonName,
                LoginFrom::DistinguishedName,
                san(SanType::Ip, 0),
            ] {
                drop(user_name_of_certificate(&damaged, from));
            }
        }
    }
}
