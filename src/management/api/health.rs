//! Health checks: 200 with `status: ok`, or 503 with `status: failed` and what is wrong.
//!
//! Every one looks at what it is named after, for as long as the request's header `timeout` lets it, in
//! milliseconds, or else for 70 s. The old `healthchecks/node` answers 200 either way,
//! as RabbitMQ's does.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::certificates;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::segments::Segments;
use crate::management::state::{Api, SharedApi};

type Checked = Result<Json<Value>, ApiError>;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    let check = |name: &str| format!("/api/health/checks/{name}");
    Router::new()
        .route(&check("alarms"), get(alarms))
        .route(&check("local-alarms"), get(local_alarms))
        .route(&check("virtual-hosts"), get(virtual_hosts))
        .route(&check("node-is-quorum-critical"), get(single_node))
        .route(&check("node-is-mirror-sync-critical"), get(single_node))
        .route(&check("port-listener/{port}"), get(port_listener))
        .route(
            &check("protocol-listener/{protocol}"),
            get(protocol_listener),
        )
        .route(
            &check("certificate-expiration/{within}/{unit}"),
            get(certificates::check),
        )
        .route(&check("ready-to-serve-clients"), get(ready))
        .route(&check("is-in-service"), get(ready))
        .route(&check("below-node-connection-limit"), get(below_limit))
        .route(&check("reached-target-cluster-size"), get(single_node))
        .route(&check("metadata-store/initialized"), get(store_open))
        .route(
            &check("metadata-store/initialized/with-data"),
            get(store_filled),
        )
        .route(
            &check("quorum-queues-without-elected-leaders/all-vhosts"),
            get(leaders),
        )
        .route(
            &check("quorum-queues-without-elected-leaders/all-vhosts/pattern/{pattern}"),
            get(leaders),
        )
        .route(
            &check("quorum-queues-without-elected-leaders/vhost/{vhost}"),
            get(leaders),
        )
        .route(
            &check("quorum-queues-without-elected-leaders/vhost/{vhost}/pattern/{pattern}"),
            get(leaders),
        )
        .route("/api/healthchecks/node", get(node))
        .route("/api/healthchecks/node/{node}", get(named_node))
        .route_layer(from_fn(in_time))
}

/// Milliseconds that a check may take where the request does not say: RabbitMQ's.
const TIMEOUT_MS: u64 = 70_000;

/// Ends a check that takes too long, which has failed then.
async fn in_time(request: Request, next: Next) -> Result<Response, ApiError> {
    let ms = match request.headers().get("timeout") {
        None => TIMEOUT_MS,
        Some(value) => {
            let number = value
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok());
            number.ok_or_else(|| {
                ApiError::bad_request("the header timeout is not a number of milliseconds")
            })?
        }
    };
    let answer = tokio::time::timeout(Duration::from_millis(ms), next.run(request));
    answer.await.map_err(|_| {
        ApiError::check_failed(json!({
            "reason": format!("the check has not ended within {ms} ms"),
        }))
    })
}

fn ok() -> Checked {
    Ok(Json(json!({ "status": "ok" })))
}

/// The resources in alarm, by RabbitMQ's names.
fn in_alarm(api: &Api) -> Vec<&'static str> {
    let reason = api.broker.alarms.reason().unwrap_or_default();
    [("memory", "memory"), ("disk", "disk space")]
        .into_iter()
        .filter(|(word, _)| reason.contains(word))
        .map(|(_, resource)| resource)
        .collect()
}

fn check_alarms(api: &Api, reason: &str) -> Checked {
    let alarms: Vec<Value> = in_alarm(api)
        .into_iter()
        .map(|resource| json!({ "node": api.node.name, "resource": resource }))
        .collect();
    if alarms.is_empty() {
        return ok();
    }
    Err(ApiError::check_failed(
        json!({ "reason": reason, "alarms": alarms }),
    ))
}

async fn alarms(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    check_alarms(&api, "There are alarms in effect in the cluster")
}

async fn local_alarms(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    check_alarms(&api, "There are alarms in effect on the node")
}

/// The first failure of the log that all virtual hosts are kept in, if there was one: from then on
/// nothing durable is taken in.
fn store_failure(api: &Api) -> Option<String> {
    let log = api.broker.journal.log()?;
    log.failure().map(ToString::to_string)
}

async fn virtual_hosts(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    let Some(failure) = store_failure(&api) else {
        return ok();
    };
    let down: Vec<String> = api
        .broker
        .vhosts()
        .iter()
        .map(|vhost| vhost.name.to_string())
        .collect();
    Err(ApiError::check_failed(json!({
        "reason": "Some virtual hosts are down",
        "virtual-hosts": down,
        "cause": failure,
    })))
}

/// One node is its own majority.
async fn single_node(_caller: Caller) -> Checked {
    Ok(Json(
        json!({ "status": "ok", "reason": "single node cluster" }),
    ))
}

/// The listeners that are up.
fn listening(api: &Api) -> impl Iterator<Item = (&'static str, u16)> {
    let up = api
        .node
        .listeners
        .iter()
        .filter(|known| known.open.is_open());
    up.map(|known| (known.protocol, known.address.port()))
}

