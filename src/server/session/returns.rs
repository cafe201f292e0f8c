//! `basic.return`.

use super::Session;
use crate::amqp::encode;
use crate::limits::BODY_BY_REFERENCE;
use crate::message::Chunk;

impl Session {
    /// Writes a mandatory message back that no queue took.
    pub(super) fn return_unroutable(
        &mut self,
        channel: u16,
        route: &[u8],
        properties: &[u8],
        body: &[u8],
    ) {
        if let Some(state) = self.channels.get(&channel) {
            state.stats.return_unroutable.add(1);
        }
        let payload_max = self.tuning.payload_max();
        self.wrote_body = true;
        let out = &mut self.out;
        encode::basic_return_no_route(out.buffer(), channel, route);
        encode::content_header(out.buffer(), channel, body.len() as u64, properties);
        let frame = if payload_max == 0 {
            body.len()
        } else {
            payload_max
        };
        for part in body.chunks(frame.max(1)) {
            if part.len() < BODY_BY_REFERENCE {
                encode::body(out.buffer(), channel, part);
                continue;
            }
            encode::body_prefix(
                out.buffer(),
                channel,
                u32::try_from(part.len()).unwrap_or(u32::MAX),
            );
            let chunk = Chunk::copied(part);
            out.push_body(&chunk, 0, part.len());
            out.buffer().push(crate::amqp::constants::FRAME_END);
        }
    }
}
