//! What this connection holds of a queue, for whoever asks.

use super::Session;
use crate::broker::unacked::{HeldRun, Inquiry};
use crate::queue::MessageId;

impl Session {
    /// Answers which deliveries of a queue wait for this connection's acknowledgement.
    pub(super) fn tell_held(&self, inquiry: &Inquiry) {
        let channels = self.channels.iter();
        let runs = channels.flat_map(|(number, channel)| {
            channel.unacked.iter().filter_map(|run| {
                let sources = &self.consumers.sources;
                let source = sources.get(run.source as usize)?.as_ref()?;
                (source.queue.id == inquiry.queue).then(|| HeldRun {
                    connection: self.id,
                    channel: *number,
                    consumer_tag: self.consumers.tag_of(run.source),
                    tag: run.tag,
                    message: MessageId::from_raw(run.message),
                    len: run.len,
                    at_s: run.at_s,
                })
            })
        });
        inquiry.answer(runs);
    }
}
