//! RabbitMQ's `global_*`: messages by protocol and by type of queue. Every pair that dashboards ask
//! for is there from the start; what this broker does not speak or have stays at 0.

use super::aggregate::Aggregate;
use super::exposition::{Exposition, Kind};
use crate::broker::observe::gone::KindCounts;
use crate::broker::observe::message_counts::MessageCounts;
use crate::queue::counters::Dropped;

const CLASSIC: &str = "rabbit_classic_queue";
const QUORUM: &str = "rabbit_quorum_queue";
const STREAM: &str = "rabbit_stream_queue";

/// Commands that only the stream protocol refuses; it is not spoken.
const STREAM_ERRORS: [&str; 17] = [
    "access_refused",
    "authentication_failure",
    "frame_too_large",
    "internal_error",
    "precondition_failed",
    "publisher_does_not_exist",
    "sasl_authentication_failure_loopback",
    "sasl_challenge",
    "sasl_error",
    "sasl_mechanism_not_supported",
    "stream_already_exists",
    "stream_does_not_exist",
    "stream_not_available",
    "subscription_id_already_exists",
    "subscription_id_does_not_exist",
    "unknown_frame",
    "vhost_access_failure",
];

/// Every family of this kind.
pub fn write(all: &Aggregate, out: &mut Exposition) {
    by_protocol(all, out);
    by_queue_type(all, out);
    dead_letters(all, out);
    for error in STREAM_ERRORS {
        let name = format!("rabbitmq_global_stream_error_{error}_total");
        out.family(&name, Kind::Counter, "Refusals of the stream protocol.");
        out.sample(&name, &[("protocol", "stream")], 0);
    }
}

fn by_protocol(all: &Aggregate, out: &mut Exposition) {
    let totals = &all.totals;
    let counts = &totals.counts;
    let routed = totals.classic.counts.publish + totals.quorum.counts.publish;
    let counters = [
        (
            "messages_received_total",
            "Messages from publishers.",
            counts.publish,
        ),
        (
            "messages_received_confirm_total",
            "Messages from publishers that want confirms, counted when these are given.",
            counts.confirm,
        ),
        (
            "messages_confirmed_total",
            "Messages confirmed to publishers.",
            counts.confirm,
        ),
        (
            "messages_routed_total",
            "Messages that came into queues.",
            routed,
        ),
        (
            "messages_unroutable_dropped_total",
            "Messages that no queue took, dropped.",
            counts.drop_unroutable,
        ),
        (
            "messages_unroutable_returned_total",
            "Messages that no queue took, returned.",
            counts.return_unroutable,
        ),
    ];
    for (name, help, value) in counters {
        protocols(name, Kind::Counter, help, value, out);
    }
    let publishers = totals.publishing_channels;
    protocols(
        "publishers",
        Kind::Gauge,
        "Channels that have published.",
        publishers,
        out,
    );
    protocols(
        "consumers",
        Kind::Gauge,
        "Consumers.",
        totals.consumers,
        out,
    );
}

fn protocols(name: &str, kind: Kind, help: &str, value: u64, out: &mut Exposition) {
    let name = format!("rabbitmq_global_{name}");
    out.family(&name, kind, help);
    out.sample(&name, &[("protocol", "amqp091")], value);
    out.sample(&name, &[("protocol", "stream")], 0);
}

fn by_queue_type(all: &Aggregate, out: &mut Exposition) {
    type Pick = fn(&MessageCounts) -> u64;
    let families: [(&str, &str, Pick); 8] = [
        (
            "messages_delivered_total",
            "Messages that consumers got.",
            |c| c.deliver_get(),
        ),
        (
            "messages_delivered_consume_manual_ack_total",
            "Deliveries to consumers, to be acknowledged.",
            |c| c.deliver,
        ),
        (
            "messages_delivered_consume_auto_ack_total",
            "Deliveries to consumers without acknowledgement.",
            |c| c.deliver_no_ack,
        ),
        (
            "messages_delivered_get_manual_ack_total",
            "Messages that basic.get fetched, to be acknowledged.",
            |c| c.get,
        ),
        (
            "messages_delivered_get_auto_ack_total",
            "Messages that basic.get fetched without acknowledgement.",
            |c| c.get_no_ack,
        ),
        (
            "messages_get_empty_total",
            "Times that basic.get found nothing.",
            |c| c.get_empty,
        ),
        (
            "messages_redelivered_total",
            "Deliveries that were not the first.",
            |c| c.redeliver,
        ),
        ("messages_acknowledged_total", "Acknowledgements.", |c| {
            c.ack
        }),
    ];
    for (name, help, pick) in families {
        let name = format!("rabbitmq_global_{name}");
        out.family(&name, Kind::Counter, help);
        let rows = [
            ("amqp091", CLASSIC, pick(&all.totals.classic.counts)),
            ("amqp091", QUORUM, pick(&all.totals.quorum.counts)),
            ("amqp091", STREAM, 0),
            ("stream", STREAM, 0),
        ];
        for (protocol, kind, value) in rows {
            out.sample(
                &name,
                &[("protocol", protocol), ("queue_type", kind)],
                value,
            );
        }
    }
}

fn dead_letters(all: &Aggregate, out: &mut Exposition) {
    type Pick = fn(&Dropped) -> u64;
    let families: [(&str, &str, Pick); 4] = [
        ("expired", "Messages that left by their TTL.", |d| d.expired),
        ("rejected", "Messages that left by a rejection.", |d| {
            d.rejected
        }),
        ("maxlen", "Messages that left by a length limit.", |d| {
            d.maxlen
        }),
        (
            "delivery_limit",
            "Messages that left after too many deliveries.",
            |d| d.delivery_limit,
        ),
    ];
    let strategies = |kind: &KindCounts| {
        [
            ("at_least_once", kind.dead_lettered_surely),
            ("at_most_once", kind.dead_lettered),
            ("disabled", kind.dropped),
        ]
    };
    for (reason, help, pick) in families {
        let name = format!("rabbitmq_global_messages_dead_lettered_{reason}_total");
        out.family(&name, Kind::Counter, help);
        for (kind, counts) in [(CLASSIC, &all.totals.classic), (QUORUM, &all.totals.quorum)] {
            for (strategy, dropped) in strategies(counts) {
                let labels = [("queue_type", kind), ("dead_letter_strategy", strategy)];
                out.sample(&name, &labels, pick(&dropped));
            }
        }
    }
    let name = "rabbitmq_global_messages_dead_lettered_confirmed_total";
    out.family(
        name,
        Kind::Counter,
        "Dead letters kept until a target had them.",
    );
    let sure = all.totals.quorum.dead_lettered_surely;
    let value = sure.expired + sure.rejected + sure.maxlen + sure.delivery_limit;
    let labels = [
        ("queue_type", QUORUM),
        ("dead_letter_strategy", "at_least_once"),
    ];
    out.sample(name, &labels, value);
}
