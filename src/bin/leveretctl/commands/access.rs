//! Permissions of users in virtual hosts, and of topics.

use hyper::Method;
use serde_json::{Value, json};

use super::json::{plain, rows};
use super::users::no_such_user;
use crate::client::{Reply, path};
use crate::context::Context;
use crate::failure::{Failure, NO_USER, UNAVAILABLE};
use crate::spec::{Answer, Group, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "clear_permissions",
        Group::Access,
        "Revokes user permissions for a vhost",
        clear_permissions,
    )
    .takes("[--vhost <vhost>] <username>", 1, 1),
    Spec::new(
        "clear_topic_permissions",
        Group::Access,
        "Clears user topic permissions for a vhost or exchange",
        clear_topic_permissions,
    )
    .takes("[--vhost <vhost>] <username> [<exchange>]", 1, 2),
    Spec::new(
        "list_permissions",
        Group::Access,
        "Lists user permissions in a virtual host",
        list_permissions,
    )
    .takes(
        "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
        0,
        0,
    ),
    Spec::new(
        "list_topic_permissions",
        Group::Access,
        "Lists topic permissions in a virtual host",
        list_topic_permissions,
    )
    .takes(
        "[--vhost <vhost>] [--no-table-headers] [--timeout <timeout>]",
        0,
        0,
    ),
    Spec::new(
        "list_user_permissions",
        Group::Access,
        "Lists permissions of a user across all virtual hosts",
        list_user_permissions,
    )
    .takes(
        "[--no-table-headers] <username> [--timeout <timeout>]",
        1,
        1,
    ),
    Spec::new(
        "list_user_topic_permissions",
        Group::Access,
        "Lists user topic permissions",
        list_user_topic_permissions,
    )
    .takes(
        "[--no-table-headers] <username> [--timeout <timeout>]",
        1,
        1,
    ),
    Spec::new(
        "set_permissions",
        Group::Access,
        "Sets user permissions for a vhost",
        set_permissions,
    )
    .takes("[--vhost <vhost>] <username> <conf> <write> <read>", 4, 4)
    .details(&[
        ("<username>", "Self-explanatory"),
        ("<conf>", "Configuration permission pattern"),
        ("<write>", "Write permission pattern"),
        ("<read>", "Read permission pattern"),
    ]),
    Spec::new(
        "set_topic_permissions",
        Group::Access,
        "Sets user topic permissions for an exchange",
        set_topic_permissions,
    )
    .takes(
        "[--vhost <vhost>] <username> <exchange> <write> <read>",
        4,
        4,
    ),
];

/// A change is done, or the user or the virtual host is missing, or it was refused.
fn changed(context: &Context, reply: &Reply) -> Result<Answer, Failure> {
    if reply.is_done() {
        return Ok(Answer::Done);
    }
    let user = context.word(0);
    if context.get(&path(&["users", user]))?.is_missing() {
        let text = format!("User {user} does not exist");
        return Err(Failure::refused(NO_USER, text));
    }
    let vhost = context.vhost();
    if context.get(&path(&["vhosts", vhost]))?.is_missing() {
        let text = format!("Virtual host {vhost} does not exist");
        return Err(Failure::refused(UNAVAILABLE, text));
    }
    if reply.is_missing() {
        // There was no permission to take away.
        return Ok(Answer::Done);
    }
    Err(reply.failure())
}

fn set_permissions(context: &Context) -> Result<Answer, Failure> {
    let (user, vhost) = (context.word(0), context.vhost());
    context.banner(&format!(
        "Setting permissions for user \"{user}\" in vhost \"{vhost}\" ..."
    ));
    let body = json!({
        "configure": context.word(1),
        "write": context.word(2),
        "read": context.word(3),
    });
    let reply = context.call(Method::PUT, &path(&["permissions", vhost, user]), &body)?;
    changed(context, &reply)
}

fn clear_permissions(context: &Context) -> Result<Answer, Failure> {
    let (user, vhost) = (context.word(0), context.vhost());
    context.banner(&format!(
        "Clearing permissions for user \"{user}\" in vhost \"{vhost}\" ..."
    ));
    let path = path(&["permissions", vhost, user]);
    let reply = context.call(Method::DELETE, &path, &Value::Null)?;
    changed(context, &reply)
}

fn list_permissions(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!("Listing permissions for vhost \"{vhost}\" ..."));
    context.need_vhost(vhost)?;
    let items = context.list(&path(&["vhosts", vhost, "permissions"]))?;
    let columns = ["user", "configure", "write", "read"];
    Ok(Answer::Rows(rows(&items, &columns, plain)))
}

fn list_user_permissions(context: &Context) -> Result<Answer, Failure> {
    let user = context.word(0);
    context.banner(&format!("Listing permissions for user \"{user}\" ..."));
    let items = of_user(context, "permissions")?;
    let columns = ["vhost", "configure", "write", "read"];
    Ok(Answer::Rows(rows(&items, &columns, plain)))
}

/// A list below a user, who has to be there.
fn of_user(context: &Context, what: &str) -> Result<Vec<Value>, Failure> {
    let user = context.word(0);
    if context.get(&path(&["users", user]))?.is_missing() {
        return Err(no_such_user(user));
    }
    context.list(&path(&["users", user, what]))
}

fn set_topic_permissions(context: &Context) -> Result<Answer, Failure> {
    let (user, exchange, vhost) = (context.word(0), context.word(1), context.vhost());
    context.banner(&format!(
        "Setting topic permissions on \"{exchange}\" for user \"{user}\" in vhost \"{vhost}\" ..."
    ));
    let body = json!({
        "exchange": exchange,
        "write": context.word(2),
        "read": context.word(3),
    });
    let path = path(&["topic-permissions", vhost, user]);
    let reply = context.call(Method::PUT, &path, &body)?;
    changed(context, &reply)
}

fn clear_topic_permissions(context: &Context) -> Result<Answer, Failure> {
    let (user, vhost) = (context.word(0), context.vhost());
    let mut parts = vec!["topic-permissions", vhost, user];
    if let Some(exchange) = context.words().get(1) {
        context.banner(&format!(
            "Clearing topic permissions on \"{exchange}\" for user \"{user}\" in vhost \
             \"{vhost}\" ..."
        ));
        parts.push(exchange);
    } else {
        context.banner(&format!(
            "Clearing topic permissions for user \"{user}\" in vhost \"{vhost}\" ..."
        ));
    }
    let reply = context.call(Method::DELETE, &path(&parts), &Value::Null)?;
    changed(context, &reply)
}

fn list_topic_permissions(context: &Context) -> Result<Answer, Failure> {
    let vhost = context.vhost();
    context.banner(&format!(
        "Listing topic permissions for vhost \"{vhost}\" ..."
    ));
    context.need_vhost(vhost)?;
    let items = context.list(&path(&["vhosts", vhost, "topic-permissions"]))?;
    let columns = ["user", "exchange", "write", "read"];
    Ok(Answer::Rows(rows(&items, &columns, plain)))
}

fn list_user_topic_permissions(context: &Context) -> Result<Answer, Failure> {
    let user = context.word(0);
    context.banner(&format!(
        "Listing topic permissions for user \"{user}\" ..."
    ));
    let items = of_user(context, "topic-permissions")?;
    let mut rows = rows(&items, &["vhost", "exchange", "write", "read"], plain);
    // RabbitMQ's list has no header here.
    rows.headed = false;
    Ok(Answer::Rows(rows))
}
