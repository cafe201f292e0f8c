//! `status` and `cluster_status`: the pages that operators read first, and the same as JSON.

use serde_json::{Map, Value, json};

use super::facts::{Facts, listener_line};
use super::flags;
use super::json::{integer, text};
use crate::context::Context;
use crate::failure::Failure;
use crate::help::heading;
use crate::spec::{Answer, Group, Spec};

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "cluster_status",
        Group::Cluster,
        "Displays the node, its version, alarms and listeners",
        cluster_status,
    ),
    Spec::new(
        "listeners",
        Group::Monitoring,
        "Lists the listeners of the node",
        listeners,
    ),
    Spec::new(
        "report",
        Group::Monitoring,
        "Generates a server status report for support purposes",
        report,
    ),
    Spec::new(
        "status",
        Group::Monitoring,
        "Displays status of a node",
        status,
    ),
];

/// 10^9 octets, as RabbitMQ rounds them.
fn gigabytes(octets: i64) -> String {
    let rounded = (octets as f64 / 1e9 * 1e4).round() / 1e4;
    format!("{rounded:?} gb")
}

fn section(page: &mut String, title: &str, lines: &[String]) {
    page.push_str(&format!("{}\n\n", heading(title, false)));
    for line in lines {
        page.push_str(line);
        page.push('\n');
    }
    page.push('\n');
}

fn points(items: &[String]) -> Vec<String> {
    if items.is_empty() {
        return vec!["(none)".to_owned()];
    }
    items.iter().map(|item| format!(" * {item}")).collect()
}

fn status(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Status of node {node} ..."));
    let facts = Facts::read(context)?;
    let alarms = facts.alarms();
    let json = status_json(&facts, &alarms);
    Ok(Answer::Page {
        text: status_page(&facts, &alarms),
        json,
    })
}

fn status_page(facts: &Facts, alarms: &[String]) -> String {
    let node = &facts.node;
    let mut page = String::new();
    section(
        &mut page,
        "Runtime",
        &[
            format!("OS PID: {}", facts.total("pid")),
            "OS: Linux".to_owned(),
            format!("Uptime (seconds): {}", facts.total("uptime_s")),
            "Is under maintenance?: false".to_owned(),
            format!(
                "RabbitMQ version: {}",
                text(&facts.overview, "rabbitmq_version")
            ),
            format!("Leveret version: {}", text(&facts.own, "version")),
            format!("Node name: {}", facts.name),
        ],
    );
    section(
        &mut page,
        "Plugins",
        &points(&facts.strings("enabled_plugins")),
    );
    let data = format!("Node data directory: {}", text(node, "db_dir"));
    section(&mut page, "Data directory", &[data]);
    section(
        &mut page,
        "Config files",
        &points(&facts.strings("config_files")),
    );
    section(
        &mut page,
        "Log file(s)",
        &points(&facts.strings("log_files")),
    );
    section(&mut page, "Alarms", &shown_alarms(alarms));
    section(
        &mut page,
        "Memory",
        &[
            format!(
                "Total memory used: {}",
                gigabytes(integer(node, "mem_used"))
            ),
            format!(
                "Calculation strategy: {}",
                text(node, "mem_calculation_strategy")
            ),
            format!(
                "Memory high watermark setting: computed to: {}",
                gigabytes(integer(node, "mem_limit"))
            ),
        ],
    );
    section(
        &mut page,
        "File Descriptors",
        &[
            format!(
                "Total: {}, limit: {}",
                integer(node, "fd_used"),
                integer(node, "fd_total")
            ),
            format!(
                "Sockets: {}, limit: {}",
                integer(node, "sockets_used"),
                integer(node, "sockets_total")
            ),
        ],
    );
    section(
        &mut page,
        "Free Disk Space",
        &[
            format!(
                "Low free disk space watermark: {}",
                gigabytes(integer(node, "disk_free_limit"))
            ),
            format!("Free disk space: {}", gigabytes(integer(node, "disk_free"))),
        ],
    );
    section(
        &mut page,
        "Totals",
        &[
            format!("Connection count: {}", facts.total("connections")),
            format!("Queue count: {}", facts.total("queues")),
            format!("Virtual host count: {}", facts.total("vhosts")),
        ],
    );
    section(&mut page, "Store", &own_lines(&facts.own));
    let lines: Vec<String> = facts
        .listeners()
        .iter()
        .map(|listener| format!("I{}", listener_line(listener)))
        .collect();
    section(&mut page, "Listeners", &lines);
    trimmed(page)
}

/// A page ends with its last line.
fn trimmed(page: String) -> String {
    format!("{}\n", page.trim_end())
}

fn shown_alarms(alarms: &[String]) -> Vec<String> {
    if alarms.is_empty() {
        return vec!["(none)".to_owned()];
    }
    alarms.to_vec()
}

/// What only this broker tells.
fn own_lines(own: &Value) -> Vec<String> {
    let Some(own) = own.as_object() else {
        return Vec::new();
    };
    own.iter()
        .filter(|(_, value)| value.is_number())
        .map(|(key, value)| format!("{key}: {value}"))
        .collect()
}

