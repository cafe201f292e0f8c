//! What is counted of a virtual host; its other fields are those of its definition.

use serde::ser::SerializeMap;

use crate::broker::Vhost;
use crate::broker::observe::observer::{TOTAL_SERIES, counts_of};
use crate::broker::observe::points::Point;
use crate::broker::observe::views::VhostView;
use crate::management::shape::ranges::Ranges;
use crate::management::shape::stats::{DELIVERING, MessageStats, PUBLISHING, details};
use crate::management::shape::{Details, Fields};
use crate::management::state::Api;
use crate::put_fields;
use crate::time::unix_ms;

/// The numbers of a virtual host.
#[derive(Debug)]
pub struct VhostNumbers {
    view: VhostView,
    lengths: Option<Vec<Point<TOTAL_SERIES>>>,
    rates: Option<Vec<Point<TOTAL_SERIES>>>,
    octets: Option<Vec<Point<TOTAL_SERIES>>>,
}

impl VhostNumbers {
    /// Of what was seen.
    pub fn new(api: &Api, view: VhostView, ranges: Ranges) -> Self {
        let (observer, now) = (&api.broker.observer, unix_ms());
        let samples = |range| observer.vhost_samples(&view.vhost.name, range, now);
        Self {
            lengths: ranges.lengths.map(samples),
            rates: ranges.msg_rates.map(samples),
            octets: ranges.data_rates.map(samples),
            view,
        }
    }

    /// The host.
    pub fn vhost(&self) -> &Vhost {
        &self.view.vhost
    }

    /// Writes its fields: messages, octets, `message_stats`.
    pub fn write<M: SerializeMap>(&self, fields: &mut Fields<'_, M>) -> Result<(), M::Error> {
        type Read = fn(&[u64; TOTAL_SERIES]) -> u64;
        let totals = &self.view.totals;
        let step = &self.view.step;
        let length = |read: Read| -> Details { details(step, self.lengths.as_deref(), read) };
        let octets = |read: Read| -> Details { details(step, self.octets.as_deref(), read) };
        put_fields!(fields,
            "messages": totals.ready + totals.unacked,
            "messages_details": length(|s| s[0] + s[1]),
            "messages_ready": totals.ready,
            "messages_ready_details": length(|s| s[0]),
            "messages_unacknowledged": totals.unacked,
            "messages_unacknowledged_details": length(|s| s[1]),
            "recv_oct": totals.recv_oct,
            "recv_oct_details": octets(|s| s[2]),
            "send_oct": totals.send_oct,
            "send_oct_details": octets(|s| s[3]),
        );
        let stats = MessageStats::new(
            &[&PUBLISHING, &DELIVERING],
            totals.counts,
            step,
            self.rates.clone(),
            counts_of,
        );
        if !stats.is_idle() {
            fields.put("message_stats", &stats)?;
        }
        Ok(())
    }
}
