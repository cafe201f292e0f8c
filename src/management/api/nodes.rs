//! The node: what it is, what it uses, and how its memory is shared out.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::overview::{churn_rates, contexts, exchange_types};
use crate::broker::alarms::resident_memory;
use crate::broker::observe::observer::RESOURCE_SERIES;
use crate::broker::observe::views::NodeView;
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::query::Params;
use crate::management::reading::Reading;
use crate::management::segments::Segments;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::details;
use crate::management::shape::{Details, aside, erlang};
use crate::management::state::{Api, SharedApi};
use crate::message::chunk::bytes_held;
use crate::message::held::bytes_outside;
use crate::queue::block::index_bytes;
use crate::time::unix_ms;

/// Octets that a connection is counted as.
const CONNECTION_BYTES: u64 = 16 * 1024;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    let one = "/api/nodes/{node}";
    Router::new()
        .route("/api/nodes", get(all))
        .route(one, get(show))
        .route(&format!("{one}/memory"), get(memory))
        .route(&format!("{one}/memory/relative"), get(memory_relative))
}

fn check(api: &Api, caller: &Caller, node: &str) -> Result<(), ApiError> {
    caller.require_monitor()?;
    if node != api.node.name {
        return Err(ApiError::not_found());
    }
    Ok(())
}

async fn all(Reading(api, caller, listing, ranges): Reading) -> Result<Json<Value>, ApiError> {
    caller.require_monitor()?;
    aside(move || {
        listing
            .answer(vec![node(&api, ranges)], &["name"])
            .map(Json)
    })
    .await
}

async fn show(
    Reading(api, caller, listing, ranges): Reading,
    Segments(name): Segments<String>,
    params: Params,
) -> Result<Json<Value>, ApiError> {
    check(&api, &caller, &name)?;
    aside(move || {
        let mut node = node(&api, ranges);
        if params.flag("memory")
            && let Some(fields) = node.as_object_mut()
        {
            fields.insert("memory".to_owned(), Value::Object(breakdown(&api)));
        }
        Ok(Json(listing.columns.apply(node)))
    })
    .await
}

