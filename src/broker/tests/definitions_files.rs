//! Definitions as files: in, out, and in again.

use serde_json::{Value as Json, json};

use super::stage::Stage;
use crate::broker::admin::{ImportFailure, Progress, Scope, Writer};

const WHOLE: Scope<'static> = Scope::Broker { default_vhost: "/" };
const WRITER: Writer<'static> = Writer {
    rabbitmq_version: "3.10.8",
    product_name: "Leveret",
    product_version: "0",
};

fn import(stage: &Stage, scope: Scope<'_>, file: &Json) -> Result<Vec<String>, ImportFailure> {
    let text = file.to_string();
    stage
        .broker
        .import_definitions(&text, scope, "importer", &mut |_| {})
}

fn export(stage: &Stage, scope: Scope<'_>) -> Json {
    stage.broker.export_definitions(scope, WRITER).unwrap()
}

fn whole() -> Json {
    json!({
        "vhosts": [{"name": "v", "description": "d", "tags": ["t"],
                    "default_queue_type": "quorum",
                    "metadata": {"protected_from_deletion": true}}],
        "users": [{"name": "u", "password_hash": "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
                   "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": "management",
                   "limits": {"max-channels": 4}}],
        "permissions": [{"user": "u", "vhost": "v", "configure": "", "write": "a", "read": ".*"}],
        "topic_permissions": [{"user": "u", "vhost": "v", "exchange": "x", "write": "", "read": "b"}],
        "parameters": [
            {"vhost": "v", "component": "vhost-limits", "name": "limits",
             "value": {"max-queues": 1}},
            {"vhost": "v", "component": "operator_policy", "name": "o",
             "value": {"pattern": "", "definition": {"max-length": 5}, "priority": 1,
                       "apply-to": "queues"}}],
        "global_parameters": [{"name": "g", "value": {"a": 1}}],
        "policies": [{"vhost": "v", "name": "p", "pattern": "^q", "apply-to": "all",
                      "definition": {"max-length": 9, "alternate-exchange": "x"}, "priority": 2}],
        "queues": [{"vhost": "v", "name": "q1", "durable": true, "auto_delete": false,
                    "arguments": {"x-queue-type": "classic"}},
                   {"vhost": "v", "name": "q2", "durable": true, "auto_delete": false,
                    "arguments": {}}],
        "exchanges": [{"vhost": "v", "name": "x", "type": "topic", "durable": true,
                       "auto_delete": false, "internal": false, "arguments": {"a": [1, {"b": true}]}}],
        "bindings": [{"vhost": "v", "source": "x", "destination": "q1", "destination_type": "queue",
                      "routing_key": "k", "arguments": {"n": "1"}}],
    })
}

#[test]
fn everything_takes_effect_and_comes_out_again() {
    let stage = Stage::new();
    let warnings = import(&stage, WHOLE, &whole()).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let host = stage.broker.vhost(b"v").unwrap();
    let queue = host.queue(b"q2").unwrap();
    assert_eq!(queue.settings.kind.name(), "quorum");
    assert!(host.description().protected);
    let exchange = host.exchange(b"x").unwrap();
    assert_eq!(exchange.declared_by.as_bytes(), b"importer");
    assert_eq!(queue.in_force(|settings| settings.max_length), Some(5));
    assert_eq!(host.queues_max(), Some(1), "what is there stays");
    let user = stage.broker.admin_get_user("u").unwrap();
    assert_eq!(user.limits.channels_max(), Some(4));
    let out = export(&stage, WHOLE);
    let second = Stage::new();
    import(&second, WHOLE, &out).unwrap();
    assert_eq!(export(&second, WHOLE), out);
    assert_eq!(out["queues"][1]["arguments"]["x-queue-type"], "quorum");
    assert_eq!(out["users"][0]["tags"], json!(["management"]));
    assert_eq!(out["bindings"][0]["arguments"], json!({"n": "1"}));
    let arguments = &out["exchanges"][0]["arguments"];
    assert_eq!(*arguments, json!({"a": [1, {"b": true}]}));
}

