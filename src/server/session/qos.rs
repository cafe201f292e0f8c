//! `basic.qos`.

use amq_protocol::protocol::basic;

use super::Session;
use crate::amqp::{AmqpError, encode};
use crate::queue::QueueKind;

impl Session {
    /// With global: one limit over the channel. Without: the limit of consumers to come, and of the
    /// live ones that follow the channel, for Celery's worker starves otherwise.
    pub(super) fn on_qos(
        &mut self,
        channel: u16,
        method: &basic::Qos,
        size: u32,
    ) -> Result<(), AmqpError> {
        if size != 0 {
            return Err(AmqpError::not_implemented(format!(
                "prefetch_size!=0 ({size})"
            )));
        }
        let limit = u32::from(method.prefetch_count);
        if method.global {
            self.set_channel_limit(channel, limit);
        } else {
            self.set_consumer_limits(channel, limit);
            self.visit_parked();
        }
        encode::plain(self.out.buffer(), channel, 60, 11);
        Ok(())
    }

    fn set_channel_limit(&mut self, channel: u16, limit: u32) {
        let Some(state) = self.channels.get(&channel) else {
            return;
        };
        state.credit.set(limit);
        self.visit_parked();
    }

    fn set_consumer_limits(&mut self, channel: u16, limit: u32) {
        let Some(state) = self.channels.get_mut(&channel) else {
            return;
        };
        state.prefetch = limit;
        state.stats.prefetch.set(limit.into());
        // RabbitMQ lifts a shared limit set before (rabbit_limiter's unlimit_prefetch).
        state.credit.set(0);
        let slots: Vec<u32> = state.consumers.values().copied().collect();
        for slot in slots {
            let Some(Some(consumer)) = self.consumers.slots.get(slot as usize) else {
                continue;
            };
            if !consumer.follows_channel || consumer.no_ack {
                continue;
            }
            if let Some(queue) = &consumer.queue
                && queue.settings.kind == QueueKind::Classic
            {
                queue.set_prefetch(&self.broker, consumer.key, limit, self.now);
            }
        }
    }
}
