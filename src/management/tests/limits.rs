//! Limits that several set at once.

use std::sync::Barrier;

use serde_json::json;

use super::stage::Stage;

#[test]
fn two_limits_of_a_host_that_are_set_at_once_are_both_set() {
    const ROUNDS: i64 = 1_000;
    let stage = Stage::new();
    let broker = &stage.api.broker;
    for round in 0..ROUNDS {
        let start = Barrier::new(2);
        let set = |name: &str| {
            start.wait();
            broker.admin_put_vhost_limit("v", name, &json!(round))
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| set("max-queues"));
            set("max-connections").unwrap();
            other.join().unwrap().unwrap();
        });
        let limits = broker.admin_list_vhost_limits(Some("v"));
        let value = json!({"max-connections": round, "max-queues": round});
        assert_eq!(json!(limits[0].value), value);
    }
}
