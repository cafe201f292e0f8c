//! The server side of the SASL mechanisms: response bytes in, credentials or a refusal out.
//!
//! Every mechanism here ends with its first response, as the specification's do. Nothing decides
//! whether the credentials are right; that is `login`. RabbitMQ's challenge-response demonstration
//! mechanism (RABBIT-CR-DEMO) is left out.

use std::fmt;

use crate::amqp::table::read_table_body;
use crate::amqp::value::Value;

/// A mechanism this broker can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// RFC 4616 without an authorisation identity.
    Plain,
    /// AMQP's own: a field table with LOGIN and PASSWORD.
    Amqplain,
    /// The user name stands in the client's TLS certificate.
    External,
    /// A configured user for everybody; off by default.
    Anonymous,
}

/// How the peer proves who it is.
#[derive(Clone, PartialEq, Eq)]
pub enum Proof {
    /// By a password, compared with the user's hash.
    Password(Vec<u8>),
    /// By a client certificate that TLS has verified.
    Certificate,
    /// Not at all.
    Anonymous,
}

/// Hides the password.
impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password(_) => "Password",
            Self::Certificate => "Certificate",
            Self::Anonymous => "Anonymous",
        })
    }
}

/// A user name and its proof, not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The name the peer claims.
    pub user: String,
    /// Its proof.
    pub proof: Proof,
}

/// What the connection knows besides the response: what each mechanism may rely on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Peer<'a> {
    /// The connection is TLS; EXTERNAL is offered nowhere else.
    pub tls: bool,
    /// The user name of the verified client certificate, when there is one.
    pub certificate_user: Option<&'a str>,
    /// `anonymous_login_user`, when it is set.
    pub anonymous_user: Option<&'a str>,
}

/// Why a response gives no credentials. The texts are RabbitMQ's, without the response itself:
/// that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SaslRefusal {
    /// No such mechanism (503).
    #[error("unknown authentication mechanism '{0}'")]
    UnknownMechanism(String),
    /// A known mechanism that this connection was not offered (503).
    #[error("invalid authentication mechanism '{0}'")]
    NotOffered(String),
    /// The response is not what the mechanism sends (501).
    #[error("{0}")]
    Syntax(&'static str),
    /// Well-formed, but nobody can be logged in by it (403); the text is for the log.
    #[error("{0}")]
    Denied(String),
}

impl SaslRefusal {
    /// AMQP's reply code for it.
    pub fn reply_code(&self) -> u16 {
        match self {
            Self::UnknownMechanism(_) | Self::NotOffered(_) => 503,
            Self::Syntax(_) => 501,
            Self::Denied(_) => 403,
        }
    }
}

/// The text of every 403 at login, whatever the reason.
pub fn login_refused_text(mechanism: &str) -> String {
    format!(
        "Login was refused using authentication mechanism {mechanism}. \
         For details see the broker logfile."
    )
}

impl Mechanism {
    /// Every mechanism, in the order of preference.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Amqplain, Self::External, Self::Anonymous];

    /// The mechanism of this name; case matters, as in RabbitMQ.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name().as_bytes() == name)
    }

    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Amqplain => "AMQPLAIN",
            Self::External => "EXTERNAL",
            Self::Anonymous => "ANONYMOUS",
        }
    }

    /// Whether a connection of this kind is offered the mechanism once it is configured. EXTERNAL
    /// goes to every TLS peer, so that one without certificate is told why it fails.
    pub fn is_offered_to(self, peer: Peer<'_>) -> bool {
        match self {
            Self::Plain | Self::Amqplain => true,
            Self::External => peer.tls,
            Self::Anonymous => peer.anonymous_user.is_some(),
        }
    }
}

/// The mechanisms of `connection.start`, separated by spaces.
pub fn offer(configured: &[Mechanism], peer: Peer<'_>) -> String {
    let names: Vec<&str> = configured
        .iter()
        .filter(|m| m.is_offered_to(peer))
        .map(|m| m.name())
        .collect();
    names.join(" ")
}

/// Picks the mechanism a peer named in `connection.start-ok`.
pub fn select(
    name: &[u8],
    configured: &[Mechanism],
    peer: Peer<'_>,
) -> Result<Mechanism, SaslRefusal> {
    let text = || String::from_utf8_lossy(name).into_owned();
    let mechanism =
        Mechanism::from_name(name).ok_or_else(|| SaslRefusal::UnknownMechanism(text()))?;
    if configured.contains(&mechanism) && mechanism.is_offered_to(peer) {
        Ok(mechanism)
    } else {
        Err(SaslRefusal::NotOffered(text()))
    }
}

