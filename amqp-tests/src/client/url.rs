//! `amqp://user:password@host:port/vhost`.

use crate::suite::{Result, fail};

/// A broker's address and the login to use there.
#[derive(Clone, Debug)]
pub struct Url {
    /// User name.
    pub user: String,
    /// Password.
    pub password: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Virtual host.
    pub vhost: String,
}

impl Url {
    /// Parses a URL; everything but the host has RabbitMQ's default.
    pub fn parse(text: &str) -> Result<Self> {
        let Some(rest) = text.strip_prefix("amqp://") else {
            return fail(format!("{text}: only amqp:// is spoken here"));
        };
        let (authority, path) = match rest.split_once('/') {
            Some((a, p)) => (a, Some(p)),
            None => (rest, None),
        };
        let (login, address) = authority
            .rsplit_once('@')
            .unwrap_or(("guest:guest", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let (host, port) = match address.rsplit_once(':') {
            Some((h, p)) if p.chars().all(|c| c.is_ascii_digit()) => (h, p),
            _ => (address, "5672"),
        };
        let Ok(port) = port.parse() else {
            return fail(format!("{text}: bad port"));
        };
        Ok(Self {
            user: decode(user),
            password: decode(password),
            host: host.trim_matches(['[', ']']).to_string(),
            port,
            vhost: path.map_or_else(|| "/".into(), decode),
        })
    }
    /// guest at 127.0.0.1:`port`, vhost `/`.
    pub fn local(port: u16) -> Self {
        Self {
            user: "guest".into(),
            password: "guest".into(),
            host: "127.0.0.1".into(),
            port,
            vhost: "/".into(),
        }
    }
}

fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        let hex = |b: Option<u8>| b.and_then(|b| (b as char).to_digit(16));
        match b {
            b'%' => match (hex(bytes.next()), hex(bytes.next())) {
                (Some(h), Some(l)) => out.push((h * 16 + l) as u8),
                _ => out.push(b'%'),
            },
            _ => out.push(b),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
