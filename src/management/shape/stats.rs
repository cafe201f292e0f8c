//! Counters with their details: `message_stats`, lengths, octets.

use serde::ser::{Serialize, SerializeMap, Serializer};

use super::details::{Details, Sample};
use crate::broker::observe::message_counts::MessageCounts;
use crate::broker::observe::observer::Step;
use crate::broker::observe::points::Point;

/// A number of `message_stats`: its name, that of its details, and where it is.
pub type Stat = (&'static str, &'static str, fn(&MessageCounts) -> u64);

/// What publishers see.
pub const PUBLISHING: [Stat; 4] = [
    ("publish", "publish_details", |c| c.publish),
    ("confirm", "confirm_details", |c| c.confirm),
    ("return_unroutable", "return_unroutable_details", |c| {
        c.return_unroutable
    }),
    ("drop_unroutable", "drop_unroutable_details", |c| {
        c.drop_unroutable
    }),
];

/// What consumers see.
pub const DELIVERING: [Stat; 8] = [
    ("deliver", "deliver_details", |c| c.deliver),
    ("deliver_no_ack", "deliver_no_ack_details", |c| {
        c.deliver_no_ack
    }),
    ("get", "get_details", |c| c.get),
    ("get_no_ack", "get_no_ack_details", |c| c.get_no_ack),
    ("get_empty", "get_empty_details", |c| c.get_empty),
    (
        "deliver_get",
        "deliver_get_details",
        MessageCounts::deliver_get,
    ),
    ("redeliver", "redeliver_details", |c| c.redeliver),
    ("ack", "ack_details", |c| c.ack),
];

/// What queues count of publishes.
pub const ARRIVING: [Stat; 1] = [("publish", "publish_details", |c| c.publish)];

/// What the disk sees.
pub const STORING: [Stat; 2] = [
    ("disk_reads", "disk_reads_details", |c| c.disk_reads),
    ("disk_writes", "disk_writes_details", |c| c.disk_writes),
];

/// Counts of now, of the last two rounds, and of the moments that are asked for.
#[derive(Debug, Clone, Default)]
pub struct MessageStats {
    /// Groups of numbers to show.
    pub groups: Vec<&'static [Stat]>,
    /// Now.
    pub counts: MessageCounts,
    /// In the last round and the one before.
    pub rounds: (MessageCounts, MessageCounts),
    /// Seconds between these; 0 when there has been one at most.
    pub seconds: f64,
    /// The newest first; `None` where no range is asked for.
    pub samples: Option<Vec<(u64, MessageCounts)>>,
}

impl MessageStats {
    /// Counts by `read` from the series of an object.
    pub fn new<const N: usize>(
        groups: &[&'static [Stat]],
        counts: MessageCounts,
        step: &Step<N>,
        samples: Option<Vec<Point<N>>>,
        read: impl Fn(&[u64; N]) -> MessageCounts,
    ) -> Self {
        Self {
            groups: groups.to_vec(),
            counts,
            rounds: (read(&step.latest), read(&step.before)),
            seconds: step.seconds,
            samples: samples.map(|points| {
                points
                    .iter()
                    .map(|point| (point.at, read(&point.values)))
                    .collect()
            }),
        }
    }

    /// True before the first event.
    pub fn is_idle(&self) -> bool {
        self.counts == MessageCounts::default()
    }

    fn details(&self, pick: fn(&MessageCounts) -> u64) -> Details {
        let (latest, before) = (pick(&self.rounds.0), pick(&self.rounds.1));
        let rate = if self.seconds > 0.0 && latest > before {
            (latest - before) as f64 / self.seconds
        } else {
            0.0
        };
        let samples = self.samples.as_ref().map(|samples| {
            let sample = |(at, counts): &(u64, MessageCounts)| Sample {
                at: *at,
                value: pick(counts),
            };
            samples.iter().map(sample).collect()
        });
        Details { rate, samples }
    }
}

impl Serialize for MessageStats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, details, pick) in self.groups.iter().copied().flatten() {
            map.serialize_entry(name, &pick(&self.counts))?;
            map.serialize_entry(details, &self.details(*pick))?;
        }
        map.end()
    }
}

/// The details of a number that `read` finds in an object's series.
pub fn details<const N: usize>(
    step: &Step<N>,
    samples: Option<&[Point<N>]>,
    read: impl Fn(&[u64; N]) -> u64,
) -> Details {
    let (latest, before) = (read(&step.latest), read(&step.before));
    let rate = if step.seconds > 0.0 && latest != before {
        (latest as f64 - before as f64) / step.seconds
    } else {
        0.0
    };
    Details {
        rate,
        samples: samples.map(|points| {
            let sample = |point: &Point<N>| Sample {
                at: point.at,
                value: read(&point.values),
            };
            points.iter().map(sample).collect()
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_number_has_its_details() {
        let counts = MessageCounts {
            publish: 10,
            deliver: 4,
            get: 1,
            ..MessageCounts::default()
        };
        let stats = MessageStats {
            groups: vec![&ARRIVING, &DELIVERING],
            counts,
            rounds: (counts, MessageCounts::default()),
            seconds: 5.0,
            samples: None,
        };
        let shown = serde_json::to_value(&stats).unwrap();
        assert_eq!(shown.as_object().unwrap().len(), 18);
        assert_eq!(shown["publish_details"], json!({ "rate": 2.0 }));
        assert_eq!(shown["deliver_get"], json!(5));
        assert_eq!(shown["deliver_get_details"], json!({ "rate": 1.0 }));
        assert!(!stats.is_idle() && MessageStats::default().is_idle());
    }
}
