//! Policies, and the operator's policies over them.

use hyper::Method;
use serde_json::{Value, json};

use super::json::{as_json_text, parse, plain, rows};
use crate::client::path;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::spec::{Answer, Group, Opt, Spec, Takes};

const OPTIONS: &[Opt] = &[
    Opt::value("priority", Takes::Integer, "policy priority"),
    Opt::value(
        "apply-to",
        Takes::Text,
        "what entities to apply to: queues, exchanges, all",
    ),
];

const SET_USAGE: &str = "[--vhost <vhost>] [--priority <priority>] [--apply-to <apply-to>] <name> <pattern> <definition>";

const DETAILS: &[(&str, &str)] = &[
    ("<name>", "policy name (identifier)"),
    (
        "<pattern>",
        "regular expression pattern that will be used to match queues, exchanges, etc",
    ),
    (
        "<definition>",
        "policy definition (arguments). Must be a valid JSON document",
    ),
];

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "clear_operator_policy",
        Group::Policies,
        "Clears an operator policy",
        |context| clear(context, &OPERATOR),
    )
    .takes("[--vhost <vhost>] <name>", 1, 1),
    Spec::new(
        "clear_policy",
        Group::Policies,
        "Clears (removes) a policy",
        |context| clear(context, &USER),
    )
    .takes("[--vhost <vhost>] <name>", 1, 1),
    Spec::new(
        "list_operator_policies",
        Group::Policies,
        "Lists operator policy overrides for a virtual host",
        |context| list(context, &OPERATOR),
    )
    .takes(
        "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
        0,
        0,
    ),
    Spec::new(
        "list_policies",
        Group::Policies,
        "Lists all policies in a virtual host",
        |context| list(context, &USER),
    )
    .takes(
        "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
        0,
        0,
    ),
    Spec::new(
        "set_operator_policy",
        Group::Policies,
        "Sets an operator policy that overrides a subset of arguments in user policies",
        |context| set(context, &OPERATOR),
    )
    .takes(SET_USAGE, 3, 3)
    .options(OPTIONS)
    .details(DETAILS),
    Spec::new(
        "set_policy",
        Group::Policies,
        "Sets or updates a policy",
        |context| set(context, &USER),
    )
    .takes(SET_USAGE, 3, 3)
    .options(OPTIONS)
    .details(DETAILS),
];

/// The two kinds differ in their words only.
struct Kind {
    /// In the paths of the API.
    resource: &'static str,
    /// What is set.
    set: &'static str,
    /// What is listed.
    listed: &'static str,
    /// What is cleared.
    cleared: &'static str,
}

const USER: Kind = Kind {
    resource: "policies",
    set: "policy",
    listed: "policies",
    cleared: "policy",
};

const OPERATOR: Kind = Kind {
    resource: "operator-policies",
    set: "operator policy override",
    listed: "operator policy overrides",
    cleared: "operator policy",
};

fn set(context: &Context, kind: &Kind) -> Result<Answer, Failure> {
    let (name, pattern, definition) = (context.word(0), context.word(1), context.word(2));
    let priority = context.option("priority").unwrap_or("0");
    let vhost = context.vhost();
    context.banner(&format!(
        "Setting {} \"{name}\" for pattern \"{pattern}\" to \"{definition}\" with priority \
         \"{priority}\" for vhost \"{vhost}\" ...",
        kind.set
    ));
    let body = json!({
        "pattern": pattern,
        "definition": parse(definition)?,
        "priority": priority.parse::<i64>().unwrap_or(0),
        "apply-to": context.option("apply-to").unwrap_or("all"),
    });
    context.need_vhost(vhost)?;
    let reply = context.call(Method::PUT, &path(&[kind.resource, vhost, name]), &body)?;
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn clear(context: &Context, kind: &Kind) -> Result<Answer, Failure> {
    let (name, vhost) = (context.word(0), context.vhost());
    context.banner(&format!(
        "Clearing {} \"{name}\" on vhost \"{vhost}\" ...",
        kind.cleared
    ));
    let path = path(&[kind.resource, vhost, name]);
    let reply = context.call(Method::DELETE, &path, &Value::Null)?;
    if reply.is_missing() {
        return Err(no_parameter());
    }
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

/// Policies and limits are parameters to RabbitMQ.
pub fn no_parameter() -> Failure {
    Failure::refused(UNAVAILABLE, "Parameter does not exist")
}

fn list(context: &Context, kind: &Kind) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!(
        "Listing {} for vhost \"{vhost}\" ...",
        kind.listed
    ));
    context.need_vhost(vhost)?;
    let items = context.list(&path(&[kind.resource, vhost]))?;
    let columns = [
        "vhost",
        "name",
        "pattern",
        "apply-to",
        "definition",
        "priority",
    ];
    let rows = rows(&items, &columns, |item, column| match column {
        "definition" => as_json_text(item, column),
        column => plain(item, column),
    });
    Ok(Answer::Rows(rows))
}
