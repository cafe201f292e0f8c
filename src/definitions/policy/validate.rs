//! What a policy's definition may hold, with RabbitMQ 3.10's refusals. Keys of RabbitMQ 4.x are taken
//! as well, so that its definitions can be imported.

use serde_json::{Map, Value};

/// Whose policy it is: an operator's may limit, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// A policy.
    User,
    /// An operator policy.
    Operator,
}

/// How a key's value is checked.
#[derive(Clone, Copy)]
enum Check {
    /// A whole number from here on.
    From(i64),
    /// A text.
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// One of these numbers.
    Number(&'static [i64]),
    /// A length of time, as `7D`.
    Age,
    /// Keys that `check_mirroring` looks at together.
    Mirroring,
}

/// Every key, how its value is checked, and what a refusal calls a wrong one.
const KEYS: &[(&str, Check, &str)] = &[
    (
        "alternate-exchange",
        Check::Text,
        "is not a valid alternate exchange name",
    ),
    (
        "consumer-disconnected-timeout",
        Check::From(0),
        "is not a valid consumer disconnected timeout",
    ),
    (
        "consumer-timeout",
        Check::From(0),
        "is not a valid consumer timeout",
    ),
    (
        "dead-letter-exchange",
        Check::Text,
        "is not a valid dead letter exchange name",
    ),
    (
        "dead-letter-routing-key",
        Check::Text,
        "is not a valid dead letter routing key",
    ),
    (
        "dead-letter-strategy",
        Check::OneOf(&["at-most-once", "at-least-once"]),
        "is not a valid dead letter strategy",
    ),
    (
        "delivery-limit",
        Check::From(0),
        "is not a valid delivery limit",
    ),
    ("expires", Check::From(1), "is not a valid queue expiry"),
    (
        "federation-upstream",
        Check::Text,
        "is not a valid federation upstream name",
    ),
    (
        "federation-upstream-pattern",
        Check::Text,
        "is not a valid federation upstream pattern",
    ),
    (
        "federation-upstream-set",
        Check::Text,
        "is not a valid federation upstream set name",
    ),
    ("ha-mode", Check::Mirroring, ""),
    ("ha-params", Check::Mirroring, ""),
    ("ha-promote-on-failure", Check::Mirroring, ""),
    ("ha-promote-on-shutdown", Check::Mirroring, ""),
    ("ha-sync-batch-size", Check::Mirroring, ""),
    ("ha-sync-mode", Check::Mirroring, ""),
    (
        "initial-cluster-size",
        Check::From(0),
        "is not a valid cluster size",
    ),
    ("max-age", Check::Age, "is not a valid max age"),
    (
        "max-in-memory-bytes",
        Check::From(0),
        "is not a valid maximum memory in bytes",
    ),
    (
        "max-in-memory-length",
        Check::From(0),
        "is not a valid maximum memory in bytes",
    ),
    (
        "max-length",
        Check::From(0),
        "is not a valid maximum length",
    ),
    (
        "max-length-bytes",
        Check::From(0),
        "is not a valid maximum length in bytes",
    ),
    ("message-ttl", Check::From(0), "is not a valid message TTL"),
    (
        "overflow",
        Check::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]),
        "is not a valid overflow value",
    ),
    (
        "queue-leader-locator",
        Check::OneOf(&["client-local", "balanced", "random", "least-leaders"]),
        "is not a valid queue leader locator value",
    ),
    (
        "queue-master-locator",
        Check::OneOf(&["client-local", "min-masters", "random"]),
        "invalid queue-master-locator value",
    ),
    (
        "queue-mode",
        Check::OneOf(&["default", "lazy"]),
        "is not a valid queue-mode value",
    ),
    (
        "queue-version",
        Check::Number(&[1, 2]),
        "is not a valid queue-version value",
    ),
    (
        "stream-filter-size-bytes",
        Check::From(16),
        "is not a valid filter size",
    ),
    (
        "stream-max-segment-size-bytes",
        Check::From(0),
        "is not a valid segment size",
    ),
    (
        "target-group-size",
        Check::From(1),
        "is not a valid target count",
    ),
];

/// What an operator may set; the last two since RabbitMQ 4.
const OPERATOR_KEYS: &[&str] = &[
    "delivery-limit",
    "expires",
    "max-in-memory-bytes",
    "max-in-memory-length",
    "max-length",
    "max-length-bytes",
    "message-ttl",
    "overflow",
    "target-group-size",
];

/// RabbitMQ's frame around a refusal of parameters and policies.
pub fn validation_failed(why: &str) -> String {
    format!("Validation failed\n\n{why}\n")
}

