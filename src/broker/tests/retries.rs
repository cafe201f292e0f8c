//! Dead letters that are tried again: each target gets one, and refusals are told apart.
use super::stage::{Stage, long};
use crate::amqp::Value;
use crate::exchange::ExchangeType;
use crate::queue::Incoming;
use std::time::{Duration, Instant};

fn inc(n: u32) -> Incoming {
    Incoming {
        offset: 0,
        size: 1,
        priority: 0,
        ttl_ms: u64::MAX,
        publish: n,
        persistent: false,
        forced: false,
    }
}

#[test]
fn deaths_of_one_round_have_numbers_of_their_own() {
    let stage = Stage::new();
    stage.exchange("fan", ExchangeType::Fanout, None);
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.mortal("src", "fan", &[("x-message-ttl", Value::I32(1000))]);
    // U: at-most-once, its dead go to a full queue that refuses.
    stage.mortal(
        "a",
        "",
        &[
            ("x-max-length", Value::I32(0)),
            ("x-dead-letter-routing-key", long("full")),
        ],
    );
    stage.queue(
        "full",
        &[
            ("x-max-length", Value::I32(0)),
            ("x-overflow", long("reject-publish")),
        ],
    );
    // T: at-least-once.
    let t = stage.mortal(
        "t",
        "dlx",
        &[
            ("x-queue-type", long("quorum")),
            ("x-dead-letter-strategy", long("at-least-once")),
            ("x-overflow", long("reject-publish")),
            ("x-max-length", Value::I32(2)),
            ("x-message-ttl", Value::I32(0)),
        ],
    );
    stage.queue("dead", &[]);
    stage.bind("dlx", "", "dead");
    stage.bind("fan", "", "a");
    stage.bind("fan", "", "t");
    stage.put("src", "1");
    stage.put("src", "2");
    stage.expire("src");
    assert_eq!(stage.ready("dead"), 2);
    assert!(
        t.has_room(&[inc(0), inc(1)]),
        "a dead letter that was placed is still held"
    );
}

#[test]
fn a_target_that_took_it_is_not_asked_again() {
    let stage = Stage::new();
    stage.exchange("dlx", ExchangeType::Fanout, None);
    stage.mortal(
        "q",
        "dlx",
        &[
            ("x-queue-type", long("quorum")),
            ("x-dead-letter-strategy", long("at-least-once")),
            ("x-overflow", long("reject-publish")),
        ],
    );
    stage.queue("takes", &[]);
    stage.queue(
        "full",
        &[
            ("x-max-length", Value::I32(0)),
            ("x-overflow", long("reject-publish")),
        ],
    );
    stage.bind("dlx", "", "takes");
    stage.bind("dlx", "", "full");
    stage.put("q", "body");
    stage.reject("q");
    let end = Instant::now() + Duration::from_secs(4);
    super::at_least_once::run_timer_until(&stage, || {
        stage.ready("takes") > 1 || Instant::now() > end
    });
    assert_eq!(stage.ready("takes"), 1);
}
