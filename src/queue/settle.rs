//! Acknowledgements, rejections and returns, by runs of consecutive messages.

use super::arguments::QueueKind;
use super::consumers::{ConsumerKey, Port};
use super::contents::MessageId;
use super::effects::{DeadReason, Effects, Op};
use super::serving::Queue;
use crate::limits::DROPS_PER_HOLD;

/// What becomes of delivered messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settlement {
    /// Acknowledged: gone.
    Ack,
    /// Rejected without requeue: gone, dead-lettered where the queue has an exchange for it.
    Reject,
    /// Back into the queue, flagged as redelivered and counted.
    Requeue,
    /// Back into the queue as if never delivered: the consumer went before it saw them.
    Undeliver,
}

/// Consecutive messages of one queue, delivered to one consumer (none for `basic.get`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettleRun {
    /// The first one.
    pub first: MessageId,
    /// How many.
    pub len: u32,
    /// Whose credit they use.
    pub consumer: Option<ConsumerKey>,
    /// What becomes of them.
    pub how: Settlement,
}

impl<P: Port> Queue<P> {
    /// Settles runs in order, gives the credit back and serves the consumers.
    pub fn settle(&mut self, runs: &[SettleRun], now: u64, effects: &mut Effects) {
        for run in runs {
            self.settle_run(run, effects);
            if let Some(consumer) = run.consumer {
                self.consumers.credit(consumer, run.len);
            }
        }
        if self.expiring && runs.iter().any(|run| run.how != Settlement::Ack) {
            // What expired while it was with a consumer leaves now that it is back.
            self.expire(now, effects);
        }
        self.dispatch(now, effects);
        let returned: usize = runs.iter().map(|run| run.len as usize).sum();
        self.trim_some(&mut (DROPS_PER_HOLD + returned), effects);
    }

    fn settle_run(&mut self, run: &SettleRun, effects: &mut Effects) {
        let first = run.first.raw();
        for raw in first..first.saturating_add(u64::from(run.len)) {
            let id = MessageId::from_raw(raw);
            match run.how {
                Settlement::Ack => {
                    self.settle_one(id, effects);
                    self.counters.acknowledged += 1;
                }
                Settlement::Reject => self.drop_message(id, DeadReason::Rejected, effects),
                Settlement::Undeliver => {
                    self.contents.give_back(id, false, false);
                }
                Settlement::Requeue => self.requeue(id, effects),
            }
        }
    }

    fn requeue(&mut self, id: MessageId, effects: &mut Effects) {
        let Some(meta) = self.contents.get(id) else {
            return;
        };
        let spent = self
            .settings
            .delivery_limit
            .is_some_and(|limit| meta.count >= limit);
        if spent {
            self.drop_message(id, DeadReason::DeliveryLimit, effects);
            return;
        }
        let count = self.counts_deliveries();
        let returns = meta.count.saturating_add(u32::from(count));
        if self.settings.kind == QueueKind::Quorum {
            let moved = self.contents.give_back_at_end(id, true, count);
            if let Some(to) = moved.filter(|_| meta.logged) {
                effects.journal.push(Op::Moved {
                    from: id,
                    to,
                    count: returns,
                });
            }
        } else if self.contents.give_back(id, true, count) && count && meta.logged {
            effects.journal.push(Op::Returned { id, count: returns });
        }
    }
}
