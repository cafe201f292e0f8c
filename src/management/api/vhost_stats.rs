//! The numbers of a virtual host: messages, octets of its connections, rates.

use serde_json::{Map, Value, json};

use crate::broker::observe::observer::{Step, TOTAL_SERIES, counts_of};
use crate::broker::observe::points::{Point, Range};
use crate::broker::observe::views::VhostView;
use crate::management::shape::details::Details;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::{DELIVERING, MessageStats, PUBLISHING, details};
use crate::management::state::Api;
use crate::time::unix_ms;

type Series = [u64; TOTAL_SERIES];

/// A number with the name of its details, and where it stands in the series.
type Number = (&'static str, &'static str, u64, fn(&Series) -> u64);

fn put(
    fields: &mut Map<String, Value>,
    step: &Step<TOTAL_SERIES>,
    samples: Option<&[Point<TOTAL_SERIES>]>,
    numbers: &[Number],
) {
    for (name, named_details, value, read) in numbers {
        let shown: Details = details(step, samples, *read);
        fields.insert((*name).to_owned(), json!(value));
        fields.insert((*named_details).to_owned(), json!(shown));
    }
}

/// Adds them to what is configured; with samples where the request asks for a range.
pub(super) fn add(api: &Api, view: &VhostView, ranges: Ranges, fields: &mut Map<String, Value>) {
    let (observer, now) = (&api.broker.observer, unix_ms());
    let samples = |range: Range| observer.vhost_samples(&view.vhost.name, range, now);
    let totals = &view.totals;
    let lengths = ranges.lengths.map(samples);
    put(
        fields,
        &view.step,
        lengths.as_deref(),
        &[
            (
                "messages",
                "messages_details",
                totals.depth.messages(),
                |s| s[0] + s[1],
            ),
            (
                "messages_ready",
                "messages_ready_details",
                totals.depth.ready,
                |s| s[0],
            ),
            (
                "messages_unacknowledged",
                "messages_unacknowledged_details",
                totals.depth.unacked,
                |s| s[1],
            ),
        ],
    );
    let octets = ranges.data_rates.map(samples);
    put(
        fields,
        &view.step,
        octets.as_deref(),
        &[
            ("recv_oct", "recv_oct_details", totals.recv_oct, |s| s[2]),
            ("send_oct", "send_oct_details", totals.send_oct, |s| s[3]),
        ],
    );
    let stats = MessageStats::new(
        &[&PUBLISHING, &DELIVERING],
        totals.counts,
        &view.step,
        ranges.msg_rates.map(samples),
        counts_of,
    );
    if !stats.is_idle() {
        fields.insert("message_stats".to_owned(), json!(stats));
    }
}
