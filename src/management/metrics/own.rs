//! What only this broker has: its commit log, its memory.

use super::aggregate::Aggregate;
use super::exposition::{Exposition, Kind};
use crate::broker::cleaner;
use crate::management::state::Api;
use crate::message::chunk::bytes_held;
use crate::message::held::bytes_outside;
use crate::queue::block::index_bytes;
use crate::store::log::meter::{BATCH_BOUNDS, SYNC_BOUNDS_S};

/// Every family of this kind.
pub fn write(api: &Api, all: &Aggregate, out: &mut Exposition) {
    memory(out);
    store(api, out);
    if let Some(feed) = api.broker.logs().and_then(|logs| logs.feed()) {
        out.single(
            "leveret_log_exchange_lost_total",
            Kind::Counter,
            "Lines of the log that were to be published and were not: more came than could be.",
            feed.lost(),
        );
    }
    let name = "leveret_alarm";
    out.family(name, Kind::Gauge, "1 while publishers are blocked by it.");
    for (resource, set) in [
        ("memory", all.node.mem_alarm),
        ("disk", all.node.disk_alarm),
    ] {
        out.sample(name, &[("resource", resource)], u64::from(set));
    }
}

fn memory(out: &mut Exposition) {
    for (name, help, value) in [
        (
            "bodies_bytes",
            "Octets of message bodies in memory.",
            bytes_held(),
        ),
        (
            "bodies_arriving_bytes",
            "Octets of bodies that are being received or held back.",
            bytes_outside(),
        ),
        (
            "index_bytes",
            "Octets of queue indexes in memory.",
            index_bytes(),
        ),
    ] {
        out.single(&format!("leveret_{name}"), Kind::Gauge, help, value);
    }
}

fn store(api: &Api, out: &mut Exposition) {
    let journal = &api.broker.journal;
    let Some(log) = journal.log() else {
        return;
    };
    let space = cleaner::space(log);
    let (pages, file) = journal.pages().map_or((0, 0), |pages| pages.bytes());
    for (name, help, value) in [
        (
            "log_bytes",
            "Octets of the commit log's files.",
            space.files,
        ),
        (
            "log_live_bytes",
            "Octets in them that are still wanted.",
            space.live,
        ),
        (
            "large_bodies_bytes",
            "Octets of large bodies in files of their own.",
            journal.bodies().map_or(0, |bodies| bodies.octets()),
        ),
        (
            "log_unsynced_bytes",
            "Octets that wait to be written and synced.",
            log.pending_bytes() as u64,
        ),
        (
            "index_pages_bytes",
            "Octets of index pages that are in use.",
            pages,
        ),
        (
            "index_file_bytes",
            "Octets of the file that has them.",
            file,
        ),
    ] {
        out.single(&format!("leveret_{name}"), Kind::Gauge, help, value);
    }
    let meter = log.meter();
    let (counts, sum) = meter.syncs();
    out.histogram(
        "leveret_log_sync_seconds",
        "How long the commit log's writes with their sync take.",
        &SYNC_BOUNDS_S,
        &counts,
        sum,
    );
    let (counts, sum) = meter.batches();
    out.histogram(
        "leveret_log_batch_entries",
        "Entries of the commit log that one sync covers.",
        &BATCH_BOUNDS,
        &counts,
        sum,
    );
    let (checkpoints, seconds) = meter.checkpoints();
    out.single(
        "leveret_checkpoints_total",
        Kind::Counter,
        "Checkpoints written.",
        checkpoints,
    );
    out.single(
        "leveret_checkpoint_seconds_total",
        Kind::Counter,
        "How long they took together.",
        seconds,
    );
}
