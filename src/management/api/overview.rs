//! `GET /api/overview`: the broker at a glance.

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use crate::broker::observe::observer::{CHURN_SERIES, Step, TOTAL_SERIES, counts_of};
use crate::broker::observe::points::Point;
use crate::broker::observe::totals::Totals;
use crate::broker::observe::views::VhostView;
use crate::broker::observe::{totals, views::vhost::vhosts};
use crate::management::auth::Caller;
use crate::management::error::ApiError;
use crate::management::reading::Reading;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::{DELIVERING, MessageStats, PUBLISHING, STORING, details};
use crate::management::shape::{Details, aside, erlang};
use crate::management::state::{Api, SharedApi};
use crate::time::unix_ms;

/// The routes.
pub fn routes() -> Router<SharedApi> {
    Router::new().route("/api/overview", get(overview))
}

async fn overview(Reading(api, caller, listing, ranges): Reading) -> Result<Json<Value>, ApiError> {
    aside(move || Ok(Json(listing.columns.apply(render(&api, &caller, ranges))))).await
}

fn render(api: &Api, caller: &Caller, ranges: Ranges) -> Value {
    let monitor = caller.user.is_monitor();
    let sums = match monitor {
        true => Sums::of_node(api, ranges),
        false => Sums::of_visible(api, caller, ranges),
    };
    let node = &api.settings.node;
    let management = &api.settings.management;
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| {
        fields.insert(name.to_owned(), value);
    };
    put("management_version", json!(node.product_version));
    put("rates_mode", json!("basic"));
    put(
        "sample_retention_policies",
        json!({
            "global": [600, 3600, 28_800, 86_400],
            "basic": [600, 3600],
            "detailed": [600],
        }),
    );
    put("exchange_types", exchange_types());
    put("product_version", json!(node.product_version));
    put("product_name", json!(node.product_name));
    put("rabbitmq_version", json!(node.product_version));
    put("leveret_version", json!(env!("CARGO_PKG_VERSION")));
    put("cluster_name", json!(api.cluster_name()));
    put("erlang_version", json!(erlang::ERLANG_VERSION));
    put("erlang_full_version", json!(erlang::ERLANG_FULL_VERSION));
    put("release_series_support_status", json!("supported"));
    put("disable_stats", json!(management.disable_stats));
    put("enable_queue_totals", json!(management.enable_queue_totals));
    put("is_op_policy_updating_enabled", json!(true));
    put("statistics_db_event_queue", json!(0));
    put("message_stats", sums.message_stats());
    put("queue_totals", sums.queue_totals());
    put("object_totals", sums.object_totals(api, caller));
    put(
        "churn_rates",
        Value::Object(churn_rates(api, ranges).into_iter().collect()),
    );
    if monitor {
        put("node", json!(api.node.name));
        put("listeners", listeners(api));
        put("contexts", contexts(api, true));
    }
    Value::Object(fields)
}

/// What is summed up for a caller: the node, or the virtual hosts it sees.
struct Sums {
    totals: Totals,
    step: Step<TOTAL_SERIES>,
    lengths: Option<Vec<Point<TOTAL_SERIES>>>,
    rates: Option<Vec<Point<TOTAL_SERIES>>>,
}

impl Sums {
    fn of_node(api: &Api, ranges: Ranges) -> Self {
        let (observer, now) = (&api.broker.observer, unix_ms());
        let samples = |range| observer.node_samples(range, now);
        Self {
            totals: totals::of_node(&api.broker),
            step: observer.node_step(),
            lengths: ranges.lengths.map(samples),
            rates: ranges.msg_rates.map(samples),
        }
    }

    fn of_visible(api: &Api, caller: &Caller, ranges: Ranges) -> Self {
        let (observer, now) = (&api.broker.observer, unix_ms());
        let mut sums = Self {
            totals: Totals::default(),
            step: Step::default(),
            lengths: None,
            rates: None,
        };
        let mut visible: Vec<VhostView> = vhosts(&api.broker);
        visible.retain(|view| caller.has_access(&api.broker, &view.vhost.name.to_string()));
        for view in visible {
            sums.totals += view.totals;
            sums.step = add_steps(&sums.step, &view.step);
            let samples = |range| observer.vhost_samples(&view.vhost.name, range, now);
            sums.lengths = add_samples(sums.lengths, ranges.lengths.map(samples));
            sums.rates = add_samples(sums.rates, ranges.msg_rates.map(samples));
        }
        sums
    }

    fn message_stats(&self) -> Value {
        let stats = MessageStats::new(
            &[&PUBLISHING, &DELIVERING, &STORING],
            self.totals.counts,
            &self.step,
            self.rates.clone(),
            counts_of,
        );
        json!(stats)
    }

    fn queue_totals(&self) -> Value {
        let length = |read: fn(&[u64; TOTAL_SERIES]) -> u64| -> Details {
            details(&self.step, self.lengths.as_deref(), read)
        };
        json!({
            "messages": self.totals.depth.messages(),
            "messages_details": length(|s| s[0] + s[1]),
            "messages_ready": self.totals.depth.ready,
            "messages_ready_details": length(|s| s[0]),
            "messages_unacknowledged": self.totals.depth.unacked,
            "messages_unacknowledged_details": length(|s| s[1]),
        })
    }

