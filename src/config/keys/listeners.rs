//! Keys of listeners, sockets and TLS.

use super::row::{Default::*, Key, put, put_some};
use crate::config::settings::TlsVersion;
use crate::config::value::{boolean, integer, listener, size, text};

const ADDRESS: &str = "PORT, IP:PORT or [IPv6]:PORT with a port from 0 to 65535";
const BOOLEAN: &str = "true or false";
const PATH: &str = "a path";
const BYTES: &str = "a size in bytes (units: k, KiB, KB, M, MiB, MB, G, GiB, GB)";
const NONE: &str = "none";

pub const KEYS: &[Key] = &[
    Key::new(
        "listeners.tcp.$name",
        Family(&[("listeners.tcp.default", "5672")]),
        ADDRESS,
        "An address that AMQP clients connect to; a port alone is every address, IPv6 and IPv4.",
        |s, name, v| {
            s.listeners.tcp.push((name.to_owned(), listener(v)?));
            Some(())
        },
    ),
    Key::new(
        "listeners.tcp",
        Unset,
        NONE,
        "Opens no plain listener, whatever listeners.tcp.* say.",
        |s, _, v| put(&mut s.listeners.tcp_none, (v == NONE).then_some(true)),
    ),
    Key::new(
        "listeners.ssl.$name",
        Unset,
        ADDRESS,
        "An address for TLS clients, by custom with port 5671; needs certificate and key.",
        |s, name, v| {
            s.listeners.ssl.push((name.to_owned(), listener(v)?));
            Some(())
        },
    ),
    Key::new(
        "listeners.ssl",
        Unset,
        NONE,
        "Opens no TLS listener, whatever listeners.ssl.* say.",
        |s, _, v| put(&mut s.listeners.ssl_none, (v == NONE).then_some(true)),
    ),
    Key::new(
        "proxy_protocol",
        Value("false"),
        BOOLEAN,
        "Every connection must begin with a PROXY protocol header (version 1 or 2).",
        |s, _, v| put(&mut s.listeners.proxy_protocol, boolean(v)),
    ),
    Key::new(
        "handshake_timeout",
        Value("10000"),
        "milliseconds, 1 to 3600000",
        "Time a client has to log in and open a virtual host.",
        |s, _, v| {
            put(
                &mut s.listeners.handshake_timeout_ms,
                integer(v, 1, 3_600_000),
            )
        },
    ),
    Key::new(
        "ssl_handshake_timeout",
        Value("5000"),
        "milliseconds, 1 to 3600000",
        "Time a client has for the TLS handshake.",
        |s, _, v| {
            put(
                &mut s.listeners.ssl_handshake_timeout_ms,
                integer(v, 1, 3_600_000),
            )
        },
    ),
    Key::new(
        "tcp_listen_options.backlog",
        Value("128"),
        "a whole number from 1 to 65535",
        "Connections that may wait to be accepted.",
        |s, _, v| put(&mut s.listeners.tcp_options.backlog, integer(v, 1, 65_535)),
    ),
    Key::new(
        "tcp_listen_options.nodelay",
        Value("true"),
        BOOLEAN,
        "Sends small packets at once (TCP_NODELAY).",
        |s, _, v| put(&mut s.listeners.tcp_options.nodelay, boolean(v)),
    ),
    Key::new(
        "tcp_listen_options.keepalive",
        Value("false"),
        BOOLEAN,
        "Lets the system probe idle connections; heartbeats do it sooner.",
        |s, _, v| put(&mut s.listeners.tcp_options.keepalive, boolean(v)),
    ),
    Key::new(
        "tcp_listen_options.sndbuf",
        Unset,
        BYTES,
        "Send buffer of each connection; unset, the system decides.",
        |s, _, v| put_some(&mut s.listeners.tcp_options.sndbuf, size(v)),
    ),
    Key::new(
        "tcp_listen_options.recbuf",
        Unset,
        BYTES,
        "Receive buffer of each connection; unset, the system decides.",
        |s, _, v| put_some(&mut s.listeners.tcp_options.recbuf, size(v)),
    ),
    Key::new(
        "tcp_listen_options.linger.on",
        Value("false"),
        BOOLEAN,
        "With a timeout of 0, closing resets the connection and loses what is unsent (RabbitMQ's \
         default); off, the system delivers it.",
        |s, _, v| put(&mut s.listeners.tcp_options.linger_on, boolean(v)),
    ),
    Key::new(
        "tcp_listen_options.linger.timeout",
        Value("0"),
        "seconds, 0 to 65535",
        "How long closing waits for what is unsent, when linger is on.",
        |s, _, v| {
            put(
                &mut s.listeners.tcp_options.linger_timeout_s,
                integer(v, 0, 65_535),
            )
        },
    ),
    Key::new(
        "tcp_listen_options.send_timeout",
        Unset,
        "milliseconds, 1 to 3600000",
        "A write that makes no progress for longer ends the connection.",
        |s, _, v| {
            put_some(
                &mut s.listeners.tcp_options.send_timeout_ms,
                integer(v, 1, 3_600_000),
            )
        },
    )
    .later("write timeouts; heartbeats end such a connection"),
    Key::new(
        "ssl_options.cacertfile",
        Unset,
        PATH,
        "PEM file of the authorities that client certificates are checked against.",
        |s, _, v| put_some(&mut s.tls.cacertfile, text(v)),
    ),
    Key::new(
        "ssl_options.certfile",
        Unset,
        PATH,
        "PEM file of the server's certificate, followed by its intermediate ones.",
        |s, _, v| put_some(&mut s.tls.certfile, text(v)),
    ),
    Key::new(
        "ssl_options.keyfile",
        Unset,
        PATH,
        "PEM file of the server's private key, not encrypted.",
        |s, _, v| put_some(&mut s.tls.keyfile, text(v)),
    ),
    Key::new(
        "ssl_options.verify",
        Value("verify_none"),
        "verify_peer or verify_none",
        "Whether clients are asked for a certificate, which is then checked.",
        |s, _, v| {
            let verify = match v {
                "verify_peer" => true,
                "verify_none" => false,
                _ => return None,
            };
            put(&mut s.tls.verify_peer, Some(verify))
        },
    ),
    Key::new(
        "ssl_options.fail_if_no_peer_cert",
        Value("false"),
        BOOLEAN,
        "With verify_peer: refuses clients without a certificate.",
        |s, _, v| put(&mut s.tls.fail_if_no_peer_cert, boolean(v)),
    ),
    Key::new(
        "ssl_options.versions.$n",
        Family(&[
            ("ssl_options.versions.1", "tlsv1.3"),
            ("ssl_options.versions.2", "tlsv1.2"),
        ]),
        "tlsv1.2 or tlsv1.3",
        "TLS versions that are offered; older ones are not supported.",
        |s, _, v| {
            let version = match v {
                "tlsv1.2" => TlsVersion::Tls12,
                "tlsv1.3" => TlsVersion::Tls13,
                _ => return None,
            };
            s.tls.versions.push(version);
            Some(())
        },
    ),
];
