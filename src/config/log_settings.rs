//! The typed configuration of the logs.

use super::rotation_date::RotationDate;

/// How severe a log line must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// Normal events.
    #[default]
    Info,
    /// Normal, but worth a look.
    Notice,
    /// Something may be wrong.
    Warning,
    /// Something is wrong.
    Error,
    /// `critical`, `alert` and `emergency`.
    Critical,
    /// Nothing.
    None,
}

impl LogLevel {
    /// Every level, the least severe first.
    pub const ALL: [Self; 7] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warning,
        Self::Error,
        Self::Critical,
        Self::None,
    ];

    /// The level of this name; `alert` and `emergency` are critical.
    pub fn from_name(name: &str) -> Option<Self> {
        if matches!(name, "alert" | "emergency") {
            return Some(Self::Critical);
        }
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::None => "none",
        }
    }
}

/// What a log line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Text.
    #[default]
    Plaintext,
    /// One JSON object a line.
    Json,
}

/// The details of the form; each unset or empty one is RabbitMQ's default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogForm {
    /// `rfc3339_space`, `rfc3339_T`, `epoch_usecs`, `epoch_secs` or `lager_default`.
    pub time_format: Option<String>,
    /// `lc`, `uc`, and with a number of letters `lc3`, `uc3`, `lc4`, `uc4`.
    pub level_format: Option<String>,
    /// Line ends within a message become `, `.
    pub single_line: bool,
    /// The text's template, such as `$time [$level] $pid $msg`.
    pub template: Option<String>,
    /// JSON: names kept, renamed (`msg:message`) or left out (`pid:-`, `*:-`).
    pub field_map: Option<String>,
    /// JSON: numbers of levels (`debug:7 info:6 *:0`), in a field `verbosity`.
    pub verbosity_map: Option<String>,
}

/// One place that logs go to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogTarget {
    /// Lines below this level are left out.
    pub level: LogLevel,
    /// The form of the lines.
    pub format: LogFormat,
    /// Its details.
    pub form: LogForm,
}

/// When a log file is put aside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogRotation {
    /// From this many octets on; unset: never.
    pub size: Option<u64>,
    /// At these times; unset: never.
    pub date: Option<RotationDate>,
    /// How many of them are kept.
    pub count: u32,
    /// They are compressed.
    pub compress: bool,
}

/// The way to a syslog daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyslogTransport {
    /// `/dev/log`.
    #[default]
    Local,
    /// Datagrams.
    Udp,
    /// A stream.
    Tcp,
}

/// The protocol spoken with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SyslogProtocol {
    /// The old one.
    #[default]
    Rfc3164,
    /// The new one.
    Rfc5424,
}

/// A syslog daemon.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SyslogSettings {
    /// Log there.
    pub enabled: bool,
    /// The way to it.
    pub transport: SyslogTransport,
    /// The protocol.
    pub protocol: SyslogProtocol,
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The name lines go under.
    pub identity: String,
    /// RFC 5424's number of the facility, 0 to 23.
    pub facility: u8,
    /// How.
    pub target: LogTarget,
}

/// Logs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogSettings {
    /// Folder of the log file; unset: the data folder.
    pub dir: Option<String>,
    /// Log to the console.
    pub console: bool,
    /// The console is the standard error.
    pub console_stderr: bool,
    /// How.
    pub console_target: LogTarget,
    /// Log to this file; unset: to none.
    pub file: Option<String>,
    /// How.
    pub file_target: LogTarget,
    /// When it is put aside.
    pub rotation: LogRotation,
    /// Write events to this file; unset: to none.
    pub events_file: Option<String>,
    /// Log to systemd's journal.
    pub journald: bool,
    /// The least severe line that goes there.
    pub journald_level: LogLevel,
    /// Log to a syslog daemon.
    pub syslog: SyslogSettings,
    /// Publish lines to the exchange `amq.rabbitmq.log`.
    pub exchange: bool,
    /// How.
    pub exchange_target: LogTarget,
    /// Levels of single categories (`connection`, `channel`, `queue`, ...), by name.
    pub categories: Vec<(String, LogLevel)>,
}
