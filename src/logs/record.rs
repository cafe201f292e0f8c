//! One line of the log before it is written.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::config::LogLevel;

/// What a line is about: categories have levels of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Category {
    /// Everything else.
    Default,
    /// Connections: accepted, logged in, closed.
    Connection,
    /// Channels: errors, timeouts.
    Channel,
    /// Queues: dropped messages, cycles.
    Queue,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 4] = [Self::Default, Self::Connection, Self::Channel, Self::Queue];

    /// The category that events with this target belong to.
    pub fn of_target(target: &str) -> Self {
        match target {
            "connection" => Self::Connection,
            "channel" => Self::Channel,
            "queue" => Self::Queue,
            _ => Self::Default,
        }
    }

    /// Its name in configuration keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Connection => "connection",
            Self::Channel => "channel",
            Self::Queue => "queue",
        }
    }

    /// RabbitMQ's name of the domain in JSON.
    pub fn domain(self) -> &'static str {
        match self {
            Self::Default => "rabbitmq",
            Self::Connection => "rabbitmq.connection",
            Self::Channel => "rabbitmq.channel",
            Self::Queue => "rabbitmq.queue",
        }
    }
}

/// One line, or several when the text has line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Microseconds since the epoch.
    pub at_us: i64,
    /// How severe it is.
    pub level: LogLevel,
    /// What it is about.
    pub category: Category,
    /// The number of the connection it is about; 0 for the node.
    pub pid: u64,
    /// What it says.
    pub text: String,
}

impl Record {
    /// The number in the form of an Erlang process id, which tools look for.
    pub fn process(&self) -> String {
        format!("<0.{}.0>", self.pid)
    }

    /// RFC 5424's severity, 0 to 7.
    pub fn severity(&self) -> u8 {
        match self.level {
            LogLevel::Debug => 7,
            LogLevel::Info | LogLevel::None => 6,
            LogLevel::Notice => 5,
            LogLevel::Warning => 4,
            LogLevel::Error => 3,
            LogLevel::Critical => 2,
        }
    }
}

/// Microseconds since the epoch.
pub(super) fn now_us() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
    })
}
