//! Names that AMQP cannot say.

use serde_json::{Value, json};

use super::stage::Stage;

#[tokio::test]
async fn no_name_has_more_than_255_octets() {
    let stage = Stage::new();
    stage.user("admin", "administrator");
    stage.queue("q", None);
    let rule = || json!({"pattern": "^q", "definition": {"max-length": 5}});
    let message = json!({"properties": {}, "payload": "", "payload_encoding": "string"});
    let topic = json!({"write": "", "read": ""});
    let with = |mut body: Value, field: &str, text: &str| {
        body[field] = text.into();
        body
    };
    let puts = [
        ("PUT /api/queues/v/", "queue", json!({})),
        (
            "PUT /api/exchanges/v/",
            "exchange",
            json!({"type": "direct"}),
        ),
        ("PUT /api/users/", "user", json!({"tags": ""})),
        ("PUT /api/vhosts/", "vhost", json!({})),
        ("PUT /api/policies/v/", "policy", rule()),
        ("PUT /api/operator-policies/v/", "policy", rule()),
        (
            "PUT /api/parameters/shovel/v/",
            "parameter",
            json!({"value": {}}),
        ),
        (
            "PUT /api/global-parameters/",
            "parameter",
            json!({"value": 1}),
        ),
    ];
    // An ä has two octets.
    let (longest, shown) = (format!("{}n", "ä".repeat(127)), "%C3%A4".repeat(127) + "n");
    for (path, what, body) in &puts {
        let told = stage.ask("admin", &format!("{path}{shown}n"), body).await;
        assert_eq!(told, too_long(what), "{path}");
        let (status, told) = stage.ask("admin", &format!("{path}{shown}"), body).await;
        assert_eq!(status, 201, "{path}: {told}");
    }
    let fields = [
        (
            "POST /api/bindings/v/e/amq.direct/q/q",
            "routing_key",
            json!({}),
            201,
        ),
        (
            "POST /api/exchanges/v/amq.direct/publish",
            "routing_key",
            message,
            200,
        ),
        ("PUT /api/topic-permissions/v/admin", "exchange", topic, 201),
    ];
    for (what, field, body, fine) in fields {
        let long = with(body.clone(), field, &format!("{longest}n"));
        assert_eq!(
            stage.ask("admin", what, &long).await,
            too_long(field),
            "{what}"
        );
        let (status, told) = stage.ask("admin", what, &with(body, field, &longest)).await;
        assert_eq!(status, fine, "{what}: {told}");
    }
}

fn too_long(what: &str) -> super::stage::Told {
    let reason = format!("{what} should be less than 255 bytes, actually was 256\n");
    let body = json!({"error": "bad_request", "reason": reason});
    (axum::http::StatusCode::BAD_REQUEST, body)
}
