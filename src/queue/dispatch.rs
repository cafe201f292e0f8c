//! Departure: the head of the queue meets the consumer whose turn it is.

use super::consumers::{Delivery, Port};
use super::effects::Effects;
use super::serving::Queue;
use crate::limits::DROPS_PER_HOLD;

impl<P: Port> Queue<P> {
    /// Delivers as long as there is a ready message and a consumer that can take one.
    pub fn dispatch(&mut self, now: u64, effects: &mut Effects) {
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
                ..
            } = self;
            let mut taken = contents.take_run(turn.most, now, turn.no_ack, |id, chunk, meta| {
                let delivery = Delivery::new(id, meta.offset, meta.redelivered, meta.count);
                counters.redelivered += u64::from(meta.redelivered);
                consumers.stage(turn, chunk, delivery, meta.size)
            });
            if taken == 0 {
                // Returned messages, priorities, thinned blocks: one by one.
                let Some(id) = contents.head() else { break };
                let Some((chunk, meta)) = contents.get(id) else {
                    break;
                };
                let delivery = Delivery::new(id, meta.offset, meta.redelivered, meta.count);
                counters.redelivered += u64::from(meta.redelivered);
                consumers.stage(turn, chunk, delivery, meta.size);
                if turn.no_ack {
                    contents.settle(id);
                } else {
                    contents.deliver(id);
                }
                taken = 1;
            }
            counters.delivered += u64::from(taken);
            if !turn.no_ack {
                consumers.owe(turn, taken);
            }
        }
        self.consumers.flush();
    }
}
