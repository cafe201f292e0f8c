//! Hosts, users, permissions and limits while the broker runs.

use serde_json::{Value as Json, json};

use super::stage::{Stage, table};
use crate::auth::Access;
use crate::broker::admin::{AdminError, Created, NewPassword, Parameter, VhostChange, VhostView};
use crate::broker::connections::{ConnectionHandle, ConnectionLimits, Full};
use crate::broker::inbox::{Event, Mail};
use crate::broker::shared_queue::QueueSpec;
use crate::ids::Name;
use crate::queue::QueueArguments;
use std::sync::Arc;

fn spec(name: &str) -> QueueSpec {
    QueueSpec {
        name: Name::from(name),
        durable: true,
        owner: None,
        auto_delete: false,
        arguments: table(&[]),
        settings: QueueArguments::default(),
        declared_by: Name::from("tester"),
    }
}

fn connection(stage: &Stage, user: &str, vhost: &str) -> Arc<ConnectionHandle> {
    ConnectionHandle::unserved(stage.broker.next_id(), user, vhost)
}

/// The texts with which a connection was told to close.
fn closings(connection: &ConnectionHandle) -> Vec<String> {
    let mut mail = Mail::default();
    connection.inbox.take(&mut mail);
    let events = mail.events.into_iter();
    events
        .filter_map(|event| match event {
            Event::Close(error) => Some(format!("{} {}", error.code as u16, error.text)),
            _ => None,
        })
        .collect()
}

fn change(text: &str) -> VhostChange {
    VhostChange {
        description: Some(text.to_owned()),
        ..VhostChange::default()
    }
}

#[test]
fn a_host_keeps_what_is_not_said_anew() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let full = VhostChange {
        description: Some("for tests".to_owned()),
        tags: Some(vec!["a".to_owned()]),
        default_queue_type: Some("quorum".to_owned()),
        tracing: Some(true),
        protected: Some(true),
    };
    assert_eq!(broker.admin_put_vhost("v", full), Ok(Created(true)));
    let again = broker.admin_put_vhost("v", VhostChange::default());
    assert_eq!(again, Ok(Created(false)));
    let expected = VhostView {
        name: "v".to_owned(),
        description: "for tests".to_owned(),
        tags: vec!["a".to_owned()],
        default_queue_type: Some("quorum".to_owned()),
        tracing: true,
        protected: true,
    };
    assert_eq!(broker.admin_get_vhost("v"), Some(expected));
    let host = broker.vhost(b"v").unwrap();
    assert_eq!(host.default_kind().name(), "quorum");
    let undefined = VhostChange {
        default_queue_type: Some("undefined".to_owned()),
        ..VhostChange::default()
    };
    broker.admin_put_vhost("v", undefined).unwrap();
    assert_eq!(host.default_kind().name(), "classic");
}

#[test]
fn a_protected_host_is_not_deleted() {
    let stage = Stage::new();
    let broker = &stage.broker;
    broker.admin_put_vhost("v", change("")).unwrap();
    assert_eq!(broker.admin_protect_vhost("v", true), Ok(()));
    // What is said of it later leaves the protection.
    broker.admin_put_vhost("v", change("described")).unwrap();
    let text = "Refusing to delete virtual host 'v' because it is protected from deletion";
    let refused = Err(AdminError::Precondition(text.to_owned()));
    assert_eq!(broker.admin_delete_vhost("v"), refused);
    let view = broker.admin_get_vhost("v").unwrap();
    assert!(view.protected && view.description == "described");
    assert_eq!(broker.admin_protect_vhost("v", false), Ok(()));
    assert_eq!(broker.admin_delete_vhost("v"), Ok(()));
    let missing = Err(AdminError::NotFound);
    assert_eq!(broker.admin_protect_vhost("v", true), missing);
}

#[test]
fn a_deleted_host_takes_everything_in_it_and_its_connections_along() {
    let stage = Stage::new();
    let broker = &stage.broker;
    broker.admin_put_vhost("v", change("")).unwrap();
    broker
        .admin_put_user("u", NewPassword::None, Vec::new())
        .unwrap();
    let all = [".*"; 3];
    broker.admin_put_permissions("v", "u", all).unwrap();
    broker.admin_put_permissions("/", "u", all).unwrap();
    broker
        .admin_put_vhost_limit("v", "max-queues", &json!(10))
        .unwrap();
    let host = broker.vhost(b"v").unwrap();
    let (queue, _) = host.declare_queue(broker, spec("q"), 1, 0).unwrap();
    let limits = ConnectionLimits::default();
    let (inside, outside) = (connection(&stage, "u", "v"), connection(&stage, "u", "/"));
    for connection in [&inside, &outside] {
        let added = broker.connections.add(Arc::clone(connection), limits);
        added.unwrap();
    }
    broker.admin_delete_vhost("v").unwrap();
    assert!(queue.is_deleted() && broker.vhost(b"v").is_none());
    assert_eq!(closings(&inside), ["320 vhost 'v' is deleted"]);
    assert!(closings(&outside).is_empty());
    let left = broker.admin_list_permissions(None, None);
    assert_eq!(left.len(), 1);
    assert!(broker.admin_list_parameters(None, None).is_empty());
    let late = host.declare_queue(broker, spec("late"), 1, 0);
    assert!(late.is_err(), "nothing comes into a host that is gone");
    assert_eq!(broker.admin_delete_vhost("v"), Err(AdminError::NotFound));
    // A host of the same name is another one.
    broker.admin_put_vhost("v", change("")).unwrap();
    assert!(broker.vhost(b"v").unwrap().all_queues().is_empty());
}

