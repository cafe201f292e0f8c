//! Health checks: each says in a sentence what it found, and fails with 69 where it is not well.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use serde_json::{Value, json};

use super::facts::{Facts, listener_line};
use super::json::{integer, text};
use crate::client::path;
use crate::context::Context;
use crate::failure::{Failure, UNAVAILABLE};
use crate::format::Formatter;
use crate::spec::{Answer, Group, Needs, Opt, Spec, Takes};

/// How long one listener may take to accept, where the command has more time than that.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// The units of `--within`.
const UNITS: [&str; 4] = ["days", "weeks", "months", "years"];

/// How many units a certificate has to hold where the command does not say it.
const WITHIN: i64 = 4;

/// The commands of this file.
pub const COMMANDS: &[Spec] = &[
    Spec::new(
        "check_alarms",
        Group::Monitoring,
        "Fails where a resource alarm is in effect",
        check_alarms,
    ),
    Spec::new(
        "check_certificate_expiration",
        Group::Monitoring,
        "Fails where a certificate of a listener ends soon",
        check_certificate_expiration,
    )
    .takes("[--within <period>] [--unit <unit>]", 0, 0)
    .options(&[
        Opt::value(
            "within",
            Takes::Integer,
            "period of time to check, 4 without it",
        ),
        Opt::value(
            "unit",
            Takes::Text,
            "days, weeks (the default), months or years",
        ),
    ]),
    Spec::new(
        "check_if_any_deprecated_features_are_used",
        Group::Monitoring,
        "Fails where a deprecated feature is in use: there are none",
        check_deprecated_features,
    ),
    Spec::new(
        "check_if_node_is_mirror_sync_critical",
        Group::Monitoring,
        "Fails where queues would lose mirrors that they need: does not apply to a single node",
        check_mirrors,
    ),
    Spec::new(
        "check_if_node_is_quorum_critical",
        Group::Monitoring,
        "Fails where queues would lose their quorum: does not apply to a single node",
        check_quorum,
    ),
    Spec::new(
        "check_local_alarms",
        Group::Monitoring,
        "Fails where a resource alarm of this node is in effect",
        check_local_alarms,
    ),
    Spec::new(
        "check_port_connectivity",
        Group::Monitoring,
        "Connects to the port of each listener and fails where one does not accept",
        check_port_connectivity,
    )
    .takes("[--address <address>]", 0, 0)
    .options(&[Opt::value(
        "address",
        Takes::Text,
        "host or address to connect to instead of the listeners' own",
    )]),
    Spec::new(
        "check_port_listener",
        Group::Monitoring,
        "Fails where no listener is up on that port",
        check_port_listener,
    )
    .takes("<port>", 1, 1),
    Spec::new(
        "check_protocol_listener",
        Group::Monitoring,
        "Fails where no listener of that protocol is up",
        check_protocol_listener,
    )
    .takes("<protocol>", 1, 1),
    Spec::new(
        "check_running",
        Group::Monitoring,
        "Fails where the broker is not running",
        check_running,
    )
    .needs(Needs::Nothing),
    Spec::new(
        "check_virtual_hosts",
        Group::Monitoring,
        "Fails where a virtual host is down",
        check_virtual_hosts,
    ),
];

/// A check that is well.
fn well(text: &str, json: Value) -> Answer {
    let text = format!("{text}\n");
    Answer::Page { text, json }
}

/// The same of a check whose exit status says it alone with `--silent`.
fn passed(context: &Context, text: &str, json: Value) -> Answer {
    if context.flag("silent") && !context.formatter.is_for_programs() {
        return Answer::Written;
    }
    well(text, json)
}

/// A check that is not: for programs its facts, for people the sentence.
fn unwell(context: &Context, sentence: Failure, json: &Value) -> Failure {
    match context.formatter {
        Formatter::Json | Formatter::JsonStream => Failure::plain(UNAVAILABLE, json.to_string()),
        _ => sentence,
    }
}

