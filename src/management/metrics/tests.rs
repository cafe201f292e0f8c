//! The answers against RabbitMQ's own, which were recorded.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_ENCODING};
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::routes::router;
use crate::amqp::Table;
use crate::broker::observe::sampler;
use crate::broker::shared_queue::QueueSpec;
use crate::broker::{Broker, Options, Vhost};
use crate::config::Settings;
use crate::ids::Name;
use crate::management::transport::Transport;
use crate::management::{Api, NodeFacts, Peer, SharedApi};
use crate::queue::{QueueArguments, QueueKind};

/// What RabbitMQ 3.10.8 answered to `/metrics`: the names of its own metrics and their types.
const RABBITMQ: &str = include_str!("testdata/rabbitmq-3.10.8-metrics.txt");

fn api() -> SharedApi {
    let broker = Broker::new(Options {
        max_message_size: 1 << 20,
        memory_limit: u64::MAX,
        consumer_timeout_ms: None,
        hashing: Default::default(),
        default_kind: QueueKind::Classic,
    });
    let node = NodeFacts::default();
    Api::new(broker, Settings::default(), node, Instant::now())
}

fn declare_queue(broker: &Broker, vhost: &Arc<Vhost>, name: &str) {
    let arguments = Table::default();
    let spec = QueueSpec {
        name: Name::from(name),
        durable: false,
        owner: None,
        auto_delete: false,
        settings: QueueArguments::parse(&arguments, name, QueueKind::Classic).unwrap(),
        arguments,
        declared_by: Name::from("tester"),
    };
    let (_, is_new) = vhost.declare_queue(broker, spec, 1, 1_000).unwrap();
    assert!(is_new);
}

async fn get(router: &Router, uri: &str) -> (StatusCode, String) {
    let request = Request::get(uri).body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Names and types of the families, and the names of the samples. Fails where a sample stands
/// outside its family or a line is not of the format.
fn families(text: &str) -> BTreeMap<String, (String, usize)> {
    let mut all: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut open = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            open = name.to_owned();
            let before = all.insert(open.clone(), (kind.to_owned(), 0));
            assert_eq!(before, None, "{name} stands twice");
        } else if !line.starts_with("# HELP ") {
            let end = line.find(['{', ' ']).unwrap();
            let name = &line[..end];
            let suffixes = ["", "_bucket", "_sum", "_count"];
            let fits = suffixes.iter().any(|s| name == format!("{open}{s}"));
            assert!(fits, "{name} stands in {open}");
            let value = line.rsplit_once(' ').unwrap().1;
            assert!(value == "+Inf" || value.parse::<f64>().is_ok(), "{line}");
            all.get_mut(&open).unwrap().1 += 1;
        }
    }
    all
}

#[tokio::test]
async fn the_sums_have_rabbitmqs_names_and_types() {
    let api = api();
    sampler::round(&api.broker, 1_000).await;
    let (status, text) = get(&router(&api), "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    let found = families(&text);
    let mut count = 0;
    for line in RABBITMQ.lines().filter(|line| !line.starts_with('#')) {
        let (name, kind) = line.split_once(' ').unwrap();
        let (ours, _) = found
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(ours, kind, "{name}");
        count += 1;
    }
    assert!(count > 110, "{count}");
    let (_, identities) = &found["rabbitmq_identity_info"];
    assert_eq!(*identities, 1);
    let zero = "rabbitmq_global_messages_delivered_total{protocol=\"amqp091\",\
                queue_type=\"rabbit_quorum_queue\"} 0";
    assert!(text.lines().any(|line| line == zero));
}

#[tokio::test]
async fn every_object_has_its_samples() {
    let api = api();
    let vhost = api.broker.put_vhost(b"h\"1", None);
    for number in 0..200 {
        declare_queue(&api.broker, &vhost, &format!("q{number}"));
    }
    let (_, text) = get(&router(&api), "/metrics/per-object").await;
    let found = families(&text);
    assert_eq!(found["rabbitmq_queue_messages_ready"].1, 200);
    assert_eq!(found["rabbitmq_identity_info"].1, 1);
    assert!(text.contains("rabbitmq_queue_messages{vhost=\"h\\\"1\",queue=\"q199\"} 0\n"));
    assert!(!found.contains_key("rabbitmq_cluster_vhost_status"));
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask() {
    let transport = Transport::of_metrics(api());
    for path in ["/metrics", "/metrics/per-object"] {
        let request = Request::get(path).header(ACCEPT_ENCODING, "gzip");
        let request = request.body(Body::empty()).unwrap();
        let response = transport.answer(request, Peer::default()).await;
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip", "{path}");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert!(
            body.starts_with(&[0x1f, 0x8b]) && body.len() > 1000,
            "{path}"
        );
    }
}

#[tokio::test]
async fn details_are_chosen_by_family_and_host() {
    let api = api();
    for (host, queue) in [("a", "q1"), ("b", "q2")] {
        let vhost = api.broker.put_vhost(host.as_bytes(), None);
        declare_queue(&api.broker, &vhost, queue);
    }
    let router = router(&api);
    let uri = "/metrics/detailed?family=queue_coarse_metrics&family=vhost_status&vhost=b";
    let (_, text) = get(&router, uri).await;
    let names: BTreeSet<String> = families(&text).into_keys().collect();
    let expected = [
        "rabbitmq_build_info",
        "rabbitmq_cluster_vhost_status",
        "rabbitmq_detailed_queue_messages",
        "rabbitmq_detailed_queue_messages_ready",
        "rabbitmq_detailed_queue_messages_unacked",
        "rabbitmq_detailed_queue_process_reductions_total",
        "rabbitmq_identity_info",
    ];
    assert_eq!(names, expected.map(str::to_owned).into());
    assert!(text.contains("queue=\"q2\"") && !text.contains("queue=\"q1\""));
    let (_, nothing) = get(&router, "/metrics/detailed").await;
    assert_eq!(families(&nothing).len(), 2);
    let (status, _) = get(&router, "/api/overview").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
