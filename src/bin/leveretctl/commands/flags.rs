//! Feature flags: there are none to switch here. Those that scripts know are enabled.

use serde_json::{Value, json};

use super::json::{plain, rows};
use crate::context::Context;
use crate::failure::{Failure, USAGE};
use crate::spec::{Answer, Group, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "enable_feature_flag",
        Group::Flags,
        "Does nothing: every feature is enabled",
        enable_feature_flag,
    )
    .takes("<all | feature_flag>", 1, 1),
    Spec::new(
        "list_feature_flags",
        Group::Flags,
        "Lists feature flags",
        list_feature_flags,
    )
    .columns(
        "[--no-table-headers] [<column> ...] [--timeout <timeout>]",
        &[
            "name",
            "state",
            "stability",
            "provided_by",
            "desc",
            "doc_url",
        ],
    ),
];

/// RabbitMQ 3.10's flags but that of streams. What they stand for is how this broker works.
const FLAGS: [(&str, &str); 8] = [
    (
        "classic_mirrored_queue_version",
        "Mirrored queues know their version",
    ),
    (
        "drop_unroutable_metric",
        "Unroutable publishes that are dropped are counted",
    ),
    (
        "empty_basic_get_metric",
        "A basic.get on an empty queue is counted",
    ),
    (
        "implicit_default_bindings",
        "Bindings of the default exchange are implied",
    ),
    ("maintenance_mode_status", "The maintenance mode is shown"),
    ("quorum_queue", "Queues of type quorum"),
    (
        "user_limits",
        "Limits of connections and channels for users",
    ),
    (
        "virtual_host_metadata",
        "Description and tags of virtual hosts",
    ),
];

/// The flags as the list shows them.
pub fn all() -> Vec<Value> {
    FLAGS
        .iter()
        .map(|(name, about)| {
            json!({
                "name": name,
                "state": "enabled",
                "stability": "stable",
                "provided_by": "rabbit",
                "desc": about,
                "doc_url": "",
            })
        })
        .collect()
}

fn list_feature_flags(context: &Context) -> Result<Answer, Failure> {
    context.banner("Listing feature flags ...");
    let asked = context.columns(&["name", "state"]);
    // Only a broker that runs has features.
    context.node()?;
    Ok(Answer::Rows(rows(&all(), &asked, plain)))
}

fn enable_feature_flag(context: &Context) -> Result<Answer, Failure> {
    let flag = context.word(0);
    match flag {
        "all" => context.banner("Enabling all feature flags ..."),
        name => context.banner(&format!("Enabling feature flag \"{name}\" ...")),
    }
    let node = context.node()?;
    if flag != "all" && !FLAGS.iter().any(|(name, _)| *name == flag) {
        let text = format!("This feature flag is not supported by node {node}");
        return Err(Failure::refused(USAGE, text));
    }
    Ok(Answer::Done)
}
