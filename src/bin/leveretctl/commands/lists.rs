//! Lists of queues, exchanges, bindings, connections, channels and consumers, with RabbitMQ's
//! columns.

use std::time::Duration;

use serde_json::{Map, Value};

use super::json::{integer, plain, rows, text};
use super::pids::pid;
use crate::client::path;
use crate::context::Context;
use crate::failure::Failure;
use crate::format::{Cell, Rows};
use crate::spec::{Answer, Group, Opt, Spec};

const COLUMNS_USAGE: &str = "[--no-table-headers] [<column> ...] [--timeout <timeout>]";
const VHOST_COLUMNS_USAGE: &str =
    "[--vhost <vhost>] [--no-table-headers] [<column> ...] [--timeout <timeout>]";

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "list_bindings",
        Group::Monitoring,
        "Lists all bindings on a vhost",
        list_bindings,
    )
    .columns(VHOST_COLUMNS_USAGE, BINDINGS),
    Spec::new(
        "list_channels",
        Group::Monitoring,
        "Lists all channels in the node",
        list_channels,
    )
    .columns(COLUMNS_USAGE, CHANNELS),
    Spec::new(
        "list_connections",
        Group::Monitoring,
        "Lists AMQP 0.9.1 connections for the node",
        list_connections,
    )
    .columns(COLUMNS_USAGE, CONNECTIONS),
    Spec::new(
        "list_consumers",
        Group::Monitoring,
        "Lists all consumers for a vhost",
        list_consumers,
    )
    .columns(VHOST_COLUMNS_USAGE, CONSUMERS),
    Spec::new(
        "list_exchanges",
        Group::Monitoring,
        "Lists exchanges",
        list_exchanges,
    )
    .columns(VHOST_COLUMNS_USAGE, EXCHANGES),
    Spec::new(
        "list_queues",
        Group::Monitoring,
        "Lists queues and their properties",
        list_queues,
    )
    .columns(
        "[--vhost <vhost>] [--online] [--offline] [--local] [--no-table-headers] [<column>, ...] \
         [--timeout <timeout>]",
        QUEUES,
    )
    .options(&[
        Opt::flag("online", "lists only queues on online (reachable) nodes"),
        Opt::flag(
            "offline",
            "lists only queues on offline (unreachable) nodes",
        ),
        Opt::flag("local", "only return queues hosted on the target node"),
    ]),
    Spec::new(
        "list_unresponsive_queues",
        Group::Monitoring,
        "Lists queues that do not respond within the timeout",
        list_unresponsive_queues,
    )
    .columns(VHOST_COLUMNS_USAGE, QUEUES),
];

const QUEUES: &[&str] = &[
    "arguments",
    "auto_delete",
    "consumer_capacity",
    "consumer_utilisation",
    "consumers",
    "disk_reads",
    "disk_writes",
    "durable",
    "exclusive",
    "exclusive_consumer_pid",
    "exclusive_consumer_tag",
    "head_message_timestamp",
    "leader",
    "members",
    "memory",
    "message_bytes",
    "message_bytes_persistent",
    "message_bytes_ram",
    "message_bytes_ready",
    "message_bytes_unacknowledged",
    "messages",
    "messages_persistent",
    "messages_ram",
    "messages_ready",
    "messages_ready_ram",
    "messages_unacknowledged",
    "messages_unacknowledged_ram",
    "name",
    "online",
    "owner_pid",
    "pid",
    "policy",
    "slave_pids",
    "state",
    "synchronised_slave_pids",
    "type",
];

const EXCHANGES: &[&str] = &[
    "arguments",
    "auto_delete",
    "durable",
    "internal",
    "name",
    "policy",
    "type",
];

const BINDINGS: &[&str] = &[
    "arguments",
    "destination_kind",
    "destination_name",
    "routing_key",
    "source_kind",
    "source_name",
];

