//! Metrics of the node: what comes and goes, what the process uses, alarms, logins.

use super::aggregate::{Aggregate, Identity};
use super::exposition::{Exposition, Kind};
use crate::management::state::Api;
use crate::store::log::meter::SYNC_BUCKETS;

/// Files that are open for other things than connections.
const OTHER_FILES: u64 = 100;

/// `connection_churn_metrics`.
pub fn churn(api: &Api, all: &Aggregate, prefix: &str, out: &mut Exposition) {
    let churn = &api.broker.churn;
    let totals = &all.totals;
    for (name, help, value) in [
        (
            "connections_opened_total",
            "Connections opened.",
            churn.connection_created.get(),
        ),
        (
            "connections_closed_total",
            "Connections closed.",
            churn.connection_closed.get(),
        ),
        (
            "channels_opened_total",
            "Channels opened.",
            churn.channel_created.get(),
        ),
        (
            "channels_closed_total",
            "Channels closed.",
            churn.channel_closed.get(),
        ),
        (
            "queues_declared_total",
            "Declarations of queues, of present ones too.",
            totals.queue_declared,
        ),
        ("queues_created_total", "Queues made.", totals.queue_created),
        (
            "queues_deleted_total",
            "Queues deleted.",
            totals.queue_deleted,
        ),
    ] {
        out.single(&format!("{prefix}{name}"), Kind::Counter, help, value);
    }
}

/// `node_coarse_metrics`.
pub fn coarse(all: &Aggregate, prefix: &str, out: &mut Exposition) {
    let used = &all.node.resources;
    for (name, help, value) in [
        ("process_open_fds", "Open files and sockets.", used.fd_used),
        (
            "process_open_tcp_sockets",
            "Sockets of clients.",
            used.sockets_used,
        ),
        (
            "process_resident_memory_bytes",
            "Resident memory.",
            used.mem_used,
        ),
        (
            "disk_space_available_bytes",
            "Free space of the data folder's disk.",
            used.disk_free,
        ),
        (
            "erlang_processes_used",
            "Connections, channels and queues.",
            used.proc_used,
        ),
    ] {
        out.single(&format!("{prefix}{name}"), Kind::Gauge, help, value);
    }
    for (name, help, value) in [
        (
            "erlang_gc_runs_total",
            "Always 0: memory is not collected.",
            0,
        ),
        (
            "erlang_gc_reclaimed_bytes_total",
            "Always 0: memory is not collected.",
            0,
        ),
        (
            "erlang_scheduler_context_switches_total",
            "Context switches.",
            used.context_switches,
        ),
    ] {
        out.single(&format!("{prefix}{name}"), Kind::Counter, help, value);
    }
}

/// `node_metrics`.
pub fn limits(api: &Api, all: &Aggregate, prefix: &str, out: &mut Exposition) {
    let files = api.node.files_max;
    let uptime = api.started.elapsed().as_secs_f64();
    let name = |name: &str| format!("{prefix}{name}");
    for (key, help, value) in [
        (
            "process_max_fds",
            "Files and sockets that may be open.",
            files,
        ),
        (
            "process_max_tcp_sockets",
            "Sockets among them.",
            files.saturating_sub(OTHER_FILES),
        ),
        (
            "resident_memory_limit_bytes",
            "Memory from which on publishers are blocked.",
            all.node.mem_limit,
        ),
        (
            "disk_space_available_limit_bytes",
            "Free space below which publishers are blocked.",
            all.node.disk_limit,
        ),
        (
            "erlang_processes_limit",
            "What RabbitMQ has by default; nothing is limited here.",
            1_048_576,
        ),
        (
            "erlang_scheduler_run_queue",
            "Always 0: it is not measured.",
            0,
        ),
        (
            "erlang_net_ticktime_seconds",
            "What RabbitMQ has by default.",
            60,
        ),
    ] {
        out.single(&name(key), Kind::Gauge, help, value);
    }
    out.single(
        &name("erlang_uptime_seconds"),
        Kind::Gauge,
        "Seconds since the start.",
        uptime,
    );
}

