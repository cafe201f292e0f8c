//! How a command fails: a text for standard error and an exit status of sysexits(3), as
//! `rabbitmqctl` uses them.

/// The command line is wrong, or names what there is not.
pub const USAGE: u8 = 64;
/// What was given is wrong: no such virtual host, a refused login.
pub const DATA: u8 = 65;
/// No such user.
pub const NO_USER: u8 = 67;
/// The broker does not answer, or refused.
pub const UNAVAILABLE: u8 = 69;
/// It is there already, or the broker erred.
pub const SOFTWARE: u8 = 70;
/// It took longer than `--timeout`.
pub const TIMEOUT: u8 = 75;
/// Not the user who may do this.
pub const NO_PERMISSION: u8 = 77;

/// Why a command did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The arguments are wrong: told together with the usage of the command.
    Arguments {
        /// The exit status.
        code: u8,
        /// What is wrong.
        text: String,
    },
    /// The broker is not at what the command needs: told together with the usage too.
    Environment {
        /// What is wrong.
        text: String,
    },
    /// Told below a line `Error:`.
    Refused {
        /// The exit status.
        code: u8,
        /// What went wrong.
        text: String,
    },
    /// Told as it is.
    Plain {
        /// The exit status.
        code: u8,
        /// What went wrong, with its own heading where it has one.
        text: String,
    },
}

impl Failure {
    /// Wrong arguments.
    pub fn arguments(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Arguments { code: USAGE, text }
    }

    /// An argument of the wrong kind.
    pub fn bad_argument(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Arguments { code: DATA, text }
    }

    /// A refusal with its status.
    pub fn refused(code: u8, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Refused { code, text }
    }

    /// A text that stands alone.
    pub fn plain(code: u8, text: impl Into<String>) -> Self {
        let text = text.into();
        Self::Plain { code, text }
    }

    /// The broker has to run.
    pub fn needs_running() -> Self {
        let text = "this command requires the 'rabbit' app to be running on the target node. \
                    Start it with 'leveretctl start_app'."
            .to_owned();
        Self::Environment { text }
    }

    /// The broker must not run.
    pub fn needs_stopped() -> Self {
        let text = "this command requires the 'rabbit' app to be stopped on the target node. \
                    Stop it with 'leveretctl stop_app'."
            .to_owned();
        Self::Environment { text }
    }

    /// The virtual host is missing, where RabbitMQ tells so alone.
    pub fn no_vhost(name: &str) -> Self {
        Self::plain(DATA, format!("Virtual host '{name}' does not exist"))
    }

    /// The exit status.
    pub fn code(&self) -> u8 {
        match self {
            Self::Arguments { code, .. }
            | Self::Refused { code, .. }
            | Self::Plain { code, .. } => *code,
            Self::Environment { .. } => USAGE,
        }
    }

    /// What went wrong, without headings.
    #[cfg(test)]
    pub fn text(&self) -> &str {
        match self {
            Self::Arguments { text, .. }
            | Self::Environment { text }
            | Self::Refused { text, .. }
            | Self::Plain { text, .. } => text,
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(SOFTWARE, error.to_string())
    }
}
