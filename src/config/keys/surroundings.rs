//! Keys of the logs and the metrics.

use super::row::{Default::*, Key, put, put_some};
use crate::config::settings::{LogFormat, LogLevel, Settings};
use crate::config::value::{boolean, integer, ip, text};

const LEVEL: &str = "debug, info, notice, warning, error, critical, alert, emergency or none";
const FORMAT: &str = "plaintext or json";
const PORT: &str = "a port, 0 to 65535";
const IP: &str = "an IP address";

fn level(text: &str) -> Option<LogLevel> {
    Some(match text {
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "notice" => LogLevel::Notice,
        "warning" => LogLevel::Warning,
        "error" => LogLevel::Error,
        "critical" | "alert" | "emergency" => LogLevel::Critical,
        "none" => LogLevel::None,
        _ => return None,
    })
}

fn format(text: &str) -> Option<LogFormat> {
    match text {
        "plaintext" => Some(LogFormat::Plaintext),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

fn category(settings: &mut Settings, name: &str, text: &str) -> Option<()> {
    settings
        .log
        .categories
        .push((name.to_owned(), level(text)?));
    Some(())
}

pub const KEYS: &[Key] = &[
    Key::new(
        "log.console",
        Value("true"),
        "true or false",
        "Logs to the standard output.",
        |s, _, v| put(&mut s.log.console, boolean(v)),
    ),
    Key::new(
        "log.console.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.console_target.level, level(v)),
    ),
    Key::new(
        "log.console.formatter",
        Value("plaintext"),
        FORMAT,
        "The form of the lines.",
        |s, _, v| put(&mut s.log.console_target.format, format(v)),
    ),
    Key::new(
        "log.dir",
        Unset,
        "the path of a folder",
        "The folder of the log file; unset, the data folder.",
        |s, _, v| put_some(&mut s.log.dir, text(v)),
    ),
    Key::new(
        "log.file",
        Value("false"),
        "a file name, or false",
        "Logs to this file.",
        |s, _, v| {
            let file = if v == "false" { None } else { Some(text(v)?) };
            put(&mut s.log.file, Some(file))
        },
    ),
    Key::new(
        "log.file.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.file_target.level, level(v)),
    ),
    Key::new(
        "log.file.formatter",
        Value("plaintext"),
        FORMAT,
        "The form of the lines.",
        |s, _, v| put(&mut s.log.file_target.format, format(v)),
    ),
    Key::new(
        "log.default.level",
        Unset,
        LEVEL,
        "The least severe line of everything without a category.",
        |s, _, v| category(s, "default", v),
    )
    .later("log levels by category"),
    Key::new(
        "log.connection.level",
        Unset,
        LEVEL,
        "The least severe line about connections.",
        |s, _, v| category(s, "connection", v),
    )
    .later("log levels by category"),
    Key::new(
        "log.channel.level",
        Unset,
        LEVEL,
        "The least severe line about channels.",
        |s, _, v| category(s, "channel", v),
    )
    .later("log levels by category"),
    Key::new(
        "log.queue.level",
        Unset,
        LEVEL,
        "The least severe line about queues.",
        |s, _, v| category(s, "queue", v),
    )
    .later("log levels by category"),
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
