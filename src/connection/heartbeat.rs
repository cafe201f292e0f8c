//! Heartbeats (specification, 4.2.7): ours go out when nothing else did for half an interval, and a
//! peer that was silent for two intervals is dead.

/// The heartbeat state of one connection; times in milliseconds of any steady clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heartbeat {
    interval_ms: u64,
    heard_at: u64,
    sent_at: u64,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// Send a heartbeat.
    Send,
    /// The peer is dead.
    Dead,
}

impl Heartbeat {
    /// Starts at `now`; `None` for an interval of 0, which switches heartbeats off.
    pub fn new(interval_s: u16, now: u64) -> Option<Self> {
        let interval_ms = u64::from(interval_s) * 1000;
        (interval_s > 0).then_some(Self {
            interval_ms,
            heard_at: now,
            sent_at: now,
        })
    }

    /// Octets came.
    pub fn heard(&mut self, now: u64) {
        self.heard_at = now;
    }

    /// Octets went.
    pub fn sent(&mut self, now: u64) {
        self.sent_at = now;
    }

    /// What to do at `now`. While the connection is deliberately not read, its silence is ours.
    pub fn due(&mut self, now: u64, reading: bool) -> Due {
        if !reading {
            self.heard_at = now;
        }
        if now >= self.heard_at.saturating_add(2 * self.interval_ms) {
            return Due::Dead;
        }
        if now >= self.sent_at.saturating_add(self.interval_ms / 2) {
            return Due::Send;
        }
        Due::Nothing
    }

    /// When to look again.
    pub fn next(&self) -> u64 {
        let dead = self.heard_at.saturating_add(2 * self.interval_ms);
        dead.min(self.sent_at.saturating_add(self.interval_ms / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_peer_is_dead_after_two_intervals() {
        let mut beat = Heartbeat::new(10, 0).unwrap();
        assert_eq!(beat.due(4_999, true), Due::Nothing);
        assert_eq!(beat.due(5_000, true), Due::Send);
        beat.sent(5_000);
        assert_eq!(beat.next(), 10_000);
        assert_eq!(beat.due(20_000, true), Due::Dead);
        beat.heard(15_000);
        beat.sent(20_000);
        assert_eq!(beat.due(24_999, true), Due::Nothing);
        assert_eq!(Heartbeat::new(0, 0), None);
    }

    #[test]
    fn silence_of_our_own_making_kills_nobody() {
        let mut beat = Heartbeat::new(1, 0).unwrap();
        assert_ne!(beat.due(60_000, false), Due::Dead);
        beat.sent(60_000);
        assert_eq!(beat.due(60_100, true), Due::Nothing);
    }
}
