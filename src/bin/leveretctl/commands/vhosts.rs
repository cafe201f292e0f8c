//! Virtual hosts.

use hyper::Method;
use serde_json::{Map, Value, json};

use super::json::{plain, rows, tags};
use crate::client::path;
use crate::context::Context;
use crate::failure::{DATA, Failure, SOFTWARE};
use crate::format::Cell;
use crate::spec::{Answer, Group, MANY, Opt, Spec, Takes};

/// What `list_vhosts` shows.
const COLUMNS: &[&str] = &[
    "cluster_state",
    "default_queue_type",
    "description",
    "name",
    "tags",
    "tracing",
];

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "add_vhost",
        Group::Vhosts,
        "Creates a virtual host",
        add_vhost,
    )
    .takes(
        "<vhost> [--description <description>] [--tags \"<tag1>,<tag2>,<...>\"] \
             [--default-queue-type <quorum|classic|stream>]",
        1,
        1,
    )
    .options(&[
        Opt::value("description", Takes::Text, "virtual host description"),
        Opt::value("tags", Takes::Text, "comma-separated list of tags"),
        Opt::value(
            "default-queue-type",
            Takes::Text,
            "queue type to use if no type is explicitly provided by the client",
        ),
    ]),
    Spec::new(
        "delete_vhost",
        Group::Vhosts,
        "Deletes a virtual host with everything in it",
        delete_vhost,
    )
    .takes("<vhost>", 1, 1),
    Spec::new(
        "list_vhosts",
        Group::Vhosts,
        "Lists virtual hosts",
        list_vhosts,
    )
    .columns(
        "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
        COLUMNS,
    ),
    Spec::new(
        "restart_vhost",
        Group::Vhosts,
        "Virtual hosts do not fail singly here: tells that it runs",
        restart_vhost,
    )
    .takes("[--vhost <vhost>]", 0, 0),
    Spec::new(
        "set_vhost_tags",
        Group::Vhosts,
        "Sets virtual host tags",
        set_vhost_tags,
    )
    .takes("<vhost> <tag> [...]", 1, MANY),
    Spec::new(
        "trace_off",
        Group::Vhosts,
        "Stops the tracing of a virtual host",
        |context| trace(context, false),
    )
    .takes("[--vhost <vhost>]", 0, 0),
    Spec::new(
        "trace_on",
        Group::Vhosts,
        "Publishes a copy of every message to amq.rabbitmq.trace",
        |context| trace(context, true),
    )
    .takes("[--vhost <vhost>]", 0, 0),
];

/// Changes one thing about a host in a single operation; `Ok(false)` where there is none.
fn amend(context: &Context, name: &str, body: &Value) -> Result<bool, Failure> {
    let path = path(&["leveret", "vhosts", name]);
    let reply = context.call(Method::PATCH, &path, body)?;
    if reply.is_missing() || reply.is_done() {
        return Ok(reply.is_done());
    }
    Err(reply.failure())
}

fn find(context: &Context, name: &str) -> Result<Option<Value>, Failure> {
    let reply = context.get(&path(&["vhosts", name]))?;
    if reply.is_missing() {
        return Ok(None);
    }
    if !reply.is_done() {
        return Err(reply.failure());
    }
    reply.json().map(Some)
}

fn add_vhost(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    context.banner(&format!("Adding vhost \"{name}\" ..."));
    let mut body = Map::new();
    for (option, key) in [
        ("description", "description"),
        ("tags", "tags"),
        ("default-queue-type", "default_queue_type"),
    ] {
        if let Some(value) = context.option(option) {
            body.insert(key.to_owned(), value.into());
        }
    }
    // One that is there is left as it is, and that is fine, as for RabbitMQ.
    let path = path(&["leveret", "vhosts", name]);
    let reply = context.call(Method::PUT, &path, &Value::Object(body))?;
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn delete_vhost(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    context.banner(&format!("Deleting vhost \"{name}\" ..."));
    let reply = context.call(Method::DELETE, &path(&["vhosts", name]), &Value::Null)?;
    if reply.is_missing() {
        return Err(Failure::no_vhost(name));
    }
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::Done)
}

fn list_vhosts(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing vhosts ...");
    let asked = context.columns(&["name"]);
    let items = context.list(&format!("/api/vhosts?columns={}", asked.join(",")))?;
    let mut rows = rows(&items, &asked, |item, column| match column {
        "tags" => Cell::Words(tags(item)),
        "cluster_state" => match item.get(column) {
            Some(Value::Object(states)) => Cell::States(states.clone()),
            _ => Cell::States(Map::new()),
        },
        column => plain(item, column),
    });
    rows.streamed = true;
    Ok(Answer::Rows(rows))
}

fn set_vhost_tags(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    let wanted = context.words().get(1..).unwrap_or_default();
    context.banner(&format!(
        "Setting tags for virtual host \"{name}\" to [{}] ...",
        wanted.join(", ")
    ));
    if amend(context, name, &json!({ "tags": wanted }))? {
        return Ok(Answer::Done);
    }
    let text = format!("Virtual host \"{name}\" does not exist");
    Err(Failure::refused(DATA, text))
}

fn restart_vhost(context: &Context) -> Result<Answer, Failure> {
    let (vhost, node) = (context.vhost(), context.node()?);
    context.banner(&format!(
        "Trying to restart vhost '{vhost}' on node '{node}' ..."
    ));
    if find(context, vhost)?.is_none() {
        let text = format!(
            "Failed to start vhost '{vhost}' on node '{node}'Reason: {{:no_such_vhost, \"{vhost}\"}}"
        );
        return Err(Failure::refused(SOFTWARE, text));
    }
    Ok(Answer::DoneSaying(format!(
        "Vhost '{vhost}' is already running on node '{node}'"
    )))
}

fn trace(context: &Context, on: bool) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    let (verb, state) = match on {
        true => ("Starting", "enabled"),
        false => ("Stopping", "disabled"),
    };
    context.banner(&format!("{verb} tracing for vhost \"{vhost}\" ..."));
    if !amend(context, vhost, &json!({ "tracing": on }))? {
        return Err(Failure::no_vhost(vhost));
    }
    Ok(Answer::DoneSaying(format!(
        "Trace {state} for vhost {vhost}"
    )))
}
