//! The lists of a definitions file, each read into its type.

use serde_json::{Map, Value};

use super::reader::{Object, Reader, expected};
use super::*;
use crate::auth::{HashingAlgorithm, Permissions, TopicPermission};
use crate::definitions::policy::{ApplyTo, Author, Policy};

/// Lists that this reader knows, and other keys that exports carry beside them.
const KNOWN: &[&str] = &[
    "users",
    "vhosts",
    "permissions",
    "topic_permissions",
    "parameters",
    "global_parameters",
    "policies",
    "queues",
    "exchanges",
    "bindings",
    "rabbit_version",
    "rabbitmq_version",
    "product_name",
    "product_version",
    "rabbitmq_definition_format",
    "original_cluster_name",
    "original_vhost_name",
    "explanation",
    "metadata",
    "description",
    "default_queue_type",
    "limits",
];

/// Reads every list of the file.
pub fn read(reader: &mut Reader<'_>, top: &Map<String, Value>) -> ImportedDefinitions {
    let mut out = ImportedDefinitions::default();
    if let Target::Vhost(vhost) = reader.target {
        for section in [
            "users",
            "vhosts",
            "permissions",
            "topic_permissions",
            "global_parameters",
        ] {
            let count = top
                .get(section)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            if count > 0 {
                reader.warn(format!(
                    "{section}: {count} left out, the file is imported into virtual host '{vhost}'"
                ));
            }
        }
    } else {
        out.users = each(reader, top, "users", user);
        out.vhosts = each(reader, top, "vhosts", vhost);
        out.permissions = each(reader, top, "permissions", permission);
        out.topic_permissions = each(reader, top, "topic_permissions", topic_permission);
        out.global_parameters = each(reader, top, "global_parameters", global_parameter);
    }
    out.parameters = each(reader, top, "parameters", parameter);
    out.policies = each(reader, top, "policies", policy);
    out.queues = each(reader, top, "queues", queue);
    out.exchanges = each(reader, top, "exchanges", exchange);
    out.bindings = each(reader, top, "bindings", binding);
    for (key, value) in top {
        let holds_something = value.as_array().is_none_or(|items| !items.is_empty());
        if !KNOWN.contains(&key.as_str()) && holds_something {
            reader.warn(format!("'{key}' is not known and left out"));
        }
    }
    out.warnings = std::mem::take(&mut reader.warnings);
    out.warnings.extend(idle(&out));
    out
}

/// What is kept for others: these do not run here.
fn idle(out: &ImportedDefinitions) -> Vec<String> {
    let count = |component: &str| {
        let theirs = out.parameters.iter();
        theirs
            .filter(|p| p.component.starts_with(component))
            .count()
    };
    [
        ("shovels", "shovel"),
        ("federation upstreams", "federation"),
    ]
    .into_iter()
    .map(|(what, component)| (what, count(component)))
    .filter(|(_, count)| *count > 0)
    .map(|(what, count)| format!("{what}: {count} kept, but they do not run in this broker"))
    .collect()
}

fn each<T>(
    reader: &mut Reader<'_>,
    top: &Map<String, Value>,
    section: &str,
    read: fn(&mut Reader<'_>, &Object<'_>) -> Option<T>,
) -> Vec<T> {
    let objects = reader.list(top, section);
    objects
        .iter()
        .filter_map(|object| read(reader, object))
        .collect()
}

