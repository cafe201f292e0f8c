//! Broker addresses as AMQP URLs: `amqp://user:password@host:port/vhost`.
//!
//! Never resolves names or opens sockets; TLS URLs are refused, because what is measured here
//! is the broker and not its cipher.

use anyhow::{Context, Result, bail};

/// Where a broker listens and who logs in there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerUrl {
    /// Host name or address, without the brackets of an IPv6 literal.
    pub host: String,
    /// TCP port, 5672 unless the URL names one.
    pub port: u16,
    /// User name, `guest` unless the URL names one.
    pub user: String,
    /// Password, `guest` unless the URL names one.
    pub password: String,
    /// Virtual host, `/` unless the URL names one.
    pub vhost: String,
}

impl BrokerUrl {
    /// Reads an `amqp://` URL; percent escapes are decoded in user, password and vhost.
    pub fn parse(text: &str) -> Result<Self> {
        let Some(rest) = text.strip_prefix("amqp://") else {
            bail!("{text}: only amqp:// URLs are understood");
        };
        let (authority, vhost) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), "/".to_owned()),
            Some((authority, path)) => (authority, decode(path)?),
        };
        let (login, address) = match authority.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, authority),
        };
        let (user, password) = match login {
            None => ("guest".to_owned(), "guest".to_owned()),
            Some(login) => match login.split_once(':') {
                Some((user, password)) => (decode(user)?, decode(password)?),
                None => (decode(login)?, String::new()),
            },
        };
        let (host, port) = split_port(address)?;
        Ok(Self {
            host,
            port,
            user,
            password,
            vhost,
        })
    }
}

fn split_port(address: &str) -> Result<(String, u16)> {
    let (host, port) = if let Some(rest) = address.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .with_context(|| format!("{address}: the IPv6 address is not closed by ]"))?;
        (host, after.strip_prefix(':'))
    } else {
        match address.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (address, None),
        }
    };
    let port = match port {
        Some(port) => port
            .parse()
            .with_context(|| format!("{address}: {port} is not a port"))?,
        None => 5672,
    };
    let host = if host.is_empty() { "127.0.0.1" } else { host };
    Ok((host.to_owned(), port))
}

fn decode(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16));
        let pair = digit(rest.next()).zip(digit(rest.next()));
        let (high, low) = pair.with_context(|| format!("{text}: bad percent escape"))?;
        bytes.push(u8::try_from(high * 16 + low)?);
    }
    String::from_utf8(bytes).with_context(|| format!("{text}: not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::BrokerUrl;

    #[test]
    fn defaults_fill_what_the_url_leaves_out() {
        let url = BrokerUrl::parse("amqp://localhost").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("localhost", 5672));
        assert_eq!((url.user.as_str(), url.vhost.as_str()), ("guest", "/"));
    }

    #[test]
    fn every_part_is_read_and_unescaped() {
        let url = BrokerUrl::parse("amqp://a%40b:c%3Ad@[::1]:5673/%2Fmine").unwrap();
        assert_eq!((url.host.as_str(), url.port), ("::1", 5673));
        assert_eq!((url.user.as_str(), url.password.as_str()), ("a@b", "c:d"));
        assert_eq!(url.vhost, "/mine");
    }

    #[test]
    fn tls_and_bad_escapes_are_refused() {
        assert!(BrokerUrl::parse("amqps://localhost").is_err());
        assert!(BrokerUrl::parse("amqp://a%4@localhost").is_err());
        assert!(BrokerUrl::parse("amqp://localhost:port").is_err());
    }
}