#[test]
fn a_deleted_user_loses_its_connections_and_permissions() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let clear = NewPassword::Clear("secret".to_owned());
    assert_eq!(
        broker.admin_put_user("u", clear, vec!["management".to_owned()]),
        Ok(Created(true))
    );
    broker
        .admin_put_permissions("/", "u", ["", "", ".*"])
        .unwrap();
    broker
        .admin_put_topic_permissions("/", "u", "amq.topic", ["^a", "^b"])
        .unwrap();
    let generation = broker.users.generation();
    broker.admin_set_user_tags("u", Vec::new()).unwrap();
    let user = broker.admin_get_user("u").unwrap();
    assert!(
        user.password.unwrap().verify(b"secret"),
        "tags alone change"
    );
    assert!(broker.users.generation() > generation);
    let inside = connection(&stage, "u", "/");
    broker
        .connections
        .add(Arc::clone(&inside), ConnectionLimits::default())
        .unwrap();
    broker.admin_delete_user("u").unwrap();
    assert_eq!(closings(&inside), ["320 user 'u' is deleted"]);
    let tables = broker.users.tables();
    assert!(tables.permissions("u", "/").is_none());
    assert!(tables.topic_allows("u", "/", b"amq.topic", Access::Write, b"x"));
    assert_eq!(broker.admin_delete_user("u"), Err(AdminError::NotFound));
}

#[test]
fn permissions_need_a_host_and_a_user() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let nobody = AdminError::Invalid("vhost_or_user_not_found".to_owned());
    let all = [".*"; 3];
    assert_eq!(
        broker.admin_put_permissions("/", "nobody", all),
        Err(nobody.clone())
    );
    broker
        .admin_put_user("u", NewPassword::None, Vec::new())
        .unwrap();
    assert_eq!(broker.admin_put_permissions("v", "u", all), Err(nobody));
    assert!(matches!(
        broker.admin_put_permissions("/", "u", ["(", "", ""]),
        Err(AdminError::Invalid(_))
    ));
    assert_eq!(
        broker.admin_users_without_permissions()[0].name.as_str(),
        "u"
    );
    assert_eq!(
        broker.admin_put_permissions("/", "u", all),
        Ok(Created(true))
    );
    assert_eq!(
        broker.admin_put_permissions("/", "u", all),
        Ok(Created(false))
    );
    assert!(broker.admin_users_without_permissions().is_empty());
    broker.admin_delete_permissions("/", "u").unwrap();
    assert_eq!(
        broker.admin_delete_permissions("/", "u"),
        Err(AdminError::NotFound)
    );
}

#[test]
fn limits_refuse_what_is_beyond_them_and_nothing_that_is_there() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let declare = |name: &str| {
        let declared = stage.vhost.declare_queue(broker, spec(name), 1, 0);
        declared.map(drop).map_err(|error| error.text.into_owned())
    };
    declare("one").unwrap();
    declare("two").unwrap();
    broker
        .admin_put_vhost_limit("/", "max-queues", &json!(1))
        .unwrap();
    declare("one").unwrap();
    assert_eq!(
        declare("three").unwrap_err(),
        "cannot declare queue 'three': queue limit in vhost '/' (1) is reached"
    );
    broker
        .admin_put_vhost_limit("/", "max-connections", &json!(3))
        .unwrap();
    assert_eq!(stage.vhost.connections_max(), Some(3));
    let shown = broker.admin_list_vhost_limits(Some("/"));
    let both = json!({"max-queues": 1, "max-connections": 3});
    assert_eq!(Json::Object(shown[0].value.clone()), both);
    for limit in ["max-queues", "nosuch", "max-connections"] {
        broker.admin_delete_vhost_limit("/", Some(limit)).unwrap();
    }
    declare("three").unwrap();
    assert!(broker.admin_list_vhost_limits(None).is_empty());
    let refused = broker.admin_put_vhost_limit("/", "nosuch", &json!(1));
    let text = "Validation failed\n\nUnrecognised terms [{<<\"nosuch\">>,1}] in limits\n";
    assert_eq!(refused, Err(AdminError::Invalid(text.to_owned())));
    let refused = broker.admin_put_vhost_limit("/", "max-queues", &json!("x"));
    let text = "Validation failed\n\nmax-queues should be a number, actually was <<\"x\">>\n";
    assert_eq!(refused, Err(AdminError::Invalid(text.to_owned())));
    let below = broker.admin_put_vhost_limit("/", "max-queues", &json!(-5));
    assert_eq!((below, stage.vhost.queues_max()), (Ok(()), None));
}

