//! Keys of the metrics.

use super::row::{Default::*, Key, put, put_some};
use crate::config::value::{integer, ip};

const PORT: &str = "a port, 0 to 65535";
const IP: &str = "an IP address";

pub const KEYS: &[Key] = &[
    Key::new(
        "prometheus.tcp.port",
        Value("15692"),
        PORT,
        "The port of the metrics.",
        |s, _, v| put(&mut s.prometheus.port, integer(v, 0, 65_535)),
    )
    .later("the metrics endpoint"),
    Key::new(
        "prometheus.tcp.ip",
        Unset,
        IP,
        "Its address; unset, every address.",
        |s, _, v| put_some(&mut s.prometheus.ip, ip(v)),
    )
    .later("the metrics endpoint"),
];
