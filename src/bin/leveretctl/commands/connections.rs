//! Closing connections.

use std::time::Duration;

use serde_json::Value;

use super::json::text;
use super::pids::{is_pid, pid};
use crate::client::path;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::spec::{Answer, Group, Opt, Spec, Takes};

/// The longest wait between two closings, in milliseconds.
const DELAY_MAX_MS: u64 = 60_000;

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "close_all_connections",
        Group::Operations,
        "Instructs the broker to close all connections for the specified vhost or entire node",
        close_all_connections,
    )
    .takes(
        "[--vhost <vhost> --limit <limit>] [-n <node> --global] [--per-connection-delay <delay>] \
         <explanation>",
        1,
        1,
    )
    .options(&[
        Opt::flag("global", "close all connections of the node"),
        Opt::value(
            "limit",
            Takes::Integer,
            "close up to this number of connections",
        ),
        Opt::value(
            "per-connection-delay",
            Takes::Integer,
            "milliseconds to wait after each connection",
        ),
    ]),
    Spec::new(
        "close_all_user_connections",
        Group::Operations,
        "Instructs the broker to close all connections of the specified user",
        close_all_user_connections,
    )
    .takes("<username> <explanation>", 2, 2),
    Spec::new(
        "close_connection",
        Group::Operations,
        "Instructs the broker to close a connection",
        close_connection,
    )
    .takes("<connection pid> <explanation>", 2, 2)
    .details(&[
        (
            "<connection pid>",
            "pid or name of the connection, see list_connections",
        ),
        ("<explanation>", "reason for connection closure"),
    ]),
];

/// Closes one. One that has closed itself meanwhile is no failure.
fn close(context: &Context, connection: &Value, reason: &str) -> Result<bool, Failure> {
    let path = path(&["connections", text(connection, "name")]);
    let reply = context.delete_because(&path, reason)?;
    if !reply.is_done() && !reply.is_missing() {
        return Err(reply.failure());
    }
    Ok(reply.is_done())
}

fn close_connection(context: &Context) -> Result<Answer, Failure> {
    let (which, reason) = (context.word(0), context.word(1));
    context.banner(&format!("Closing connection {which}, reason: {reason}..."));
    let connections = context.list("/api/connections")?;
    let node = context.node()?;
    let found = connections.iter().find(|connection| {
        pid(&node, text(connection, "name"), 0) == which || text(connection, "name") == which
    });
    let Some(connection) = found else {
        if is_pid(which) {
            // It has ended already.
            return Ok(Answer::Done);
        }
        let text = format!("Error:\n{{:invalid_pid_syntax, \"{which}\"}}");
        return Err(Failure::refused(UNAVAILABLE, text));
    };
    close(context, connection, reason)?;
    Ok(Answer::Done)
}

fn close_all_connections(context: &Context) -> Result<Answer, Failure> {
    let (vhost, reason) = (context.vhost(), context.word(0));
    let number = |name| {
        context
            .option(name)
            .and_then(|text| text.parse::<u64>().ok())
    };
    // RabbitMQ's default, 0, is no limit either.
    let limit = number("limit").filter(|&limit| limit > 0);
    let delay = Duration::from_millis(
        number("per-connection-delay")
            .unwrap_or(0)
            .min(DELAY_MAX_MS),
    );
    let connections = if context.flag("global") {
        let node = context.node()?;
        context.banner(&format!(
            "Closing all connections to node {node} (across all vhosts), reason: {reason}..."
        ));
        context.list("/api/connections")?
    } else {
        context.banner(&match limit {
            Some(limit) => {
                format!("Closing {limit} connections in vhost {vhost}, reason: {reason}...")
            }
            None => format!("Closing all connections in vhost {vhost}, reason: {reason}..."),
        });
        context.list(&path(&["vhosts", vhost, "connections"]))?
    };
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let mut closed = 0u64;
    for connection in connections.iter().take(limit.unwrap_or(usize::MAX)) {
        closed += u64::from(close(context, connection, reason)?);
        std::thread::sleep(delay);
    }
    Ok(Answer::DoneSaying(format!("Closed {closed} connections")))
}

fn close_all_user_connections(context: &Context) -> Result<Answer, Failure> {
    let (user, reason) = (context.word(0), context.word(1));
    context.banner(&format!(
        "Closing connections of user {user}, reason: {reason}..."
    ));
    let connections = context.list("/api/connections")?;
    for connection in connections.iter().filter(|one| text(one, "user") == user) {
        close(context, connection, reason)?;
    }
    Ok(Answer::Done)
}
