//! What happens by the clock, and when the session wants to read.

use super::{Phase, Session};
use crate::amqp::{AmqpError, encode};
use crate::connection::heartbeat::Due;
use crate::limits::{OUTPUT_FULL, OUTPUT_HIGH};

/// Milliseconds between looks for deliveries that were not acknowledged in time.
const TIMEOUT_CHECK_MS: u64 = 1_000;

impl Session {
    /// True while octets of the peer are welcome: it is not blocked by an alarm, and reads what it
    /// is told.
    pub fn wants_read(&self) -> bool {
        if !self.wants_read_now() || self.out.len() >= OUTPUT_FULL {
            return false;
        }
        let held = self.publisher && self.is_held_up();
        if held {
            self.traffic.held_at.set(self.now);
        }
        !held
    }

    /// True while the log, the memory or the disk needs time; the inbox is rung when it is over.
    fn is_held_up(&self) -> bool {
        let broker = &self.broker;
        let journal = &broker.journal;
        journal.holds_up(&self.inbox)
            || broker.pressure.holds_up(journal, &self.inbox)
            || self.is_spool_full()
    }

    /// True unless an alarm blocks this publisher, or its last publish is not written yet.
    #[inline]
    pub(super) fn wants_read_now(&self) -> bool {
        let blocked = self.publisher && self.broker.alarms.reason().is_some();
        let blocked = blocked || self.arrived.is_some();
        !(blocked && self.phase == Phase::Running)
    }

    /// The first publish under an alarm stops the reading and tells the client why.
    pub(super) fn note_publisher(&mut self) {
        if !self.publisher {
            self.publisher = true;
            self.traffic.set_publisher();
        }
        if let Some(reason) = self.broker.alarms.reason() {
            self.tell_blocked(reason);
        }
    }

    pub(super) fn tell_blocked(&mut self, reason: &'static str) {
        if self.publisher && self.client.blocked && !self.told_blocked {
            self.told_blocked = true;
            encode::connection_blocked(self.out.buffer(), reason);
        }
    }

    pub(super) fn tell_unblocked(&mut self) {
        if self.told_blocked {
            self.told_blocked = false;
            encode::plain(self.out.buffer(), 0, 10, 61);
        }
    }

    /// Mail has come, or the output has drained.
    pub fn on_mail(&mut self) {
        self.now = crate::time::unix_ms();
        if self.inbox.overflowed() {
            self.phase = Phase::Done;
            return;
        }
        self.publish_arrived();
        self.release_confirms();
        self.write_mail(false);
        self.flush_settles();
    }

    /// True when [`Self::on_mail`] would get on: mail has come, and the output has room for what
    /// was taken before it. Mail behind deliveries that wait for room is no work, or a peer that
    /// does not read would keep its task busy.
    pub fn has_work(&self) -> bool {
        if self.inbox.overflowed() && self.phase != Phase::Done {
            return true;
        }
        if self.mail_run < self.mail.runs.len() {
            return self.out.len() < OUTPUT_HIGH;
        }
        self.inbox.is_ringing()
    }

    /// True when octets were left because an alarm or the output forbade to go on.
    pub fn has_stopped(&self) -> bool {
        self.stopped
    }

    /// True while the socket stays open after the last frame.
    pub fn lingers(&self) -> bool {
        self.deadline.is_some() && self.phase == Phase::Done
    }

    /// The socket gave `octets`.
    pub fn note_read(&self, octets: usize) {
        self.traffic.recv_oct.add(octets as u64);
        self.traffic.recv_cnt.add(1);
    }