/// What a health check of the API answers: its body, and whether it is well.
fn ask(context: &Context, parts: &[&str]) -> Result<(bool, Value), Failure> {
    let whole: Vec<&str> = ["health", "checks"].iter().chain(parts).copied().collect();
    let reply = context.get(&path(&whole))?;
    if !reply.is_done() && reply.status.as_u16() != 503 {
        return Err(reply.failure());
    }
    Ok((reply.is_done(), reply.json()?))
}

fn check_running(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Checking if RabbitMQ is running on node {node} ..."
    ));
    if context.is_up()? {
        return Ok(Answer::Text(format!(
            "RabbitMQ on node {node} is fully booted and running"
        )));
    }
    Err(Failure::refused(
        UNAVAILABLE,
        super::inspect::not_running(&node),
    ))
}

fn check_local_alarms(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Asking node {node} to report any local resource alarms ..."
    ));
    let alarms = Facts::read(context)?.alarms();
    if alarms.is_empty() {
        let text = format!("Node {node} reported no local alarms");
        return Ok(passed(context, &text, json!({ "result": "ok" })));
    }
    let facts = json!({
        "local": alarms,
        "message": format!("Node {node} reported local alarms"),
        "result": "error",
    });
    let sentence = Failure::refused(UNAVAILABLE, alarms.join("\n"));
    Err(unwell(context, sentence, &facts))
}

fn check_alarms(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Asking node {node} to report any local resource alarms ..."
    ));
    let alarms = Facts::read(context)?.alarms();
    if alarms.is_empty() {
        let text = format!("Node {node} reported no alarms, local or clusterwide");
        return Ok(passed(context, &text, json!({ "result": "ok" })));
    }
    let facts = super::inspect::alarms_json(&node, &alarms, "error");
    let sentence = Failure::plain(UNAVAILABLE, alarms.join("\n"));
    Err(unwell(context, sentence, &facts))
}

fn check_virtual_hosts(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Checking if all vhosts are running on node {node} ..."
    ));
    let (is_well, body) = ask(context, &["virtual-hosts"])?;
    if is_well {
        let text = format!("Node {node} reported all vhosts as running");
        return Ok(passed(context, &text, json!({ "result": "ok" })));
    }
    let down = body.get("virtual-hosts").cloned().unwrap_or(json!([]));
    let names: Vec<&str> = down
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let text = format!(
        "Some virtual hosts on node {node} are down:\n{}",
        names.join("\n")
    );
    let facts = json!({ "down_vhosts": down, "result": "error" });
    Err(unwell(context, Failure::refused(UNAVAILABLE, text), &facts))
}

fn check_port_listener(context: &Context) -> Result<Answer, Failure> {
    let asked = context.word(0);
    let Some(port) = asked.parse::<u16>().ok().filter(|port| *port > 0) else {
        let text = "Bad argument: Argument must be a positive integer";
        return Err(Failure::bad_argument(text));
    };
    let node = context.node()?;
    context.banner(&format!(
        "Asking node {node} if there's an active listener on port {port} ..."
    ));
    let (is_well, body) = ask(context, &["port-listener", &port.to_string()])?;
    if is_well {
        let text = format!("A listener for port {port} is running on node {node}.");
        return Ok(well(
            &text,
            json!({ "node": node, "port": asked, "result": "ok" }),
        ));
    }
    let ports = body.get("ports").cloned().unwrap_or(json!([]));
    let text = format!(
        "No listener for port {port} is active on node {node}. \
         Found listeners that use the following ports: {}",
        listed(&ports)
    );
    let facts = json!({
        "listeners": Facts::read(context)?.listeners(),
        "missing": asked,
        "ports": ports,
        "result": "error",
    });
    Err(unwell(context, Failure::plain(UNAVAILABLE, text), &facts))
}