    /// Connections and channels are those that the caller sees in their lists.
    fn object_totals(&self, api: &Api, caller: &Caller) -> Value {
        let (mut connections, mut channels) = (self.totals.connections, self.totals.channels);
        if !caller.user.is_monitor() {
            let mut own = api.broker.connections.all();
            own.retain(|handle| handle.user == caller.name());
            connections = own.len() as u64;
            channels = own
                .iter()
                .map(|handle| handle.traffic.channel_count() as u64)
                .sum();
        }
        json!({
            "channels": channels,
            "connections": connections,
            "consumers": self.totals.consumers,
            "exchanges": self.totals.exchanges,
            "queues": self.totals.queues,
        })
    }
}

fn add_series<const N: usize>(a: &[u64; N], b: &[u64; N]) -> [u64; N] {
    let mut sum = *a;
    for (sum, more) in sum.iter_mut().zip(b) {
        *sum += more;
    }
    sum
}

fn add_steps<const N: usize>(a: &Step<N>, b: &Step<N>) -> Step<N> {
    Step {
        latest: add_series(&a.latest, &b.latest),
        before: add_series(&a.before, &b.before),
        seconds: a.seconds.max(b.seconds),
    }
}

/// Samples of two objects as one; where one has none that far back, the other's stand alone.
fn add_samples<const N: usize>(
    sum: Option<Vec<Point<N>>>,
    more: Option<Vec<Point<N>>>,
) -> Option<Vec<Point<N>>> {
    let (Some(sum), Some(more)) = (&sum, &more) else {
        return sum.or(more);
    };
    let (long, short) = if sum.len() >= more.len() {
        (sum, more)
    } else {
        (more, sum)
    };
    let added = long.iter().enumerate().map(|(at, point)| Point {
        at: point.at,
        values: match short.get(at) {
            Some(other) => add_series(&point.values, &other.values),
            None => point.values,
        },
    });
    Some(added.collect())
}

/// Comings and goings with their details, by name.
pub fn churn_rates(api: &Api, ranges: Ranges) -> Vec<(String, Value)> {
    type Read = fn(&[u64; CHURN_SERIES]) -> u64;
    const NAMES: [(&str, Read); CHURN_SERIES] = [
        ("connection_created", |s| s[0]),
        ("connection_closed", |s| s[1]),
        ("channel_created", |s| s[2]),
        ("channel_closed", |s| s[3]),
        ("queue_declared", |s| s[4]),
        ("queue_created", |s| s[5]),
        ("queue_deleted", |s| s[6]),
    ];
    let observer = &api.broker.observer;
    let step = observer.churn_step();
    let samples = ranges
        .msg_rates
        .map(|range| observer.churn_samples(range, unix_ms()));
    let current = totals::churn(&api.broker);
    NAMES
        .into_iter()
        .flat_map(|(name, read)| {
            let details = details(&step, samples.as_deref(), read);
            [
                (name.to_owned(), json!(read(&current))),
                (format!("{name}_details"), json!(details)),
            ]
        })
        .collect()
}

/// The types of exchanges, with RabbitMQ's descriptions.
pub fn exchange_types() -> Value {
    json!([
        {
            "name": "direct",
            "description": "AMQP direct exchange, as per the AMQP specification",
            "enabled": true,
        },
        {
            "name": "fanout",
            "description": "AMQP fanout exchange, as per the AMQP specification",
            "enabled": true,
        },
        {
            "name": "headers",
            "description": "AMQP headers exchange, as per the AMQP specification",
            "enabled": true,
        },
        {
            "name": "topic",
            "description": "AMQP topic exchange, as per the AMQP specification",
            "enabled": true,
        },
        {
            "name": "x-consistent-hash",
            "description": "Consistent Hashing Exchange",
            "enabled": true,
        },
        { "name": "x-random", "description": "Exchange type random", "enabled": true },
    ])
}

fn listeners(api: &Api) -> Value {
    let tcp = &api.settings.listeners.tcp_options;
    api.node
        .listeners
        .iter()
        .map(|listener| {
            let options = if listener.protocol.starts_with("amqp") {
                json!({
                    "backlog": tcp.backlog,
                    "nodelay": tcp.nodelay,
                    "linger": [tcp.linger_on, tcp.linger_timeout_s],
                    "exit_on_close": false,
                })
            } else {
                json!({ "port": listener.address.port() })
            };
            json!({
                "node": api.node.name,
                "protocol": listener.protocol,
                "ip_address": listener.address.ip().to_string(),
                "port": listener.address.port(),
                "socket_opts": options,
            })
        })
        .collect()
}

/// What serves HTTP; in the overview with the node's name.
pub fn contexts(api: &Api, named: bool) -> Value {
    let serves = api
        .node
        .listeners
        .iter()
        .filter(|listener| listener.protocol.starts_with("http"));
    serves
        .map(|listener| {
            let metrics = listener.protocol.ends_with("prometheus");
            let path = if listener.path.is_empty() {
                "/"
            } else {
                &listener.path
            };
            let mut context = json!({
                "ssl_opts": [],
                "description": if metrics { "RabbitMQ Prometheus" } else { "RabbitMQ Management" },
                "path": path,
                "cowboy_opts": "[]",
                "port": listener.address.port().to_string(),
            });
            if let Some(fields) = context.as_object_mut() {
                if named {
                    fields.insert("node".to_owned(), json!(api.node.name));
                }
                if metrics {
                    fields.insert("protocol".to_owned(), json!("'http/prometheus'"));
                }
            }
            context
        })
        .collect()
}
