//! Departure: the head of the queue meets the consumer whose turn it is.

use std::sync::Arc;

use super::block::State;
use super::consumers::{Delivery, Port};
use super::contents::MessageId;
use super::effects::{Asked, Effects, Op, Read, Wanted, bytes_asked};
use super::serving::Queue;
use crate::limits::{
    DROPS_PER_HOLD, READ_AHEAD, READ_AHEAD_MESSAGES, READ_AHEAD_MIN, READ_AHEAD_SUM, READ_COST,
};
use crate::message::chunk::bytes_held;
use crate::message::{Body, Home};

impl<P: Port> Queue<P> {
    /// Delivers as long as there is a ready message and a consumer that can take one.
    pub fn dispatch(&mut self, now: u64, effects: &mut Effects) {
        // The last message that was delivered for the first time, for the log.
        let mut seen: Option<MessageId> = None;
        while self.contents.ready() > 0 {
            // What has expired leaves before anybody is asked.
            if self.expiring && self.live_head(now, DROPS_PER_HOLD, effects).is_none() {
                break;
            }
            let Some(turn) = self.consumers.next_turn() else {
                break;
            };
            let Self {
                contents,
                consumers,
                counters,
                logs,
                rare,
                ..
            } = self;
            let mut taken = contents.take_run(turn.most, now, turn.no_ack, |id, chunk, meta| {
                let delivery = Delivery::new(id, meta.offset, meta.redelivered, meta.count);
                counters.redelivered += u64::from(meta.redelivered);
                if meta.logged {
                    if turn.no_ack {
                        effects.settled(id);
                    } else if !meta.redelivered {
                        note_seen(&mut seen, id, effects);
                    }
                } else if *logs && turn.no_ack {
                    rare.transient_left(meta.size);
                }
                consumers.stage(turn, chunk, delivery, meta.size)
            });
            if taken == 0 {
                // Returned messages, priorities, thinned blocks: one by one.
                let Some(id) = contents.head() else { break };
                let (Some(meta), Some(chunk)) = (contents.get(id), contents.chunk(id)) else {
                    // The turn stays with its consumer; reading begins in any case.
                    consumers.decline(turn);
                    self.want(effects);
                    break;
                };
                let delivery = Delivery::new(id, meta.offset, meta.redelivered, meta.count);
                counters.redelivered += u64::from(meta.redelivered);
                consumers.stage(turn, chunk, delivery, meta.size);
                if turn.no_ack {
                    contents.settle(id);
                    if meta.logged {
                        effects.settled(id);
                    } else if *logs {
                        rare.transient_left(meta.size);
                    }
                } else {
                    contents.deliver(id);
                    if meta.logged && !meta.redelivered {
                        note_seen(&mut seen, id, effects);
                    }
                }
                taken = 1;
            }
            if turn.no_ack {
                counters.delivered_no_ack += u64::from(taken);
            } else {
                counters.delivered += u64::from(taken);
                consumers.owe(turn, taken);
            }
        }
        if let Some(up_to) = seen {
            effects.journal.push(Op::Delivered { up_to });
        }
        self.consumers.flush();
    }

    /// Asks for what leaves next, unless something is being read already.
    pub(super) fn want(&mut self, effects: &mut Effects) {
        if self.reading {
            return;
        }
        let page = self.contents.missing();
        let messages = match page {
            Some(_) => Vec::new(),
            None => {
                // Many queues that read at once share what there is.
                let taken = bytes_held().saturating_add(bytes_asked());
                let room = READ_AHEAD_SUM.saturating_sub(taken) / 16;
                let octets = room.clamp(READ_AHEAD_MIN, READ_AHEAD);
                self.contents.wanted(octets, READ_AHEAD_MESSAGES)
            }
        };
        if page.is_some() || !messages.is_empty() {
            self.reading = true;
            let each = |(_, _, size): &(MessageId, Home, u32)| u64::from(*size) + READ_COST;
            let octets = messages.iter().map(each).sum();
            effects.wanted = Some(Wanted {
                messages,
                page,
                asked: Asked::new(octets),
            });
        }
    }

    /// Asks for a block with messages that are due, unless something is being read already: once it
    /// is back they leave.
    pub(super) fn want_due(&mut self, now: u64, effects: &mut Effects) {
        if !self.expiring || self.reading {
            return;
        }
        let page = self.contents.due_away(now);
        if page.is_some() {
            self.reading = true;
            effects.wanted = Some(Wanted {
                page,
                ..Wanted::default()
            });
        }
    }

    /// Takes out messages whose records cannot be had at these places, unless they lie elsewhere by
    /// now: nobody could be given them, and what stands behind them must not wait for ever.
    pub fn lose(&mut self, damaged: &[(MessageId, Home)], effects: &mut Effects) {
        for (id, place) in damaged {
            let there = matches!(
                self.contents.body(*id),
                Some(Body::Stored(home))
                    if Arc::ptr_eq(&home.file, &place.file) && home.offset == place.offset
            );
            let ready = self.contents.get(*id).map(|meta| meta.state) == Some(State::Ready);
            if there && ready {
                self.settle_one(*id, effects);
            }
        }
    }

    /// What was wanted cannot be read now: it is asked for again by whatever needs it next.
    pub fn give_up_reading(&mut self) {
        self.reading = false;
    }

    /// What was wanted has been read; serves the consumers. False if it is not what was wanted: the
    /// store is damaged.
    pub fn install(&mut self, read: &Read, now: u64, effects: &mut Effects) -> bool {
        self.reading = false;
        self.rare.disk_reads += read.messages.len() as u64;
        // Read in the order of the files, which is mostly that of the queue.
        if let (Some((first, _)), Some((last, _))) = (read.messages.first(), read.messages.last()) {
            self.contents.make_room(*first);
            self.contents.make_room(*last);
        }
        for (id, chunk) in &read.messages {
            self.contents.install(*id, chunk);
        }
        self.lose(&read.damaged, effects);
        if let Some((priority, base, page, octets)) = &read.page {
            let level = self.contents.level_made(*priority);
            if !level.bring_back(*base, page, octets) {
                // Asking again would give the same.
                self.reading = true;
                return false;
            }
            self.expire(now, effects);
        }
        self.trim(effects);
        self.dispatch(now, effects);
        // One block after the other, as long as some are due.
        self.want_due(now, effects);
        true
    }
}

/// Notes a first delivery: the log hears of the last one of each priority.
#[inline]
fn note_seen(seen: &mut Option<MessageId>, id: MessageId, effects: &mut Effects) {
    if let Some(last) = seen.filter(|last| last.priority() != id.priority()) {
        effects.journal.push(Op::Delivered { up_to: last });
    }
    *seen = Some(id);
}