/// The fields of `GET /api/nodes`.
fn node(api: &Api, ranges: Ranges) -> Value {
    let view = NodeView::of(&api.broker);
    let settings = &api.settings;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    let paths = |paths: &[std::path::PathBuf]| -> Value {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    put("name", json!(api.node.name));
    put("type", json!("disc"));
    put("running", json!(true));
    put("being_drained", json!(false));
    put("partitions", json!([]));
    put("os_pid", json!(std::process::id().to_string()));
    put("uptime", json!(api.started.elapsed().as_millis() as u64));
    put("processors", json!(view.processors));
    put("run_queue", json!(erlang::RUN_QUEUE));
    put("rates_mode", json!("basic"));
    put("net_ticktime", json!(erlang::NET_TICKTIME));
    put("fd_total", json!(api.node.files_max));
    put("sockets_total", json!(api.node.files_max));
    put("proc_total", json!(erlang::PROC_TOTAL));
    put("mem_limit", json!(view.mem_limit));
    put("mem_alarm", json!(view.mem_alarm));
    put("mem_calculation_strategy", json!("rss"));
    put("disk_free_limit", json!(view.disk_limit));
    put("disk_free_alarm", json!(view.disk_alarm));
    put("exchange_types", exchange_types());
    put("auth_mechanisms", mechanisms(api));
    put("applications", applications(api));
    put("contexts", contexts(api, false));
    put("log_files", json!(api.node.log_files));
    put("db_dir", json!(api.node.data_dir.display().to_string()));
    put("config_files", paths(&api.node.config_files));
    put("enabled_plugins", json!(PLUGINS));
    put("rabbitmq_version", json!(settings.node.product_version));
    put("erlang_version", json!(erlang::ERLANG_VERSION));
    put("crypto_lib_version", json!("rustls"));
    put("ra_open_file_metrics", erlang::ra_open_file_metrics());
    put("cluster_links", json!([]));
    put("metrics_gc_queue_length", erlang::metrics_gc_queue_length());
    for name in erlang::NODE_COUNTERS {
        put(name, json!(0));
        put(&format!("{name}_details"), json!(Details::still()));
    }
    resources(api, &view, ranges, &mut put);
    for (name, value) in churn_rates(api, ranges) {
        put(&name, value);
    }
    Value::Object(fields)
}

/// What is built in, under the names of RabbitMQ's plugins.
const PLUGINS: [&str; 2] = ["rabbitmq_management", "rabbitmq_prometheus"];

fn mechanisms(api: &Api) -> Value {
    api.settings
        .auth
        .mechanisms
        .iter()
        .map(|name| {
            json!({
                "name": name,
                "description": format!("SASL {name} authentication mechanism"),
                "enabled": true,
            })
        })
        .collect()
}

fn applications(api: &Api) -> Value {
    let version = &api.settings.node.product_version;
    json!([
        { "name": "rabbit", "description": "RabbitMQ", "version": version },
        {
            "name": "rabbitmq_management",
            "description": "RabbitMQ Management Console",
            "version": version,
        },
        { "name": "rabbitmq_prometheus", "description": "", "version": version },
        {
            "name": "leveret",
            "description": "What answers here",
            "version": env!("CARGO_PKG_VERSION"),
        },
    ])
}

type Read = fn(&[u64; RESOURCE_SERIES]) -> u64;

/// The numbers that are sampled; `name` and `name_details`.
const SAMPLED: [(&str, Read); RESOURCE_SERIES] = [
    ("mem_used", |s| s[0]),
    ("fd_used", |s| s[1]),
    ("sockets_used", |s| s[2]),
    ("proc_used", |s| s[3]),
    ("disk_free", |s| s[4]),
    ("io_read_count", |s| s[5]),
    ("io_read_bytes", |s| s[6]),
    ("io_write_count", |s| s[7]),
    ("io_write_bytes", |s| s[8]),
    ("io_sync_count", |s| s[9]),
    ("context_switches", |s| s[10]),
];

fn resources(api: &Api, view: &NodeView, ranges: Ranges, put: &mut impl FnMut(&str, Value)) {
    let observer = &api.broker.observer;
    let samples = ranges
        .node_stats
        .map(|range| observer.resource_samples(range, unix_ms()));
    let series = view.resources.series();
    for (name, read) in SAMPLED {
        put(name, json!(read(&series)));
        let details = details(&view.step, samples.as_deref(), read);
        put(&format!("{name}_details"), json!(details));
    }
    let io = api.broker.observer.io();
    for (name, average) in [
        ("io_read_avg_time", io.reads.average_ms()),
        ("io_write_avg_time", io.writes.average_ms()),
        ("io_sync_avg_time", io.syncs.average_ms()),
    ] {
        put(name, json!(average));
        put(&format!("{name}_details"), json!(Details::still()));
    }
}

/// How resident memory is shared out, under RabbitMQ's names: what is not known goes to
/// `other_system`, what has no counterpart here is 0.
fn breakdown(api: &Api) -> Map<String, Value> {
    const NONE: [&str; 17] = [
        "connection_writers",
        "connection_channels",
        "queue_slave_procs",
        "quorum_queue_procs",
        "quorum_queue_dlx_procs",
        "stream_queue_procs",
        "stream_queue_replica_reader_procs",
        "stream_queue_coordinator_procs",
        "plugins",
        "other_proc",
        "metrics",
        "mgmt_db",
        "mnesia",
        "metadata_store",
        "metadata_store_ets",
        "quorum_ets",
        "atom",
    ];
    let resident = resident_memory().unwrap_or(0);
    let connections = api.broker.connections.sessions() * CONNECTION_BYTES;
    let known = [
        ("connection_readers", connections),
        ("connection_other", bytes_outside()),
        ("queue_procs", index_bytes()),
        ("binary", bytes_held()),
        (
            "msg_index",
            api.broker
                .journal
                .log()
                .map_or(0, |log| log.pending_bytes() as u64),
        ),
    ];
    let sum: u64 = known.iter().map(|(_, octets)| octets).sum();
    let mut fields = Map::new();
    for name in NONE {
        fields.insert(name.to_owned(), json!(0));
    }
    for (name, octets) in known {
        fields.insert(name.to_owned(), json!(octets));
    }
    for (name, octets) in [
        ("other_ets", 0),
        ("code", 0),
        ("other_system", resident.saturating_sub(sum)),
        ("allocated_unused", 0),
        ("reserved_unallocated", 0),
    ] {
        fields.insert(name.to_owned(), json!(octets));
    }
    fields.insert("strategy".to_owned(), json!("rss"));
    fields.insert(
        "total".to_owned(),
        json!({ "erlang": sum.min(resident), "rss": resident, "allocated": resident }),
    );
    fields
}

async fn memory(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    check(&api, &caller, &name)?;
    Ok(Json(json!({ "memory": breakdown(&api) })))
}

async fn memory_relative(
    State(api): State<SharedApi>,
    caller: Caller,
    Segments(name): Segments<String>,
) -> Result<Json<Value>, ApiError> {
    check(&api, &caller, &name)?;
    let fields = breakdown(&api);
    let total = fields
        .get("total")
        .and_then(|total| total.get("rss"))
        .and_then(Value::as_u64)
        .unwrap_or(0)
        .max(1);
    let mut shares = Map::new();
    for (name, value) in &fields {
        if let Some(octets) = value.as_u64() {
            // Rounded up, as RabbitMQ's: what is there at all is 1.
            shares.insert(name.clone(), json!((octets * 100).div_ceil(total)));
        }
    }
    shares.insert("total".to_owned(), json!(100));
    Ok(Json(json!({ "memory": shares })))
}