/// Checks the keys and values of a policy.
pub(super) fn check_definition(
    author: Author,
    definition: &Map<String, Value>,
) -> Result<(), String> {
    if definition.is_empty() {
        return Err("no policy provided".to_owned());
    }
    let known = |key: &str| {
        KEYS.iter().any(|(name, ..)| *name == key)
            && (author == Author::User || OPERATOR_KEYS.contains(&key))
    };
    let unknown: Vec<String> = definition
        .iter()
        .filter(|(key, _)| !known(key))
        .map(|(key, value)| format!("{{<<\"{key}\">>,{}}}", term(value)))
        .collect();
    if !unknown.is_empty() {
        let list = unknown.join(",\n ");
        return Err(format!("[{list}] are not recognised policy settings"));
    }
    for (key, check, refusal) in KEYS {
        if let Some(value) = definition.get(*key)
            && !check.accepts(value)
        {
            return Err(format!("{} {refusal}", term(value)));
        }
    }
    check_mirroring(definition)
}

impl Check {
    fn accepts(self, value: &Value) -> bool {
        match self {
            Self::From(least) => match value.as_i64() {
                Some(number) => number >= least,
                // Beyond 64 bits it is a limit that nothing reaches; JSON readers make a float of it.
                None => {
                    let whole = |number: f64| number.fract() == 0.0 && number >= 2f64.powi(63);
                    value.as_u64().is_some() || value.as_f64().is_some_and(whole)
                }
            },
            Self::Text => value.is_string(),
            Self::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Self::Number(numbers) => value.as_i64().is_some_and(|n| numbers.contains(&n)),
            Self::Age => value.as_str().is_some_and(is_age),
            Self::Mirroring => true,
        }
    }
}

/// A number and one of Y, M, D, h, m, s.
fn is_age(text: &str) -> bool {
    let Some(unit) = text.chars().last().filter(|c| "YMDhms".contains(*c)) else {
        return false;
    };
    text.strip_suffix(unit)
        .is_some_and(|number| number.parse::<u64>().is_ok())
}

fn check_mirroring(definition: &Map<String, Value>) -> Result<(), String> {
    let (mode, params) = (definition.get("ha-mode"), definition.get("ha-params"));
    let Some(mode) = mode else {
        let dependents = [
            "ha-params",
            "ha-sync-mode",
            "ha-promote-on-shutdown",
            "ha-promote-on-failure",
            "ha-sync-batch-size",
        ];
        if dependents.iter().any(|key| definition.contains_key(*key)) {
            return Err(
                "ha-mode must be specified to specify ha-params, ha-sync-mode or \
                        ha-promote-on-shutdown"
                    .to_owned(),
            );
        }
        return Ok(());
    };
    check_mode(mode, params)?;
    let words = [
        ("ha-sync-mode", ["manual", "automatic"]),
        ("ha-promote-on-shutdown", ["always", "when-synced"]),
        ("ha-promote-on-failure", ["always", "when-synced"]),
    ];
    for (key, allowed) in words {
        if let Some(value) = definition.get(key)
            && !value.as_str().is_some_and(|text| allowed.contains(&text))
        {
            let [one, other] = allowed;
            let got = term(value);
            return Err(format!("{key} must be \"{one}\" or \"{other}\", got {got}"));
        }
    }
    match definition.get("ha-sync-batch-size") {
        Some(size) if size.as_i64().is_none_or(|size| size <= 0) => Err(format!(
            "ha-sync-batch-size takes an integer greater than 0, {} given",
            term(size)
        )),
        _ => Ok(()),
    }
}

fn check_mode(mode: &Value, params: Option<&Value>) -> Result<(), String> {
    match (mode.as_str(), params) {
        (Some("all"), None) => Ok(()),
        (Some("all"), Some(_)) => Err("ha-mode=\"all\" does not take parameters".to_owned()),
        (Some("exactly"), Some(count)) if count.as_i64().is_some_and(|n| n > 0) => Ok(()),
        (Some("exactly"), count) => {
            let given = count.map_or("none".to_owned(), term);
            Err(format!(
                "ha-mode=\"exactly\" takes an integer, {given} given"
            ))
        }
        (Some("nodes"), Some(Value::Array(names))) if names.is_empty() => {
            Err("ha-mode=\"nodes\" list must be non-empty".to_owned())
        }
        (Some("nodes"), Some(Value::Array(names))) => {
            let wrong: Vec<Value> = names.iter().filter(|n| !n.is_string()).cloned().collect();
            if wrong.is_empty() {
                return Ok(());
            }
            let list = term(&Value::Array(wrong));
            Err(format!(
                "ha-mode=\"nodes\" takes a list of strings, {list} was not a string"
            ))
        }
        (Some("nodes"), given) => {
            let given = given.map_or("none".to_owned(), term);
            Err(format!("ha-mode=\"nodes\" takes a list, {given} given"))
        }
        _ => Err(format!("{} is not a valid ha-mode value", term(mode))),
    }
}