fn user(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedUser> {
    let name = reader.name(object, "name")?;
    let password = password(reader, object, &name)?;
    if object.get("tags").is_none() {
        let reason = "is missing; allowed: a list of texts, or a text with commas";
        return reader.fault(object.at("tags"), reason);
    }
    let tags = reader.words(object, "tags")?;
    let limits = limits(reader, object)?;
    Some(ImportedUser {
        name,
        password,
        tags,
        limits,
    })
}

fn limits(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<Vec<(String, i64)>> {
    let path = object.at("limits");
    let fields = match object.get("limits") {
        None => return Some(vec![]),
        Some(Value::Array(items)) if items.is_empty() => return Some(vec![]),
        Some(Value::Object(fields)) => fields,
        Some(other) => return reader.fault(path, expected("an object", other)),
    };
    let mut limits = vec![];
    for (name, value) in fields {
        match value.as_i64() {
            Some(limit) => limits.push((name.clone(), limit)),
            None => {
                return reader.fault(format!("{path}.{name}"), expected("a whole number", value));
            }
        }
    }
    Some(limits)
}

/// A hash goes before a password in the clear, as in RabbitMQ.
fn password(reader: &mut Reader<'_>, object: &Object<'_>, user: &str) -> Option<ImportedPassword> {
    if object.get("password_hash").is_none() {
        return Some(match reader.optional_text(object, "password") {
            Some(clear) if !clear.is_empty() => ImportedPassword::Clear(clear),
            _ => ImportedPassword::None,
        });
    }
    let hash = reader.text(object, "password_hash")?;
    let algorithm = match reader.optional_text(object, "hashing_algorithm") {
        Some(name) => match HashingAlgorithm::from_name(&name) {
            Ok(algorithm) => algorithm,
            Err(error) => return reader.fault(object.at("hashing_algorithm"), error.to_string()),
        },
        None => algorithm_by_length(&hash),
    };
    match PasswordHash::parse(algorithm, &hash) {
        Ok(Some(hash)) => Some(ImportedPassword::Hash(hash)),
        Ok(None) => Some(ImportedPassword::None),
        Err(error @ crate::auth::PasswordError::Length { .. }) => {
            // RabbitMQ takes any octets here, and such a user can never log in there either.
            reader.warn(format!("user '{user}' cannot log in: {error}"));
            Some(ImportedPassword::None)
        }
        Err(error) => reader.fault(object.at("password_hash"), error.to_string()),
    }
}

/// Very old files name no algorithm. The length of the hash does: base64 of 20, 36 or 68 octets.
fn algorithm_by_length(hash: &str) -> HashingAlgorithm {
    match hash.len() {
        28 => HashingAlgorithm::Md5,
        92 => HashingAlgorithm::Sha512,
        _ => HashingAlgorithm::Sha256,
    }
}

fn vhost(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedVhost> {
    let name = reader.name(object, "name")?;
    // RabbitMQ 3.11 and later write them twice; the metadata is the newer place.
    let metadata = match object.get("metadata") {
        Some(Value::Object(fields)) => Some(Object {
            path: object.at("metadata"),
            fields,
        }),
        _ => None,
    };
    let mut text = |field: &str| {
        let nested = metadata
            .as_ref()
            .and_then(|inner| reader.optional_text(inner, field));
        nested.or_else(|| reader.optional_text(object, field))
    };
    let description = text("description");
    // 3.x writes "undefined" where nothing was chosen.
    let default_queue_type = text("default_queue_type").filter(|kind| kind != "undefined");
    let tags = match &metadata {
        Some(inner) if inner.get("tags").is_some() => reader.words(inner, "tags"),
        _ => reader.words(object, "tags"),
    };
    let protected = metadata.iter().chain([object]);
    let protected = protected
        .filter(|place| place.get("protected_from_deletion").is_some())
        .find_map(|place| reader.boolean(place, "protected_from_deletion", None));
    Some(ImportedVhost {
        name,
        description,
        tags,
        default_queue_type,
        protected,
    })
}

fn permission(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedPermission> {
    let user = reader.name(object, "user")?;
    let vhost = reader.vhost(object)?;
    let configure = reader.text(object, "configure")?;
    let write = reader.text(object, "write")?;
    let read = reader.text(object, "read")?;
    match Permissions::new(&configure, &write, &read) {
        Ok(permissions) => Some(ImportedPermission {
            user,
            vhost,
            permissions,
        }),
        Err(error) => reader.fault(object.path.clone(), error.to_string()),
    }
}

fn topic_permission(
    reader: &mut Reader<'_>,
    object: &Object<'_>,
) -> Option<ImportedTopicPermission> {
    let user = reader.name(object, "user")?;
    let vhost = reader.vhost(object)?;
    let exchange = reader.short_text(object, "exchange")?;
    let write = reader.text(object, "write")?;
    let read = reader.text(object, "read")?;
    match TopicPermission::new(&exchange, &write, &read, &user, &vhost) {
        Ok(permission) => Some(ImportedTopicPermission {
            user,
            vhost,
            permission,
        }),
        Err(error) => reader.fault(object.path.clone(), error.to_string()),
    }
}

fn parameter(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedParameter> {
    Some(ImportedParameter {
        vhost: reader.vhost(object)?,
        component: reader.name(object, "component")?,
        name: reader.text(object, "name")?,
        value: object.fields.get("value").cloned().unwrap_or_default(),
    })
}

fn global_parameter(
    reader: &mut Reader<'_>,
    object: &Object<'_>,
) -> Option<ImportedGlobalParameter> {
    Some(ImportedGlobalParameter {
        name: reader.name(object, "name")?,
        value: object.fields.get("value").cloned().unwrap_or_default(),
    })
}

fn policy(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedPolicy> {
    let vhost = reader.vhost(object)?;
    let name = reader.name(object, "name")?;
    let pattern = reader.text(object, "pattern")?;
    let apply_to = match reader.optional_text(object, "apply-to") {
        Some(kind) => kind,
        None => "all".to_owned(),
    };
    if ApplyTo::from_name(&apply_to).is_none() {
        let allowed = "queues, exchanges, all, classic_queues, quorum_queues, streams";
        let reason = format!("is '{apply_to}'; allowed: {allowed}");
        return reader.fault(object.at("apply-to"), reason);
    }
    let definition = match object.get("definition") {
        Some(Value::Object(fields)) => fields.clone(),
        Some(other) => return reader.fault(object.at("definition"), expected("an object", other)),
        None => {
            return reader.fault(object.at("definition"), "is missing; allowed: an object");
        }
    };
    let priority = reader.integer(object, "priority", 0)?;
    let author = Author::User;
    if let Err(refusal) = Policy::new(author, &name, &pattern, &apply_to, &definition, priority) {
        return reader.fault(object.path.clone(), refusal.replace('\n', " ").trim_end());
    }
    Some(ImportedPolicy {
        vhost,
        name,
        pattern,
        apply_to,
        definition,
        priority,
    })
}

fn queue(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedQueue> {
    Some(ImportedQueue {
        vhost: reader.vhost(object)?,
        name: reader.name(object, "name")?,
        durable: reader.boolean(object, "durable", None)?,
        auto_delete: reader.boolean(object, "auto_delete", Some(false))?,
        arguments: arguments::read(reader, object)?,
    })
}

fn exchange(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedExchange> {
    Some(ImportedExchange {
        vhost: reader.vhost(object)?,
        name: reader.name(object, "name")?,
        kind: reader.name(object, "type")?,
        durable: reader.boolean(object, "durable", None)?,
        auto_delete: reader.boolean(object, "auto_delete", Some(false))?,
        internal: reader.boolean(object, "internal", Some(false))?,
        arguments: arguments::read(reader, object)?,
    })
}

fn binding(reader: &mut Reader<'_>, object: &Object<'_>) -> Option<ImportedBinding> {
    let vhost = reader.vhost(object)?;
    let source = reader.name(object, "source")?;
    let destination = reader.name(object, "destination")?;
    let destination_kind = match reader.text(object, "destination_type")?.as_str() {
        "queue" => DestinationKind::Queue,
        "exchange" => DestinationKind::Exchange,
        other => {
            let reason = format!("is '{other}'; allowed: queue or exchange");
            return reader.fault(object.at("destination_type"), reason);
        }
    };
    let routing_key = reader.short_text(object, "routing_key")?;
    let arguments = arguments::read(reader, object)?;
    Some(ImportedBinding {
        vhost,
        source,
        destination,
        destination_kind,
        routing_key,
        arguments,
    })
}