const CONNECTIONS: &[&str] = &[
    "auth_mechanism",
    "channel_max",
    "channels",
    "client_properties",
    "connected_at",
    "frame_max",
    "host",
    "name",
    "peer_cert_issuer",
    "peer_cert_subject",
    "peer_cert_validity",
    "peer_host",
    "peer_port",
    "pid",
    "port",
    "protocol",
    "recv_cnt",
    "recv_oct",
    "send_cnt",
    "send_oct",
    "send_pend",
    "ssl",
    "ssl_cipher",
    "ssl_hash",
    "ssl_key_exchange",
    "ssl_protocol",
    "state",
    "timeout",
    "user",
    "vhost",
];

const CHANNELS: &[&str] = &[
    "acks_uncommitted",
    "confirm",
    "connection",
    "consumer_count",
    "global_prefetch_count",
    "messages_unacknowledged",
    "messages_uncommitted",
    "messages_unconfirmed",
    "name",
    "number",
    "pid",
    "prefetch_count",
    "transactional",
    "user",
    "vhost",
];

const CONSUMERS: &[&str] = &[
    "ack_required",
    "active",
    "activity_status",
    "arguments",
    "channel_pid",
    "consumer_tag",
    "prefetch_count",
    "queue_name",
];

/// Lists are streamed: without an item RabbitMQ writes nothing, not even a header.
fn streamed(
    items: &[Value],
    columns: &[&str],
    cell: impl Fn(&Value, &str) -> Cell,
) -> Result<Answer, Failure> {
    let rows = rows(items, columns, cell);
    Ok(Answer::Rows(Rows {
        streamed: true,
        ..rows
    }))
}

fn arguments(item: &Value, key: &str) -> Cell {
    match item.get(key) {
        Some(Value::Object(map)) => Cell::Arguments(map.clone()),
        _ => Cell::Arguments(Map::new()),
    }
}

fn seconds(timeout: Option<Duration>) -> String {
    timeout.map_or_else(
        || "infinity".to_owned(),
        |timeout| format!("{}.0 seconds", timeout.as_secs()),
    )
}

fn list_queues(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Timeout: {} ...", seconds(context.timeout())));
    context.banner(&format!("Listing queues for vhost {vhost} ..."));
    let asked = context.columns(&["name", "messages"]);
    if context.flag("offline") {
        // The one node there is answers: no queue is on another.
        return streamed(&[], &asked, plain);
    }
    let items = context.list(&format!(
        "{}?columns={}",
        path(&["queues", vhost]),
        queue_keys(&asked).join(",")
    ))?;
    let node = match asked.contains(&"owner_pid") {
        true => context.node()?,
        false => String::new(),
    };
    streamed(&items, &asked, |queue, column| match column {
        "owner_pid" => owner_pid(queue, &node),
        column => queue_cell(queue, column),
    })
}

/// The connection that an exclusive queue belongs to.
fn owner_pid(queue: &Value, node: &str) -> Cell {
    let owner = queue.get("owner_pid_details").unwrap_or(&Value::Null);
    match text(owner, "name") {
        "" => Cell::Plain(Value::Null),
        name => Cell::text(pid(node, name, 0)),
    }
}

/// The keys of the API that the columns are made of.
fn queue_keys<'a>(columns: &[&'a str]) -> Vec<&'a str> {
    columns
        .iter()
        .map(|&column| match column {
            "owner_pid" => "owner_pid_details",
            "disk_reads" | "disk_writes" => "message_stats",
            other => other,
        })
        .collect()
}

fn queue_cell(queue: &Value, column: &str) -> Cell {
    match column {
        "arguments" => arguments(queue, column),
        "disk_reads" | "disk_writes" => {
            let stats = queue.get("message_stats").unwrap_or(&Value::Null);
            Cell::Plain(integer(stats, column).into())
        }
        "members" | "online" => match queue.get(column) {
            Some(Value::Array(nodes)) => Cell::Words(
                nodes
                    .iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            ),
            _ => Cell::Plain(Value::Null),
        },
        column => plain(queue, column),
    }
}

/// A queue here answers while its node does: a list that comes in time names none.
fn list_unresponsive_queues(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!(
        "Listing unresponsive queues for vhost {vhost} ..."
    ));
    let asked = context.columns(&["name"]);
    context.list(&format!("{}?columns=name", path(&["queues", vhost])))?;
    streamed(&[], &asked, plain)
}