#[test]
fn connections_and_channels_are_counted_until_they_go() {
    let stage = Stage::new();
    let connections = &stage.broker.connections;
    let one = ConnectionLimits {
        vhost: Some(2),
        user: Some(1),
    };
    let first = connection(&stage, "u", "/");
    let usage = connections.add(Arc::clone(&first), one).unwrap();
    let second = connections.add(connection(&stage, "u", "/"), one);
    assert_eq!(second.unwrap_err(), Full::User(1));
    let other = connection(&stage, "w", "/");
    connections.add(Arc::clone(&other), one).unwrap();
    let third = connections.add(connection(&stage, "x", "/"), one);
    assert_eq!(third.unwrap_err(), Full::Vhost(2));
    let channel = usage.open_channel(Some(1)).unwrap();
    assert!(usage.open_channel(Some(1)).is_none());
    drop(channel);
    assert!(usage.open_channel(Some(1)).is_some());
    connections.remove(first.id);
    connections.remove(first.id);
    assert!(connections.add(connection(&stage, "u", "/"), one).is_ok());
    assert_eq!(connections.len(), 2);
}

#[test]
fn user_limits_are_set_one_by_one() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let keys = |value: Json| value.as_object().unwrap().clone();
    let nobody = broker.admin_set_user_limits("u", &keys(json!({"max-channels": 1})));
    assert!(matches!(nobody, Err(AdminError::Invalid(_))));
    broker
        .admin_put_user("u", NewPassword::None, Vec::new())
        .unwrap();
    let unknown = broker.admin_set_user_limits("u", &keys(json!({"nosuch": 5})));
    let text = "Unrecognised terms [{<<\"nosuch\">>,5}] in user-limits";
    assert_eq!(unknown, Err(AdminError::Invalid(text.to_owned())));
    for limit in [json!({"max-channels": 4}), json!({"max-connections": -1})] {
        broker.admin_set_user_limits("u", &keys(limit)).unwrap();
    }
    let limits = broker.admin_get_user("u").unwrap().limits;
    assert_eq!(limits.channels_max(), Some(4));
    assert_eq!(limits.connections_max(), None);
    broker
        .admin_put_user("u", NewPassword::Unchanged, Vec::new())
        .unwrap();
    assert_eq!(broker.admin_get_user("u").unwrap().limits, limits);
    broker
        .admin_delete_user_limit("u", Some("max-channels"))
        .unwrap();
    let named = broker.admin_get_user("u").unwrap().limits.named();
    assert_eq!(named, [("max-connections".to_owned(), -1)]);
}

#[test]
fn parameters_are_kept_for_those_who_know_them() {
    let stage = Stage::new();
    let put = |component: &str, value: Json| {
        stage.broker.admin_put_parameter(Parameter {
            vhost: "/".to_owned(),
            component: component.to_owned(),
            name: "x".to_owned(),
            value,
        })
    };
    assert_eq!(
        put("shovel", json!({"src-uri": "amqp://"})),
        Ok(Created(true))
    );
    assert_eq!(put("shovel", json!({})), Ok(Created(false)));
    let invalid = |text: &str| Err(AdminError::Invalid(text.to_owned()));
    assert_eq!(
        put("nosuch", json!(1)),
        invalid("Validation failed\n\ncomponent nosuch not found\n")
    );
    assert_eq!(
        put("policy", json!({})),
        invalid("policies may not be set using this method")
    );
    let broker = &stage.broker;
    broker.admin_delete_parameter("shovel", "/", "x").unwrap();
    assert!(broker.admin_get_parameter("shovel", "/", "x").is_none());
    assert!(matches!(
        broker.admin_put_global_parameter("cluster_name", json!(7)),
        Err(AdminError::Invalid(_))
    ));
    broker
        .admin_put_global_parameter("cluster_name", json!("c"))
        .unwrap();
    assert_eq!(broker.cluster_name().as_deref(), Some("c"));
    broker.ensure_cluster_id();
    let id = broker.admin_get_global_parameter("internal_cluster_id");
    broker.ensure_cluster_id();
    assert_eq!(id, broker.admin_get_global_parameter("internal_cluster_id"));
}