/// `node_persister_metrics`.
pub fn persister(api: &Api, all: &Aggregate, prefix: &str, out: &mut Exposition) {
    let used = &all.node.resources;
    let counts = &all.totals.counts;
    let none = "Always 0: there is nothing like it.";
    let log = api.broker.journal.log();
    let (batches, seconds) = log.map_or(([0; SYNC_BUCKETS], 0.0), |log| log.meter().syncs());
    let syncs: u64 = batches.iter().sum();
    for (name, help, value) in [
        (
            "io_read_ops_total",
            "Reads from files of the store.",
            used.io_read_count,
        ),
        ("io_read_bytes_total", "Octets of them.", used.io_read_bytes),
        ("io_write_ops_total", "Writes to the commit log.", syncs),
        (
            "io_write_bytes_total",
            "Octets written to files.",
            used.io_write_bytes,
        ),
        ("io_sync_ops_total", "Syncs of the commit log.", syncs),
        ("io_seek_ops_total", none, 0),
        ("io_reopen_ops_total", none, 0),
        ("schema_db_ram_tx_total", none, 0),
        ("schema_db_disk_tx_total", none, 0),
        (
            "msg_store_read_total",
            "Messages read from files.",
            counts.disk_reads,
        ),
        (
            "msg_store_write_total",
            "Messages written to files.",
            counts.disk_writes,
        ),
        ("queue_index_read_ops_total", none, 0),
        ("queue_index_write_ops_total", none, 0),
    ] {
        out.single(&format!("{prefix}{name}"), Kind::Counter, help, value);
    }
    for (name, help, value) in [
        ("io_read_time_seconds_total", none, 0.0),
        (
            "io_write_time_seconds_total",
            "Always 0: counted with the sync.",
            0.0,
        ),
        (
            "io_sync_time_seconds_total",
            "Time of writes with their sync.",
            seconds,
        ),
        ("io_seek_time_seconds_total", none, 0.0),
    ] {
        out.single(&format!("{prefix}{name}"), Kind::Counter, help, value);
    }
}

/// `ra_metrics`: the families without samples, as RabbitMQ has them while no queue is replicated.
pub fn raft(prefix: &str, out: &mut Exposition) {
    for (name, kind) in [
        ("term_total", Kind::Counter),
        ("log_snapshot_index", Kind::Gauge),
        ("log_last_applied_index", Kind::Gauge),
        ("log_commit_index", Kind::Gauge),
        ("log_last_written_index", Kind::Gauge),
        ("entry_commit_latency_seconds", Kind::Gauge),
    ] {
        let name = format!("{prefix}raft_{name}");
        out.family(&name, kind, "Of replicated queues.");
    }
}

/// `auth_attempt_metrics`.
pub fn logins(api: &Api, prefix: &str, out: &mut Exposition) {
    let attempts = &api.broker.auth_attempts;
    let rows = [("http", &attempts.http), ("amqp091", &attempts.amqp)];
    let families = ["", "succeeded_", "failed_"];
    for outcome in families {
        let name = format!("{prefix}auth_attempts_{outcome}total");
        out.family(&name, Kind::Counter, "Attempts to log in.");
        for (protocol, row) in rows {
            let value = match outcome {
                "succeeded_" => row.succeeded(),
                "failed_" => row.failed(),
                _ => row.succeeded() + row.failed(),
            };
            out.sample(&name, &[("protocol", protocol)], value);
        }
    }
}

/// Alarms, 0 or 1.
pub fn alarms(all: &Aggregate, out: &mut Exposition) {
    for (name, help, set) in [
        (
            "file_descriptor_limit",
            "Never: connections are refused one by one.",
            false,
        ),
        (
            "free_disk_space_watermark",
            "1 while the disk is almost full.",
            all.node.disk_alarm,
        ),
        (
            "memory_used_watermark",
            "1 while memory is short.",
            all.node.mem_alarm,
        ),
    ] {
        let name = format!("rabbitmq_alarms_{name}");
        out.single(&name, Kind::Untyped, help, u64::from(set));
    }
}

/// How many objects there are.
pub fn objects(api: &Api, all: &Aggregate, out: &mut Exposition) {
    let totals = &all.totals;
    let connections = api.broker.connections.len() as u64;
    for (name, help, value) in [
        ("connections", "Open connections.", connections),
        ("channels", "Open channels.", totals.channels),
        ("consumers", "Consumers.", totals.consumers),
        ("queues", "Queues.", totals.queues),
    ] {
        out.single(&format!("rabbitmq_{name}"), Kind::Gauge, help, value);
    }
}

/// Who this is. Every endpoint has it exactly once: dashboards join by it.
pub fn identity(identity: &Identity, out: &mut Exposition) {
    let name = "rabbitmq_build_info";
    out.family(name, Kind::Untyped, "Versions.");
    let version = identity.version.as_str();
    let labels = [
        ("rabbitmq_version", version),
        ("prometheus_plugin_version", version),
        ("prometheus_client_version", "none"),
        ("erlang_version", "none"),
        ("product_name", "Leveret"),
        ("product_version", env!("CARGO_PKG_VERSION")),
    ];
    out.sample(name, &labels, 1);
    let name = "rabbitmq_identity_info";
    out.family(name, Kind::Untyped, "Node and cluster.");
    let labels = [
        ("rabbitmq_node", identity.node.as_str()),
        ("rabbitmq_cluster", &identity.cluster),
        ("rabbitmq_cluster_permanent_id", &identity.id),
        ("rabbitmq_endpoint", identity.endpoint),
    ];
    out.sample(name, &labels, 1);
}
