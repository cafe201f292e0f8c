//! Confirm mode, and the end of a batch.

use super::Session;
use super::channel::Mode;
use crate::amqp::{AmqpError, encode};
use crate::broker::batch::Refusals;
use crate::broker::inbox::waking_once;
use crate::channel::Confirms;

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
            Mode::Plain => state.mode = Mode::Confirm(Confirms::default()),
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
        if !self.batch.is_empty() {
            let mut refusals = Refusals::default();
            waking_once(|| self.batch.flush(&self.broker, self.now, &mut refusals));
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
        self.write_confirms();
        self.flush_settles();
    }

    /// Writes the confirms of everything flushed.
    pub(super) fn write_confirms(&mut self) {
        for channel in std::mem::take(&mut self.confirming) {
            let Some(state) = self
                .channels
                .get_mut(&channel)
                .filter(|state| !state.closing)
            else {
                continue;
            };
            if let Mode::Confirm(confirms) = &mut state.mode {
                confirms.decide_all();
                let out = self.out.buffer();
                confirms.emit(|confirm| {
                    if confirm.nack {
                        encode::basic_nack(out, channel, confirm.tag, confirm.multiple);
                    } else {
                        encode::basic_ack(out, channel, confirm.tag, confirm.multiple);
                    }
                });
            }
        }
    }

    /// The end of a batch of octets: everything gathered takes effect, and what that brought us
    /// is written.
    pub(super) fn end_batch(&mut self) {
        self.flush();
        self.write_mail(false);
    }
}
