//! Exports of a real RabbitMQ 3.10.8, what later versions write, and faults.

use super::*;
use crate::amqp::value::Value;

const BROKER: &str = include_str!("../testdata/rabbitmq-3.10.8-broker.json");
const VHOST: &str = include_str!("../testdata/rabbitmq-3.10.8-vhost.json");
const WHOLE: Target<'static> = Target::Broker { default_vhost: "/" };

fn read(text: &str) -> ImportedDefinitions {
    parse(text, WHOLE).unwrap()
}

fn faults(text: &str) -> Vec<String> {
    parse(text, WHOLE)
        .unwrap_err()
        .0
        .iter()
        .map(ToString::to_string)
        .collect()
}

fn fault(text: &str) -> String {
    let all = faults(text);
    assert_eq!(all.len(), 1, "{all:?}");
    all[0].clone()
}

#[test]
fn reads_the_users_of_a_real_export() {
    let all = read(BROKER);
    let user = |name: &str| all.users.iter().find(|user| user.name == name).unwrap();
    let ImportedPassword::Hash(hash) = &user("app").password else {
        panic!("no hash")
    };
    assert!(hash.verify(b"s3cret"));
    assert_eq!(user("app").tags, ["monitoring", "policymaker"]);
    assert_eq!(user("app").limits, [("max-connections".to_owned(), 7)]);
    assert_eq!(user("cert").password, ImportedPassword::None);
    for name in ["md5", "512"] {
        let ImportedPassword::Hash(hash) = &user(name).password else {
            panic!("no hash")
        };
        assert!(hash.verify(b"test12"), "{name}");
    }
    assert_eq!(all.vhosts.len(), 1);
    assert_eq!(
        (all.vhosts[0].name.as_str(), &all.vhosts[0].description),
        ("shop", &None)
    );
    let permission = all
        .permissions
        .iter()
        .find(|row| row.user == "app")
        .unwrap();
    assert_eq!(permission.vhost, "shop");
    assert_eq!(permission.permissions.configure.as_str(), "^app\\.");
    let topic = &all.topic_permissions[0];
    assert!(
        topic
            .permission
            .allows(crate::auth::Access::Write, b"app.x")
    );
}

#[test]
fn reads_the_objects_of_a_real_export() {
    let all = read(BROKER);
    assert_eq!(
        (all.queues.len(), all.exchanges.len(), all.bindings.len()),
        (3, 3, 3)
    );
    let orders = all
        .queues
        .iter()
        .find(|queue| queue.name == "app.orders")
        .unwrap();
    assert!(orders.durable && !orders.auto_delete && orders.vhost == "shop");
    assert_eq!(
        orders.arguments.get(b"x-message-ttl"),
        Some(&Value::I64(60_000))
    );
    assert_eq!(
        orders.arguments.get(b"x-overflow"),
        Some(&Value::text("reject-publish"))
    );
    assert_eq!(
        orders.arguments.get(b"x-single-active-consumer"),
        Some(&Value::Bool(true))
    );
    let events = all
        .exchanges
        .iter()
        .find(|exchange| exchange.name == "events")
        .unwrap();
    assert_eq!((events.kind.as_str(), events.internal), ("topic", false));
    assert_eq!(
        events.arguments.get(b"alternate-exchange"),
        Some(&Value::text("lost"))
    );
    let binding = all
        .bindings
        .iter()
        .find(|b| b.destination == "lost")
        .unwrap();
    assert_eq!(binding.destination_kind, DestinationKind::Exchange);
    assert_eq!(binding.arguments.get(b"n"), Some(&Value::I64(1)));
    assert_eq!(all.policies[0].priority, 3);
    assert_eq!(all.policies[0].definition["message-ttl"], 1000);
    let components: Vec<&str> = all
        .parameters
        .iter()
        .map(|p| p.component.as_str())
        .collect();
    assert_eq!(components, ["vhost-limits", "operator_policy"]);
    assert!(all.warnings.is_empty(), "{:?}", all.warnings);
}

#[test]
fn nested_arguments_keep_their_types() {
    let all = read(BROKER);
    let queue = all
        .queues
        .iter()
        .find(|queue| queue.name == "app transé")
        .unwrap();
    let Some(Value::Table(custom)) = queue.arguments.get(b"custom") else {
        panic!("no table")
    };
    let inner = Table(vec![(b"x".to_vec(), Value::I64(-1))]);
    assert_eq!(
        custom.get(b"deep"),
        Some(&Value::Array(vec![
            Value::I64(1),
            Value::text("two"),
            Value::F64(3.5),
            Value::Bool(false),
            Value::Table(inner),
        ]))
    );
}

