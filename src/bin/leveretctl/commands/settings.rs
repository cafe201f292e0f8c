//! Settings of the running node.

use hyper::Method;
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::spec::{Answer, Group, Opt, Spec, Takes};

/// Levels that `set_log_level` takes.
const LEVELS: [&str; 6] = ["debug", "info", "warning", "error", "critical", "none"];

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "environment",
        Group::Configuration,
        "Displays the settings in effect",
        environment,
    ),
    Spec::new(
        "force_gc",
        Group::Operations,
        "Does nothing: there is no garbage to collect",
        force_gc,
    ),
    Spec::new(
        "rotate_logs",
        Group::Nodes,
        "Opens the log file anew, after it has been renamed",
        rotate_logs,
    ),
    Spec::new(
        "set_cluster_name",
        Group::Configuration,
        "Sets the cluster name",
        set_cluster_name,
    )
    .takes("<name>", 1, 1),
    Spec::new(
        "set_disk_free_limit",
        Group::Configuration,
        "Sets the disk_free_limit setting",
        set_disk_free_limit,
    )
    .takes("<disk_limit> | mem_relative <fraction>", 1, 2)
    .details(&[
        (
            "<disk_limit>",
            "New limit as an absolute value with units, e.g. 1GB",
        ),
        (
            "mem_relative <fraction>",
            "New limit as a fraction of total memory reported by the OS",
        ),
    ]),
    Spec::new(
        "set_log_level",
        Group::Configuration,
        "Sets log level in the running node",
        set_log_level,
    )
    .takes("<log_level> [--category <category>]", 1, 1)
    .options(&[Opt::value(
        "category",
        Takes::Text,
        "only this category, such as connection, channel or queue",
    )])
    .details(&[("<log_level>", "new log level")]),
    Spec::new(
        "set_vm_memory_high_watermark",
        Group::Configuration,
        "Sets the vm_memory_high_watermark setting",
        set_vm_memory_high_watermark,
    )
    .takes("<fraction> | absolute <value>", 1, 2)
    .details(&[
        (
            "<fraction>",
            "New limit as a fraction of total memory reported by the OS",
        ),
        (
            "absolute <value>",
            "New limit as an absolute value with units, e.g. 1GB",
        ),
    ]),
];

fn done(context: &Context, method: Method, path: &str, body: &Value) -> Result<Answer, Failure> {
    let reply = context.call(method, path, body)?;
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn environment(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Application environment of node {node} ..."));
    let settings = context.read("/api/leveret/environment")?;
    let mut text = String::new();
    if let Value::Object(map) = &settings {
        for (key, value) in map {
            let value = match value {
                Value::String(value) => value.clone(),
                other => other.to_string(),
            };
            text.push_str(&format!("{key} = {value}\n"));
        }
    }
    Ok(Answer::Page {
        text,
        json: settings,
    })
}

fn force_gc(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Will ask all processes on node {node} to schedule a full sweep GC"
    ));
    Ok(Answer::Done)
}

fn rotate_logs(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Rotating logs for node {node} ..."));
    done(
        context,
        Method::POST,
        "/api/leveret/logs/rotate",
        &Value::Null,
    )
}

fn set_cluster_name(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    context.banner(&format!("Setting cluster name to {name} ..."));
    let body = json!({ "name": name });
    done(context, Method::PUT, "/api/cluster-name", &body)
}

fn set_log_level(context: &Context) -> Result<Answer, Failure> {
    let level = context.word(0);
    if !LEVELS.contains(&level) {
        let text = format!(
            "level {level} is not supported. Try one of {}",
            LEVELS.join(", ")
        );
        return Err(Failure::refused(UNAVAILABLE, text));
    }
    context.banner(&format!("Setting log level to \"{level}\" ..."));
    let body = json!({ "level": level, "category": context.option("category") });
    done(context, Method::PUT, "/api/leveret/logs/level", &body)
}

/// A share, or an amount with its unit, whose form is checked here and whose value the node reads.
enum Amount<'a> {
    Relative(f64),
    Absolute(&'a str),
}

/// What follows `keyword`, or stands alone.
fn amount<'a>(context: &'a Context, keyword: &str) -> Result<(bool, &'a str), Failure> {
    match (context.word(0), context.words().get(1)) {
        (word, Some(value)) if word == keyword => Ok((true, value)),
        (word, None) if word != keyword => Ok((false, word)),
        (_, None) => Err(Failure::arguments("not enough arguments.")),
        (_, Some(_)) => Err(Failure::arguments("too many arguments.")),
    }
}

/// Digits, and perhaps one of RabbitMQ's units.
fn is_size(text: &str) -> bool {
    const UNITS: [&str; 13] = [
        "", "k", "kB", "KB", "KiB", "kiB", "M", "MB", "MiB", "G", "GB", "GiB", "T",
    ];
    let digits = text.chars().take_while(char::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    !number.is_empty() && UNITS.contains(&unit)
}

fn set_disk_free_limit(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    let (relative, value) = amount(context, "mem_relative")?;
    let amount = match (relative, value.parse::<f64>()) {
        (true, Ok(share)) if share >= 0.0 && share.is_finite() => Amount::Relative(share),
        (false, _) if is_size(value) => Amount::Absolute(value),
        _ => return Err(Failure::bad_argument("Bad argument.")),
    };
    let body = match amount {
        Amount::Relative(share) => {
            context.banner(&format!(
                "Setting disk free limit on {node} to {value} times the total RAM ..."
            ));
            json!({ "mem_relative": share })
        }
        Amount::Absolute(size) => {
            context.banner(&format!(
                "Setting disk free limit on {node} to {size} bytes ..."
            ));
            json!({ "absolute": size })
        }
    };
    done(context, Method::PUT, "/api/leveret/disk-free-limit", &body)
}

fn set_vm_memory_high_watermark(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    let (absolute, value) = amount(context, "absolute")?;
    let amount = match (absolute, value.parse::<f64>()) {
        (false, Ok(share)) if (0.0..=1.0).contains(&share) => Amount::Relative(share),
        (false, Ok(_)) => {
            return Err(Failure::bad_argument(
                "Bad argument: The threshold should be a fraction between 0.0 and 1.0",
            ));
        }
        (true, _) if is_size(value) => Amount::Absolute(value),
        _ => return Err(Failure::bad_argument("Bad argument.")),
    };
    let body = match amount {
        Amount::Relative(share) => {
            context.banner(&format!(
                "Setting memory threshold on {node} to {value} ..."
            ));
            json!({ "relative": share })
        }
        Amount::Absolute(size) => {
            context.banner(&format!(
                "Setting memory threshold on {node} to {size} bytes ..."
            ));
            json!({ "absolute": size })
        }
    };
    done(
        context,
        Method::PUT,
        "/api/leveret/memory-high-watermark",
        &body,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_rabbits_units() {
        for size in ["1", "50MB", "2GiB", "10kB"] {
            assert!(is_size(size), "{size}");
        }
        for size in ["", "MB", "50xx", "-1", "1 MB"] {
            assert!(!is_size(size), "{size}");
        }
    }
}
