//! RabbitMQ's environment variables, as the settings they stand for.
//!
//! Variables nobody knows are passed over: `RABBITMQ_` is also how container platforms name the
//! addresses of a service called rabbitmq.

use super::error::ConfigError;
use super::layers::{Assignment, Rank};
use super::value;

/// Variables that set exactly one key.
const ONE_KEY: &[(&str, &str)] = &[
    ("RABBITMQ_DEFAULT_USER", "default_user"),
    ("RABBITMQ_DEFAULT_PASS", "default_pass"),
    ("RABBITMQ_DEFAULT_VHOST", "default_vhost"),
    ("RABBITMQ_NODENAME", "node.name"),
    ("RABBITMQ_MNESIA_DIR", "data_dir"),
    ("RABBITMQ_LOG_BASE", "log.dir"),
    ("RABBITMQ_PRODUCT_NAME", "product.name"),
    ("RABBITMQ_PRODUCT_VERSION", "product.version"),
];

/// Variables of Erlang or of parts to come; setting them does no harm.
const IDLE: &[&str] = &[
    "RABBITMQ_CONF_ENV_FILE",
    "RABBITMQ_CTL_DIST_PORT_MIN",
    "RABBITMQ_CTL_DIST_PORT_MAX",
    "RABBITMQ_DIST_PORT",
    "RABBITMQ_ENABLED_PLUGINS",
    "RABBITMQ_ENABLED_PLUGINS_FILE",
    "RABBITMQ_ERLANG_COOKIE",
    "RABBITMQ_FEATURE_FLAGS",
    "RABBITMQ_HOME",
    "RABBITMQ_IO_THREAD_POOL_SIZE",
    "RABBITMQ_MNESIA_BASE",
    "RABBITMQ_MOTD_FILE",
    "RABBITMQ_PID_FILE",
    "RABBITMQ_PLUGINS_DIR",
    "RABBITMQ_PLUGINS_EXPAND_DIR",
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
    "RABBITMQ_SERVER_ERL_ARGS",
    "RABBITMQ_SERVER_START_ARGS",
    "RABBITMQ_UPGRADE_LOG",
    "RABBITMQ_USE_LONGNAME",
];

/// What the environment says.
#[derive(Debug, Default, PartialEq)]
pub struct FromEnvironment {
    /// Settings.
    pub assignments: Vec<Assignment>,
    /// `RABBITMQ_CONFIG_FILE`, its extension added.
    pub config_file: Option<String>,
    /// `RABBITMQ_CONFIG_FILES`: the conf.d folder.
    pub conf_d: Option<String>,
    /// Known variables without effect.
    pub idle: Vec<String>,
    /// Variables that cannot be honoured and must not be passed over.
    pub errors: Vec<ConfigError>,
}

/// Reads the variables; those not of RabbitMQ are passed over, and so are empty ones.
pub fn read(variables: &[(String, String)]) -> FromEnvironment {
    let mut out = FromEnvironment::default();
    let mut sorted: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, value)| name.starts_with("RABBITMQ_") && !value.is_empty())
        .collect();
    sorted.sort_unstable();
    for (name, value) in &sorted {
        variable(&mut out, name, value);
    }
    let find = |wanted: &str| {
        sorted
            .iter()
            .find(|(name, _)| *name == wanted)
            .map(|(_, v)| *v)
    };
    listener(
        &mut out,
        find("RABBITMQ_NODE_IP_ADDRESS"),
        find("RABBITMQ_NODE_PORT"),
    );
    out
}

fn variable(out: &mut FromEnvironment, name: &str, value: &str) {
    if let Some((_, key)) = ONE_KEY.iter().find(|(known, _)| *known == name) {
        return set(out, name, key, value);
    }
    match name {
        "RABBITMQ_CONFIG_FILE" => {
            let extension = if value.ends_with(".conf") {
                ""
            } else {
                ".conf"
            };
            out.config_file = Some(format!("{value}{extension}"));
        }
        "RABBITMQ_CONFIG_FILES" => out.conf_d = Some(value.to_owned()),
        "RABBITMQ_LOGS" if value == "-" => {
            set(out, name, "log.console", "true");
            set(out, name, "log.file", "false");
        }
        "RABBITMQ_LOGS" => set(out, name, "log.file", value),
        "RABBITMQ_LOG" => log_levels(out, name, value),
        "RABBITMQ_ADVANCED_CONFIG_FILE" => {
            refuse(
                out,
                name,
                "Erlang terms are not read, write the settings as 'key = value'",
            );
        }
        "RABBITMQ_VM_MEMORY_HIGH_WATERMARK" => {
            refuse(
                out,
                name,
                "set vm_memory_high_watermark.relative or .absolute in a file",
            );
        }
        "RABBITMQ_DEFAULT_PASS_FILE" | "RABBITMQ_DEFAULT_USER_FILE" => {
            refuse(out, name, "set default_user and default_pass in a file");
        }
        _ if name.starts_with("RABBITMQ_SSL_") || name.starts_with("RABBITMQ_MANAGEMENT_SSL_") => {
            refuse(out, name, "set ssl_options.* and listeners.ssl.* in a file");
        }
        _ if IDLE.contains(&name) => out.idle.push(name.to_owned()),
        _ => {}
    }
}

fn set(out: &mut FromEnvironment, name: &str, key: &str, value: &str) {
    out.assignments.push(Assignment {
        key: key.to_owned(),
        value: value.to_owned(),
        rank: Rank::Environment,
        origin: format!("environment {name}"),
    });
}

