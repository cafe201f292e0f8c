//! What is done to a queue.

use hyper::Method;
use serde_json::Value;

use super::json::integer;
use crate::client::path;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE, USAGE};
use crate::spec::{Answer, Group, Opt, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "delete_queue",
        Group::Queues,
        "Deletes a queue",
        delete_queue,
    )
    .takes(
        "<queue_name> [--if-empty|-e] [--if-unused|-u] [--timeout <timeout>]",
        1,
        1,
    )
    .options(&[
        Opt::flag(
            "if-empty",
            "delete the queue if it is empty (has no messages ready for delivery)",
        )
        .short('e'),
        Opt::flag("if-unused", "delete the queue only if it has no consumers").short('u'),
    ])
    .details(&[("<queue_name>", "name of the queue to delete")]),
    Spec::new(
        "purge_queue",
        Group::Queues,
        "Purges a queue (removes all messages in it)",
        purge_queue,
    )
    .takes("<queue> [--timeout <timeout>]", 1, 1)
    .details(&[("<queue>", "Name of the queue to purge")]),
];

fn purge_queue(context: &Context) -> Result<Answer, Failure> {
    let (queue, vhost) = (context.word(0), context.vhost());
    context.banner(&format!("Purging queue '{queue}' in vhost '{vhost}' ..."));
    let path = path(&["queues", vhost, queue, "contents"]);
    let reply = context.call(Method::DELETE, &path, &Value::Null)?;
    if reply.is_missing() {
        return Err(Failure::refused(UNAVAILABLE, "not_found"));
    }
    if !reply.is_done() {
        return Err(reply.failure());
    }
    Ok(Answer::Done)
}

fn delete_queue(context: &Context) -> Result<Answer, Failure> {
    let (queue, vhost) = (context.word(0), context.vhost());
    let (if_empty, if_unused) = (context.flag("if-empty"), context.flag("if-unused"));
    let condition = match (if_empty, if_unused) {
        (false, false) => "",
        (true, false) => "if queue is empty ",
        (false, true) => "if queue is unused ",
        (true, true) => "if queue is empty and if queue is unused ",
    };
    context.banner(&format!(
        "Deleting queue '{queue}' on vhost '{vhost}' {condition}..."
    ));
    let gone = || Failure::refused(USAGE, "Queue not found");
    let path = path(&["queues", vhost, queue]);
    let known = context.get(&path)?;
    if known.is_missing() {
        return Err(gone());
    }
    let known = known.json()?;
    let reply = context.call(
        Method::DELETE,
        &format!("{path}?if-empty={if_empty}&if-unused={if_unused}"),
        &Value::Null,
    )?;
    if reply.is_missing() {
        return Err(gone());
    }
    if !reply.is_done() {
        let reason = reply.reason();
        let text = if reason.contains("in use") {
            "Queue is in use".to_owned()
        } else if reason.contains("not empty") {
            "Queue is not empty".to_owned()
        } else {
            reason
        };
        return Err(Failure::refused(USAGE, text));
    }
    Ok(Answer::DoneSaying(format!(
        "Queue was successfully deleted with {} ready messages",
        integer(&known, "messages_ready")
    )))
}
