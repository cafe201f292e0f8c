//! Every rule that matters has a scenario: a rule without one fails here.
//!
//! The lists repeat, in short words, the rows of importance 2 and 3 of the
//! project's table of RabbitMQ's features (sections 1.1 to 1.8) and the
//! observed traps 1 to 29 (30 is about the management API).

use amqp_tests::scenarios;

const CONNECTION: &[(&str, &[&str])] = &[
    (
        "protocol header 0-9-1; wrong header answered and closed",
        &["conn.header.wrong", "conn.header.091"],
    ),
    ("AMQP 1.0 header", &["conn.header.amqp10"]),
    (
        "server-properties and capabilities",
        &["conn.start.capabilities", "conn.start.properties"],
    ),
    (
        "SASL PLAIN and AMQPLAIN",
        &[
            "conn.sasl.plain",
            "conn.sasl.amqplain",
            "conn.start.mechanisms",
        ],
    ),
    ("tune offer", &["conn.tune.offer", "conf.tune_offer"]),
    (
        "bad negotiated values",
        &[
            "conn.tune.frame_high",
            "conn.tune.channel_high",
            "conf.tune_refused",
        ],
    ),
    (
        "channel_max counts open channels",
        &["trap.04.count", "conn.tune.high_number"],
    ),
    (
        "connection.open: unknown vhost, no access",
        &["conn.open.unknown_vhost", "perm.vhost_refused"],
    ),
    (
        "authentication_failure_close",
        &["conn.auth.wrong_password", "trap.02.silent_login"],
    ),
    ("loopback_users", &["proxy.guest"]),
    (
        "heartbeats",
        &[
            "conn.heartbeat.sent",
            "conn.heartbeat.dead",
            "conn.heartbeat.zero",
        ],
    ),
    ("update-secret", &["conn.update_secret"]),
    (
        "connection.blocked and unblocked",
        &[
            "alarm.blocked",
            "alarm.unblocked",
            "alarm.without_capability",
        ],
    ),
    ("alarms leave consumers alone", &["alarm.consumers_served"]),
    ("PROXY protocol", &["proxy.v1", "proxy.v2", "proxy.unknown"]),
    (
        "IPv6, several listeners, handshake_timeout",
        &["conf.listeners", "conf.handshake_timeout"],
    ),
    ("CONNECTION_FORCED at shutdown", &["conn.close.sigterm"]),
];

const METHODS: &[(&str, &[&str])] = &[
    (
        "channel.open and close",
        &[
            "channel.open.twice",
            "channel.not_open",
            "channel.closing.ignored",
        ],
    ),
    ("channel.flow", &["channel.flow.on", "channel.flow.off"]),
    ("access.request", &["access.request"]),
    (
        "exchange.declare",
        &[
            "trap.10.exchange_type",
            "exchange.declare.passive_missing",
            "exchange.internal",
            "exchange.auto_delete",
        ],
    ),
    (
        "exchange.delete",
        &[
            "trap.17.delete_missing",
            "trap.17.delete_amq",
            "exchange.delete.if_unused",
        ],
    ),
    (
        "exchange.bind and unbind",
        &["exchange.bind.routes", "exchange.bind.idempotent"],
    ),
    (
        "queue.declare",
        &[
            "queue.declare.server_named",
            "queue.declare.last_declared",
            "queue.declare.exclusive_durable",
            "trap.12.unknown",
            "queue.exclusive.locked",
        ],
    ),
    (
        "queue.bind and unbind",
        &[
            "queue.bind.default",
            "queue.bind.missing",
            "trap.17.unbind_missing",
        ],
    ),
    ("queue.purge", &["queue.purge.ready", "queue.purge.missing"]),
    (
        "queue.delete",
        &[
            "trap.17.delete_missing_queue",
            "queue.delete.if_unused",
            "queue.delete.if_empty",
        ],
    ),
    ("basic.qos", &["basic.qos.size"]),
    (
        "basic.consume",
        &["trap.10.tag_reuse", "consume.exclusive", "consume.no_local"],
    ),
    (
        "basic.cancel",
        &["trap.17.cancel_unknown", "trap.08.cancel_notify"],
    ),
    (
        "basic.publish",
        &[
            "basic.publish.immediate",
            "basic.publish.mandatory",
            "basic.publish.return_before_confirm",
            "exchange.internal",
        ],
    ),
    ("basic.get", &["queue.no_previous", "basic.get.empty"]),
    (
        "ack, nack, reject",
        &[
            "basic.ack.unknown",
            "basic.ack.zero",
            "basic.reject.requeue",
            "basic.nack.multiple",
        ],
    ),
    (
        "recover",
        &[
            "basic.recover.requeue",
            "basic.recover.false",
            "basic.recover_async",
        ],
    ),
    (
        "tx",
        &[
            "tx.publish.commit",
            "tx.publish.rollback",
            "tx.refused",
            "tx.not-selected",
        ],
    ),
    (
        "confirm.select",
        &[
            "confirm.tx",
            "confirm.unroutable",
            "confirm.nack.mixed",
            "confirm.all-queues",
        ],
    ),
    (
        "nowait forms",
        &[
            "exchange.declare.nowait",
            "exchange.delete.nowait",
            "exchange.bind.nowait",
            "queue.declare.nowait",
            "queue.bind.nowait",
            "queue.purge.nowait",
            "queue.delete.nowait",
            "consume.nowait",
            "cancel.nowait",
            "channel.confirm.nowait",
            "method.nowait_error",
        ],
    ),
];