    /// The socket took `octets` in so many writes.
    pub fn on_written(&mut self, octets: usize, writes: u64) {
        self.traffic.send_oct.add(octets as u64);
        self.traffic.send_cnt.add(writes);
        self.traffic.send_pend.set(self.out.len() as u64);
        let now = self.clock.ms();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.sent(now);
        }
    }

    /// Deliveries on this channel have a time limit.
    pub(super) fn note_timeout(&mut self, channel: u16, timeout_ms: Option<u64>) {
        if timeout_ms.is_some() {
            if let Some(state) = self.channels.get_mut(&channel) {
                state.timed = true;
            }
            let soon = self.clock.ms() + TIMEOUT_CHECK_MS;
            self.next_timeout_check = self.next_timeout_check.min(soon);
        }
    }

    /// When [`Self::on_time`] wants to be called, by the steady clock; `None` for never.
    pub fn next_time(&self) -> Option<tokio::time::Instant> {
        let beat = self.heartbeat.map_or(u64::MAX, |beat| beat.next());
        let deadline = self.deadline.unwrap_or(u64::MAX);
        let next = beat.min(deadline).min(self.next_timeout_check);
        (next != u64::MAX).then(|| self.clock.at(next).into())
    }

    /// The time that was asked for has come. False when the connection is to be dropped at once.
    pub fn on_time(&mut self) -> bool {
        self.now = crate::time::unix_ms();
        let now = self.clock.ms();
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            if !matches!(self.phase, Phase::Closing | Phase::Done) {
                self.log_handshake_timeout();
            }
            return false;
        }
        // Only what keeps us from reading excuses a peer's silence: an alarm, the log, memory. One whose
        // answers pile up because it does not read is as good as gone.
        let reading = self.wants_read_now() && !(self.publisher && self.is_held_up());
        if let Some(heartbeat) = &mut self.heartbeat {
            match heartbeat.due(now, reading) {
                Due::Nothing => {}
                Due::Send => {
                    heartbeat.sent(now);
                    encode::heartbeat(self.out.buffer());
                }
                Due::Dead => {
                    self.log_missed_heartbeats();
                    return false;
                }
            }
        }
        if now >= self.next_timeout_check {
            self.check_timeouts();
        }
        true
    }

    fn check_timeouts(&mut self) {
        let now_s = self.now / 1000;
        let mut late = Vec::new();
        let mut timed = false;
        for (number, state) in self.channels.iter().filter(|(_, state)| state.timed) {
            timed = true;
            for run in state.unacked.iter() {
                let source = self.consumers.sources.get(run.source as usize);
                let Some(limit) = source.and_then(Option::as_ref).and_then(|s| s.timeout_ms) else {
                    continue;
                };
                if now_s.saturating_sub(run.at_s) * 1000 > limit {
                    late.push((*number, limit, run.source));
                    break;
                }
            }
        }
        self.next_timeout_check = if timed {
            self.clock.ms() + TIMEOUT_CHECK_MS
        } else {
            u64::MAX
        };
        for (channel, limit, source) in late {
            let tag = self.consumers.tag_of(source);
            self.log_ack_timeout(&tag, channel, limit);
            let error = AmqpError::precondition_failed(format!(
                "delivery acknowledgement on channel {channel} timed out. Timeout value used: \
                 {limit} ms. This timeout value can be configured, see consumers doc guide to \
                 learn more"
            ));
            self.close_channel(channel, &error);
        }
    }

    /// Gives back buffers that an idle connection should not hold.
    pub fn release(&mut self) {
        self.out.release();
        self.batch.release();
        self.mail.runs.shrink_to(4);
        self.mail.items.shrink_to(4);
        self.batch_publishes.shrink_to(4);
        self.settles.shrink_to(1);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::Wake;

    use super::*;
    use crate::amqp::Table;
    use crate::broker::{Broker, Event, Options};
    use crate::connection::Tuning;
    use crate::message::Chunk;
    use crate::queue::consumers::StagedRun;
    use crate::queue::{ConsumerKey, QueueKind};
    use crate::server::session::{PeerInfo, SessionOptions};

    fn session() -> Session {
        let broker = Broker::new(Options {
            max_message_size: 1 << 20,
            memory_limit: u64::MAX,
            consumer_timeout_ms: None,
            hashing: Default::default(),
            default_kind: QueueKind::Classic,
        });
        let options = SessionOptions {
            tuning: Tuning {
                channel_max: 0,
                frame_max: 0,
                heartbeat_s: 0,
            },
            initial_frame_max: 8192,
            server_properties: Table::default(),
            mechanisms: Vec::new(),
            anonymous_user: None,
            loopback_users: Vec::new(),
            handshake_timeout_ms: 10_000,
            connection_max: None,
        };
        Session::new(broker, Arc::new(options), PeerInfo::default())
    }

    #[test]
    fn mail_behind_a_full_output_is_no_work() {
        let mut session = session();
        assert!(!session.has_work());
        session.inbox.post(Event::Unblocked);
        assert!(session.has_work());
        session.mail.runs.push(StagedRun {
            slot: 0,
            key: ConsumerKey(1),
            chunk: Chunk::new(Vec::new()),
            count: 0,
        });
        session.out.buffer().resize(OUTPUT_HIGH, 0);
        assert!(!session.has_work(), "the peer must read first");
        session
            .out
            .write_with(|slices| Ok(slices[0].len()))
            .unwrap();
        assert!(session.has_work());
        session.on_mail();
        assert!(!session.has_work(), "all of it was taken");
    }

    #[test]
    fn who_waits_for_the_log_is_woken_behind_a_full_output() {
        struct Count(AtomicU32);
        impl Wake for Count {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let session = session();
        let count = Arc::new(Count(AtomicU32::new(0)));
        let waker = Arc::clone(&count).into();
        session.inbox.register(&waker);
        session.inbox.ring();
        // The task has been woken and cannot take its mail.
        session.inbox.register(&waker);
        session.inbox.ring();
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        crate::store::log::Wake::wake(session.inbox.as_ref());
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
