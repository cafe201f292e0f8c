//! What a node says of one thing at a time: whether it runs, its versions, alarms and log.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::{Value, json};

use super::facts::Facts;
use super::json::text;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::spec::{Answer, Group, Needs, Opt, Spec, Takes};

/// Lines of the log that are shown where the command does not say how many.
const LINES: usize = 50;

/// Octets from the end of a log file that are looked through for lines.
const TAIL_MAX: u64 = 16 << 20;

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "alarms",
        Group::Monitoring,
        "Lists the resource alarms in effect",
        alarms,
    ),
    Spec::new(
        "erlang_version",
        Group::Monitoring,
        "Tells the version of the runtime that clients are shown: there is no Erlang here",
        erlang_version,
    ),
    Spec::new(
        "is_booting",
        Group::Monitoring,
        "Tells whether the broker is starting",
        is_booting,
    )
    .needs(Needs::Nothing),
    Spec::new(
        "is_running",
        Group::Monitoring,
        "Tells whether the broker has started and runs",
        is_running,
    )
    .needs(Needs::Nothing),
    Spec::new(
        "log_location",
        Group::Configuration,
        "Tells where the log is written",
        log_location,
    )
    .takes("[--all]", 0, 0)
    .options(&[Opt::flag("all", "every log, not just the first").short('a')]),
    Spec::new(
        "log_tail",
        Group::Monitoring,
        "Prints the last lines of the log",
        log_tail,
    )
    .takes("[--number|-N <number>]", 0, 0)
    .options(&[Opt::value("number", Takes::Integer, "how many lines, 50 without it").short('N')]),
    Spec::new(
        "server_version",
        Group::Monitoring,
        "Tells the version that clients are shown",
        server_version,
    )
    .needs(Needs::Nothing),
    Spec::new(
        "tls_versions",
        Group::Monitoring,
        "Lists the versions of TLS that there are",
        tls_versions,
    ),
];

/// How a node is spoken of whose broker does not run.
pub fn not_running(node: &str) -> String {
    format!(
        "RabbitMQ on node {node} is not running or has not fully booted yet (check with is_booting)"
    )
}

/// Alarms for programs; every alarm of a single node is its own.
pub fn alarms_json(node: &str, alarms: &[String], result: &str) -> Value {
    json!({
        "global": [],
        "local": alarms,
        "message": format!("Node {node} reported alarms"),
        "result": result,
    })
}

fn alarms(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Asking node {node} to report any known resource alarms ..."
    ));
    let alarms = Facts::read(context)?.alarms();
    Ok(match alarms.as_slice() {
        [] => Answer::Page {
            text: format!("Node {node} reported no alarms, local or clusterwide\n"),
            json: json!({ "alarms": [], "node": node, "result": "ok" }),
        },
        alarms => Answer::Page {
            text: format!("{}\n", alarms.join("\n")),
            json: alarms_json(&node, alarms, "ok"),
        },
    })
}

/// A sentence, and for programs whether it is so.
fn verdict(is_so: bool, sentence: String) -> Answer {
    Answer::Page {
        text: format!("{sentence}\n"),
        json: json!({ "message": sentence, "result": is_so }),
    }
}

fn is_running(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Asking node {node} for its status ..."));
    let up = context.is_up()?;
    Ok(verdict(
        up,
        match up {
            true => format!("RabbitMQ on node {node} is fully booted and running"),
            false => not_running(&node),
        },
    ))
}

fn is_booting(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Asking node {node} for its boot status ..."));
    let booting = context.state()?.as_deref() == Some("booting");
    let sentence = match booting {
        true => format!("RabbitMQ on node {node} is booting"),
        false => format!(
            "RabbitMQ on node {node} is fully booted (check with is_running), stopped or has not \
             started booting yet"
        ),
    };
    Ok(verdict(booting, sentence))
}

fn value(text: &str) -> Answer {
    Answer::Page {
        text: format!("{text}\n"),
        json: json!({ "result": "ok", "value": text }),
    }
}

fn server_version(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Asking node {node} for its RabbitMQ version..."));
    let facts = context.read("/api/leveret/node")?;
    Ok(value(text(&facts, "product_version")))
}

fn erlang_version(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Asking node {node} for its Erlang/OTP version..."));
    let overview = context.read("/api/overview")?;
    let version = text(&overview, "erlang_version");
    Ok(value(&format!("Erlang/OTP {version}")))
}

fn tls_versions(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing all TLS versions supported by the runtime...");
    context.node()?;
    const VERSIONS: [&str; 2] = ["tlsv1.3", "tlsv1.2"];
    Ok(Answer::Page {
        text: format!("{}\n", VERSIONS.join("\n")),
        json: json!({ "versions": VERSIONS }),
    })
}

fn log_location(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Log file location(s) on node {node} ..."));
    let mut logs = Facts::read(context)?.strings("log_files");
    if !context.flag("all") {
        logs.truncate(1);
    }
    Ok(Answer::Page {
        text: format!("{}\n", logs.join("\n")),
        json: json!({ "node_name": node, "paths": logs }),
    })
}

fn log_tail(context: &Context) -> Result<Answer, Failure> {
    let number = match context.option("number").map(str::parse::<usize>) {
        None => LINES,
        Some(Ok(number)) if number > 0 => number,
        Some(_) => {
            let text = "Bad argument: Argument must be a positive integer";
            return Err(Failure::bad_argument(text));
        }
    };
    let node = context.node()?;
    context.banner(&format!("Last {number} log lines on node {node} ..."));
    let logs = Facts::read(context)?.strings("log_files");
    let Some(file) = logs.iter().find(|log| Path::new(log).is_absolute()) else {
        let text = "this node writes its log to no file";
        return Err(Failure::refused(UNAVAILABLE, text));
    };
    let lines = last_lines(Path::new(file), number)
        .map_err(|error| Failure::refused(UNAVAILABLE, format!("{file}: {error}")))?;
    Ok(Answer::Page {
        text: lines.iter().map(|line| format!("{line}\n")).collect(),
        json: json!({ "lines": lines }),
    })
}

/// The last `number` lines of a file that may be long.
fn last_lines(file: &Path, number: usize) -> std::io::Result<Vec<String>> {
    let mut file = std::fs::File::open(file)?;
    let start = file.metadata()?.len().saturating_sub(TAIL_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut octets = Vec::new();
    file.take(TAIL_MAX).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets);
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(number);
    Ok(lines.into_iter().skip(skipped).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_read_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        std::fs::write(&file, "one\ntwo\nthree\n").unwrap();
        assert_eq!(last_lines(&file, 2).unwrap(), ["two", "three"]);
        assert_eq!(last_lines(&file, 9).unwrap(), ["one", "two", "three"]);
    }
}