const CODES: &[(&str, &[&str])] = &[
    ("312 in returns", &["basic.publish.mandatory"]),
    ("320", &["conn.close.sigterm"]),
    (
        "403 on channels",
        &[
            "perm.publish",
            "queue.declare.reserved",
            "exchange.delete.default",
            "consume.exclusive",
        ],
    ),
    ("403 on connections", &["conn.auth.wrong_password"]),
    (
        "404",
        &[
            "queue.declare.passive_missing",
            "exchange.declare.passive_missing",
            "queue.no_previous",
        ],
    ),
    ("405", &["queue.exclusive.locked", "trap.11.own_connection"]),
    (
        "406",
        &[
            "trap.12.added",
            "basic.ack.unknown",
            "trap.15.expiration_bad",
            "basic.publish.user_id",
            "conf.max_message_size",
        ],
    ),
    (
        "501",
        &[
            "frame.end_marker",
            "frame.unknown_type",
            "frame.too_large",
            "trap.03.truncated_arguments",
        ],
    ),
    ("502", &["trap.03.unknown_tag", "malformed.nested_1000"]),
    (
        "503",
        &[
            "trap.10.exchange_type",
            "trap.08.broker_method",
            "trap.03.unknown_method",
        ],
    ),
    ("504", &["channel.not_open", "channel.open.twice"]),
    (
        "505",
        &[
            "trap.07.body_first",
            "trap.07.header_of_class",
            "conn.heartbeat.wrong_channel",
        ],
    ),
    (
        "530",
        &[
            "trap.10.tag_reuse",
            "conn.open.unknown_vhost",
            "trap.04.count",
        ],
    ),
    (
        "540",
        &[
            "basic.publish.immediate",
            "basic.qos.size",
            "channel.flow.off",
            "basic.recover.false",
        ],
    ),
    ("541 replaced", &["trap.16.properties_truncated"]),
    (
        "holes of 3.10.8",
        &[
            "frame.body_excess",
            "trap.03.unknown_class",
            "trap.03.unknown_tag",
        ],
    ),
];

