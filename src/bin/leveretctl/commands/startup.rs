//! Waiting for the node, and stopping it.

use std::path::Path;
use std::time::{Duration, Instant};

use hyper::Method;
use serde_json::Value;

use super::json::integer;
use crate::client::NoAnswer;
use crate::context::Context;
use crate::failure::{Failure, SOFTWARE, UNAVAILABLE};
use crate::spec::{Answer, Group, Needs, Opt, Spec, Takes};

/// How often a node or process that is waited for is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// How long `await_startup` and `wait` wait that do not say so, as RabbitMQ's.
const START_WITHIN: Duration = Duration::from_secs(300);

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "await_startup",
        Group::Nodes,
        "Waits for the broker to start on the target node",
        await_startup,
    )
    .takes("[--timeout <timeout>]", 0, 0)
    .needs(Needs::Nothing),
    Spec::new(
        "ping",
        Group::Monitoring,
        "Checks that the node answers its operator",
        ping,
    )
    .needs(Needs::Nothing),
    Spec::new(
        "shutdown",
        Group::Nodes,
        "Stops the broker and waits for its process to end",
        shutdown,
    )
    .takes("[--wait] [--timeout <timeout>]", 0, 0)
    .needs(Needs::Nothing)
    .options(&[
        Opt::flag("wait", "wait for the process to end, as is the rule"),
        Opt::flag("no-wait", "do not wait for the process to end"),
    ]),
    Spec::new("stop", Group::Nodes, "Stops the broker", stop)
        .takes("[--idempotent] [<pidfile>]", 0, 1)
        .needs(Needs::Nothing)
        .options(&[Opt::flag(
            "idempotent",
            "return success if target node is not running (cannot be contacted)",
        )])
        .details(&[(
            "<pidfile>",
            "file with the process id: waits until that process has ended",
        )]),
    Spec::new(
        "wait",
        Group::Nodes,
        "Waits for the node to start, as long as its process runs",
        wait,
    )
    .takes("[<pidfile>] [--pid|-P <pid>] [--timeout <timeout>]", 0, 1)
    .needs(Needs::Nothing)
    .options(&[Opt::value("pid", Takes::Integer, "operating system PID to monitor").short('P')])
    .details(&[("<pidfile>", "PID file path")]),
];

/// When a wait ends that takes too long.
struct Patience {
    deadline: Option<Instant>,
    told_ms: u64,
}

impl Patience {
    fn of(context: &Context, unless: Duration) -> Self {
        let limit = match context.option("timeout") {
            None => Some(unless),
            Some(_) => context.timeout(),
        };
        Self {
            deadline: limit.map(|limit| Instant::now() + limit),
            told_ms: limit.map_or(0, |limit| {
                u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
            }),
        }
    }

    /// Waits a moment, or says that it has been long enough.
    fn wait(&self, context: &Context) -> Result<(), Failure> {
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            let node = context.known_name();
            return Err(NoAnswer::Late.failure(context.spec.name, &node, self.told_ms));
        }
        std::thread::sleep(LOOK_EVERY);
        Ok(())
    }
}

fn await_startup(context: &Context) -> Result<Answer, Failure> {
    let patience = Patience::of(context, START_WITHIN);
    await_broker(context, &patience, || Ok(()))?;
    Ok(Answer::Done)
}

/// Waits until the broker runs. One that an operator has stopped does not start by itself.
/// `look` may give up between two looks.
fn await_broker(
    context: &Context,
    patience: &Patience,
    look: impl Fn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    loop {
        look()?;
        match context.state()?.as_deref() {
            Some("running") => return Ok(()),
            Some("stopped") => {
                return Err(Failure::refused(UNAVAILABLE, "rabbit_is_not_running"));
            }
            _ => patience.wait(context)?,
        }
    }
}

fn ping(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Will ping {node}. This only checks if the OS process is running and registered with epmd. \
         Timeout: {} ms.",
        context.timeout_ms()
    ));
    Ok(Answer::Text("Ping succeeded".to_owned()))
}