fn check_protocol_listener(context: &Context) -> Result<Answer, Failure> {
    let (node, asked) = (context.node()?, context.word(0));
    context.banner(&format!(
        "Asking node {node} if there's an active listener for protocol {asked} ..."
    ));
    let (is_well, body) = ask(context, &["protocol-listener", &asked.to_lowercase()])?;
    if is_well {
        let protocol = text(&body, "protocol");
        let text = format!("A listener for protocol {protocol} is running on node {node}.");
        let facts = json!({ "node": node, "protocol": protocol, "result": "ok" });
        return Ok(well(&text, facts));
    }
    let protocols = body.get("protocols").cloned().unwrap_or(json!([]));
    let text = format!(
        "No listener for protocol {} is active on node {node}. \
         Found listeners for the following protocols: {}",
        text(&body, "missing"),
        listed(&protocols)
    );
    let facts = json!({
        "listeners": Facts::read(context)?.listeners(),
        "missing": asked,
        "protocols": protocols,
        "result": "error",
    });
    Err(unwell(context, Failure::refused(UNAVAILABLE, text), &facts))
}

/// Ports or protocols in a sentence.
fn listed(items: &Value) -> String {
    let shown = items
        .as_array()
        .into_iter()
        .flatten()
        .map(|item| match item {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    shown.collect::<Vec<_>>().join(", ")
}

fn check_port_connectivity(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Testing TCP connections to all active listeners on node {node} ..."
    ));
    let limit = context
        .timeout()
        .unwrap_or(CONNECT_WITHIN)
        .min(CONNECT_WITHIN);
    let listeners = Facts::read(context)?.listeners();
    let asked = context.option("address");
    let failed: Vec<&Value> = listeners
        .iter()
        .filter(|listener| !accepts(listener, asked, limit))
        .collect();
    if failed.is_empty() {
        let mut ports: Vec<i64> = listeners.iter().map(|l| integer(l, "port")).collect();
        ports.sort_unstable();
        ports.dedup();
        let text = format!(
            "Successfully connected to ports {} on node {node}.",
            listed(&json!(ports))
        );
        let facts = json!({ "listeners": listeners, "node": node, "result": "ok" });
        return Ok(well(&text, facts));
    }
    let lines: Vec<String> = failed
        .iter()
        .map(|l| format!("I{}", listener_line(l)))
        .collect();
    let text = format!(
        "Connection to ports of the following listeners on node {node} failed: \n{}",
        lines.join("\n")
    );
    let facts = json!({ "failures": failed, "node": node, "result": "error" });
    Err(unwell(context, Failure::refused(UNAVAILABLE, text), &facts))
}

/// Where a listener is to be reached: at `asked`, or at its own address.
fn addresses(interface: &str, port: u16, asked: Option<&str>) -> Vec<SocketAddr> {
    let own = interface.trim_matches(['[', ']']);
    let host = match (asked, own) {
        (Some(asked), _) => asked,
        // It listens everywhere.
        (None, "::" | "0.0.0.0") => "localhost",
        (None, own) => own,
    };
    (host, port)
        .to_socket_addrs()
        .map(Iterator::collect)
        .unwrap_or_default()
}

fn accepts(listener: &Value, asked: Option<&str>, limit: Duration) -> bool {
    let Ok(port) = u16::try_from(integer(listener, "port")) else {
        return false;
    };
    addresses(text(listener, "interface"), port, asked)
        .iter()
        .any(|address| TcpStream::connect_timeout(address, limit).is_ok())
}

fn check_certificate_expiration(context: &Context) -> Result<Answer, Failure> {
    let unit = context.option("unit").unwrap_or("weeks");
    if !UNITS.contains(&unit.to_lowercase().as_str()) {
        return Err(Failure::arguments(format!(
            "\"unit '{unit}' is not supported. Please use one of: {}\"",
            UNITS.join(", ")
        )));
    }
    let within = context
        .option("within")
        .and_then(|within| within.parse::<i64>().ok())
        .unwrap_or(WITHIN);
    let node = context.node()?;
    context.banner(&format!(
        "Checking certificate expiration on node {node} ..."
    ));
    let (is_well, body) = ask(
        context,
        &["certificate-expiration", &within.to_string(), unit],
    )?;
    if is_well {
        let unit = match within {
            1 => unit.trim_end_matches('s'),
            _ => unit,
        };
        let text = format!("No certificates are expiring within {within} {unit}.");
        return Ok(passed(context, &text, json!({ "result": "ok" })));
    }
    let expiring: Vec<Value> = body
        .get("expired")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(super::facts::shown_certificate)
        .collect();
    let lines: Vec<String> = expiring.iter().map(certificate_line).collect();
    let facts = json!({ "expired": expiring, "result": "error" });
    let sentence = Failure::plain(UNAVAILABLE, lines.join("\n"));
    Err(unwell(context, sentence, &facts))
}