#[test]
fn reads_the_export_of_one_virtual_host() {
    let all = parse(VHOST, Target::Vhost("other")).unwrap();
    assert_eq!(
        (all.queues.len(), all.exchanges.len(), all.bindings.len()),
        (3, 3, 3)
    );
    assert!(all.queues.iter().all(|queue| queue.vhost == "other"));
    assert!(
        all.policies.iter().all(|policy| policy.vhost == "other"),
        "though the file says shop"
    );
    // The same file into the whole broker: what names no virtual host goes into the default one.
    let all = read(VHOST);
    assert!(all.queues.iter().all(|queue| queue.vhost == "/"));
    assert_eq!(all.policies[0].vhost, "shop");
}

#[test]
fn a_broker_export_into_one_virtual_host_leaves_users_out() {
    let all = parse(BROKER, Target::Vhost("v")).unwrap();
    assert!(all.users.is_empty() && all.permissions.is_empty() && all.vhosts.is_empty());
    assert_eq!(all.queues.len(), 3);
    assert_eq!(
        all.warnings[0],
        "users: 4 left out, the file is imported into virtual host 'v'"
    );
}

#[test]
fn reads_what_later_versions_write() {
    let all = read(
        r#"{"rabbitmq_version":"4.1.0","rabbitmq_definition_format":"cluster",
        "original_cluster_name":"c","explanation":"e",
        "vhosts":[{"name":"a","description":"old","tags":[],"default_queue_type":"classic",
                   "metadata":{"description":"new","tags":["x"],"default_queue_type":"quorum"}},
                  {"name":"b","default_queue_type":"undefined","tags":"p, q"}],
        "policies":[{"vhost":"a","name":"p","pattern":"","apply-to":"quorum_queues",
                     "definition":{"consumer-timeout":1},"priority":0}],
        "parameters":[{"vhost":"a","component":"shovel","name":"s","value":{}}],
        "queues":[{"name":"q","vhost":"a","type":"quorum","durable":true,"arguments":[]}]}"#,
    );
    assert_eq!(all.vhosts[0].description.as_deref(), Some("new"));
    assert_eq!(all.vhosts[0].default_queue_type.as_deref(), Some("quorum"));
    assert_eq!(all.vhosts[0].tags, Some(vec!["x".to_owned()]));
    assert_eq!(all.vhosts[1].default_queue_type, None);
    assert_eq!(
        all.vhosts[1].tags,
        Some(vec!["p".to_owned(), "q".to_owned()])
    );
    assert!(all.queues[0].arguments.is_empty());
    assert_eq!(
        all.warnings,
        ["shovels: 1 kept, but they do not run in this broker"]
    );
}

