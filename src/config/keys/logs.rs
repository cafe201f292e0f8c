//! Keys of the logs.

use super::row::{Default::*, Key, put, put_some};
use crate::config::log_settings::{LogForm, LogFormat, LogLevel, SyslogProtocol, SyslogTransport};
use crate::config::rotation_date::RotationDate;
use crate::config::settings::Settings;
use crate::config::value::{boolean, integer, ip, size, text};

const BOOL: &str = "true or false";
const LEVEL: &str = "debug, info, notice, warning, error, critical, alert, emergency or none";
const FORMAT: &str = "plaintext or json";

const TIMES: [&str; 5] = [
    "rfc3339_space",
    "rfc3339_T",
    "epoch_usecs",
    "epoch_secs",
    "lager_default",
];
const LEVELS: [&str; 6] = ["lc", "uc", "lc3", "uc3", "lc4", "uc4"];

/// RFC 5424's facilities by number, under the names that Erlang's syslog library takes.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp", "ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
];

fn format(text: &str) -> Option<LogFormat> {
    choice(
        text,
        &[
            ("plaintext", LogFormat::Plaintext),
            ("json", LogFormat::Json),
        ],
    )
}

fn choice<T: Copy>(text: &str, all: &[(&str, T)]) -> Option<T> {
    all.iter()
        .find(|(name, _)| *name == text)
        .map(|(_, value)| *value)
}

fn one_of(text: &str, all: &[&str]) -> Option<Option<String>> {
    all.contains(&text).then(|| Some(text.to_owned()))
}

/// As in RabbitMQ, an empty one is none.
fn date(text: &str) -> Option<Option<RotationDate>> {
    match text {
        "" => Some(None),
        text => RotationDate::parse(text).map(Some),
    }
}

fn facility(text: &str) -> Option<u8> {
    let at = FACILITIES.iter().position(|name| *name == text)?;
    u8::try_from(at).ok()
}

fn form<'a>(settings: &'a mut Settings, output: &str) -> Option<&'a mut LogForm> {
    match output {
        "console" => Some(&mut settings.log.console_target.form),
        "file" => Some(&mut settings.log.file_target.form),
        "exchange" => Some(&mut settings.log.exchange_target.form),
        "syslog" => Some(&mut settings.log.syslog.target.form),
        _ => None,
    }
}

fn category(settings: &mut Settings, name: &str, text: &str) -> Option<()> {
    let level = LogLevel::from_name(text)?;
    settings.log.categories.push((name.to_owned(), level));
    Some(())
}

