//! What a command is: its name, what it takes and what it does. The tables of the commands are the
//! only place that says so; parsing, usage, help and completions are read from them.

use crate::context::Context;
use crate::failure::Failure;
use crate::format::Rows;

/// Headings of the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Help, version, completions.
    Help,
    /// Starting, stopping, waiting.
    Nodes,
    /// What a cluster of one answers.
    Cluster,
    /// Users.
    Users,
    /// Permissions.
    Access,
    /// Lists, status, checks.
    Monitoring,
    /// Runtime parameters.
    Parameters,
    /// Policies.
    Policies,
    /// Virtual hosts.
    Vhosts,
    /// What the node runs with.
    Configuration,
    /// Export and import.
    Definitions,
    /// Feature flags.
    Flags,
    /// Connections and the rest.
    Operations,
    /// Queues.
    Queues,
    /// The store of a broker that does not run.
    Store,
}

impl Group {
    /// In the order of the help.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::Help, "Help"),
        (Self::Nodes, "Nodes"),
        (Self::Cluster, "Cluster"),
        (Self::Users, "Users"),
        (Self::Access, "Access Control"),
        (
            Self::Monitoring,
            "Monitoring, observability and health checks",
        ),
        (Self::Parameters, "Parameters"),
        (Self::Policies, "Policies"),
        (Self::Vhosts, "Virtual hosts"),
        (Self::Configuration, "Configuration and Environment"),
        (Self::Definitions, "Definitions"),
        (Self::Flags, "Feature flags"),
        (Self::Operations, "Operations"),
        (Self::Queues, "Queues"),
        (Self::Store, "Store"),
    ];
}

/// What an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    /// A text.
    Text,
    /// A whole number.
    Integer,
    /// A number of seconds, perhaps `infinity`.
    Seconds,
}

/// An option.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// After `--`.
    pub long: &'static str,
    /// After `-`.
    pub short: Option<char>,
    /// Its value.
    pub takes: Takes,
    /// For the help and the completions.
    pub about: &'static str,
}

impl Opt {
    /// A flag.
    pub const fn flag(long: &'static str, about: &'static str) -> Self {
        Self {
            long,
            short: None,
            takes: Takes::Nothing,
            about,
        }
    }

    /// An option with a value.
    pub const fn value(long: &'static str, takes: Takes, about: &'static str) -> Self {
        Self {
            long,
            short: None,
            takes,
            about,
        }
    }

    /// Also under one letter.
    pub const fn short(self, letter: char) -> Self {
        Self {
            short: Some(letter),
            ..self
        }
    }
}

/// Options that every command takes.
pub const EVERYWHERE: &[Opt] = &[
    Opt::flag("help", "displays command help").short('?'),
    Opt::value(
        "node",
        Takes::Text,
        "name of the node, accepted for scripts that give it",
    )
    .short('n'),
    Opt::flag("longnames", "accepted for scripts that give it").short('l'),
    Opt::value(
        "timeout",
        Takes::Seconds,
        "how long the command may take, in seconds",
    )
    .short('t'),
    Opt::flag("quiet", "suppress informational messages").short('q'),
    Opt::flag(
        "silent",
        "suppress informational messages and the header row",
    )
    .short('s'),
    Opt::value(
        "vhost",
        Takes::Text,
        "virtual host of commands that work within one",
    )
    .short('p'),
    Opt::value(
        "formatter",
        Takes::Text,
        "table, pretty_table, json, json_stream, csv or erlang",
    ),
    Opt::flag("no-table-headers", "no header row"),
    Opt::flag("table-headers", "a header row, as is the rule"),
    Opt::flag("dry-run", "check the arguments and do nothing"),
    Opt::flag("script-mode", "accepted for scripts that give it"),
    Opt::value("data-dir", Takes::Text, "data folder of the broker"),
];

/// What a command answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It is done.
    Done,
    /// It is done, and this is to be said about it.
    DoneSaying(String),
    /// A text is the answer.
    Text(String),
    /// Everything has been written by the command itself.
    Written,
    /// A list.
    Rows(Rows),
    /// A page to read, or the same as JSON.
    Page {
        /// To read.
        text: String,
        /// For programs.
        json: serde_json::Value,
    },
    /// A text for programs that need no frame around it, as an exported document.
    Raw(String),
}

/// What a command needs of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// It runs.
    Running,
    /// The process is there, and its broker has been stopped.
    Stopped,
    /// Nothing: the command looks by itself.
    Nothing,
}

/// What a command does.
pub type Run = fn(&Context) -> Result<Answer, Failure>;

/// A command.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name.
    pub name: &'static str,
    /// Where the help shows it.
    pub group: Group,
    /// What it does, in a sentence without its full stop.
    pub about: &'static str,
    /// What follows its name in the usage line.
    pub usage: &'static str,
    /// How many arguments it takes at least, and at most.
    pub arguments: (usize, usize),
    /// Options of its own.
    pub options: &'static [Opt],
    /// Arguments explained.
    pub details: &'static [(&'static str, &'static str)],
    /// Where the arguments are columns: those there are.
    pub columns: &'static [&'static str],
    /// It works without a broker.
    pub alone: bool,
    /// What the broker has to be at.
    pub needs: Needs,
    /// What it does.
    pub run: Run,
}

/// No limit to the number of arguments.
pub const MANY: usize = usize::MAX;

impl Spec {
    /// A command; the builders add what it has besides.
    pub const fn new(name: &'static str, group: Group, about: &'static str, run: Run) -> Self {
        Self {
            name,
            group,
            about,
            usage: "",
            arguments: (0, 0),
            options: &[],
            details: &[],
            columns: &[],
            alone: false,
            needs: Needs::Running,
            run,
        }
    }

    /// The usage line and the number of arguments.
    pub const fn takes(self, usage: &'static str, least: usize, most: usize) -> Self {
        Self {
            usage,
            arguments: (least, most),
            ..self
        }
    }

    /// Options of its own.
    pub const fn options(self, options: &'static [Opt]) -> Self {
        Self { options, ..self }
    }

    /// Arguments explained.
    pub const fn details(self, details: &'static [(&'static str, &'static str)]) -> Self {
        Self { details, ..self }
    }

    /// Its arguments are columns of these.
    pub const fn columns(self, usage: &'static str, columns: &'static [&'static str]) -> Self {
        Self {
            usage,
            arguments: (0, MANY),
            columns,
            ..self
        }
    }

    /// The broker has to be at this.
    pub const fn needs(self, needs: Needs) -> Self {
        Self { needs, ..self }
    }

    /// It works without a broker.
    pub const fn alone(self) -> Self {
        Self {
            alone: true,
            needs: Needs::Nothing,
            ..self
        }
    }
}
