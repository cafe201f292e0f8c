//! `basic.get`.

use std::sync::Arc;

use amq_protocol::protocol::basic;

use super::Session;
use super::consume::Source;
use crate::amqp::{AmqpError, encode};
use crate::auth::Access;
use crate::broker::SharedQueue;
use crate::queue::serving::Taken;

impl Session {
    pub(super) fn on_get(&mut self, channel: u16, method: &basic::Get) -> Result<(), AmqpError> {
        let name = self.named_queue(channel, method.queue.as_str())?;
        self.permit_queue(Access::Read, &name)?;
        let vhost = self.host()?;
        let queue = vhost.existing_queue(&name)?;
        queue.check_access(self.id)?;
        let taken = queue.get(&self.broker, method.no_ack, self.now);
        match taken.ok_or_else(|| vhost.no_queue(&name))? {
            None => {
                if let Some(state) = self.channels.get(&channel) {
                    state.stats.get_empty.add(1);
                }
                encode::basic_get_empty(self.out.buffer(), channel);
            }
            Some(taken) => self.write_got(channel, &queue, &taken, method.no_ack),
        }
        Ok(())
    }

    fn write_got(&mut self, channel: u16, queue: &Arc<SharedQueue>, taken: &Taken, no_ack: bool) {
        if self.is_traced() {
            let record = taken.chunk.record(taken.offset);
            self.tell_delivery(channel, &record, queue, taken.redelivered);
        }
        let source = (!no_ack).then(|| self.get_source(channel, queue));
        let Some(state) = self.channels.get_mut(&channel) else {
            return;
        };
        let tag = match source {
            Some(source) => state.unacked.add(source, taken.id.raw(), self.now / 1000),
            None => state.unacked.tag_only(),
        };
        let stats = &state.stats;
        if no_ack {
            &stats.get_no_ack
        } else {
            &stats.get
        }
        .add(1);
        stats.redeliver.add(u64::from(taken.redelivered));
        state.note_unacked();
        if let Some(source) = source
            && let Some(Some(source)) = self.consumers.sources.get_mut(source as usize)
        {
            source.outstanding += 1;
        }
        let record = taken.chunk.record(taken.offset);
        let ready = u32::try_from(taken.ready).unwrap_or(u32::MAX);
        encode::basic_get_ok(
            self.out.buffer(),
            channel,
            tag,
            taken.redelivered,
            record.route,
            ready,
        );
        let count = queue.counts_deliveries().then_some(taken.count);
        let payload_max = self.tuning.payload_max();
        self.wrote_body = true;
        super::deliver::write_content(
            &mut self.out,
            channel,
            &taken.chunk,
            taken.offset,
            count,
            payload_max,
        );
    }

    /// The source that stands for gets from `queue`; consecutive gets share one.
    fn get_source(&mut self, channel: u16, queue: &Arc<SharedQueue>) -> u32 {
        let Some(state) = self.channels.get_mut(&channel) else {
            return u32::MAX;
        };
        if let Some((id, source)) = state.get_source {
            if id == queue.id {
                return source;
            }
            self.consumers.end_source(source);
        }
        let timeout_ms = queue
            .in_force(|settings| settings.consumer_timeout_ms)
            .or(self.broker.options.consumer_timeout_ms);
        let source = self.consumers.add_source(Source {
            queue: Arc::clone(queue),
            consumer: None,
            credit: Arc::clone(&state.credit),
            outstanding: 0,
            alive: true,
            timeout_ms,
        });
        state.get_source = Some((queue.id, source));
        self.note_timeout(channel, timeout_ms);
        source
    }
}