fn list_exchanges(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing exchanges for vhost {vhost} ..."));
    let asked = context.columns(&["name", "type"]);
    let items = context.list(&path(&["exchanges", vhost]))?;
    streamed(&items, &asked, |item, column| match column {
        "arguments" => arguments(item, column),
        column => plain(item, column),
    })
}

fn list_bindings(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing bindings for vhost {vhost}..."));
    let asked = context.columns(&[
        "source_name",
        "source_kind",
        "destination_name",
        "destination_kind",
        "routing_key",
        "arguments",
    ]);
    let items = context.list(&path(&["bindings", vhost]))?;
    streamed(&items, &asked, |item, column| match column {
        "source_name" => plain(item, "source"),
        "source_kind" => Cell::text("exchange"),
        "destination_name" => plain(item, "destination"),
        "destination_kind" => plain(item, "destination_type"),
        "arguments" => arguments(item, column),
        column => plain(item, column),
    })
}

fn list_connections(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing connections ...");
    let asked = context.columns(&["user", "peer_host", "peer_port", "state"]);
    let items = context.list("/api/connections")?;
    let node = context.node()?;
    streamed(&items, &asked, |item, column| match column {
        "pid" => Cell::text(pid(&node, text(item, "name"), 0)),
        "client_properties" => arguments(item, column),
        "protocol" => Cell::text(protocol(text(item, column))),
        column => plain(item, column),
    })
}

/// RabbitMQ's term for `AMQP 0-9-1`.
fn protocol(name: &str) -> String {
    match name.strip_prefix("AMQP ") {
        Some(version) => format!("{{{}}}", version.replace('-', ",")),
        None => name.to_owned(),
    }
}

fn list_channels(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing channels ...");
    let asked = context.columns(&["pid", "user", "consumer_count", "messages_unacknowledged"]);
    let items = context.list("/api/channels")?;
    let node = context.node()?;
    streamed(&items, &asked, |item, column| {
        let connection = item.get("connection_details").unwrap_or(&Value::Null);
        let name = text(connection, "name");
        match column {
            "connection" => Cell::text(pid(&node, name, 0)),
            "pid" => Cell::text(pid(&node, name, number(item))),
            column => plain(item, column),
        }
    })
}

/// The number of a channel.
fn number(item: &Value) -> u64 {
    item.get("number").and_then(Value::as_u64).unwrap_or(0)
}

fn list_consumers(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing consumers in vhost {vhost} ..."));
    let asked = context.columns(&[
        "queue_name",
        "channel_pid",
        "consumer_tag",
        "ack_required",
        "prefetch_count",
        "active",
        "arguments",
    ]);
    let items = context.list(&path(&["consumers", vhost]))?;
    let node = context.node()?;
    streamed(&items, &asked, |item, column| match column {
        "queue_name" => plain(item.get("queue").unwrap_or(&Value::Null), "name"),
        "channel_pid" => {
            let channel = item.get("channel_details").unwrap_or(&Value::Null);
            let name = text(channel, "connection_name");
            Cell::text(pid(&node, name, number(channel)))
        }
        "arguments" => arguments(item, column),
        column => plain(item, column),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_read_where_the_api_has_them() {
        let queue = json!({
            "name": "q",
            "arguments": { "x-max-length": 1 },
            "message_stats": { "disk_reads": 3 },
            "owner_pid_details": { "name": "a -> b" },
            "members": ["n@h"],
        });
        let field = |column: &str| queue_cell(&queue, column).plain();
        assert_eq!(field("name"), "q");
        assert_eq!(field("arguments"), "[{\"x-max-length\",1}]");
        assert_eq!(field("disk_reads"), "3");
        assert_eq!(field("disk_writes"), "0");
        assert_eq!(owner_pid(&queue, "n@h").plain(), pid("n@h", "a -> b", 0));
        assert_eq!(field("members"), "[n@h]");
        assert_eq!(field("online"), "");
        let keys = queue_keys(&["name", "owner_pid", "disk_reads"]);
        assert_eq!(keys, ["name", "owner_pid_details", "message_stats"]);
        assert_eq!(protocol("AMQP 0-9-1"), "{0,9,1}");
    }
}
