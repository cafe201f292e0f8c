//! Acknowledgements, rejections, recover.

use std::sync::Arc;

use super::Session;
use super::channel::Mode;
use crate::amqp::{AmqpError, encode};
use crate::broker::inbox::waking_once;
use crate::channel::UnackedRun;
use crate::queue::MessageId;
use crate::queue::settle::{SettleRun, Settlement};

fn unknown_tag(tag: u64) -> AmqpError {
    AmqpError::precondition_failed(format!("unknown delivery tag {tag}"))
}

impl Session {
    pub(super) fn on_ack(
        &mut self,
        channel: u16,
        tag: u64,
        multiple: bool,
    ) -> Result<(), AmqpError> {
        self.settle_tags(channel, tag, multiple, Settlement::Ack)
    }

    pub(super) fn on_nack(
        &mut self,
        channel: u16,
        tag: u64,
        multiple: bool,
        requeue: bool,
    ) -> Result<(), AmqpError> {
        let how = if requeue {
            Settlement::Requeue
        } else {
            Settlement::Reject
        };
        self.settle_tags(channel, tag, multiple, how)
    }

    fn settle_tags(
        &mut self,
        channel: u16,
        tag: u64,
        multiple: bool,
        how: Settlement,
    ) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Ok(());
        };
        if !multiple {
            let Some(run) = state.unacked.take_one(tag) else {
                return Err(unknown_tag(tag));
            };
            state.note_unacked();
            if let Mode::Tx(tx) = &mut state.mode {
                tx.settles.push((run, how));
                state.stats.acks_uncommitted.add(1);
            } else {
                if how == Settlement::Ack {
                    state.stats.ack.add(1);
                }
                self.add_settle(&run, how);
            }
            return Ok(());
        }
        let mut runs = Vec::new();
        if !state.unacked.take_up_to(tag, &mut runs) {
            return Err(unknown_tag(tag));
        }
        state.note_unacked();
        let count = runs.iter().map(|run| u64::from(run.len)).sum();
        if let Mode::Tx(tx) = &mut state.mode {
            tx.settles.extend(runs.into_iter().map(|run| (run, how)));
            state.stats.acks_uncommitted.add(count);
            return Ok(());
        }
        if how == Settlement::Ack {
            state.stats.ack.add(count);
        }
        for run in &runs {
            self.add_settle(run, how);
        }
        Ok(())
    }

    /// Notes a run for the queue it came from; queues are told at the end of the batch.
    pub(super) fn add_settle(&mut self, run: &UnackedRun, how: Settlement) {
        let Some(Some(source)) = self.consumers.sources.get(run.source as usize) else {
            return;
        };
        if source.consumer.is_some() {
            source.credit.give_back(run.len);
        }
        let settle = SettleRun {
            first: MessageId::from_raw(run.message),
            len: run.len,
            consumer: source.consumer,
            how,
        };
        // Mostly the same queue as before.
        let known = match self.settles.last() {
            Some((queue, _)) if queue.id == source.queue.id => Some(self.settles.len() - 1),
            _ => self
                .settles
                .iter()
                .position(|(queue, _)| queue.id == source.queue.id),
        };
        match known.and_then(|at| self.settles.get_mut(at)) {
            Some((_, runs)) => match runs.last_mut() {
                Some(last) if joins(last, &settle) => last.len += settle.len,
                _ => runs.push(settle),
            },
            None => self.settles.push((Arc::clone(&source.queue), vec![settle])),
        }
        self.consumers.settled(run.source, run.len);
    }

    /// Tells the queues what was settled, then those that waited for the channel's credit.
    pub(super) fn flush_settles(&mut self) {
        if self.settles.is_empty() {
            return;
        }
        let settles = std::mem::take(&mut self.settles);
        waking_once(|| {
            for (queue, runs) in settles {
                queue.settle(&self.broker, &runs, self.now);
            }
        });
        self.visit_parked();
    }

    /// `basic.recover` and `basic.recover-async`.
    pub(super) fn on_recover(
        &mut self,
        channel: u16,
        requeue: bool,
        answer: bool,
    ) -> Result<(), AmqpError> {
        if !requeue {
            return Err(AmqpError::not_implemented("requeue=false"));
        }
        self.requeue_unacked(channel);
        self.flush_settles();
        if answer {
            encode::plain(self.out.buffer(), channel, 60, 111);
        }
        Ok(())
    }

    /// Gives every unacknowledged delivery of a channel back to its queue.
    pub(super) fn requeue_unacked(&mut self, channel: u16) {
        let Some(state) = self.channels.get_mut(&channel) else {
            return;
        };
        let mut runs = Vec::new();
        state.unacked.take_all(&mut runs);
        state.note_unacked();
        for run in runs {
            self.add_settle(&run, Settlement::Requeue);
        }
    }

    /// Gives back what an uncommitted transaction of a channel that ends has acknowledged: that never
    /// happened.
    pub(super) fn requeue_uncommitted(&mut self, channel: u16) {
        let Some(state) = self.channels.get_mut(&channel) else {
            return;
        };
        let Mode::Tx(tx) = &mut state.mode else {
            return;
        };
        for (run, _) in std::mem::take(&mut tx.settles) {
            self.add_settle(&run, Settlement::Requeue);
        }
    }
}

fn joins(last: &SettleRun, next: &SettleRun) -> bool {
    last.how == next.how
        && last.consumer == next.consumer
        && last.first.raw().checked_add(u64::from(last.len)) == Some(next.first.raw())
        && last.len.checked_add(next.len).is_some()
}
