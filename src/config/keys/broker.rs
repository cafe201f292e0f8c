//! Keys of the node, the protocol's limits, memory and disk.

use super::row::{Default::*, Key, put, put_some};
use crate::config::settings::{DiskLimit, MemoryLimit, QueueType};
use crate::config::value::{
    fraction, frame_size, integer, integer_or_infinity, short_text, size, text,
};

const NAME: &str = "a text of 1 to 255 bytes";
const BYTES: &str = "a size in bytes (units: k, KiB, KB, M, MiB, MB, G, GiB, GB)";

const SEGMENT: &str =
    "a size in bytes from 1 MiB to 1 GiB (units: k, KiB, KB, M, MiB, MB, G, GiB, GB)";

fn segment(text: &str) -> Option<u32> {
    let octets = u32::try_from(size(text)?).ok()?;
    (1 << 20..=1 << 30).contains(&octets).then_some(octets)
}

pub const KEYS: &[Key] = &[
    Key::new(
        "data_dir",
        Value("leveret-data"),
        "the path of a folder",
        "Where everything is stored; created when it is missing.",
        |s, _, v| put(&mut s.node.data_dir, text(v)),
    ),
    Key::new(
        "node.name",
        Unset,
        "NAME or NAME@HOST, at most 255 bytes",
        "The name of this node; unset, leveret@ and the host name.",
        |s, _, v| put_some(&mut s.node.name, short_text(v)),
    ),
    Key::new(
        "cluster_name",
        Unset,
        NAME,
        "The name clients see as cluster_name; unset, the node's name.",
        |s, _, v| put_some(&mut s.node.cluster_name, short_text(v)),
    ),
    Key::new(
        "product.name",
        Value("Leveret"),
        NAME,
        "The product clients see in the server properties.",
        |s, _, v| put(&mut s.node.product_name, short_text(v)),
    ),
    Key::new(
        "product.version",
        Value("3.10.8"),
        NAME,
        "The version clients see there: the RabbitMQ version whose behaviour they get.",
        |s, _, v| put(&mut s.node.product_version, short_text(v)),
    ),
    Key::new(
        "heartbeat",
        Value("60"),
        "seconds, 0 to 65535 (0: no heartbeats)",
        "The heartbeat interval offered to clients.",
        |s, _, v| put(&mut s.amqp.heartbeat_s, integer(v, 0, 65_535)),
    ),
    Key::new(
        "frame_max",
        Value("131072"),
        "bytes, 4096 to 134217728 (units: KB, MB, powers of 1024)",
        "The largest frame offered to clients.",
        |s, _, v| {
            let bytes = frame_size(v, 4096, 134_217_728)?;
            put(&mut s.amqp.frame_max, u32::try_from(bytes).ok())
        },
    ),
    Key::new(
        "initial_frame_max",
        Value("8192"),
        "bytes, 4096 to 1048576 (units: KB, MB, powers of 1024)",
        "The largest frame accepted before a client has logged in.",
        |s, _, v| {
            let bytes = frame_size(v, 4096, 1_048_576)?;
            put(&mut s.amqp.initial_frame_max, u32::try_from(bytes).ok())
        },
    ),
    Key::new(
        "channel_max",
        Value("2047"),
        "a whole number from 0 to 65535 (0: no limit)",
        "Channels that one connection may open.",
        |s, _, v| put(&mut s.amqp.channel_max, integer(v, 0, 65_535)),
    ),
    Key::new(
        "connection_max",
        Value("infinity"),
        "a whole number from 0, or infinity",
        "Client connections in all.",
        |s, _, v| {
            put(
                &mut s.amqp.connection_max,
                integer_or_infinity(v, 0, u64::MAX),
            )
        },
    ),
    Key::new(
        "max_message_size",
        Value("134217728"),
        "bytes, 1 to 536870912 (units: KB, MB, powers of 1024)",
        "The largest message body.",
        |s, _, v| put(&mut s.amqp.max_message_size, frame_size(v, 1, 536_870_912)),
    ),
    Key::new(
        "consumer_timeout",
        Value("infinity"),
        "milliseconds from 1, or infinity",
        "Time a consumer has to acknowledge a delivery before its channel is closed (RabbitMQ's \
         default is 1800000).",
        |s, _, v| {
            put(
                &mut s.amqp.consumer_timeout_ms,
                integer_or_infinity(v, 1, u64::MAX),
            )
        },
    ),
    Key::new(
        "default_queue_type",
        Value("classic"),
        "classic or quorum",
        "The type of queues that are declared without x-queue-type.",
        |s, _, v| {
            let kind = match v {
                "classic" => QueueType::Classic,
                "quorum" => QueueType::Quorum,
                _ => return None,
            };
            put(&mut s.amqp.default_queue_type, Some(kind))
        },
    ),
    Key::new(
        "vm_memory_high_watermark.absolute",
        Unset,
        BYTES,
        "Publishers are blocked while the broker uses more memory than this; .relative wins when \
         both are set.",
        |s, _, v| {
            let limit = MemoryLimit::Absolute(size(v)?);
            put(&mut s.resources.vm_memory_high_watermark, Some(limit))
        },
    ),
    Key::new(
        "vm_memory_high_watermark.relative",
        Value("0.4"),
        "a share of the memory, 0 to 1",
        "The same as a share of the machine's or container's memory.",
        |s, _, v| {
            let limit = MemoryLimit::Relative(fraction(v, 0.0, 1.0)?);
            put(&mut s.resources.vm_memory_high_watermark, Some(limit))
        },
    ),
    Key::new(
        "total_memory_available_override_value",
        Unset,
        BYTES,
        "The memory that shares are taken of; unset, what the system reports.",
        |s, _, v| put_some(&mut s.resources.total_memory_available, size(v)),
    ),
    Key::new(
        "disk_free_limit.absolute",
        Value("50MB"),
        BYTES,
        "Publishers are blocked while less than this is free on the data folder's disk; .relative \
         wins when both are set.",
        |s, _, v| {
            put(
                &mut s.resources.disk_free_limit,
                Some(DiskLimit::Absolute(size(v)?)),
            )
        },
    ),
    Key::new(
        "disk_free_limit.relative",
        Unset,
        "a multiple of the memory, 0 to 100",
        "The same as a multiple of the memory.",
        |s, _, v| {
            let limit = DiskLimit::Relative(fraction(v, 0.0, 100.0)?);
            put(&mut s.resources.disk_free_limit, Some(limit))
        },
    ),
    Key::new(
        "store.segment_size",
        Value("64MiB"),
        SEGMENT,
        "The size of a file of the commit log. A message that does not fit one gets a file of its \
         own.",
        |s, _, v| put(&mut s.resources.segment_bytes, segment(v)),
    ),
    Key::new(
        "store.young_size",
        Value("1GiB"),
        BYTES,
        "The commit log may take twice the size of the messages in it and this much more; beyond \
         it, files that are mostly dead are emptied and used again.",
        |s, _, v| put(&mut s.resources.young_bytes, size(v)),
    ),
];