/// Whether a process of that id runs; one that has ended and waits for its parent does not.
fn is_running(pid: i64) -> bool {
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.chars().next());
    !matches!(state, Some(Some('Z' | 'X')))
}

/// The process id in a file, once there is one.
fn pid_in(file: &Path) -> Option<i64> {
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn wait(context: &Context) -> Result<Answer, Failure> {
    let patience = Patience::of(context, START_WITHIN);
    let given = context
        .option("pid")
        .and_then(|pid| pid.parse::<i64>().ok());
    let pid = match (given, context.words().first()) {
        (Some(pid), None) => pid,
        (None, Some(file)) => {
            context.banner(&format!("Waiting for pid file '{file}' to appear"));
            let pid = loop {
                match pid_in(Path::new(file)) {
                    Some(pid) => break pid,
                    None => patience.wait(context)?,
                }
            };
            context.banner(&format!("pid is {pid}"));
            pid
        }
        (None, None) => return Err(Failure::arguments("\"No pid or pidfile specified\"")),
        (Some(_), Some(_)) => {
            return Err(Failure::arguments(
                "\"Cannot specify both pid and pidfile\"",
            ));
        }
    };
    let node = context.known_name();
    context.banner(&format!(
        "Waiting for erlang distribution on node '{node}' while OS process '{pid}' is running"
    ));
    let still_runs = || match is_running(pid) {
        true => Ok(()),
        false => Err(Failure::refused(UNAVAILABLE, "process_not_running")),
    };
    loop {
        still_runs()?;
        if context.state()?.is_some() {
            break;
        }
        patience.wait(context)?;
    }
    let node = context.node()?;
    context.banner(&format!(
        "Waiting for applications 'rabbit_and_plugins' to start on node '{node}'"
    ));
    await_broker(context, &patience, still_runs)?;
    context.banner(&format!(
        "Applications 'rabbit_and_plugins' are running on node '{node}'"
    ));
    Ok(Answer::Done)
}

/// Asks the node to stop. One that breaks off instead of answering has been quick.
fn ask_to_stop(context: &Context) -> Result<(), Failure> {
    match context.attempt(Method::POST, "/api/leveret/stop")? {
        Ok(reply) if !reply.is_done() => Err(reply.failure()),
        Ok(_) | Err(NoAnswer::Broken(_)) => Ok(()),
        Err(why) => Err(context.failure(&why)),
    }
}

fn wait_for_end(context: &Context, pid: i64) -> Result<(), Failure> {
    let patience = Patience::of(context, START_WITHIN);
    while is_running(pid) {
        patience.wait(context)?;
    }
    Ok(())
}

fn stop(context: &Context) -> Result<Answer, Failure> {
    if context.flag("idempotent") && context.state()?.is_none() {
        let node = context.known_name();
        return Ok(Answer::DoneSaying(format!(
            "Node {node} is no longer running"
        )));
    }
    let node = context.node()?;
    context.banner(&format!("Stopping and halting node {node} ..."));
    let pid = match context.words().first() {
        None => None,
        Some(file) => Some(pid_in(Path::new(file)).ok_or_else(|| {
            Failure::refused(SOFTWARE, format!("Could not read pid file {file}"))
        })?),
    };
    ask_to_stop(context)?;
    if let Some(pid) = pid {
        wait_for_end(context, pid)?;
    }
    Ok(Answer::Done)
}

fn shutdown(context: &Context) -> Result<Answer, Failure> {
    let facts: Value = context.read("/api/leveret/node")?;
    let (node, pid) = (context.node()?, integer(&facts, "pid"));
    context.banner(&format!("Shutting down node {node} running at PID {pid}"));
    ask_to_stop(context)?;
    if context.flag("no-wait") {
        return Ok(Answer::Done);
    }
    context.banner(&format!("Waiting for PID {pid} to terminate"));
    wait_for_end(context, pid)?;
    Ok(Answer::DoneSaying(format!(
        "Node {node} running at PID {pid} successfully shut down"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_runs_is_known() {
        assert!(is_running(std::process::id().into()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i64::from(child.id());
        child.wait().unwrap();
        assert!(!is_running(pid));
    }
}
