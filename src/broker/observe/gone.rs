//! What channels, connections and queues had counted when they ended, so that sums never fall.

use std::ops::AddAssign;

use parking_lot::Mutex;

use super::message_counts::MessageCounts;
use crate::queue::counters::Dropped;
use crate::queue::{Counters, QueueKind};

/// Sums over what has ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct Gone {
    /// By channels.
    pub counts: MessageCounts,
    /// Octets received by connections.
    pub recv_oct: u64,
    /// Octets sent by them.
    pub send_oct: u64,
    /// By classic queues.
    pub classic: KindCounts,
    /// By quorum queues.
    pub quorum: KindCounts,
}

/// What the queues of one kind have done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KindCounts {
    /// Messages.
    pub counts: MessageCounts,
    /// Messages that left without acknowledgement, of queues without a dead-letter exchange.
    pub dropped: Dropped,
    /// The same of queues that hand them on.
    pub dead_lettered: Dropped,
    /// The same of queues that keep them until a target has them.
    pub dead_lettered_surely: Dropped,
}

impl KindCounts {
    /// Adds what one queue has counted.
    pub fn add(&mut self, counters: Counters, settings: &crate::queue::QueueArguments) {
        self.counts += MessageCounts::from(counters);
        let dropped = match (&settings.dead_letter_exchange, settings.at_least_once) {
            (None, _) => &mut self.dropped,
            (Some(_), false) => &mut self.dead_lettered,
            (Some(_), true) => &mut self.dead_lettered_surely,
        };
        *dropped += counters.dropped;
    }
}

impl AddAssign for KindCounts {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        self.dropped += other.dropped;
        self.dead_lettered += other.dead_lettered;
        self.dead_lettered_surely += other.dead_lettered_surely;
    }
}

impl AddAssign for Gone {
    fn add_assign(&mut self, other: Self) {
        self.counts += other.counts;
        self.recv_oct += other.recv_oct;
        self.send_oct += other.send_oct;
        self.classic += other.classic;
        self.quorum += other.quorum;
    }
}

impl Gone {
    /// The part of a kind of queues.
    pub fn kind(&mut self, kind: QueueKind) -> &mut KindCounts {
        match kind {
            QueueKind::Classic => &mut self.classic,
            QueueKind::Quorum => &mut self.quorum,
        }
    }
}

/// A virtual host's sums. Who adds up what is there holds the lock meanwhile, and so does who ends:
/// nothing is seen twice or not at all.
pub type GoneSums = Mutex<Gone>;