#[test]
fn a_second_import_changes_nothing_and_takes_nothing_away() {
    let stage = Stage::new();
    import(&stage, WHOLE, &whole()).unwrap();
    let before = export(&stage, WHOLE);
    let file = json!({
        "vhosts": [{"name": "v"}],
        "queues": [{"vhost": "v", "name": "q1", "durable": false, "auto_delete": true,
                    "arguments": {}}],
        "exchanges": [{"vhost": "v", "name": "x", "type": "direct", "durable": true}],
    });
    // The host has its one queue and one more; what exists counts as no new one.
    import(&stage, WHOLE, &file).unwrap();
    assert_eq!(export(&stage, WHOLE), before);
}

#[test]
fn one_fault_anywhere_and_nothing_is_done() {
    let with = |list: &str, row: Json| {
        let mut file = whole();
        file[list].as_array_mut().unwrap().push(row);
        file
    };
    let queue = |vhost: &str, arguments: Json| json!({"vhost": vhost, "name": "bad", "durable": true, "arguments": arguments});
    let mut fleeting = queue("v", json!({"x-queue-type": "quorum"}));
    fleeting["auto_delete"] = json!(true);
    let mut transient = queue("v", json!({}));
    transient["durable"] = json!(false);
    let mut hashed = with(
        "exchanges",
        json!({"vhost": "v", "name": "h", "type": "x-consistent-hash", "durable": true}),
    );
    let bound = |source: &str, key: &str, arguments: Json| {
        json!({"vhost": "v", "source": source, "destination": "q1", "destination_type": "queue",
               "routing_key": key, "arguments": arguments})
    };
    let bindings = hashed["bindings"].as_array_mut().unwrap();
    bindings.push(bound("h", "abc", json!({})));
    let cases = [
        (
            with("queues", queue("v", json!({"x-max-length": "a"}))),
            "queue 'bad' in vhost 'v': invalid arg 'x-max-length' for queue 'bad' in vhost 'v': \
             \"expected integer, got longstr\"",
        ),
        (
            with("queues", queue("nosuch", json!({}))),
            "queue 'bad' in vhost 'nosuch': there is no virtual host 'nosuch' (no_such_vhost)",
        ),
        (
            with(
                "permissions",
                json!({"user": "nosuch", "vhost": "v", "configure": "", "write": "", "read": ""}),
            ),
            "permissions of 'nosuch' in vhost 'v': there is no user 'nosuch' (no_such_user)",
        ),
        (
            with(
                "exchanges",
                json!({"vhost": "v", "name": "bad", "type": "zzz", "durable": true}),
            ),
            "exchange 'bad' in vhost 'v': unknown exchange type 'zzz'",
        ),
        (
            with(
                "parameters",
                json!({"vhost": "v", "component": "nosuch", "name": "n", "value": 1}),
            ),
            "parameter 'nosuch/n' in vhost 'v': Validation failed\n\ncomponent nosuch not found\n",
        ),
        (
            with(
                "policies",
                json!({"vhost": "v", "name": "b", "pattern": "(", "definition": {"expires": 1}}),
            ),
            "policies[1]: Validation failed  pattern should be regular expression but is invalid: \
             {\"missing )\",1}",
        ),
        (
            with("queues", fleeting),
            "queue 'bad' in vhost 'v': invalid property 'auto-delete' for queue 'bad' in vhost 'v'",
        ),
        // The file gives its host a default type, and what goes for that type goes for the queue.
        (
            with("queues", transient),
            "queue 'bad' in vhost 'v': invalid property 'non-durable' for queue 'bad' in vhost 'v'",
        ),
        (
            with("queues", queue("v", json!({"x-max-priority": 5}))),
            "queue 'bad' in vhost 'v': invalid arg 'x-max-priority' for queue 'bad' in vhost 'v' \
             of queue type rabbit_quorum_queue",
        ),
        (
            hashed,
            "binding from 'h' to 'q1' in vhost 'v': The binding key must be an integer: \
             <<\"abc\">>",
        ),
        (
            with(
                "bindings",
                bound("amq.match", "", json!({"x-match": "some"})),
            ),
            "binding from 'amq.match' to 'q1' in vhost 'v': Invalid x-match field value \
             <<\"some\">>; expected all, any, all-with-x, or any-with-x",
        ),
    ];
    let stage = Stage::new();
    let before = export(&stage, WHOLE);
    for (file, expected) in cases {
        let failure = import(&stage, WHOLE, &file).unwrap_err();
        assert_eq!(failure.to_string(), expected);
        assert!(!failure.is_not_json());
        assert_eq!(export(&stage, WHOLE), before);
    }
    let failure = stage
        .broker
        .import_definitions("{x", WHOLE, "importer", &mut |_| {})
        .unwrap_err();
    assert!(failure.is_not_json());
}

