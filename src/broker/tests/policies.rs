//! Policies on what is there and on what comes.

use serde_json::{Value as Json, json};

use super::stage::{Stage, deaths, names};
use crate::amqp::Value;
use crate::broker::admin::{AdminError, Created};
use crate::broker::declare_queue::Declared;
use crate::exchange::ExchangeType;
use crate::limits::DROPS_PER_HOLD;
use crate::queue::settle::Settlement;
use crate::queue::{Effects, Overflow};
use crate::time::unix_ms;

fn put(stage: &Stage, operator: bool, name: &str, apply_to: &str, keys: Json) -> Created {
    let keys = keys.as_object().unwrap();
    let broker = &stage.broker;
    let put = broker.admin_put_policy(operator, "/", name, "^p", apply_to, keys, 0);
    put.unwrap()
}

fn length(stage: &Stage, queue: &str) -> Option<u64> {
    let queue = stage.vhost.queue(queue.as_bytes()).unwrap();
    queue.in_force(|settings| settings.max_length)
}

#[test]
fn a_policy_changes_queues_that_are_there_and_queues_that_come() {
    let stage = Stage::new();
    stage.queue("p1", &[]);
    stage.queue("other", &[]);
    for body in ["a", "b", "c"] {
        stage.put("p1", body);
    }
    assert_eq!(
        put(&stage, false, "short", "queues", json!({"max-length": 2})),
        Created(true)
    );
    assert_eq!(stage.ready("p1"), 2);
    assert_eq!(stage.must_get("p1").body, "b");
    stage.queue("p2", &[("x-max-length", Value::I32(1))]);
    assert_eq!(length(&stage, "p2"), Some(1));
    assert_eq!(length(&stage, "other"), None);
    let queue = stage.vhost.queue(b"p1").unwrap();
    let policy = queue.policy().unwrap();
    assert_eq!(policy.policy.as_deref(), Some("short"));
    assert_eq!(policy.operator_policy, None);
    assert_eq!(
        Json::Object(policy.definition.clone()),
        json!({"max-length": 2})
    );
    // Arguments are compared as they were declared.
    let declared = Declared {
        durable: true,
        owner: None,
        auto_delete: false,
        arguments: &queue.arguments.clone(),
    };
    stage.vhost.same_queue(&queue, &declared, 1).unwrap();
    stage
        .broker
        .admin_delete_policy(false, "/", "short")
        .unwrap();
    assert!(queue.policy().is_none());
    stage.put("p1", "d");
    stage.put("p1", "e");
    assert_eq!(stage.ready("p1"), 3);
    assert_eq!(
        stage.broker.admin_delete_policy(false, "/", "short"),
        Err(AdminError::NotFound)
    );
}

#[test]
fn what_a_new_limit_makes_too_much_leaves_in_steps() {
    let stage = Stage::new();
    let queue = stage.queue("p1", &[]);
    let count = DROPS_PER_HOLD * 2 + 500;
    for number in 0..count {
        stage.put("p1", &number.to_string());
    }
    put(&stage, false, "short", "queues", json!({"max-length": 10}));
    assert_eq!(stage.ready("p1"), (count - DROPS_PER_HOLD) as u64);
    let mut steps = 0;
    loop {
        let mut effects = Effects::default();
        queue.tick(unix_ms(), &mut effects);
        let more = effects.more;
        stage.broker.carry_out(&queue, effects);
        steps += 1;
        if !more {
            break;
        }
    }
    assert_eq!((stage.ready("p1"), steps), (10, 2));
    assert_eq!(stage.must_get("p1").body, (count - 10).to_string());
}

#[test]
fn dead_letters_go_where_the_policy_says_now() {
    let stage = Stage::new();
    stage.queue("p1", &[]);
    stage.queue("dead", &[]);
    let keys = json!({"dead-letter-exchange": "", "dead-letter-routing-key": "dead"});
    put(&stage, false, "dlx", "queues", keys);
    stage.put("p1", "a");
    stage.reject("p1");
    let seen = stage.must_get("dead");
    assert_eq!(deaths(&seen.headers), ["p1/rejected/1"]);
    stage.broker.admin_delete_policy(false, "/", "dlx").unwrap();
    stage.put("p1", "b");
    stage.reject("p1");
    assert!(stage.get("dead").is_none());
}