const SEMANTICS: &[(&str, &[&str])] = &[
    (
        "prefetch of new consumers",
        &["qos.consumer.limit", "qos.consumer.later"],
    ),
    (
        "prefetch shared by a channel",
        &[
            "qos.global.shared",
            "qos.global.both",
            "qos.quorum.global-consume",
        ],
    ),
    ("get counts as unacknowledged", &["qos.global.get"]),
    (
        "prefetch of running consumers",
        &["qos.consumer.live", "qos.global.live"],
    ),
    ("prefetch unlimited by default", &["qos.default.unlimited"]),
    ("x-message-ttl", &["args.ttl.bounds", "ttl.queue.expires"]),
    (
        "x-expires",
        &["args.expires.bounds", "expires.idle", "expires.renewed"],
    ),
    (
        "x-max-length",
        &[
            "args.max-length.bounds",
            "limit.ready-only",
            "limit.zero.consumer",
        ],
    ),
    (
        "x-max-length-bytes",
        &["args.max-length-bytes.bounds", "limit.bytes.bodies-only"],
    ),
    (
        "x-overflow",
        &[
            "args.overflow.values",
            "limit.reject-publish",
            "dlx.reason.maxlen.reject-publish-dlx",
        ],
    ),
    (
        "x-dead-letter-exchange",
        &["args.dlx.type", "dlx.missing-exchange", "perm.dead_letter"],
    ),
    (
        "x-dead-letter-routing-key",
        &["args.dlrk.needs-dlx", "dlx.key.set"],
    ),
    (
        "x-delivery-limit",
        &["delivery-limit.quorum.drop", "delivery-limit.classic"],
    ),
    (
        "x-max-priority",
        &["args.max-priority.bounds", "priority.order"],
    ),
    (
        "x-single-active-consumer",
        &["args.sac.type", "consumers.sac.first"],
    ),
    (
        "x-queue-type",
        &["args.queue-type.values", "args.stream-type"],
    ),
    (
        "x-queue-mode",
        &["args.queue-mode.values", "queue-life.lazy"],
    ),
    (
        "x-consumer-timeout",
        &["consumers.timeout.argument", "consumers.timeout.off"],
    ),
    (
        "x-priority",
        &["consumers.priority.order", "consumers.priority.types"],
    ),
    ("x-stream-offset", &["consumers.stream-offset.refused"]),
    (
        "auto-delete and exclusive queues",
        &[
            "queue-life.auto-delete.never-consumed",
            "queue-life.exclusive.close",
        ],
    ),
    (
        "quorum queues",
        &["args.quorum.non-durable", "confirm.quorum"],
    ),
    (
        "round robin, priorities first",
        &["consumers.round-robin", "consumers.priority.equal"],
    ),
    ("requeue in place", &["requeue.in-place"]),
    ("redelivered", &["requeue.redelivered"]),
    ("x-delivery-count", &["requeue.quorum.count.deliver"]),
    (
        "expiration",
        &["ttl.message.expires", "ttl.lower-wins.queue"],
    ),
    ("TTL 0", &["ttl.zero.queue", "ttl.zero.message"]),
    (
        "expiry behind a living message",
        &["ttl.behind-a-living-one"],
    ),
    (
        "priority queues",
        &["priority.order", "priority.max", "priority.drop-head"],
    ),
    (
        "reasons of dead-lettering",
        &[
            "dlx.reason.rejected",
            "dlx.reason.expired.queue",
            "dlx.reason.maxlen",
            "dlx.reason.delivery-limit",
        ],
    ),
    (
        "x-death",
        &[
            "dlx.death.entry",
            "dlx.repeat.count",
            "dlx.repeat.newest-first",
            "dlx.death.first-death",
            "dlx.death.cc",
        ],
    ),
    ("republished x-death", &["dlx.republished.count"]),
    ("expiration removed", &["dlx.death.original-expiration"]),
    (
        "dead-letter cycles",
        &["dlx.cycle.self", "dlx.cycle.rejected"],
    ),
    ("at-least-once dead-lettering", &["dlx.at-least-once.moved"]),
    (
        "not dead-lettered",
        &["dlx.not.purged", "dlx.not.deleted", "dlx.not.expired-queue"],
    ),
    (
        "exchange types",
        &[
            "route.direct",
            "route.fanout",
            "topic.empty-words",
            "headers.all-with-x",
            "headers.any-with-x",
        ],
    ),
    ("one copy per queue", &["route.one-copy"]),
    (
        "alternate exchange",
        &["ae.chain", "ae.cycle", "perm.alternate"],
    ),
    ("CC and BCC", &["cc.default", "cc.type", "cc.delivered"]),
    (
        "consistent hash",
        &["hash.one-queue", "hash.header", "hash.property"],
    ),
    ("delayed exchange refused clearly", &["route.delayed"]),
    (
        "topic permissions",
        &[
            "perm.topic_publish",
            "perm.topic_bind",
            "perm.topic_variables",
        ],
    ),
    (
        "direct reply-to",
        &[
            "reply_to.rpc",
            "reply_to.no_consumer",
            "reply_to.needs_no_ack",
            "reply_to.once",
        ],
    ),
];

/// Rows that no scenario of this suite can show, and where they are shown.
/// Kept here so that the list is complete.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "TLS, mutual TLS, SNI, SASL EXTERNAL",
        "the client suites, which have TLS stacks",
    ),
    (
        "internal credit flow",
        "invisible to a client but as throughput: leveret-perf",
    ),
    ("connection_name, X-Reason", "the management API's tests"),
    (
        "vhost and user limits",
        "limits in definitions have no effect yet",
    ),
    ("mirroring", "clustering's tests"),
    ("streams", "refused: args.stream-type"),
];

#[test]
fn every_row_has_its_scenarios() {
    let all = scenarios::all();
    let mut gaps = Vec::new();
    for (row, ids) in [CONNECTION, METHODS, CODES, SEMANTICS].concat() {
        assert!(!ids.is_empty(), "{row} names no scenario");
        for id in ids {
            if !all.iter().any(|s| s.id == *id) {
                gaps.push(format!("{row}: no scenario {id}"));
            }
        }
    }
    assert!(gaps.is_empty(), "{}", gaps.join("\n"));
    assert!(
        ELSEWHERE
            .iter()
            .all(|(row, place)| !row.is_empty() && !place.is_empty())
    );
}

#[test]
fn every_trap_has_a_scenario() {
    let all = scenarios::all();
    let names = |source: &str, number: usize| {
        source
            .split(|c: char| !c.is_alphanumeric())
            .collect::<Vec<_>>()
            .windows(2)
            .any(|w| w[0].eq_ignore_ascii_case("trap") && w[1].parse() == Ok(number))
    };
    let gaps: Vec<usize> = (1..=29)
        .filter(|n| !all.iter().any(|s| names(s.source, *n)))
        .collect();
    assert!(gaps.is_empty(), "traps without a scenario: {gaps:?}");
}

#[test]
fn ids_are_unique_and_rules_are_said() {
    let all = scenarios::all();
    for (at, s) in all.iter().enumerate() {
        assert!(
            !all[..at].iter().any(|other| other.id == s.id),
            "{} twice",
            s.id
        );
        assert!(
            s.rule.len() > 10 && !s.source.is_empty(),
            "{} lacks rule or source",
            s.id
        );
    }
}