/// As `rabbitmq-diagnostics` shows it: a map of Elixir's.
fn certificate_line(listener: &Value) -> String {
    let fields: Vec<String> = listener
        .as_object()
        .into_iter()
        .flatten()
        .map(|(key, value)| match (key.as_str(), value) {
            ("node" | "protocol", Value::String(name)) if is_bare(name) => {
                format!("{key}: :{name}")
            }
            ("node" | "protocol", name) => format!("{key}: :{name}"),
            (_, Value::Null) => format!("{key}: nil"),
            (_, Value::Array(items)) => {
                let items: Vec<String> = items.iter().map(Value::to_string).collect();
                format!("{key}: [{}]", items.join(", "))
            }
            (_, value) => format!("{key}: {value}"),
        })
        .collect();
    format!("%{{{}}}", fields.join(", "))
}

/// Whether an atom of Elixir's needs no quotes.
fn is_bare(name: &str) -> bool {
    let mut letters = name.chars();
    letters
        .next()
        .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@'))
}

/// What holds for a node that has no others to ask.
fn alone(context: &Context, node: &str) -> Answer {
    const SAME: &str =
        "seems to be the only one in a single node cluster, the check does not apply";
    let facts = json!({ "message": format!("Target node {SAME}"), "result": "ok" });
    passed(context, &format!("Node {node} {SAME}"), facts)
}

fn check_mirrors(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Checking if node {node} is critical for data safety of any classic mirrored queues ..."
    ));
    ask(context, &["node-is-mirror-sync-critical"])?;
    Ok(alone(context, &node))
}

fn check_quorum(context: &Context) -> Result<Answer, Failure> {
    let node = context.node()?;
    context.banner(&format!(
        "Checking if node {node} is critical for quorum of any quorum queues ..."
    ));
    ask(context, &["node-is-quorum-critical"])?;
    Ok(alone(context, &node))
}

fn check_deprecated_features(context: &Context) -> Result<Answer, Failure> {
    let used = context.list("/api/deprecated-features/used")?;
    let names: Vec<&str> = used.iter().map(|feature| text(feature, "name")).collect();
    context.banner("Checking if any deprecated features are used ...");
    if names.is_empty() {
        let text = "No deprecated features in use";
        return Ok(passed(context, text, json!({ "result": "ok" })));
    }
    let text = format!("Deprecated features are in use: {}", names.join(", "));
    let facts = json!({ "features": names, "result": "error" });
    Err(unwell(context, Failure::refused(UNAVAILABLE, text), &facts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_shown_as_rabbitmq_shows_them() {
        let listener = json!({
            "cacertfile": null, "certfile": "/x/cert.pem", "certfile_expires_on": ["a", "b"],
            "node": "rabbit@localhost", "port": 5671, "protocol": "amqp/ssl",
        });
        assert_eq!(
            certificate_line(&listener),
            "%{cacertfile: nil, certfile: \"/x/cert.pem\", certfile_expires_on: [\"a\", \"b\"], \
             node: :rabbit@localhost, port: 5671, protocol: :\"amqp/ssl\"}"
        );
    }

    #[test]
    fn a_listener_is_looked_for_where_it_listens_or_where_it_was_asked_for() {
        let listening = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listening.local_addr().unwrap().port();
        let listener = json!({ "interface": "127.0.0.1", "port": port });
        assert!(accepts(&listener, None, CONNECT_WITHIN));
        assert!(accepts(&listener, Some("127.0.0.1"), CONNECT_WITHIN));
        assert!(
            addresses("[::]", 1, None)
                .iter()
                .all(|address| address.ip().is_loopback())
        );
        drop(listening);
        assert!(!accepts(&listener, None, CONNECT_WITHIN));
        assert!(!accepts(
            &json!({ "interface": "::" , "port": 70_000 }),
            None,
            CONNECT_WITHIN
        ));
    }
}
