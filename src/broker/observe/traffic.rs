//! What is seen of a connection from outside its own task.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::channel_stats::ChannelStats;
use super::counter::Counter;
use super::gone::GoneSums;
use super::history::History;

/// Series that a connection's history keeps: octets received and sent.
pub const TRAFFIC_SERIES: usize = 2;

/// A connection is said to be held back by the store this long after it last was, in milliseconds:
/// what changes many times a second could not be seen otherwise.
const FLOW_SHOWN_MS: u64 = 5_000;

/// A connection's numbers. Its task writes them, anyone reads them.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Octets received.
    pub recv_oct: Counter,
    /// Reads that brought some.
    pub recv_cnt: Counter,
    /// Octets sent.
    pub send_oct: Counter,
    /// Writes that took some.
    pub send_cnt: Counter,
    /// Octets that wait to be sent.
    pub send_pend: Counter,
    /// When the store last held it back, in milliseconds since the epoch.
    pub held_at: Counter,
    publisher: AtomicBool,
    ended: AtomicBool,
    channels: Mutex<BTreeMap<u16, Arc<ChannelStats>>>,
    /// The last minute, in steps of 16 octets.
    pub history: History<TRAFFIC_SERIES, 0, 4>,
}

/// How a connection is, in RabbitMQ's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// Nothing stands in its way.
    Running,
    /// An alarm would stop it if it published.
    Blocking,
    /// An alarm has stopped it.
    Blocked,
    /// The store holds its publishes back.
    Flow,
}

impl ConnectionState {
    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Blocking => "blocking",
            Self::Blocked => "blocked",
            Self::Flow => "flow",
        }
    }
}

impl Traffic {
    /// It has published.
    pub fn set_publisher(&self) {
        self.publisher.store(true, Ordering::Relaxed);
    }

    /// How it is at `now`, with an alarm or without.
    pub fn state(&self, alarm: bool, now: u64) -> ConnectionState {
        let held_at = self.held_at.get();
        if alarm {
            match self.publisher.load(Ordering::Relaxed) {
                true => ConnectionState::Blocked,
                false => ConnectionState::Blocking,
            }
        } else if held_at > 0 && now.saturating_sub(held_at) < FLOW_SHOWN_MS {
            ConnectionState::Flow
        } else {
            ConnectionState::Running
        }
    }

    /// A channel was opened.
    pub fn open_channel(&self, channel: Arc<ChannelStats>) {
        self.channels.lock().insert(channel.number, channel);
    }

    /// A channel has ended; `gone` takes over what it has counted, so that nobody who holds it sees
    /// that twice or not at all. False when it had ended before.
    pub fn close_channel(&self, number: u16, gone: &GoneSums) -> bool {
        let mut gone = gone.lock();
        let channel = self.channels.lock().remove(&number);
        if let Some(channel) = &channel {
            gone.counts += channel.counts();
        }
        channel.is_some()
    }

    /// The connection has ended, with all of its channels; `forget` takes it off the list.
    pub fn close(&self, gone: &GoneSums, forget: impl FnOnce()) {
        let mut gone = gone.lock();
        for channel in std::mem::take(&mut *self.channels.lock()).into_values() {
            gone.counts += channel.counts();
        }
        gone.recv_oct += self.recv_oct.get();
        gone.send_oct += self.send_oct.get();
        self.ended.store(true, Ordering::Relaxed);
        forget();
    }

    /// True once its sums are with those of what is gone.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    /// The channel of that number.
    pub fn channel(&self, number: u16) -> Option<Arc<ChannelStats>> {
        self.channels.lock().get(&number).cloned()
    }

    /// The open channels, by number.
    pub fn channels(&self) -> Vec<Arc<ChannelStats>> {
        self.channels.lock().values().cloned().collect()
    }

    /// How many channels are open.
    pub fn channel_count(&self) -> usize {
        self.channels.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_channel_leaves_its_counts() {
        let (traffic, gone) = (Traffic::default(), GoneSums::default());
        let channel = ChannelStats::new(7, Arc::default());
        traffic.open_channel(Arc::clone(&channel));
        channel.publish.add(3);
        assert!(traffic.close_channel(7, &gone));
        assert!(!traffic.close_channel(7, &gone));
        assert_eq!(gone.lock().counts.publish, 3);
        assert_eq!(traffic.channel_count(), 0);
    }

    #[test]
    fn the_state_says_what_stands_in_the_way() {
        let traffic = Traffic::default();
        let state = |alarm| traffic.state(alarm, 100_000).name();
        assert_eq!((state(false), state(true)), ("running", "blocking"));
        traffic.set_publisher();
        assert_eq!((state(false), state(true)), ("running", "blocked"));
        traffic.held_at.set(99_000);
        assert_eq!(state(false), "flow");
        traffic.held_at.set(90_000);
        assert_eq!(state(false), "running");
    }
}
