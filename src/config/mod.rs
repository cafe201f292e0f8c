//! The configuration: RabbitMQ's `key = value` files, its environment variables and the command
//! line, merged into typed [`Settings`].
//!
//! Lowest to highest: defaults, configuration file, the files of the conf.d folder, environment,
//! `--set`. Every key stands in one table (`keys`) with its default and what it allows. Pure: the
//! files are read through [`Files`], which the caller implements.

mod environment;
mod error;
mod grammar;
mod key;
mod keys;
mod known;
mod layers;
mod load;
mod log_settings;
mod nearest;
mod rotation_date;
mod settings;
#[cfg(test)]
mod tests;
mod value;

pub use nearest::nearest;
pub use value::size as parse_size;

pub use error::{ConfigError, ConfigErrors};
pub use keys::{Default as KeyDefault, Key, all_keys};
pub use load::{Files, Loaded, Notice, Request, load};
pub use log_settings::{
    LogForm, LogFormat, LogLevel, LogRotation, LogSettings, LogTarget, SyslogProtocol,
    SyslogSettings, SyslogTransport,
};
pub use rotation_date::RotationDate;
pub use settings::{
    AmqpSettings, AuthSettings, CertificateLogin, CertificateSan, DefaultObjects, DiskLimit,
    ListenerAddress, ListenerSettings, ManagementSettings, ManagementTls, MemoryLimit,
    NodeSettings, PrometheusSettings, QueueType, RatesMode, ResourceSettings, Settings, TcpOptions,
    TlsSettings, TlsVersion,
};