#[test]
fn passwords_in_every_form() {
    let user = |fields: &str| {
        let text = format!(r#"{{"users":[{{"name":"u","tags":"a,b",{fields}}}]}}"#);
        let mut all = read(&text);
        assert_eq!(all.users[0].tags, ["a", "b"]);
        (all.users.remove(0).password, all.warnings)
    };
    let clear = user(r#""password":"pw""#).0;
    assert_eq!(clear, ImportedPassword::Clear("pw".into()));
    assert_eq!(user(r#""password":"""#).0, ImportedPassword::None);
    assert_eq!(
        user(r#""password_hash":"","password":"pw""#).0,
        ImportedPassword::None
    );
    // Without an algorithm the length tells.
    for hash in [
        "kI3GChNpte2FApYFXScl+0dIluk=",
        "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR",
        "kI3GChuNuIYf8lRbCCxZjgjKwsY19ns6+uFO0zcXRBGA/XGJPYD8OWMy7EB8TaOmAzjP2azv84GbINYwX2cDWb4DHnc=",
    ] {
        let (ImportedPassword::Hash(read), _) = user(&format!(r#""password_hash":"{hash}""#))
        else {
            panic!("no hash")
        };
        assert!(read.verify(b"test12"));
    }
    let (password, warnings) = user(r#""password_hash":"AAAA""#);
    assert_eq!(password, ImportedPassword::None);
    assert!(
        warnings[0].starts_with("user 'u' cannot log in"),
        "{warnings:?}"
    );
}

#[test]
fn faults_name_their_path_and_what_is_allowed() {
    let long = "x".repeat(256);
    let cases = [
        (
            r#"{"queues":[{"durable":true}]}"#,
            "queues[0].name: is missing; allowed: a text",
        ),
        (
            r#"{"queues":[{"name":"a"}]}"#,
            "queues[0].durable: is missing; allowed: true or false",
        ),
        (
            r#"{"queues":[{"name":"a","durable":"true"}]}"#,
            "queues[0].durable: is a text; allowed: true or false",
        ),
        (
            r#"{"queues":{}}"#,
            "queues: is an object; allowed: a list of objects",
        ),
        (
            r#"{"queues":[1]}"#,
            "queues[0]: is the number 1; allowed: an object",
        ),
        (
            r#"{"vhosts":[{"name":""}]}"#,
            "vhosts[0].name: is empty; allowed: 1 to 255 bytes",
        ),
        (
            r#"{"queues":[{"name":"a","durable":true,"arguments":{"x":{"y":[18446744073709551615]}}}]}"#,
            "queues[0].arguments.x.y[0]: is the number 18446744073709551615; allowed: a whole \
             number of 64 bits with sign, or a decimal number",
        ),
        (
            r#"{"bindings":[{"source":"s","destination":"d","destination_type":"topic","routing_key":""}]}"#,
            "bindings[0].destination_type: is 'topic'; allowed: queue or exchange",
        ),
        (
            r#"{"permissions":[{"user":"u","vhost":"v","configure":"[","write":"","read":""}]}"#,
            "permissions[0]: invalid regular expression '[': unclosed character class",
        ),
        (
            r#"{"users":[{"name":"u","password_hash":"!!!","tags":[]}]}"#,
            "users[0].password_hash: the password hash is not valid base64",
        ),
        (
            r#"{"users":[{"name":"u","tags":["a",1]}]}"#,
            "users[0].tags[1]: is the number 1; allowed: a text",
        ),
        (
            r#"{"users":[{"name":"u"}]}"#,
            "users[0].tags: is missing; allowed: a list of texts, or a text with commas",
        ),
        (
            r#"{"policies":[{"vhost":"v","name":"p","pattern":"","definition":{"max-length":-1}}]}"#,
            "policies[0]: Validation failed  -1 is not a valid maximum length",
        ),
        (
            r#"{"policies":[{"vhost":"v","name":"p","pattern":"","apply-to":"x","definition":{}}]}"#,
            "policies[0].apply-to: is 'x'; allowed: queues, exchanges, all, classic_queues, \
             quorum_queues, streams",
        ),
        ("[]", "must be a JSON object with lists such as \"queues\""),
    ];
    for (text, expected) in cases {
        assert_eq!(fault(text), expected);
    }
    let text = format!(r#"{{"queues":[{{"name":"{long}","durable":true}}]}}"#);
    assert_eq!(
        fault(&text),
        "queues[0].name: has 256 bytes; allowed: at most 255"
    );
    assert!(fault("{").starts_with("is not JSON: "));
}

#[test]
fn all_faults_come_at_once_up_to_a_bound() {
    assert_eq!(
        faults(r#"{"queues":[{"name":"a"},{"name":"b","durable":1}],"vhosts":[2]}"#).len(),
        3
    );
    let many = vec!["1"; 1000].join(",");
    assert_eq!(
        faults(&format!(r#"{{"queues":[{many}]}}"#)).len(),
        ERRORS_MAX
    );
}

#[test]
fn nulls_and_unknown_keys() {
    let all = read(
        r#"{"queues":[{"name":"a","durable":true,"auto_delete":null,"arguments":{"n":null},"z":1}],
        "exchanges":null,"shovels":[],"strange":[1]}"#,
    );
    assert_eq!(all.queues[0].arguments.get(b"n"), Some(&Value::Void));
    assert!(!all.queues[0].auto_delete);
    assert_eq!(all.warnings, ["'strange' is not known and left out"]);
}

#[test]
fn deep_nesting_is_refused() {
    let nested = |levels: usize| {
        let open = "[".repeat(levels);
        let close = "]".repeat(levels);
        format!(r#"{{"queues":[{{"name":"q","durable":true,"arguments":{{"a":{open}{close}}}}}]}}"#)
    };
    assert_eq!(read(&nested(32)).queues.len(), 1);
    assert!(fault(&nested(33)).contains("nests too deep"));
    assert!(fault(&nested(100_000)).starts_with("is not JSON"));
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in "(\\PC|[\\[\\]{}\":,]){0,80}") {
        drop(parse(&text, WHOLE));
    }

    #[test]
    fn a_damaged_export_never_panics(at in 0_usize..4000, with in "\\PC?") {
        let mut text: Vec<char> = BROKER.chars().collect();
        let at = at % text.len();
        text.splice(at..=at, with.chars());
        drop(parse(&text.into_iter().collect::<String>(), WHOLE));
    }
}