/// Reads the response of `mechanism`.
pub fn parse(
    mechanism: Mechanism,
    response: &[u8],
    peer: Peer<'_>,
) -> Result<Credentials, SaslRefusal> {
    match mechanism {
        Mechanism::Plain => parse_plain(response),
        Mechanism::Amqplain => parse_amqplain(response),
        Mechanism::External => match peer.certificate_user {
            Some(user) => Ok(Credentials {
                user: user.to_owned(),
                proof: Proof::Certificate,
            }),
            None => Err(SaslRefusal::Denied(
                "the peer sent no TLS certificate with a user name in it".to_owned(),
            )),
        },
        // The response is a trace of the peer's choosing (RFC 4505) and says nothing.
        Mechanism::Anonymous => match peer.anonymous_user {
            Some(user) => Ok(Credentials {
                user: user.to_owned(),
                proof: Proof::Anonymous,
            }),
            None => Err(SaslRefusal::Denied("anonymous logins are off".to_owned())),
        },
    }
}

/// `NUL user NUL password`. RabbitMQ takes no authorisation identity in front, not even one that
/// equals the user, and nothing behind the password.
fn parse_plain(response: &[u8]) -> Result<Credentials, SaslRefusal> {
    let invalid = SaslRefusal::Syntax("PLAIN response is invalid");
    let Some((0, rest)) = response.split_first() else {
        return Err(invalid);
    };
    let mut parts = rest.splitn(2, |&b| b == 0);
    let (Some(user), Some(password)) = (parts.next(), parts.next()) else {
        return Err(invalid);
    };
    if password.contains(&0) {
        return Err(invalid);
    }
    with_password(user, password)
}

fn parse_amqplain(response: &[u8]) -> Result<Credentials, SaslRefusal> {
    let table = read_table_body(response)
        .map_err(|_| SaslRefusal::Syntax("AMQPLAIN auth info is not a field table"))?;
    let missing = SaslRefusal::Syntax("AMQPLAIN auth info is missing LOGIN or PASSWORD field");
    let (Some(login), Some(password)) = (table.get(b"LOGIN"), table.get(b"PASSWORD")) else {
        return Err(missing);
    };
    match (login, password) {
        (Value::LongString(login), Value::LongString(password)) => with_password(login, password),
        _ => Err(SaslRefusal::Syntax(
            "AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field",
        )),
    }
}

