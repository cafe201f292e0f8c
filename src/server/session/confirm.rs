//! Confirm mode, and the end of a batch.

use super::Session;
use super::channel::Mode;
use crate::amqp::{AmqpError, encode};
use crate::broker::batch::Refusals;
use crate::broker::inbox::waking_once;
use crate::broker::observe::channel_stats::ChannelMode;
use crate::channel::Confirms;

/// Confirms that wait for the log.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeldConfirm {
    ticket: u64,
    channel: u16,
    up_to: u64,
}

impl Session {
    pub(super) fn on_confirm_select(
        &mut self,
        channel: u16,
        nowait: bool,
    ) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        match state.mode {
            Mode::Plain => {
                state.mode = Mode::Confirm(Confirms::default());
                state.stats.set_mode(ChannelMode::Confirm);
            }
            Mode::Confirm(_) => {}
            Mode::Tx(_) => {
                let text = "cannot switch from tx to confirm mode";
                return Err(AmqpError::precondition_failed(text));
            }
        }
        if !nowait {
            encode::plain(self.out.buffer(), channel, 85, 11);
        }
        Ok(())
    }

    /// Hands gathered publishes and settles to their queues and writes the confirms: before any
    /// method that is not one of them, and at the end of a batch.
    pub(super) fn flush(&mut self) {
        self.flush_batch();
        self.decide_confirms();
        self.flush_settles();
    }

    /// Hands gathered publishes to their queues.
    pub(super) fn flush_batch(&mut self) {
        self.tally.flush();
        if !self.batch.is_empty() {
            let mut refusals = Refusals::default();
            let waiter = (!self.confirming.is_empty()).then_some(&self.inbox);
            let ticket = waking_once(|| {
                self.batch
                    .flush(&self.broker, self.now, &mut refusals, waiter)
            });
            self.batch_ticket = self.batch_ticket.max(ticket);
            for publish in refusals.refused {
                let Some((channel, number)) = self.batch_publishes.get(publish as usize) else {
                    continue;
                };
                if let Some(state) = self.channels.get_mut(channel)
                    && let Mode::Confirm(confirms) = &mut state.mode
                {
                    confirms.refuse(*number);
                }
            }
        }
        self.batch_publishes.clear();
    }

    /// Writes the confirms of everything flushed, or notes which entry of the log they wait for.
    /// Later ones wait behind: they would only be written one by one before.
    fn decide_confirms(&mut self) {
        let ticket = std::mem::take(&mut self.batch_ticket);
        if self.confirming.is_empty() {
            return;
        }
        let durable = self.broker.journal.durable();
        let last = self.held_confirms.back().map_or(0, |held| held.ticket);
        let ticket = ticket.max(last);
        for channel in std::mem::take(&mut self.confirming) {
            let Some(state) = self.channels.get(&channel) else {
                continue;
            };
            let Mode::Confirm(confirms) = &state.mode else {
                continue;
            };
            let up_to = confirms.issued();
            if ticket > durable {
                state.stats.unconfirmed.set(confirms.waiting());
                self.held_confirms.push_back(HeldConfirm {
                    ticket,
                    channel,
                    up_to,
                });
            } else {
                self.write_confirms(channel, up_to);
            }
        }
    }

    /// Writes the confirms whose entries have become durable.
    pub(super) fn release_confirms(&mut self) {
        if self.held_confirms.is_empty() {
            return;
        }
        let durable = self.broker.journal.durable();
        let ready = self
            .held_confirms
            .iter()
            .take_while(|held| held.ticket <= durable)
            .count();
        let released: Vec<HeldConfirm> = self.held_confirms.drain(..ready).collect();
        for (at, held) in released.iter().enumerate() {
            // One confirm for what became durable together.
            let later = released.get(at + 1..).unwrap_or_default();
            if !later.iter().any(|other| other.channel == held.channel) {
                self.write_confirms(held.channel, held.up_to);
            }
        }
    }

    /// A channel has ended: nobody waits for its confirms.
    pub(super) fn forget_confirms(&mut self, channel: u16) {
        self.held_confirms.retain(|held| held.channel != channel);
    }

    fn write_confirms(&mut self, channel: u16, up_to: u64) {
        let Some(state) = self
            .channels
            .get_mut(&channel)
            .filter(|state| !state.closing)
        else {
            return;
        };
        if let Mode::Confirm(confirms) = &mut state.mode {
            confirms.decide(up_to);
            let before = confirms.waiting();
            let mut refused = 0;
            let out = self.out.buffer();
            confirms.emit(|confirm| {
                if confirm.nack {
                    refused += 1;
                    encode::basic_nack(out, channel, confirm.tag, confirm.multiple);
                } else {
                    encode::basic_ack(out, channel, confirm.tag, confirm.multiple);
                }
            });
            let waiting = confirms.waiting();
            state.stats.confirm.add(before - waiting - refused);
            state.stats.unconfirmed.set(waiting);
        }
    }

    /// Nothing more is written to the peer until the log's entry with this ticket is durable: what
    /// is answered next is a promise.
    pub(super) fn wait_for(&mut self, ticket: u64) {
        if ticket > self.broker.journal.durable() {
            self.barrier = self.barrier.max(ticket);
            self.broker.journal.wake_when(ticket, &self.inbox);
        }
    }

    /// True while a promise in the output is not kept yet.
    pub fn output_is_held(&self) -> bool {
        self.barrier > self.broker.journal.durable()
    }

    /// The end of a batch of octets: everything gathered takes effect, and what that brought us
    /// is written.
    pub(super) fn end_batch(&mut self) {
        self.push_spools();
        self.flush();
        self.write_mail(false);
    }
}
