//! What is wrong with a configuration, said so that it can be put right without a manual.

use std::fmt;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A file or folder that was asked for cannot be read.
    #[error("{path}: cannot be read: {reason}")]
    Unreadable {
        /// The path as it was given.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// A line is not `key = value`.
    #[error("{origin}: {reason}")]
    Syntax {
        /// File and line, variable, or `--set`.
        origin: String,
        /// What is wrong with the line.
        reason: String,
    },
    /// No such key.
    #[error("{origin}: unknown key '{key}'{}", suggestion(nearest))]
    UnknownKey {
        /// The key.
        key: String,
        /// File and line, variable, or `--set`.
        origin: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
    },
    /// The key does not take this value.
    #[error("{origin}: {key} = {value} is not allowed; allowed: {allowed}")]
    Value {
        /// The key.
        key: String,
        /// File and line, variable, or `--set`.
        origin: String,
        /// The value; asterisks where it is a secret.
        value: String,
        /// What the key takes.
        allowed: String,
    },
    /// A variable that RabbitMQ itself removed, or that cannot be honoured safely.
    #[error("environment variable {name} is not supported; {instead}")]
    Variable {
        /// Its name.
        name: String,
        /// What to write instead.
        instead: String,
    },
    /// Keys that do not go together.
    #[error("{0}")]
    Conflict(String),
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|key| format!(" (did you mean '{key}'?)"))
        .unwrap_or_default()
}

/// Every fault of a configuration, one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, error) in self.0.iter().enumerate() {
            let end = if at == 0 { "" } else { "\n" };
            write!(f, "{end}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
