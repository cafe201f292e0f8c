//! Departure: the head of the queue meets the consumer whose turn it is.

use super::consumers::{Delivery, Port};
use super::effects::Effects;
use super::serving::Queue;

/// Messages that a lone consumer takes before its room and credit are looked at again.
const RUN_MAX: usize = 64;

impl<P: Port> Queue<P> {
    /// Delivers as long as there is a ready message and a consumer that can take one.
    pub fn dispatch(&mut self, now: u64, effects: &mut Effects) {
        while self.contents.ready() > 0 {
            let Some(mut id) = self.live_head(now, effects) else {
                break;
            };
            let Some(turn) = self.consumers.next() else {
                break;
            };
            let run = if turn.several { RUN_MAX } else { 1 };
            for taken in 0..run {
                let Some((chunk, meta)) = self.contents.get(id) else {
                    break;
                };
                let delivery = Delivery::new(id, meta.offset, meta.redelivered, meta.count);
                self.consumers.stage(turn, chunk, delivery, meta.size);
                self.counters.delivered += 1;
                self.counters.redelivered += u64::from(meta.redelivered);
                if turn.no_ack {
                    self.contents.settle(id);
                } else {
                    self.contents.deliver(id);
                }
                if taken + 1 == run {
                    break;
                }
                let Some(next) = self.contents.head() else {
                    break;
                };
                // An expired head ends the run; the next turn drops it.
                match self.contents.get(next) {
                    Some((_, meta)) if meta.expires_at >= now => id = next,
                    _ => break,
                }
            }
        }

        self.consumers.flush();
    }
}
