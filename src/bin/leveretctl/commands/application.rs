//! The broker within its process: stopped, emptied, started again. The process and its operator's
//! socket stay.

use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};

use crate::context::Context;
use crate::failure::{Failure, SOFTWARE, USAGE};
use crate::spec::{Answer, Group, MANY, Needs, Spec};

/// How long `await_online_nodes` waits that does not say so, as RabbitMQ's.
const NODES_WITHIN_S: u64 = 300;

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "await_online_nodes",
        Group::Nodes,
        "Waits for so many nodes to join the cluster: one is all there is",
        await_online_nodes,
    )
    .takes("<count> [--timeout <timeout>]", 1, 1),
    Spec::new(
        "eval",
        Group::Operations,
        "Refuses: there is no Erlang here to evaluate",
        eval,
    )
    .takes("<expression>", 0, MANY)
    .needs(Needs::Nothing),
    Spec::new(
        "force_reset",
        Group::Nodes,
        "As reset: there is no cluster to be asked first",
        |context| reset(context, "Forcefully resetting"),
    )
    .needs(Needs::Stopped),
    Spec::new(
        "reset",
        Group::Nodes,
        "Deletes all definitions and messages of a node whose broker has been stopped",
        |context| reset(context, "Resetting"),
    )
    .needs(Needs::Stopped),
    Spec::new(
        "start_app",
        Group::Nodes,
        "Starts the broker again after stop_app, with the configuration as it is now",
        |context| change(context, "Starting", "start"),
    )
    .needs(Needs::Nothing),
    Spec::new(
        "stop_app",
        Group::Nodes,
        "Stops the broker and leaves its process, for reset or start_app",
        |context| change(context, "Stopping rabbit application on", "stop"),
    )
    .needs(Needs::Nothing),
];

/// Has the node do it and waits until it is done.
fn change(context: &Context, doing: &str, what: &str) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("{doing} node {node} ..."));
    let path = format!("/api/leveret/app/{what}");
    let reply = context.call(Method::POST, &path, &Value::Null)?;
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::Page {
        text: String::new(),
        json: json!({ "node": node, "result": "ok" }),
    })
}

fn reset(context: &Context, doing: &str) -> Result<Answer, Failure> {
    change(context, doing, "reset")
}

fn await_online_nodes(context: &Context) -> Result<Answer, Failure> {
    let Some(count) = context.word(0).parse::<u64>().ok().filter(|n| *n > 0) else {
        let text = "Bad argument: Argument must be a positive integer";
        return Err(Failure::bad_argument(text));
    };
    let node = context.node()?;
    let limit = match context.option("timeout") {
        None => Some(Duration::from_secs(NODES_WITHIN_S)),
        Some(_) => context.timeout(),
    };
    let told = limit.map_or("infinity".to_owned(), |limit| limit.as_secs().to_string());
    context.banner(&format!(
        "Will wait for at least {count} nodes to join the cluster of {node}. Timeout: {told} seconds."
    ));
    // One node is there, or the command would not have come so far.
    if count == 1 {
        return Ok(Answer::Done);
    }
    match limit {
        Some(limit) => std::thread::sleep(limit),
        None => loop {
            std::thread::park();
        },
    }
    let text = format!("Error: timed out while waiting. Not enough nodes joined {node}'s cluster.");
    Err(Failure::refused(SOFTWARE, text))
}

/// RabbitMQ evaluates Erlang within the node. What scripts use it for has commands of its own.
fn eval(_: &Context) -> Result<Answer, Failure> {
    Err(Failure::refused(
        USAGE,
        "this broker has no Erlang runtime, so that there is nothing to evaluate an expression in. \
         Settings: set_vm_memory_high_watermark, set_disk_free_limit, set_log_level, environment. \
         Facts: status, list_queues, list_connections, report. \
         Everything else: the management API",
    ))
}