fn refuse(out: &mut FromEnvironment, name: &str, instead: &str) {
    out.errors.push(ConfigError::Variable {
        name: name.to_owned(),
        instead: instead.to_owned(),
    });
}

/// `debug`, or `connection.debug,queue.warning`; `+color` and such are about RabbitMQ's terminal.
fn log_levels(out: &mut FromEnvironment, name: &str, value: &str) {
    for word in value
        .split(',')
        .map(str::trim)
        .filter(|w| !w.is_empty() && !w.starts_with(['+', '-']))
    {
        match word.split_once('.') {
            Some((category, level)) => set(out, name, &format!("log.{category}.level"), level),
            None => {
                set(out, name, "log.console.level", word);
                set(out, name, "log.file.level", word);
            }
        }
    }
}

/// Address and port together are the default listener; `auto` is RabbitMQ's word for no address.
fn listener(out: &mut FromEnvironment, ip: Option<&str>, port: Option<&str>) {
    let ip = ip.filter(|ip| *ip != "auto");
    match (ip, port) {
        (None, None) => {}
        (None, Some(port)) => set(out, "RABBITMQ_NODE_PORT", "listeners.tcp.default", port),
        (Some(ip), port) => {
            let host = match value::ip(ip) {
                Some(ip) if ip.is_ipv6() => format!("[{ip}]"),
                _ => ip.to_owned(),
            };
            let listener = format!("{host}:{}", port.unwrap_or("5672"));
            set(
                out,
                "RABBITMQ_NODE_IP_ADDRESS",
                "listeners.tcp.default",
                &listener,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> FromEnvironment {
        let owned: Vec<_> = pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        read(&owned)
    }

    fn keys(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        of(pairs)
            .assignments
            .into_iter()
            .map(|a| (a.key, a.value))
            .collect()
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn single_keys() {
        assert_eq!(
            keys(&[("RABBITMQ_DEFAULT_USER", "u")]),
            [pair("default_user", "u")]
        );
        assert_eq!(
            keys(&[("RABBITMQ_NODENAME", "n@h")]),
            [pair("node.name", "n@h")]
        );
        assert_eq!(keys(&[("RABBITMQ_DEFAULT_USER", ""), ("PATH", "/bin")]), []);
    }

    #[test]
    fn every_variable_sets_a_key_that_is_honoured_and_documented() {
        let manual = include_str!("../../man/leveret.8");
        let conf = include_str!("../../conf/leveret.conf");
        for (variable, key) in ONE_KEY {
            assert!(
                crate::config::all_keys().any(|row| row.name == *key),
                "{key}"
            );
            assert!(
                manual.contains(variable) && conf.contains(variable),
                "{variable}"
            );
        }
    }

    #[test]
    fn address_and_port_are_one_listener() {
        let listener = |pairs: &[_]| keys(pairs).remove(0).1;
        assert_eq!(listener(&[("RABBITMQ_NODE_PORT", "5673")]), "5673");
        assert_eq!(
            listener(&[("RABBITMQ_NODE_IP_ADDRESS", "10.0.0.1")]),
            "10.0.0.1:5672"
        );
        let both = [
            ("RABBITMQ_NODE_IP_ADDRESS", "::1"),
            ("RABBITMQ_NODE_PORT", "1"),
        ];
        assert_eq!(listener(&both), "[::1]:1");
        assert_eq!(keys(&[("RABBITMQ_NODE_IP_ADDRESS", "auto")]), []);
    }

    #[test]
    fn logs() {
        assert_eq!(
            keys(&[("RABBITMQ_LOGS", "-")]),
            [pair("log.console", "true"), pair("log.file", "false")]
        );
        assert_eq!(
            keys(&[("RABBITMQ_LOGS", "/var/log/x")]),
            [pair("log.file", "/var/log/x")]
        );
        assert_eq!(
            keys(&[("RABBITMQ_LOG", "debug,queue.error,+color")]),
            [
                pair("log.console.level", "debug"),
                pair("log.file.level", "debug"),
                pair("log.queue.level", "error"),
            ]
        );
    }

    #[test]
    fn config_files() {
        let out = of(&[
            ("RABBITMQ_CONFIG_FILE", "/etc/r/rabbitmq"),
            ("RABBITMQ_CONFIG_FILES", "/d"),
        ]);
        assert_eq!(out.config_file.as_deref(), Some("/etc/r/rabbitmq.conf"));
        assert_eq!(out.conf_d.as_deref(), Some("/d"));
        assert_eq!(
            of(&[("RABBITMQ_CONFIG_FILE", "/a.conf")])
                .config_file
                .as_deref(),
            Some("/a.conf")
        );
    }

    #[test]
    fn what_cannot_be_honoured_is_refused_or_noted() {
        for name in [
            "RABBITMQ_ADVANCED_CONFIG_FILE",
            "RABBITMQ_SSL_CERTFILE",
            "RABBITMQ_DEFAULT_PASS_FILE",
        ] {
            let errors = of(&[(name, "x")]).errors;
            assert_eq!(errors.len(), 1, "{name}");
            assert!(errors[0].to_string().contains(name));
        }
        assert_eq!(
            of(&[("RABBITMQ_ERLANG_COOKIE", "c")]).idle,
            ["RABBITMQ_ERLANG_COOKIE"]
        );
        assert_eq!(
            of(&[("RABBITMQ_SERVICE_HOST", "10.0.0.1")]),
            FromEnvironment::default()
        );
    }
}