#[test]
fn overflow_and_delivery_limit_follow_the_policy() {
    let stage = Stage::new();
    let queue = stage.queue("p1", &[]);
    put(
        &stage,
        false,
        "full",
        "queues",
        json!({"max-length": 1, "overflow": "reject-publish", "delivery-limit": 1}),
    );
    assert_eq!(queue.in_force(|s| s.overflow), Overflow::RejectPublish);
    assert!(queue.counts_deliveries());
    stage.put("p1", "a");
    assert_eq!(stage.publish("", "p1", "b", &[], None), (1, true));
    for _ in 0..2 {
        let seen = stage.must_get("p1");
        stage.settle("p1", &seen, Settlement::Requeue);
    }
    assert!(
        stage.get("p1").is_none(),
        "returned more often than allowed"
    );
}

#[test]
fn a_time_to_live_is_for_what_comes_after_it() {
    let stage = Stage::new();
    stage.queue("p1", &[]);
    stage.put("p1", "old");
    put(&stage, false, "ttl", "queues", json!({"message-ttl": 1000}));
    stage.put("p1", "new");
    stage.expire("p1");
    assert_eq!(stage.ready("p1"), 1);
    assert_eq!(stage.must_get("p1").body, "old");
}

#[test]
fn an_operator_policy_tightens_and_shows_by_name() {
    let stage = Stage::new();
    put(
        &stage,
        false,
        "wide",
        "all",
        json!({"max-length": 100, "expires": 90_000}),
    );
    put(&stage, true, "tight", "all", json!({"max-length": 5}));
    let queue = stage.queue("p1", &[("x-max-length", Value::I32(50))]);
    assert_eq!(length(&stage, "p1"), Some(5));
    assert_eq!(queue.in_force(|s| s.expires_ms), Some(90_000));
    assert_eq!(
        queue.policy().unwrap().operator_policy.as_deref(),
        Some("tight")
    );
    let shown = stage
        .broker
        .admin_list_parameters(Some("operator_policy"), None);
    assert_eq!(shown[0].name, "tight");
    assert_eq!(shown[0].value["definition"]["max-length"], 5);
    stage
        .broker
        .admin_delete_parameter("operator_policy", "/", "tight")
        .unwrap();
    assert_eq!(length(&stage, "p1"), Some(50));
}

#[test]
fn an_exchange_finds_its_alternate_by_policy_and_loses_it_again() {
    let stage = Stage::new();
    stage.exchange("p1", ExchangeType::Direct, None);
    stage.exchange("p2", ExchangeType::Direct, Some("nowhere"));
    stage.exchange("lost", ExchangeType::Fanout, None);
    stage.queue("q", &[]);
    stage.bind("lost", "", "q");
    let before = stage.route("p1", "x");
    assert!(before.queues.is_empty() && before.may_be_kept());
    put(
        &stage,
        false,
        "ae",
        "exchanges",
        json!({"alternate-exchange": "lost"}),
    );
    assert!(
        !before.is_current(),
        "a remembered route has to be looked up again"
    );
    assert_eq!(names(&stage.route("p1", "x")), ["q"]);
    assert!(
        stage.route("p2", "x").queues.is_empty(),
        "what was declared goes before the policy"
    );
    let route = stage.route("p1", "x");
    stage.vhost.delete_exchange(b"lost", false).unwrap();
    assert!(!route.is_current());
    stage.broker.admin_delete_policy(false, "/", "ae").unwrap();
    assert!(stage.vhost.exchange(b"p1").unwrap().policy().is_none());
}

#[test]
fn refusals_change_nothing() {
    let stage = Stage::new();
    let broker = &stage.broker;
    let keys = json!({"max-length": 1}).as_object().unwrap().clone();
    let put = broker.admin_put_policy(false, "nosuch", "p", "", "all", &keys, 0);
    assert_eq!(put, Err(AdminError::NoVhost));
    let bad = json!({"max-length": -1}).as_object().unwrap().clone();
    let put = broker.admin_put_policy(false, "/", "p", "", "all", &bad, 0);
    let text = "Validation failed\n\n-1 is not a valid maximum length\n";
    assert_eq!(put, Err(AdminError::Invalid(text.to_owned())));
    assert!(broker.admin_list_policies(false, None).is_empty());
}
