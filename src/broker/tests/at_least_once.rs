//! Dead letters that must not be lost stay at their source until a target has them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stage::{Stage, deaths, long};
use crate::amqp::Value;
use crate::broker::shared_queue::SharedQueue;
use crate::broker::timer::Timer;
use crate::exchange::ExchangeType;

/// Far beyond the first retry, far below a test run's patience.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs the broker's timer until `done`.
pub fn run_timer_until(stage: &Stage, done: impl Fn() -> bool) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    runtime.block_on(async {
        let timer = tokio::spawn(Timer::run(Arc::clone(&stage.broker)));
        while !done() {
            assert!(Instant::now() < end, "it never came");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        timer.abort();
    });
}

fn careful(stage: &Stage, length: i32, exchange: &str) -> Arc<SharedQueue> {
    let arguments = [
        ("x-queue-type", long("quorum")),
        ("x-dead-letter-strategy", long("at-least-once")),
        ("x-overflow", long("reject-publish")),
        ("x-max-length", Value::I32(length)),
    ];
    stage.mortal("q", exchange, &arguments)
}

/// Messages in the queue, those that are held included: it refuses when they reach its limit.
fn is_full(stage: &Stage) -> bool {
    let (routed, refused) = stage.publish("", "q", "probe", &[], None);
    assert_eq!(routed, 1);
    if !refused {
        let probe = stage.must_get("q");
        stage.settle("q", &probe, crate::queue::settle::Settlement::Ack);
    }
    refused
}

#[test]
fn a_target_that_takes_it_ends_the_hold_at_once() {
    let stage = Stage::new();
    stage.exchange("dlx", ExchangeType::Fanout, None);
    careful(&stage, 1, "dlx");
    stage.queue("dead", &[]);
    stage.bind("dlx", "", "dead");
    stage.put("q", "body");
    assert!(is_full(&stage));
    stage.reject("q");
    assert!(!is_full(&stage));
    let seen = stage.must_get("dead");
    assert_eq!(deaths(&seen.headers), ["q/rejected/1"]);
}

#[test]
fn without_a_target_it_is_tried_again_until_there_is_one() {
    let stage = Stage::new();
    careful(&stage, 1, "dlx");
    stage.put("q", "body");
    stage.reject("q");
    let status = stage.vhost.queue(b"q").unwrap().status();
    assert_eq!((status.ready, status.unacked), (0, 0));
    assert!(is_full(&stage), "it takes its place meanwhile");
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.queue("dead", &[]);
    stage.bind("dlx", "", "dead");
    run_timer_until(&stage, || stage.ready("dead") == 1);
    assert!(!is_full(&stage), "the hold has ended");
    let seen = stage.must_get("dead");
    assert_eq!(seen.body, "body");
    assert_eq!(
        deaths(&seen.headers),
        ["q/rejected/1"],
        "tries are no deaths"
    );
    assert!(stage.get("dead").is_none());
}

#[test]
fn a_target_that_refuses_is_tried_again() {
    let stage = Stage::new();
    stage.exchange("dlx", ExchangeType::Fanout, None);
    careful(&stage, 1, "dlx");
    let full = [
        ("x-max-length", Value::I32(1)),
        ("x-overflow", long("reject-publish")),
    ];
    stage.queue("dead", &full);
    stage.bind("dlx", "", "dead");
    stage.put("dead", "first");
    stage.put("q", "body");
    stage.reject("q");
    assert!(is_full(&stage));
    assert_eq!(stage.must_get("dead").body, "first");
    run_timer_until(&stage, || stage.ready("dead") == 1);
    assert_eq!(stage.must_get("dead").body, "body");
    assert!(!is_full(&stage));
}

#[test]
fn a_deleted_source_takes_its_dead_with_it() {
    let stage = Stage::new();
    let source = careful(&stage, 5, "dlx");
    stage.put("q", "body");
    stage.reject("q");
    stage.vhost.delete_queue(&source, false, false).unwrap();
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.queue("dead", &[]);
    stage.bind("dlx", "", "dead");
    // A second one, which lives, shows that the timer has been through both.
    careful(&stage, 5, "dlx");
    stage.vhost.delete_exchange(b"dlx", false).unwrap();
    stage.put("q", "alive");
    stage.reject("q");
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.bind("dlx", "", "dead");
    run_timer_until(&stage, || stage.ready("dead") > 0);
    assert_eq!(stage.must_get("dead").body, "alive");
    assert!(stage.get("dead").is_none());
}

#[test]
fn it_ends_with_the_exchange_that_a_policy_named() {
    let stage = Stage::new();
    let arguments = [
        ("x-queue-type", long("quorum")),
        ("x-overflow", long("reject-publish")),
        ("x-max-length", Value::I32(1)),
    ];
    stage.queue("q", &arguments);
    let keys = serde_json::json!({
        "dead-letter-exchange": "nowhere",
        "dead-letter-strategy": "at-least-once",
    });
    let broker = &stage.broker;
    let put = broker.admin_put_policy(
        false,
        "/",
        "dlx",
        "^q",
        "queues",
        keys.as_object().unwrap(),
        0,
    );
    put.unwrap();
    stage.put("q", "body");
    stage.reject("q");
    assert!(is_full(&stage));
    broker.admin_delete_policy(false, "/", "dlx").unwrap();
    run_timer_until(&stage, || !is_full(&stage));
}