#[test]
fn a_host_alone_goes_out_and_into_another() {
    let stage = Stage::new();
    import(&stage, WHOLE, &whole()).unwrap();
    let out = export(&stage, Scope::Vhost("v"));
    assert!(out.get("users").is_none());
    assert!(out["queues"][0].get("vhost").is_none());
    assert!(
        stage
            .broker
            .export_definitions(Scope::Vhost("nosuch"), WRITER)
            .is_none()
    );
    let other = Stage::new();
    import(&other, Scope::Vhost("/"), &out).unwrap();
    assert_eq!(other.vhost.all_queues().len(), 2);
    let policies = other.broker.admin_list_policies(false, Some("/"));
    assert_eq!(policies[0].name, "p");
    let failure = import(&other, Scope::Vhost("nosuch"), &out).unwrap_err();
    assert!(matches!(failure, ImportFailure::NoVhost(_)));
}

#[test]
fn a_limit_of_the_host_stops_a_file_with_more() {
    let stage = Stage::new();
    let one = json!(1);
    stage
        .broker
        .admin_put_vhost_limit("/", "max-queues", &one)
        .unwrap();
    let queue = |name: &str| json!({"name": name, "durable": true});
    let failure = import(&stage, WHOLE, &json!({"queues": [queue("a"), queue("b")]}));
    let text = failure.unwrap_err().to_string();
    assert_eq!(
        text,
        "vhost '/': Adding 2 queue(s) to virtual host \"/\" would exceed the limit of 1 \
         queue(s).\n\nThis virtual host currently has 0 queue(s) defined.\n\nImport aborted!"
    );
    import(&stage, WHOLE, &json!({"queues": [queue("a")]})).unwrap();
}

#[test]
fn bindings_without_their_ends_are_left_out_and_named() {
    let stage = Stage::new();
    let file = json!({"bindings": [{"source": "amq.direct", "destination": "gone",
        "destination_type": "queue", "routing_key": "", "arguments": {}}]});
    let warnings = import(&stage, WHOLE, &file).unwrap();
    assert_eq!(
        warnings,
        ["binding from 'amq.direct' to 'gone' in vhost '/' left out: not both of its ends exist"]
    );
}

#[test]
fn progress_is_told_up_to_the_end() {
    let stage = Stage::new();
    let queues: Vec<Json> = (0..250)
        .map(|number| json!({"name": format!("q{number}"), "durable": true}))
        .collect();
    let mut seen: Vec<Progress> = Vec::new();
    let text = json!({"queues": queues}).to_string();
    stage
        .broker
        .import_definitions(&text, WHOLE, "importer", &mut |progress| {
            seen.push(progress)
        })
        .unwrap();
    let done: Vec<usize> = seen.iter().map(|progress| progress.done).collect();
    assert_eq!(done, [0, 100, 200, 250]);
    assert!(seen.iter().all(|progress| progress.total == 250));
}
