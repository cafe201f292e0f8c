//! Users: `add_user` to `authenticate_user`.

use std::io::{BufRead, IsTerminal};

use hyper::Method;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::json::{plain, rows, tags, text};
use crate::client::path;
use crate::context::{Context, write_out};
use crate::failure::{DATA, Failure, NO_USER, SOFTWARE, UNAVAILABLE};
use crate::format::Cell;
use crate::spec::{Answer, Group, MANY, Opt, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "add_user",
        Group::Users,
        "Creates a new user. It has no permissions for any virtual host by default",
        add_user,
    )
    .takes("<username> <password>", 1, 2)
    .options(&[Opt::flag(
        "pre-hashed-password",
        "the password is a hash in the form of definitions files",
    )])
    .details(&[
        ("<username>", "Self-explanatory"),
        (
            "<password>",
            "Password this user will authenticate with; read from standard input if left out",
        ),
    ]),
    Spec::new(
        "authenticate_user",
        Group::Users,
        "Attempts to authenticate a user. Exits with a non-zero code if authentication fails",
        authenticate_user,
    )
    .takes("<username> <password>", 1, 2),
    Spec::new(
        "change_password",
        Group::Users,
        "Changes the user password",
        change_password,
    )
    .takes("<username> <password>", 1, 2),
    Spec::new(
        "clear_password",
        Group::Users,
        "Clears (resets) password and disables password login for a user",
        clear_password,
    )
    .takes("<username>", 1, 1),
    Spec::new(
        "delete_user",
        Group::Users,
        "Removes a user and closes its connections",
        delete_user,
    )
    .takes("<username>", 1, 1),
    Spec::new(
        "hash_password",
        Group::Users,
        "Hashes a password as definitions files have it",
        hash_password,
    )
    .takes("<password>", 0, 1),
    Spec::new(
        "list_users",
        Group::Users,
        "List user names and tags",
        list_users,
    )
    .takes("[--no-table-headers] [--timeout <timeout>]", 0, 0),
    Spec::new(
        "set_user_tags",
        Group::Users,
        "Sets user tags",
        set_user_tags,
    )
    .takes("<username> <tag> [...]", 1, MANY),
];

fn name_given(context: &Context) -> Result<(), Failure> {
    if context.word(0).is_empty() {
        return Err(Failure::bad_argument(
            "Bad argument: user cannot be an empty string",
        ));
    }
    Ok(())
}

/// The password from the arguments, or a line of standard input.
fn password(context: &Context, at: usize) -> Result<String, Failure> {
    if let Some(password) = context.words().get(at) {
        return Ok(password.clone());
    }
    if context.is_chatty() {
        write_out("Password: ");
        if !std::io::stdin().is_terminal() {
            write_out("\n");
        }
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line)?;
    if read == 0 {
        return Err(Failure::refused(
            DATA,
            "Password is not provided via argument or stdin",
        ));
    }
    Ok(line.trim_end_matches(['\n', '\r']).to_owned())
}

fn unknown(name: &str) -> Failure {
    Failure::refused(NO_USER, format!("User \"{name}\" does not exist"))
}

/// Changes one thing about a user in a single operation; `Ok(false)` where there is none.
fn amend(context: &Context, name: &str, what: &str, body: &Value) -> Result<bool, Failure> {
    let path = path(&["leveret", "users", name, what]);
    let reply = context.call(Method::PUT, &path, body)?;
    if reply.is_missing() || reply.is_done() {
        return Ok(reply.is_done());
    }
    Err(reply.failure())
}

fn add_user(context: &Context) -> Result<Answer, Failure> {
    name_given(context)?;
    let name = context.word(0);
    context.banner(&format!("Adding user \"{name}\" ..."));
    let password = password(context, 1)?;
    let body = if context.flag("pre-hashed-password") {
        json!({ "password_hash": password, "tags": [] })
    } else {
        json!({ "password": password, "tags": [] })
    };
    let reply = context.call(Method::PUT, &path(&["leveret", "users", name]), &body)?;
    if !reply.is_done() {
        return Err(reply.failure());
    }
    if reply.status != StatusCode::CREATED {
        let text = format!("User \"{name}\" already exists");
        return Err(Failure::refused(SOFTWARE, text));
    }
    Ok(Answer::DoneSaying(
        "Done. Don't forget to grant the user permissions to some virtual hosts! \
         See 'leveretctl help set_permissions' to learn more."
            .to_owned(),
    ))
}

fn change_password(context: &Context) -> Result<Answer, Failure> {
    name_given(context)?;
    let name = context.word(0);
    context.banner(&format!("Changing password for user \"{name}\" ..."));
    let password = password(context, 1)?;
    match amend(context, name, "password", &json!({ "password": password }))? {
        true => Ok(Answer::Done),
        false => Err(unknown(name)),
    }
}

fn clear_password(context: &Context) -> Result<Answer, Failure> {
    name_given(context)?;
    let name = context.word(0);
    context.banner(&format!("Clearing password for user \"{name}\" ..."));
    match amend(context, name, "password", &json!({ "password_hash": "" }))? {
        true => Ok(Answer::Done),
        false => Err(no_such_user(name)),
    }
}

/// As RabbitMQ tells it where it passes its own error on.
pub fn no_such_user(name: &str) -> Failure {
    Failure::refused(UNAVAILABLE, format!("{{:no_such_user, \"{name}\"}}"))
}

fn delete_user(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    context.banner(&format!("Deleting user \"{name}\" ..."));
    let reply = context.call(Method::DELETE, &path(&["users", name]), &Value::Null)?;
    if reply.is_missing() {
        return Err(unknown(name));
    }
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::Done)
}

fn set_user_tags(context: &Context) -> Result<Answer, Failure> {
    let name = context.word(0);
    let wanted: Vec<String> = context
        .words()
        .iter()
        .skip(1)
        .flat_map(|word| word.split([',', ' ']))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    context.banner(&format!(
        "Setting tags for user \"{name}\" to [{}] ...",
        wanted.join(", ")
    ));
    match amend(context, name, "tags", &json!({ "tags": wanted }))? {
        true => Ok(Answer::Done),
        false => Err(unknown(name)),
    }
}

fn authenticate_user(context: &Context) -> Result<Answer, Failure> {
    name_given(context)?;
    let name = context.word(0);
    context.banner(&format!("Authenticating user \"{name}\" ..."));
    let body = json!({ "username": name, "password": password(context, 1)? });
    let reply = context.call(Method::POST, "/api/leveret/authenticate", &body)?;
    if reply.status == StatusCode::UNAUTHORIZED {
        let text = format!(
            "Error: failed to authenticate user \"{name}\"\nuser '{name}' - invalid credentials"
        );
        return Err(Failure::refused(DATA, text));
    }
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::DoneSaying("Success".to_owned()))
}

fn hash_password(context: &Context) -> Result<Answer, Failure> {
    let password = password(context, 0)?;
    let reply = context.call(
        Method::POST,
        "/api/auth/hash_password",
        &json!({ "password": password }),
    )?;
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::Text(text(&reply.json()?, "ok").to_owned()))
}

fn list_users(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing users ...");
    let users = context.list("/api/users?columns=name,tags")?;
    let rows = rows(&users, &["user", "tags"], |user, column| match column {
        "user" => plain(user, "name"),
        _ => Cell::Words(tags(user)),
    });
    Ok(Answer::Rows(rows))
}