/// A JSON value as RabbitMQ's texts show it: an Erlang term.
pub fn term(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("<<\"{text}\">>"),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(term).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(key, value)| format!("<<\"{key}\">> => {}", term(value)))
                .collect();
            format!("#{{{}}}", fields.join(","))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Policy;
    use super::*;
    use serde_json::json;

    fn refusal(author: Author, definition: Value) -> String {
        let definition = definition.as_object().unwrap().clone();
        let made = Policy::new(author, "p", "x", "all", &definition, 0);
        let text = made.unwrap_err();
        let inner = text.strip_prefix("Validation failed\n\n").unwrap();
        inner.strip_suffix('\n').unwrap().to_owned()
    }

    #[test]
    fn refusals_are_rabbitmqs() {
        for (definition, text) in [
            (json!({}), "no policy provided"),
            (
                json!({"max-length": -1}),
                "-1 is not a valid maximum length",
            ),
            (
                json!({"message-ttl": "x"}),
                "<<\"x\">> is not a valid message TTL",
            ),
            (json!({"expires": 0}), "0 is not a valid queue expiry"),
            (
                json!({"max-length": 1.5}),
                "1.5 is not a valid maximum length",
            ),
            (
                json!({"expires": 0, "max-length": -1}),
                "0 is not a valid queue expiry",
            ),
            (
                json!({"overflow": ["a"]}),
                "[<<\"a\">>] is not a valid overflow value",
            ),
            (
                json!({"overflow": {"a": 1}}),
                "#{<<\"a\">> => 1} is not a valid overflow value",
            ),
            (
                json!({"queue-version": 3}),
                "3 is not a valid queue-version value",
            ),
            (
                json!({"queue-master-locator": "x"}),
                "<<\"x\">> invalid queue-master-locator value",
            ),
            (
                json!({"max-length": 1, "nosuch": 1}),
                "[{<<\"nosuch\">>,1}] are not recognised policy settings",
            ),
            (
                json!({"ha-params": 2}),
                "ha-mode must be specified to specify ha-params, ha-sync-mode or \
                 ha-promote-on-shutdown",
            ),
            (
                json!({"ha-mode": "exactly"}),
                "ha-mode=\"exactly\" takes an integer, none given",
            ),
            (
                json!({"ha-mode": "exactly", "ha-params": "2"}),
                "ha-mode=\"exactly\" takes an integer, <<\"2\">> given",
            ),
            (
                json!({"ha-mode": "all", "ha-params": 2}),
                "ha-mode=\"all\" does not take parameters",
            ),
            (
                json!({"ha-mode": "nodes", "ha-params": [1]}),
                "ha-mode=\"nodes\" takes a list of strings, [1] was not a string",
            ),
            (
                json!({"ha-mode": "all", "ha-sync-mode": "x"}),
                "ha-sync-mode must be \"manual\" or \"automatic\", got <<\"x\">>",
            ),
        ] {
            assert_eq!(refusal(Author::User, definition), text);
        }
        assert_eq!(
            refusal(Author::Operator, json!({"dead-letter-exchange": "x"})),
            "[{<<\"dead-letter-exchange\">>,<<\"x\">>}] are not recognised policy settings"
        );
    }

    #[test]
    fn a_pattern_that_is_none_is_named() {
        let keys = json!({"max-length": 1}).as_object().unwrap().clone();
        let made = Policy::new(Author::User, "p", "(", "all", &keys, 0);
        assert_eq!(
            made.unwrap_err(),
            "Validation failed\n\npattern should be regular expression but is invalid: \
             {\"missing )\",1}\n"
        );
        let made = Policy::new(Author::User, "p", "x", "zz", &keys, 0);
        assert_eq!(
            made.unwrap_err(),
            "Validation failed\n\napply-to 'zz' unrecognised; should be 'queues', 'exchanges' or \
             'all'\n"
        );
    }

    #[test]
    fn what_rabbitmq_takes_is_taken() {
        for definition in [
            json!({"ha-mode": "all", "ha-sync-mode": "automatic"}),
            json!({"ha-mode": "exactly", "ha-params": 2, "ha-sync-batch-size": 10}),
            json!({"queue-mode": "lazy", "queue-version": 2}),
            json!({"dead-letter-strategy": "at-least-once", "delivery-limit": 0}),
            json!({"max-age": "7D", "stream-max-segment-size-bytes": 500}),
            json!({"max-length": u64::MAX}),
            json!({"max-length": 1e20}),
            json!({"consumer-timeout": 5000, "target-group-size": 3}),
        ] {
            let keys = definition.as_object().unwrap().clone();
            assert!(Policy::new(Author::User, "p", "", "queues", &keys, -5).is_ok());
        }
    }
}
