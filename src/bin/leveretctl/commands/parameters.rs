//! Runtime parameters of virtual hosts, and of the whole broker.

use hyper::Method;
use serde_json::{Value, json};

use super::json::{as_json_text, parse, plain, rows};
use super::policies::no_parameter;
use crate::client::{Reply, path};
use crate::context::Context;
use crate::failure::Failure;
use crate::spec::{Answer, Group, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "clear_global_parameter",
        Group::Parameters,
        "Clears a global runtime parameter",
        clear_global_parameter,
    )
    .takes("<name>", 1, 1),
    Spec::new(
        "clear_parameter",
        Group::Parameters,
        "Clears a runtime parameter",
        clear_parameter,
    )
    .takes("[--vhost <vhost>] <component_name> <name>", 2, 2),
    Spec::new(
        "list_global_parameters",
        Group::Parameters,
        "Lists global runtime parameters",
        list_global_parameters,
    )
    .takes("[--no-table-headers] [--timeout <timeout>]", 0, 0),
    Spec::new(
        "list_parameters",
        Group::Parameters,
        "Lists runtime parameters for a virtual host",
        list_parameters,
    )
    .takes(
        "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
        0,
        0,
    ),
    Spec::new(
        "set_global_parameter",
        Group::Parameters,
        "Sets a runtime parameter of the whole broker",
        set_global_parameter,
    )
    .takes("<name> <value>", 2, 2),
    Spec::new(
        "set_parameter",
        Group::Parameters,
        "Sets a runtime parameter",
        set_parameter,
    )
    .takes("[--vhost <vhost>] <component_name> <name> <value>", 3, 3),
];

fn set_done(reply: &Reply) -> Result<Answer, Failure> {
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn clear_done(reply: &Reply) -> Result<Answer, Failure> {
    if reply.is_missing() {
        return Err(no_parameter());
    }
    set_done(reply)
}

fn set_parameter(context: &Context) -> Result<Answer, Failure> {
    let (component, name, value) = (context.word(0), context.word(1), context.word(2));
    let vhost = context.vhost();
    context.banner(&format!(
        "Setting runtime parameter \"{name}\" for component \"{component}\" to \"{value}\" in vhost \
         \"{vhost}\" ..."
    ));
    let body = json!({
        "component": component,
        "vhost": vhost,
        "name": name,
        "value": parse(value)?,
    });
    let path = path(&["parameters", component, vhost, name]);
    let reply = context.call(Method::PUT, &path, &body)?;
    if reply.is_missing() {
        return Err(Failure::no_vhost(vhost));
    }
    set_done(&reply)
}

fn clear_parameter(context: &Context) -> Result<Answer, Failure> {
    let (component, name, vhost) = (context.word(0), context.word(1), context.vhost());
    context.banner(&format!(
        "Clearing runtime parameter \"{name}\" for component \"{component}\" on vhost \
         \"{vhost}\" ..."
    ));
    let path = path(&["parameters", component, vhost, name]);
    clear_done(&context.call(Method::DELETE, &path, &Value::Null)?)
}

fn list_parameters(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!(
        "Listing runtime parameters for vhost \"{vhost}\" ..."
    ));
    context.need_vhost(vhost)?;
    let items: Vec<Value> = context
        .list("/api/parameters")?
        .into_iter()
        .filter(|item| item.get("vhost").and_then(Value::as_str) == Some(vhost))
        // Policies have a list of their own.
        .filter(|item| item.get("component").and_then(Value::as_str) != Some("policy"))
        .collect();
    let rows = rows(
        &items,
        &["component", "name", "value"],
        |item, column| match column {
            "value" => as_json_text(item, column),
            column => plain(item, column),
        },
    );
    Ok(Answer::Rows(rows))
}

fn set_global_parameter(context: &Context) -> Result<Answer, Failure> {
    let (name, value) = (context.word(0), context.word(1));
    context.banner(&format!(
        "Setting global runtime parameter \"{name}\" to \"{value}\" ..."
    ));
    let body = json!({ "name": name, "value": parse(value)? });
    set_done(&context.call(Method::PUT, &path(&["global-parameters", name]), &body)?)
}

fn clear_global_parameter(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    context.banner(&format!("Clearing global runtime parameter \"{name}\" ..."));
    let path = path(&["global-parameters", name]);
    clear_done(&context.call(Method::DELETE, &path, &Value::Null)?)
}

fn list_global_parameters(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing global runtime parameters ...");
    let items = context.list("/api/global-parameters")?;
    let rows = rows(&items, &["name", "value"], |item, column| match column {
        "value" => as_json_text(item, column),
        column => plain(item, column),
    });
    Ok(Answer::Rows(rows))
}
