//! Limits of virtual hosts and of users.

use hyper::Method;
use serde_json::{Value, json};

use super::json::{as_json_text, parse, plain, rows};
use super::policies::no_parameter;
use super::users::no_such_user;
use crate::client::path;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::format::Rows;
use crate::spec::{Answer, Group, Opt, Spec, Takes};

/// Limits a user can have.
const OF_USERS: [&str; 2] = ["max-connections", "max-channels"];

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "clear_user_limits",
        Group::Users,
        "Clears user connection/channel limits",
        clear_user_limits,
    )
    .takes("<username> <limit_type> | all", 2, 2)
    .details(&[
        ("<username>", "Self-explanatory"),
        (
            "<limit_type>",
            "Limit type, max-connections or max-channels",
        ),
    ]),
    Spec::new(
        "clear_vhost_limits",
        Group::Vhosts,
        "Clears virtual host limits",
        clear_vhost_limits,
    )
    .takes("[--vhost <vhost>]", 0, 0),
    Spec::new(
        "list_user_limits",
        Group::Users,
        "Displays configured user limits",
        list_user_limits,
    )
    .takes("[--user <username>] [--global]", 0, 0)
    .options(&[
        Opt::value("user", Takes::Text, "whose limits; guest's unless said"),
        Opt::flag("global", "list limits for all the users"),
    ]),
    Spec::new(
        "list_vhost_limits",
        Group::Vhosts,
        "Displays configured virtual host limits",
        list_vhost_limits,
    )
    .takes("[--vhost <vhost>] [--global] [--no-table-headers]", 0, 0)
    .options(&[Opt::flag(
        "global",
        "list global limits, those not associated with a virtual host",
    )]),
    Spec::new(
        "set_user_limits",
        Group::Users,
        "Sets user limits",
        set_user_limits,
    )
    .takes("<username> <definition>", 2, 2)
    .details(&[
        ("<username>", "Self-explanatory"),
        ("<definition>", "Limit definitions as a JSON document"),
    ]),
    Spec::new(
        "set_vhost_limits",
        Group::Vhosts,
        "Sets virtual host limits",
        set_vhost_limits,
    )
    .takes("[--vhost <vhost>] <definition>", 1, 1)
    .details(&[(
        "<definition>",
        "Limit definitions, must be a valid JSON document",
    )]),
];

fn set_vhost_limits(context: &Context) -> Result<Answer, Failure> {
    let (definition, vhost) = (context.word(0), context.vhost());
    context.banner(&format!(
        "Setting vhost limits to \"{definition}\" for vhost \"{vhost}\" ..."
    ));
    let body = json!({
        "component": "vhost-limits",
        "vhost": vhost,
        "name": "limits",
        "value": parse(definition)?,
    });
    context.need_vhost(vhost)?;
    let path = path(&["parameters", "vhost-limits", vhost, "limits"]);
    let reply = context.call(Method::PUT, &path, &body)?;
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn clear_vhost_limits(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Clearing vhost \"{vhost}\" limits ..."));
    let path = path(&["parameters", "vhost-limits", vhost, "limits"]);
    let reply = context.call(Method::DELETE, &path, &Value::Null)?;
    if reply.is_missing() {
        return Err(no_parameter());
    }
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

/// The limits as one text.
fn one(items: &[Value]) -> Answer {
    match items.first().and_then(|item| item.get("value")) {
        Some(value) => Answer::Text(value.to_string()),
        None => Answer::Rows(Rows::new(&[])),
    }
}

fn all(items: &[Value], who: &str) -> Answer {
    Answer::Rows(rows(items, &[who, "limits"], |item, column| match column {
        "limits" => as_json_text(item, "value"),
        column => plain(item, column),
    }))
}

fn list_vhost_limits(context: &Context) -> Result<Answer, Failure> {
    if context.flag("global") {
        context.banner("Listing limits for all vhosts ...");
        return Ok(all(&context.list("/api/vhost-limits")?, "vhost"));
    }
    let vhost = context.vhost();
    context.banner(&format!("Listing limits for vhost \"{vhost}\" ..."));
    context.need_vhost(vhost)?;
    Ok(one(&context.list(&path(&["vhost-limits", vhost]))?))
}

fn need_user(context: &Context, name: &str) -> Result<(), Failure> {
    if context.get(&path(&["users", name]))?.is_missing() {
        return Err(no_such_user(name));
    }
    Ok(())
}

fn set_user_limits(context: &Context) -> Result<Answer, Failure> {
    let (user, definition) = (context.word(0), context.word(1));
    context.banner(&format!(
        "Setting user limits to \"{definition}\" for user \"{user}\" ..."
    ));
    let value = parse(definition)?;
    let Some(limits) = value.as_object() else {
        return Err(Failure::refused(
            UNAVAILABLE,
            "the limits have to be a JSON object",
        ));
    };
    need_user(context, user)?;
    let strange: Vec<String> = limits
        .iter()
        .filter(|(name, _)| !OF_USERS.contains(&name.as_str()))
        .map(|(name, value)| format!("{{<<\"{name}\">>,{value}}}"))
        .collect();
    if !strange.is_empty() {
        let text = format!("Unrecognised terms [{}] in user-limits", strange.join(","));
        return Err(Failure::refused(UNAVAILABLE, text));
    }
    for (name, value) in limits {
        let path = path(&["user-limits", user, name]);
        let reply = context.call(Method::PUT, &path, &json!({ "value": value }))?;
        if !reply.is_done() {
            return Err(reply.failure());
        }
    }
    Ok(Answer::Done)
}

fn clear_user_limits(context: &Context) -> Result<Answer, Failure> {
    let (user, which) = (context.word(0), context.word(1));
    match which {
        "all" => context.banner(&format!("Clearing all limits for user \"{user}\" ...")),
        name => context.banner(&format!(
            "Clearing \"{name}\" limit for user \"{user}\" ..."
        )),
    }
    need_user(context, user)?;
    for name in OF_USERS {
        if which != "all" && which != name {
            continue;
        }
        let path = path(&["user-limits", user, name]);
        let reply = context.call(Method::DELETE, &path, &Value::Null)?;
        // A limit that was not set is cleared.
        if !reply.is_done() && !reply.is_missing() {
            return Err(reply.failure());
        }
    }
    Ok(Answer::Done)
}

fn list_user_limits(context: &Context) -> Result<Answer, Failure> {
    if context.flag("global") {
        context.banner("Listing limits for all users ...");
        return Ok(all(&context.list("/api/user-limits")?, "user"));
    }
    let user = context.option("user").unwrap_or("guest");
    context.banner(&format!("Listing limits for user \"{user}\" ..."));
    need_user(context, user)?;
    let items = context.list(&path(&["user-limits", user]))?;
    let limits = items.first().and_then(|item| item.get("value"));
    Ok(Answer::Text(
        limits.map_or_else(|| "{}".to_owned(), Value::to_string),
    ))
}