pub const KEYS: &[Key] = &[
    Key::new(
        "log.console",
        Value("true"),
        BOOL,
        "Logs to the console.",
        |s, _, v| put(&mut s.log.console, boolean(v)),
    ),
    Key::new(
        "log.console.stdio",
        Value("stdout"),
        "stdout or stderr",
        "Which stream the console is.",
        |s, _, v| {
            put(
                &mut s.log.console_stderr,
                choice(v, &[("stdout", false), ("stderr", true)]),
            )
        },
    ),
    Key::new(
        "log.console.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.console_target.level, LogLevel::from_name(v)),
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
        "Logs to this file. It is opened again on SIGHUP, and within a second of being moved.",
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
        |s, _, v| put(&mut s.log.file_target.level, LogLevel::from_name(v)),
    ),
    Key::new(
        "log.file.formatter",
        Value("plaintext"),
        FORMAT,
        "The form of the lines.",
        |s, _, v| put(&mut s.log.file_target.format, format(v)),
    ),
    Key::new(
        "log.file.rotation.size",
        Unset,
        "a size in bytes (units: k, KiB, KB, M, MiB, MB, G, GiB, GB)",
        "The file is put aside, as FILE.0, when it has this size; unset or 0, never.",
        |s, _, v| {
            let size = size(v)?;
            put(&mut s.log.rotation.size, Some((size > 0).then_some(size)))
        },
    ),
    Key::new(
        "log.file.rotation.date",
        Unset,
        "$Hmm, $Dhh, $Wd, $WdDhh, $Mdd or $MddDhh; days of the week from 0 (Sunday), L for a month's last day",
        "The file is put aside at these times: every hour, day, week or month; unset, never.",
        |s, _, v| put(&mut s.log.rotation.date, date(v)),
    ),
    Key::new(
        "log.file.rotation.count",
        Value("5"),
        "a whole number from 0 to 1000",
        "How many files put aside are kept.",
        |s, _, v| put(&mut s.log.rotation.count, integer(v, 0, 1000)),
    ),
    Key::new(
        "log.file.rotation.compress",
        Value("false"),
        BOOL,
        "Files put aside are compressed, as FILE.0.gz.",
        |s, _, v| put(&mut s.log.rotation.compress, boolean(v)),
    ),
    Key::new(
        "log.events.file",
        Unset,
        "a file name",
        "Writes what happens (connections, queues, policies, alarms, ...) to this file, one JSON object a line, with the rotation of log.file.",
        |s, _, v| put_some(&mut s.log.events_file, text(v)),
    ),
    Key::new(
        "log.journald",
        Value("false"),
        BOOL,
        "Logs to systemd's journal.",
        |s, _, v| put(&mut s.log.journald, boolean(v)),
    ),
    Key::new(
        "log.journald.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.journald_level, LogLevel::from_name(v)),
    ),
    Key::new(
        "log.syslog",
        Value("false"),
        BOOL,
        "Logs to a syslog daemon.",
        |s, _, v| put(&mut s.log.syslog.enabled, boolean(v)),
    ),
    Key::new(
        "log.syslog.transport",
        Value("local"),
        "local, udp or tcp",
        "The way to it; local is /dev/log.",
        |s, _, v| {
            let all = [
                ("local", SyslogTransport::Local),
                ("udp", SyslogTransport::Udp),
                ("tcp", SyslogTransport::Tcp),
            ];
            put(&mut s.log.syslog.transport, choice(v, &all))
        },
    ),
    Key::new(
        "log.syslog.protocol",
        Value("rfc3164"),
        "rfc3164 or rfc5424",
        "The protocol spoken with it.",
        |s, _, v| {
            let all = [
                ("rfc3164", SyslogProtocol::Rfc3164),
                ("rfc5424", SyslogProtocol::Rfc5424),
            ];
            put(&mut s.log.syslog.protocol, choice(v, &all))
        },
    ),
    Key::new(
        "log.syslog.host",
        Value("localhost"),
        "the name of a host",
        "Its host.",
        |s, _, v| put(&mut s.log.syslog.host, text(v)),
    ),
    Key::new(
        "log.syslog.ip",
        Unset,
        "an IP address",
        "Its address, instead of a name.",
        |s, _, v| put(&mut s.log.syslog.host, ip(v).map(|ip| ip.to_string())),
    ),
    Key::new(
        "log.syslog.port",
        Value("514"),
        "a port, 1 to 65535",
        "Its port.",
        |s, _, v| put(&mut s.log.syslog.port, integer(v, 1, 65_535)),
    ),
    Key::new(
        "log.syslog.identity",
        Value("leveret"),
        "a text",
        "The name that lines go under.",
        |s, _, v| put(&mut s.log.syslog.identity, text(v)),
    ),
    Key::new(
        "log.syslog.facility",
        Value("daemon"),
        "a facility of RFC 5424, such as daemon, user or local0",
        "The facility of the lines.",
        |s, _, v| put(&mut s.log.syslog.facility, facility(v)),
    ),
    Key::new(
        "log.syslog.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.syslog.target.level, LogLevel::from_name(v)),
    ),
    Key::new(
        "log.syslog.formatter",
        Value("plaintext"),
        FORMAT,
        "The form of the lines.",
        |s, _, v| put(&mut s.log.syslog.target.format, format(v)),
    ),
    Key::new(
        "log.exchange",
        Value("false"),
        BOOL,
        "Publishes lines to the topic exchange amq.rabbitmq.log of the default virtual host, their level as the routing key.",
        |s, _, v| put(&mut s.log.exchange, boolean(v)),
    ),
    Key::new(
        "log.exchange.level",
        Value("info"),
        LEVEL,
        "The least severe line that goes there.",
        |s, _, v| put(&mut s.log.exchange_target.level, LogLevel::from_name(v)),
    ),
    Key::new(
        "log.exchange.formatter",
        Value("plaintext"),
        FORMAT,
        "The form of the lines.",
        |s, _, v| put(&mut s.log.exchange_target.format, format(v)),
    ),
    Key::new(
        "log.$output.formatter.time_format",
        Unset,
        "rfc3339_space, rfc3339_T, epoch_usecs, epoch_secs or lager_default",
        "The times in the lines of an output: console, file, syslog or exchange.",
        |s, output, v| put(&mut form(s, output)?.time_format, one_of(v, &TIMES)),
    ),
    Key::new(
        "log.$output.formatter.level_format",
        Unset,
        "lc, uc, lc3, uc3, lc4 or uc4",
        "The levels in its lines: small or capital letters, and how many.",
        |s, output, v| put(&mut form(s, output)?.level_format, one_of(v, &LEVELS)),
    ),
    Key::new(
        "log.$output.formatter.single_line",
        Unset,
        BOOL,
        "Line ends within a message become commas.",
        |s, output, v| put(&mut form(s, output)?.single_line, boolean(v)),
    ),
    Key::new(
        "log.$output.formatter.plaintext.format",
        Unset,
        "text with $time, $level, $pid, $domain and $msg",
        "The template of its lines.",
        |s, output, v| put(&mut form(s, output)?.template, text(v).map(Some)),
    ),
    Key::new(
        "log.$output.formatter.json.field_map",
        Unset,
        "fields, each alone, as old:new or as old:-; * is every other",
        "Which fields its JSON has, under which names.",
        |s, output, v| put(&mut form(s, output)?.field_map, text(v).map(Some)),
    ),
    Key::new(
        "log.$output.formatter.json.verbosity_map",
        Unset,
        "levels with numbers, as debug:7; * is every other",
        "Adds the field verbosity with the number of the level.",
        |s, output, v| put(&mut form(s, output)?.verbosity_map, text(v).map(Some)),
    ),
    Key::new(
        "log.default.level",
        Unset,
        LEVEL,
        "The least severe line of everything without a category, in every output.",
        |s, _, v| category(s, "default", v),
    ),
    Key::new(
        "log.connection.level",
        Unset,
        LEVEL,
        "The least severe line about connections, in every output.",
        |s, _, v| category(s, "connection", v),
    ),
    Key::new(
        "log.channel.level",
        Unset,
        LEVEL,
        "The least severe line about channels, in every output.",
        |s, _, v| category(s, "channel", v),
    ),
    Key::new(
        "log.queue.level",
        Unset,
        LEVEL,
        "The least severe line about queues, in every output.",
        |s, _, v| category(s, "queue", v),
    ),
];