async fn port_listener(
    State(api): State<SharedApi>,
    _caller: Caller,
    Segments(port): Segments<String>,
) -> Checked {
    let port: u16 = port
        .parse()
        .map_err(|_| ApiError::bad_request("Invalid port"))?;
    let ports: Vec<u16> = listening(&api).map(|(_, port)| port).collect();
    if ports.contains(&port) {
        return Ok(Json(json!({ "status": "ok", "port": port })));
    }
    Err(ApiError::check_failed(json!({
        "reason": "No active listener", "missing": port, "ports": ports,
    })))
}

/// The name under which listeners of a protocol are kept.
fn protocol_name(asked: &str) -> &str {
    match asked {
        "amqp091" | "amqp0.9.1" | "amqp10" | "amqp1.0" => "amqp",
        "amqps" => "amqp/ssl",
        "mqtts" => "mqtt/ssl",
        "stomps" => "stomp/ssl",
        "streams" => "stream/ssl",
        "web-mqtt" | "web_mqtt" => "http/web-mqtt",
        "web-stomp" | "web_stomp" => "http/web-stomp",
        "prometheus" => "http/prometheus",
        other => other,
    }
}

async fn protocol_listener(
    State(api): State<SharedApi>,
    _caller: Caller,
    Segments(asked): Segments<String>,
) -> Checked {
    let protocol = protocol_name(&asked);
    let mut protocols: Vec<&str> = listening(&api).map(|(protocol, _)| protocol).collect();
    protocols.dedup();
    if protocols.contains(&protocol) {
        return Ok(Json(json!({ "status": "ok", "protocol": protocol })));
    }
    Err(ApiError::check_failed(json!({
        "reason": "No active listener", "missing": protocol, "protocols": protocols,
    })))
}

/// Clients are served: AMQP is listened to and the store takes what they send.
async fn ready(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    if let Some(failure) = store_failure(&api) {
        return Err(ApiError::check_failed(json!({ "reason": failure })));
    }
    if !listening(&api).any(|(protocol, _)| protocol.starts_with("amqp")) {
        return Err(ApiError::check_failed(
            json!({ "reason": "no AMQP listener is up" }),
        ));
    }
    ok()
}

async fn below_limit(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    let connections = api.broker.connections.len() as u64;
    let limit = api.settings.amqp.connection_max;
    let shown = limit.map_or(json!("infinity"), |limit| json!(limit));
    if limit.is_some_and(|limit| connections >= limit) {
        return Err(ApiError::check_failed(json!({
            "reason": "node connection limit is reached",
            "limit": shown,
            "connections": connections,
        })));
    }
    Ok(Json(
        json!({ "status": "ok", "limit": shown, "connections": connections }),
    ))
}

async fn store_open(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    match store_failure(&api) {
        None => ok(),
        Some(failure) => Err(ApiError::check_failed(json!({ "reason": failure }))),
    }
}

/// There is a virtual host and a user: the definitions were read or made.
async fn store_filled(State(api): State<SharedApi>, caller: Caller) -> Checked {
    if api.broker.vhosts().is_empty() {
        return Err(ApiError::check_failed(
            json!({ "reason": "there is no virtual host" }),
        ));
    }
    store_open(State(api), caller).await
}

/// A queue of one node leads itself while the store works.
async fn leaders(State(api): State<SharedApi>, _caller: Caller) -> Checked {
    match store_failure(&api) {
        None => Ok(Json(json!({ "status": "ok", "queues": [] }))),
        Some(failure) => Err(ApiError::check_failed(json!({ "reason": failure }))),
    }
}

async fn node(State(api): State<SharedApi>, _caller: Caller) -> Json<Value> {
    let alarms = in_alarm(&api);
    if let Some(failure) = store_failure(&api) {
        return Json(json!({ "status": "failed", "reason": failure }));
    }
    if alarms.is_empty() {
        return Json(json!({ "status": "ok" }));
    }
    let reason = format!("resource alarm(s) in effect:[{}]", alarms.join(","));
    Json(json!({ "status": "failed", "reason": reason }))
}

async fn named_node(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Checked {
    if name != api.node.name {
        return Err(ApiError::not_found());
    }
    Ok(node(State(api), caller).await)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::StatusCode;
    use tower::ServiceExt;

    use super::*;

    #[tokio::test]
    async fn a_check_ends_when_the_request_says_so() {
        let router = Router::new()
            .route("/never", get(std::future::pending::<StatusCode>))
            .route("/at-once", get(|| async { "ok" }))
            .route_layer(from_fn(in_time));
        for (path, timeout, expected) in [
            ("/never", "1", StatusCode::SERVICE_UNAVAILABLE),
            ("/never", "soon", StatusCode::BAD_REQUEST),
            ("/at-once", "0", StatusCode::OK),
            ("/at-once", "60000", StatusCode::OK),
        ] {
            let request = Request::get(path).header("timeout", timeout);
            let request = request.body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), expected, "{path} {timeout}");
        }
    }

    #[test]
    fn protocols_are_known_by_every_name() {
        for (asked, kept) in [
            ("amqp091", "amqp"),
            ("amqp0.9.1", "amqp"),
            ("amqps", "amqp/ssl"),
            ("amqp/ssl", "amqp/ssl"),
            ("prometheus", "http/prometheus"),
            ("web-mqtt", "http/web-mqtt"),
            ("nosuch", "nosuch"),
        ] {
            assert_eq!(protocol_name(asked), kept);
        }
    }
}
