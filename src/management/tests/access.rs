//! Who may do what.

use serde_json::json;

use super::stage::{Stage, denied};

#[tokio::test]
async fn what_is_an_administrators_elsewhere_is_one_among_the_parameters_too() {
    let stage = Stage::new();
    stage.user("maker", "policymaker");
    stage.user("admin", "administrator");
    let policy = json!({"value": {"pattern": "^q", "definition": {"max-length": 5},
                                  "priority": 0, "apply-to": "queues"}});
    let guarded = [
        ("/api/parameters/operator_policy/v/p", policy),
        (
            "/api/parameters/vhost-limits/v/limits",
            json!({"value": {"max-queues": 5}}),
        ),
        ("/api/global-parameters/cluster_name", json!({"value": "c"})),
        (
            "/api/global-parameters/internal_cluster_id",
            json!({"value": "c"}),
        ),
    ];
    for (path, body) in &guarded {
        let put = format!("PUT {path}");
        let delete = format!("DELETE {path}");
        let refused = denied("Not administrator user");
        assert_eq!(stage.ask("maker", &put, body).await, refused, "{path}");
        assert_eq!(stage.ask("maker", &delete, body).await, refused, "{path}");
        assert_eq!(stage.ask("admin", &put, body).await.0, 201, "{path}");
        assert_eq!(stage.ask("maker", &delete, body).await, refused, "{path}");
        assert_eq!(stage.ask("admin", &delete, body).await.0, 204, "{path}");
    }
    let own = [
        ("PUT /api/parameters/shovel/v/s", json!({"value": {}})),
        ("PUT /api/global-parameters/g", json!({"value": 1})),
    ];
    for (put, body) in &own {
        assert_eq!(stage.ask("maker", put, body).await.0, 201, "{put}");
    }
}

#[tokio::test]
async fn messages_of_an_exclusive_queue_are_its_connections() {
    let stage = Stage::new();
    stage.user("admin", "administrator");
    stage.queue("other", None);
    stage.queue("own", Some(7));
    let positions = json!({"positions": [0]});
    let redrive = json!({"to_queue": "other"});
    let looks = [
        ("GET", "peek", json!({})),
        ("POST", "messages/delete", positions.clone()),
        ("POST", "messages/requeue", positions),
        ("POST", "redrive", redrive),
        ("DELETE", "redrive/1", json!({})),
    ];
    for (method, rest, body) in &looks {
        let what = |queue: &str| format!("{method} /api/queues/v/{queue}/{rest}");
        let (status, told) = stage.ask("admin", &what("own"), body).await;
        assert_eq!(status, 400, "{rest}: {told}");
        let reason = told["reason"].as_str().unwrap();
        assert!(
            reason.starts_with("cannot obtain exclusive access to locked queue 'own'"),
            "{rest}: {reason}"
        );
        let there = if *method == "DELETE" { 404 } else { 200 };
        assert_eq!(stage.operate(&what("own"), body).await.0, there, "{rest}");
        if *rest != "redrive" {
            let (status, _) = stage.ask("admin", &what("other"), body).await;
            assert_eq!(status, there, "{rest}");
        }
    }
    // Who holds what is no message.
    let what = "GET /api/queues/v/own/unacked";
    assert_eq!(stage.ask("admin", what, &json!({})).await.0, 200);
}
