//! RabbitMQ's `message_stats`, as plain numbers that can be summed.

use std::ops::AddAssign;

use crate::queue::Counters;

/// Messages counted by what happened to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the management API")]
pub struct MessageCounts {
    pub publish: u64,
    pub confirm: u64,
    pub return_unroutable: u64,
    pub drop_unroutable: u64,
    pub deliver: u64,
    pub deliver_no_ack: u64,
    pub get: u64,
    pub get_no_ack: u64,
    pub get_empty: u64,
    pub redeliver: u64,
    pub ack: u64,
    pub disk_reads: u64,
    pub disk_writes: u64,
}

/// How many series there are.
pub const SERIES: usize = 13;

impl MessageCounts {
    /// Everything that reached a consumer or a getter.
    pub fn deliver_get(&self) -> u64 {
        self.deliver + self.deliver_no_ack + self.get + self.get_no_ack
    }

    /// In the order of the fields.
    pub fn series(&self) -> [u64; SERIES] {
        [
            self.publish,
            self.confirm,
            self.return_unroutable,
            self.drop_unroutable,
            self.deliver,
            self.deliver_no_ack,
            self.get,
            self.get_no_ack,
            self.get_empty,
            self.redeliver,
            self.ack,
            self.disk_reads,
            self.disk_writes,
        ]
    }

    /// The counts that [`Self::series`] gave.
    pub fn from_series(series: [u64; SERIES]) -> Self {
        let [
            publish,
            confirm,
            return_unroutable,
            drop_unroutable,
            deliver,
            deliver_no_ack,
            get,
            get_no_ack,
            get_empty,
            redeliver,
            ack,
            disk_reads,
            disk_writes,
        ] = series;
        Self {
            publish,
            confirm,
            return_unroutable,
            drop_unroutable,
            deliver,
            deliver_no_ack,
            get,
            get_no_ack,
            get_empty,
            redeliver,
            ack,
            disk_reads,
            disk_writes,
        }
    }
}

impl AddAssign for MessageCounts {
    fn add_assign(&mut self, other: Self) {
        let mut sum = self.series();
        for (sum, more) in sum.iter_mut().zip(other.series()) {
            *sum += more;
        }
        *self = Self::from_series(sum);
    }
}

impl From<Counters> for MessageCounts {
    fn from(queue: Counters) -> Self {
        Self {
            publish: queue.published,
            deliver: queue.delivered,
            deliver_no_ack: queue.delivered_no_ack,
            get: queue.got,
            get_no_ack: queue.got_no_ack,
            get_empty: queue.got_empty,
            redeliver: queue.redelivered,
            ack: queue.acknowledged,
            disk_reads: queue.disk_reads,
            disk_writes: queue.disk_writes,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_keep_their_places() {
        let mut series = [0; SERIES];
        for (value, place) in (1..).zip(series.iter_mut()) {
            *place = value;
        }
        let counts = MessageCounts::from_series(series);
        assert_eq!(counts.series(), series);
        assert_eq!((counts.publish, counts.disk_writes), (1, 13));
        let mut sum = counts;
        sum += counts;
        assert_eq!(sum.ack, counts.ack * 2);
        assert_eq!(counts.deliver_get(), 5 + 6 + 7 + 8);
    }
}
