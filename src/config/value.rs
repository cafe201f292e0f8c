//! Readers of single values. `None` is "not allowed here"; the key table says what is.

use std::net::{IpAddr, Ipv6Addr};

use super::settings::ListenerAddress;

/// `true` or `false`; `on`, `off`, `yes`, `no` as people write them.
pub fn boolean(text: &str) -> Option<bool> {
    match text {
        "true" | "on" | "yes" => Some(true),
        "false" | "off" | "no" => Some(false),
        _ => None,
    }
}

/// A whole number from `low` to `high`.
pub fn integer<T>(text: &str, low: T, high: T) -> Option<T>
where
    T: std::str::FromStr + PartialOrd,
{
    text.parse()
        .ok()
        .filter(|number| (&low..=&high).contains(&number))
}

/// A whole number from `low` to `high`, or `infinity` for no limit.
pub fn integer_or_infinity<T>(text: &str, low: T, high: T) -> Option<Option<T>>
where
    T: std::str::FromStr + PartialOrd,
{
    if text == "infinity" {
        Some(None)
    } else {
        integer(text, low, high).map(Some)
    }
}

/// A decimal number from `low` to `high`.
pub fn fraction(text: &str, low: f64, high: f64) -> Option<f64> {
    text.parse()
        .ok()
        .filter(|number: &f64| number.is_finite() && (low..=high).contains(number))
}

/// Bytes of memory or disk. As RabbitMQ: k, M, G and KiB, MiB, GiB are powers of 1024; KB, MB, GB
/// powers of 1000; case does not matter.
pub fn size(text: &str) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// Bytes of a frame or message. RabbitMQ reads these by another rule, in which KB, MB and GB are
/// powers of 1024 too.
pub fn frame_size(text: &str, low: u64, high: u64) -> Option<u64> {
    let (number, unit) = split_unit(text)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        _ => return None,
    };
    number
        .checked_mul(factor)
        .filter(|bytes| (low..=high).contains(bytes))
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit))
}

/// `PORT`, `IPv4:PORT`, `[IPv6]:PORT` or RabbitMQ's `IPv6:PORT`. Port 0 lets the system choose.
pub fn listener(text: &str) -> Option<ListenerAddress> {
    let Some((host, port)) = text.rsplit_once(':') else {
        return Some(ListenerAddress {
            ip: None,
            port: text.parse().ok()?,
        });
    };
    let port = port.parse().ok()?;
    let ip = match host.strip_prefix('[') {
        Some(rest) => IpAddr::V6(rest.strip_suffix(']')?.parse::<Ipv6Addr>().ok()?),
        None => host.parse().ok()?,
    };
    Some(ListenerAddress { ip: Some(ip), port })
}

/// An IP address, IPv6 with or without brackets.
pub fn ip(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    bare.parse().ok()
}

/// Any text but an empty one.
pub fn text(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A name as it goes over the wire in a short string.
pub fn short_text(text: &str) -> Option<String> {
    (1..=255).contains(&text.len()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What RabbitMQ 3.10.8 made of the same texts; it fails on `KiB` by mistake.
    #[test]
    fn sizes_read_as_in_rabbitmq() {
        let cases: [(&str, u64); 14] = [
            ("0", 0),
            ("1", 1),
            ("1k", 1024),
            ("1K", 1024),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1kiB", 1024),
            ("1KiB", 1024),
            ("1M", 1 << 20),
            ("50MB", 50_000_000),
            ("1MiB", 1 << 20),
            ("1G", 1 << 30),
            ("1GB", 1_000_000_000),
            ("2GiB", 2 << 30),
        ];
        for (text, bytes) in cases {
            assert_eq!(size(text), Some(bytes), "{text}");
        }
        for bad in ["", "x", "-1", "1.5GB", "1 MB", "1B", "1T", "99999999999GiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
    }

    #[test]
    fn frame_sizes_take_kb_as_1024() {
        assert_eq!(frame_size("128KB", 4096, 1 << 20), Some(131_072));
        assert_eq!(frame_size("131072", 4096, 1 << 20), Some(131_072));
        assert_eq!(frame_size("1KB", 4096, 1 << 20), None);
        assert_eq!(frame_size("2MB", 4096, 1 << 20), None);
    }

    #[test]
    fn listeners_take_ports_and_addresses() {
        let address = |text| listener(text).map(|l| (l.ip.map(|ip| ip.to_string()), l.port));
        assert_eq!(address("5672"), Some((None, 5672)));
        assert_eq!(address("0"), Some((None, 0)));
        assert_eq!(
            address("127.0.0.1:5672"),
            Some((Some("127.0.0.1".into()), 5672))
        );
        assert_eq!(address("[::1]:5672"), Some((Some("::1".into()), 5672)));
        assert_eq!(address("::1:5672"), Some((Some("::1".into()), 5672)));
        assert_eq!(address("[::]:5672"), Some((Some("::".into()), 5672)));
        for bad in [
            "",
            "x",
            "65536",
            ":5672",
            "localhost:5672",
            "[127.0.0.1]:1",
            "1.2.3.4",
            "-1",
        ] {
            assert_eq!(address(bad), None, "{bad}");
        }
    }

    #[test]
    fn numbers_keep_to_their_range() {
        assert_eq!(integer("60", 0_u16, 65535), Some(60));
        assert_eq!(integer("65536", 0_u16, 65535), None);
        assert_eq!(integer("9", 10_u32, 20), None);
        assert_eq!(integer_or_infinity("infinity", 1_u64, 9), Some(None));
        assert_eq!(integer_or_infinity("0", 1_u64, 9), None);
        assert_eq!(fraction("0.4", 0.0, 1.0), Some(0.4));
        assert_eq!(fraction("1.1", 0.0, 1.0), None);
        assert_eq!(fraction("NaN", 0.0, 1.0), None);
        assert_eq!(boolean("on"), Some(true));
        assert_eq!(boolean("TRUE"), None);
    }
}