/// Names are UTF-8 here, so other octets name nobody; answering so keeps RabbitMQ's 403.
fn with_password(user: &[u8], password: &[u8]) -> Result<Credentials, SaslRefusal> {
    match std::str::from_utf8(user) {
        Ok(user) => Ok(Credentials {
            user: user.to_owned(),
            proof: Proof::Password(password.to_vec()),
        }),
        Err(_) => Err(SaslRefusal::Denied(format!(
            "user '{}' - invalid credentials",
            String::from_utf8_lossy(user)
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOBODY: Peer<'static> = Peer {
        tls: false,
        certificate_user: None,
        anonymous_user: None,
    };

    fn plain(response: &[u8]) -> Result<Credentials, SaslRefusal> {
        parse(Mechanism::Plain, response, NOBODY)
    }

    fn amqplain(pairs: &[(&str, u8, &[u8])]) -> Result<Credentials, SaslRefusal> {
        let mut body = Vec::new();
        for (key, tag, value) in pairs {
            body.push(u8::try_from(key.len()).unwrap());
            body.extend_from_slice(key.as_bytes());
            body.push(*tag);
            if *tag == b'S' || *tag == b'x' {
                body.extend_from_slice(&u32::try_from(value.len()).unwrap().to_be_bytes());
            }
            body.extend_from_slice(value);
        }
        parse(Mechanism::Amqplain, &body, NOBODY)
    }

    fn guest() -> Credentials {
        Credentials {
            user: "guest".into(),
            proof: Proof::Password(b"guest".to_vec()),
        }
    }

    #[test]
    fn plain_takes_what_rabbitmq_takes() {
        assert_eq!(plain(b"\0guest\0guest"), Ok(guest()));
        let blank = plain(b"\0guest\0").unwrap();
        assert_eq!(blank.proof, Proof::Password(vec![]));
        assert_eq!(plain(b"\0\0guest").unwrap().user, "");
    }

    #[test]
    fn plain_refuses_what_rabbitmq_refuses() {
        let bad: [&[u8]; 6] = [
            b"",
            b"guest",
            b"\0guest",
            b"guest\0guest\0guest",
            b"x\0guest\0guest",
            b"\0a\0b\0",
        ];
        for response in bad {
            assert_eq!(
                plain(response).unwrap_err().reply_code(),
                501,
                "{response:?}"
            );
        }
        assert_eq!(plain(b"\0\xff\0x").unwrap_err().reply_code(), 403);
    }

    #[test]
    fn amqplain_finds_both_fields_in_any_order() {
        let login = ("LOGIN", b'S', b"guest".as_slice());
        let password = ("PASSWORD", b'S', b"guest".as_slice());
        assert_eq!(amqplain(&[login, password]), Ok(guest()));
        assert_eq!(
            amqplain(&[password, ("X", b'I', &[0, 0, 0, 1]), login]),
            Ok(guest())
        );
        // The first of two counts.
        assert_eq!(
            amqplain(&[login, ("LOGIN", b'S', b"bad"), password]),
            Ok(guest())
        );
    }

    #[test]
    fn amqplain_names_what_is_wrong() {
        let text = |pairs: &[_]| amqplain(pairs).unwrap_err().to_string();
        let missing = "AMQPLAIN auth info is missing LOGIN or PASSWORD field";
        assert_eq!(text(&[("LOGIN", b'S', b"guest")]), missing);
        assert_eq!(
            text(&[("login", b'S', b"a"), ("password", b'S', b"b")]),
            missing
        );
        assert_eq!(text(&[]), missing);
        assert_eq!(
            text(&[("LOGIN", b'x', b"guest"), ("PASSWORD", b'x', b"guest")]),
            "AMQPLAIN auth info uses unsupported type for LOGIN or PASSWORD field"
        );
        let cut = parse(Mechanism::Amqplain, b"\x05LOGINS\0\0\x01\0x", NOBODY).unwrap_err();
        assert_eq!(cut.to_string(), "AMQPLAIN auth info is not a field table");
        assert_eq!(cut.reply_code(), 501);
    }

    #[test]
    fn external_takes_the_certificate_and_nothing_else() {
        let peer = Peer {
            tls: true,
            certificate_user: Some("CN=a,O=b"),
            anonymous_user: None,
        };
        let credentials = parse(Mechanism::External, b"ignored", peer).unwrap();
        assert_eq!(credentials.user, "CN=a,O=b");
        assert_eq!(credentials.proof, Proof::Certificate);
        let without = Peer {
            certificate_user: None,
            ..peer
        };
        assert_eq!(
            parse(Mechanism::External, b"", without)
                .unwrap_err()
                .reply_code(),
            403
        );
    }

    #[test]
    fn anonymous_is_its_configured_user() {
        let peer = Peer {
            anonymous_user: Some("visitor"),
            ..NOBODY
        };
        assert_eq!(
            parse(Mechanism::Anonymous, b"trace", peer).unwrap().user,
            "visitor"
        );
        assert_eq!(
            parse(Mechanism::Anonymous, b"", NOBODY)
                .unwrap_err()
                .reply_code(),
            403
        );
    }

    #[test]
    fn offers_and_selects_by_configuration_and_connection() {
        let all = Mechanism::ALL;
        let tls = Peer {
            tls: true,
            ..NOBODY
        };
        assert_eq!(offer(&all, NOBODY), "PLAIN AMQPLAIN");
        assert_eq!(offer(&all, tls), "PLAIN AMQPLAIN EXTERNAL");
        let anonymous = Peer {
            anonymous_user: Some("v"),
            ..NOBODY
        };
        assert_eq!(offer(&[Mechanism::Anonymous], anonymous), "ANONYMOUS");

        assert_eq!(select(b"PLAIN", &all, NOBODY), Ok(Mechanism::Plain));
        let refusal = |name: &[u8]| select(name, &[Mechanism::Plain, Mechanism::External], NOBODY);
        assert_eq!(
            refusal(b"plain").unwrap_err().to_string(),
            "unknown authentication mechanism 'plain'"
        );
        assert_eq!(
            refusal(b"EXTERNAL").unwrap_err().to_string(),
            "invalid authentication mechanism 'EXTERNAL'"
        );
        assert_eq!(refusal(b"AMQPLAIN").unwrap_err().reply_code(), 503);
    }

    #[test]
    fn debug_output_does_not_show_the_password() {
        assert_eq!(
            format!("{:?}", guest()),
            r#"Credentials { user: "guest", proof: Password }"#
        );
    }
}