fn status_json(facts: &Facts, alarms: &[String]) -> Value {
    let node = &facts.node;
    let mut object = json!({
        "active_plugins": facts.strings("enabled_plugins"),
        "alarms": alarms,
        "config_files": facts.strings("config_files"),
        "data_directory": text(node, "db_dir"),
        "disk_free": node.get("disk_free"),
        "disk_free_limit": node.get("disk_free_limit"),
        "file_descriptors": {
            "sockets_limit": node.get("sockets_total"),
            "sockets_used": node.get("sockets_used"),
            "total_limit": node.get("fd_total"),
            "total_used": node.get("fd_used"),
        },
        "is_under_maintenance": false,
        "listeners": facts.listeners(),
        "log_files": facts.strings("log_files"),
        "memory": {
            "strategy": text(node, "mem_calculation_strategy"),
            "total": { "rss": node.get("mem_used") },
        },
        "os": "Linux",
        "product_name": text(&facts.overview, "product_name"),
        "product_version": text(&facts.overview, "product_version"),
        "rabbitmq_version": text(&facts.overview, "rabbitmq_version"),
        "erlang_version": text(&facts.overview, "erlang_full_version"),
        "processes": { "limit": node.get("proc_total"), "used": node.get("proc_used") },
        "run_queue": node.get("run_queue"),
        "totals": {
            "virtual_host_count": facts.total("vhosts"),
            "connection_count": facts.total("connections"),
            "queue_count": facts.total("queues"),
        },
        "uptime": facts.total("uptime_s"),
        "vm_memory_calculation_strategy": text(node, "mem_calculation_strategy"),
        "vm_memory_high_watermark_limit": node.get("mem_limit"),
    });
    // The broker's own facts under their own names: none of them is RabbitMQ's.
    if let (Some(map), Some(own)) = (object.as_object_mut(), facts.own.as_object()) {
        for (key, value) in own {
            map.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    object
}

fn listeners(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Asking node {node} to report its protocol listeners ..."
    ));
    let facts = Facts::read(context)?;
    let listeners = facts.listeners();
    let text: String = listeners
        .iter()
        .map(|listener| format!("I{}\n", listener_line(listener)))
        .collect();
    let json = json!({ "node": node, "result": "ok", "listeners": listeners });
    Ok(Answer::Page { text, json })
}

fn cluster_status(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Cluster status of node {node} ..."));
    let facts = Facts::read(context)?;
    let alarms = facts.alarms();
    Ok(Answer::Page {
        text: cluster_page(&facts, &alarms),
        json: cluster_json(&facts, &alarms),
    })
}

fn cluster_page(facts: &Facts, alarms: &[String]) -> String {
    let name = &facts.name;
    let mut page = String::new();
    let cluster = format!("Cluster name: {}", text(&facts.overview, "cluster_name"));
    section(&mut page, "Basics", &[cluster]);
    section(&mut page, "Disk Nodes", std::slice::from_ref(name));
    section(&mut page, "Running Nodes", std::slice::from_ref(name));
    let version = format!(
        "{name}: {} {} (Leveret {})",
        text(&facts.overview, "product_name"),
        text(&facts.overview, "rabbitmq_version"),
        text(&facts.own, "version")
    );
    section(&mut page, "Versions", &[version]);
    let maintenance = format!("Node: {name}, status: not under maintenance");
    section(&mut page, "Maintenance status", &[maintenance]);
    section(&mut page, "Alarms", &shown_alarms(alarms));
    section(&mut page, "Network Partitions", &["(none)".to_owned()]);
    let lines: Vec<String> = facts
        .listeners()
        .iter()
        .map(|listener| format!("Node: {name}, i{}", listener_line(listener)))
        .collect();
    section(&mut page, "Listeners", &lines);
    let lines: Vec<String> = flags::all()
        .iter()
        .map(|flag| {
            format!(
                "Flag: {}, state: {}",
                text(flag, "name"),
                text(flag, "state")
            )
        })
        .collect();
    section(&mut page, "Feature flags", &lines);
    trimmed(page)
}

fn cluster_json(facts: &Facts, alarms: &[String]) -> Value {
    let name = &facts.name;
    let by_node = |value: Value| {
        let mut map = Map::new();
        map.insert(name.clone(), value);
        Value::Object(map)
    };
    json!({
        "alarms": alarms,
        "cluster_name": text(&facts.overview, "cluster_name"),
        "disk_nodes": [name],
        "feature_flags": flags::all(),
        "listeners": by_node(facts.listeners().into()),
        "maintenance_status": by_node("not under maintenance".into()),
        "partitions": {},
        "ram_nodes": [],
        "running_nodes": [name],
        "versions": by_node(json!({
            "erlang_version": text(&facts.overview, "erlang_version"),
            "rabbitmq_name": text(&facts.overview, "product_name"),
            "rabbitmq_version": text(&facts.overview, "rabbitmq_version"),
        })),
    })
}

fn report(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!("Reporting server status of node {node} ...\n"));
    let facts = Facts::read(context)?;
    let alarms = facts.alarms();
    let mut page = format!(
        "Status of node {node} ...\n{}\nCluster status of node {node} ...\n{}\n",
        status_page(&facts, &alarms),
        cluster_page(&facts, &alarms)
    );
    let settings = context.read("/api/leveret/environment")?;
    page.push_str(&format!("Application environment of node {node} ...\n"));
    for (key, value) in settings.as_object().into_iter().flatten() {
        page.push_str(&format!("{key} = {}\n", value.as_str().unwrap_or_default()));
    }
    let json = json!({
        "status": status_json(&facts, &alarms),
        "cluster_status": cluster_json(&facts, &alarms),
        "environment": settings,
    });
    Ok(Answer::Page { text: page, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_rabbitmqctl_writes_them() {
        assert_eq!(gigabytes(0), "0.0 gb");
        assert_eq!(gigabytes(50_000_000), "0.05 gb");
        assert_eq!(gigabytes(10_110_605_721), "10.1106 gb");
    }
}
