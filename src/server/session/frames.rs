//! Octets to frames, frames to calls.

use super::{Phase, Session};
use crate::amqp::constants::{FRAME_END, FRAME_PREFIX, PROTOCOL_HEADER};
use crate::amqp::frame::{self, FramePrefix, FrameType};
use crate::amqp::hot::{self, HotMethod};
use crate::amqp::{AmqpError, Level, method};
use crate::connection::{HeaderOutcome, read_header};

/// Frames taken in between two looks at the output's size.
const LOOK_EVERY: usize = 64;

const EXPECTED_METHOD: &str = "expected method frame, got non method frame instead";
const EXPECTED_HEADER: &str =
    "expected content header for class 60, got non content header frame instead";
const EXPECTED_BODY: &str = "expected content body, got non content body frame instead";

/// A body frame that is still arriving.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyRest {
    pub channel: u16,
    pub rest: usize,
}

impl Session {
    /// Takes in octets; returns how many it used. The rest must come again, with more behind it.
    pub fn on_bytes(&mut self, buffer: &[u8]) -> usize {
        self.now = crate::time::unix_ms();
        let steady = self.clock.ms();
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.heard(steady);
        }
        if let Some(handle) = &self.handle {
            handle
                .heard_at
                .store(self.now, std::sync::atomic::Ordering::Relaxed);
        }
        let mut used = 0;
        let mut frames = 0usize;
        self.stopped = false;
        loop {
            // Most frames add little to the output: looking now and then bounds it all the same.
            let look = std::mem::take(&mut self.wrote_body) || frames.is_multiple_of(LOOK_EVERY);
            if look && !self.wants_read() {
                self.stopped = true;
                break;
            }
            frames += 1;
            let rest = buffer.get(used..).unwrap_or_default();
            match self.step(rest) {
                Ok(0) => break,
                Ok(taken) => used += taken,
                Err(error) => {
                    let channel = self.channel_of(rest);
                    self.close_connection(channel, error);
                    break;
                }
            }
        }
        if self.phase == Phase::Done {
            used = buffer.len();
        }
        self.end_batch();
        used
    }

    /// Takes in one frame or the start of one; 0 when more octets are needed, or none are wanted.
    fn step(&mut self, buffer: &[u8]) -> Result<usize, AmqpError> {
        if self.publisher && !self.wants_read_now() {
            self.stopped = true;
            return Ok(0);
        }
        if buffer.is_empty() {
            return Ok(0);
        }
        match self.phase {
            Phase::Header => Ok(self.on_header(buffer)),
            Phase::Done => Ok(buffer.len()),
            _ => match self.body_rest {
                Some(rest) => self.continue_body(buffer, rest),
                None => match self.publish_again(buffer) {
                    Some(taken) => Ok(taken),
                    None => self.on_frame(buffer),
                },
            },
        }
    }

    fn on_header(&mut self, buffer: &[u8]) -> usize {
        match read_header(buffer) {
            HeaderOutcome::Incomplete => 0,
            HeaderOutcome::Accepted => {
                self.start();
                PROTOCOL_HEADER.len()
            }
            HeaderOutcome::Refused => {
                self.log_bad_header(buffer);
                self.out.buffer().extend_from_slice(&PROTOCOL_HEADER);
                self.phase = Phase::Done;
                buffer.len()
            }
        }
    }

    /// The channel of the frame that these octets belong to, for the log.
    fn channel_of(&self, octets: &[u8]) -> u16 {
        match (self.body_rest, octets) {
            (Some(body), _) => body.channel,
            (None, [_, high, low, ..]) => u16::from_be_bytes([*high, *low]),
            _ => 0,
        }
    }

    fn payload_max(&self) -> usize {
        match self.phase {
            Phase::Running | Phase::Closing => self.tuning.payload_max(),
            _ => self.options.initial_frame_max,
        }
    }

    fn on_frame(&mut self, buffer: &[u8]) -> Result<usize, AmqpError> {
        let Some(prefix) = frame::read_prefix(buffer, self.payload_max())? else {
            return Ok(0);
        };
        if prefix.kind == FrameType::Body && self.phase == Phase::Running && prefix.channel != 0 {
            return self.begin_body(buffer, prefix);
        }
        let Some((payload, taken)) = frame::read_payload(buffer, prefix)? else {
            return Ok(0);
        };
        let behind = buffer.get(taken..).unwrap_or_default();
        match (prefix.kind, self.phase) {
            (FrameType::Unknown(_), _) => Err(frame::unknown_frame(prefix.kind, payload)),
            (FrameType::Heartbeat, _) => {
                if prefix.channel != 0 {
                    let text = frame::quote(prefix.kind, payload);
                    return Err(AmqpError::unexpected_frame(text));
                }
                if !payload.is_empty() {
                    return Err(frame::unknown_frame(prefix.kind, payload));
                }
                Ok(taken)
            }
            (FrameType::Method, Phase::Running) if prefix.channel != 0 => {
                let content = self.on_channel_method(prefix.channel, payload, behind)?;
                if content > 0 {
                    self.learn_publish(prefix.channel, buffer, taken, taken + content);
                }
                Ok(taken + content)
            }
            (FrameType::Method, _) if prefix.channel == 0 => {
                self.on_connection_method(payload)?;
                Ok(taken)
            }
            (FrameType::Header, Phase::Running) if prefix.channel != 0 => {
                self.on_content_header(prefix.channel, payload)?;
                Ok(taken)
            }
            (_, Phase::Closing) => Ok(taken),
            _ => Err(AmqpError::unexpected_frame(frame::quote(
                prefix.kind,
                payload,
            ))),
        }
    }

    /// A method on a channel. A publish whose header and body lie behind it is taken in whole;
    /// returns the octets of these.
    fn on_channel_method(
        &mut self,
        channel: u16,
        payload: &[u8],
        behind: &[u8],
    ) -> Result<usize, AmqpError> {
        let hot = hot::read(payload);
        let Some(state) = self.channels.get_mut(&channel) else {
            let id = method::ids(payload).unwrap_or_default();
            if id == (20, 10) {
                self.on_channel_open(channel, payload)?;
                return Ok(0);
            }
            let text = "expected 'channel.open'";
            return Err(AmqpError::channel_error(text).caused_by(id));
        };
        if state.closing {
            self.on_method_while_closing(channel, payload)?;
            return Ok(0);
        }
        if state.content.is_some() {
            let content = state.content.as_ref();
            let text = if content.is_some_and(|content| content.body_size.is_none()) {
                EXPECTED_HEADER
            } else {
                EXPECTED_BODY
            };

            return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
        }
        let (result, id, taken) = match hot {
            Some(HotMethod::Publish(publish)) => match self.on_publish(channel, publish, behind) {
                Ok(taken) => (Ok(()), (60, 40), taken),
                Err(error) => (Err(error), (60, 40), 0),
            },
            Some(HotMethod::Ack(tag, multiple)) => {
                (self.on_ack(channel, tag, multiple), (60, 80), 0)
            }
            Some(HotMethod::Nack(tag, multiple, requeue)) => {
                (self.on_nack(channel, tag, multiple, requeue), (60, 120), 0)
            }
            Some(HotMethod::Reject(tag, requeue)) => {
                (self.on_nack(channel, tag, false, requeue), (60, 90), 0)
            }
            None => {
                let method = method::decode(payload)?;
                self.flush();
                let id = method.id;
                (self.on_method(channel, method), id, 0)
            }
        };
        match result {
            Ok(()) => Ok(taken),
            Err(error) => {
                self.fail(channel, error.caused_by(id))?;
                Ok(taken)
            }
        }
    }

    /// Closes what the error closes; a connection error is handed on.
    pub(super) fn fail(&mut self, channel: u16, error: AmqpError) -> Result<(), AmqpError> {
        match error.level {
            Level::Connection => Err(error),
            Level::Channel => {
                self.close_channel(channel, &error);
                Ok(())
            }
        }
    }

    fn on_content_header(&mut self, channel: u16, payload: &[u8]) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get_mut(&channel) else {
            return Err(AmqpError::unexpected_frame(EXPECTED_METHOD));
        };
        if state.closing {
            return Ok(());
        }
        match &state.content {
            None => return Err(AmqpError::unexpected_frame(EXPECTED_METHOD)),
            Some(content) if content.body_size.is_some() => {
                return Err(AmqpError::unexpected_frame(EXPECTED_BODY).caused_by((60, 40)));
            }
            Some(_) => {}
        }
        let Some(header) = hot::content_header(payload) else {
            let weighted = payload.len() >= 14;
            return Err(if weighted {
                AmqpError::unexpected_frame(EXPECTED_HEADER).caused_by((60, 40))
            } else {
                frame::unknown_frame(FrameType::Header, payload)
            });
        };

        if header.class != 60 {
            let text = format!(
                "expected content header for class 60, got one for class {} instead",
                header.class
            );
            return Err(AmqpError::unexpected_frame(text).caused_by((60, 40)));
        }
        let result = self.check_size(header.body_size).map(|()| {
            if let Some(content) = self
                .channels
                .get_mut(&channel)
                .and_then(|c| c.content.as_mut())
            {
                content.header(header.properties, header.body_size);
            }
            self.begin_spool(channel, header.properties, header.body_size);
        });
        let result = result.and_then(|()| self.finish_content(channel));
        result.or_else(|error| self.fail(channel, error.caused_by((60, 40))))
    }

    /// A body frame: its octets are taken in as they come, complete or not.
    fn begin_body(&mut self, buffer: &[u8], prefix: FramePrefix) -> Result<usize, AmqpError> {
        if let Err(error) = self.check_body(prefix) {
            // A frame that is damaged as well is called damaged, so its end must have come.
            return match frame::read_payload(buffer, prefix)? {
                Some(_) => Err(error),
                None => Ok(0),
            };
        }
        let rest = BodyRest {
            channel: prefix.channel,
            rest: prefix.size,
        };
        self.body_rest = Some(rest);
        let behind = buffer.get(FRAME_PREFIX..).unwrap_or_default();
        Ok(FRAME_PREFIX + self.continue_body(behind, rest)?)
    }

    fn check_body(&self, prefix: FramePrefix) -> Result<(), AmqpError> {
        let Some(state) = self.channels.get(&prefix.channel) else {
            return Err(AmqpError::unexpected_frame(EXPECTED_METHOD));
        };
        match &state.content {
            _ if state.closing => Ok(()),
            None => Err(AmqpError::unexpected_frame(EXPECTED_METHOD)),
            Some(content) if content.body_size.is_none() => {
                Err(AmqpError::unexpected_frame(EXPECTED_HEADER).caused_by((60, 40)))
            }
            Some(content) if content.missing < prefix.size as u64 => {
                let announced = content.body_size.unwrap_or(0);
                let text = format!("content body is longer than the {announced} octets announced");
                Err(AmqpError::unexpected_frame(text).caused_by((60, 40)))
            }
            Some(_) => Ok(()),
        }
    }

    fn continue_body(&mut self, buffer: &[u8], body: BodyRest) -> Result<usize, AmqpError> {
        let here = buffer.len().min(body.rest);
        let part = buffer.get(..here).unwrap_or_default();
        let content = self
            .channels
            .get_mut(&body.channel)
            .filter(|state| !state.closing)
            .and_then(|state| state.content.as_mut());
        if let Some(content) = content
            && !content.body(part)
        {
            return Err(AmqpError::unexpected_frame(
                "content body is longer than announced",
            ));
        }
        let rest = body.rest - here;
        self.body_rest = Some(BodyRest { rest, ..body });
        if rest > 0 {
            return Ok(here);
        }
        match buffer.get(here) {
            None => return Ok(here),
            Some(&FRAME_END) => {}
            Some(&other) => return Err(frame::bad_end(FrameType::Body, part, other)),
        }
        self.body_rest = None;
        if let Err(error) = self.finish_content(body.channel) {
            self.fail(body.channel, error.caused_by((60, 40)))?;
        }
        Ok(here + 1)
    }
}
